"""Tests of gateway.jobs: a worker takes what is to do, and stops between two batches."""

import asyncio
import time
from collections.abc import Callable

import pytest

from gateway.jobs import Jobs, work
from models import changes, directory
from models.changes import AclMode, Terms
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import JobState
from stores import change, revision

NEWS = ObjectKey("collection", "news")
COUNT = 6


@pytest.fixture(name="world")
def world_with_a_job(cast: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A job over six assets, two of which make a batch."""
    monkeypatch.setattr("models.changes.jobs.BATCH", 2)
    with change(cast) as session:
        changes.register_object(session, NEWS, "main")
        for number in range(COUNT):
            key = changes.register_object(session, ObjectKey("asset", f"n{number}"), "main").key
            changes.place(session, key, NEWS)
        changes.start_job(session, NEWS, ["user:ben"], Terms(Permission.READ), AclMode.APPEND)
    return cast


def progress(store: Store) -> tuple[JobState, int]:
    """Returns how the job stands."""
    with store.read() as session:
        (job,) = directory.list_jobs(session)
        return job.state, job.done


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds; the test's own time limit ends it."""
    while not holds():
        time.sleep(0.01)


def test_a_worker_finishes_the_job(world: Store) -> None:
    """Left alone it does all batches, and no commit is made when nothing is left to do."""

    async def whole() -> None:
        jobs = Jobs(world, interval=0.01)
        jobs.start()
        await asyncio.to_thread(until, lambda: progress(world)[0] is JobState.DONE)
        before = revision(world)
        await asyncio.sleep(0.05)
        assert revision(world) == before
        await jobs.stop()

    asyncio.run(whole())
    assert progress(world) == (JobState.DONE, COUNT)


def test_what_stopped_leaves_the_rest_to_the_next(world: Store) -> None:
    """One batch by one worker; another is told that there is nothing for it while the first holds the job."""
    job = work(world, "one")
    assert job is not None
    assert progress(world) == (JobState.OPEN, 2)
    before = revision(world)
    assert work(world, "two") is None
    assert revision(world) == before
    while work(world, "one"):
        pass
    assert progress(world) == (JobState.DONE, COUNT)
