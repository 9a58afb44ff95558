"""Entries are applied to the content of a collection batch by batch, by one worker after another."""

from datetime import UTC, datetime, timedelta

import pytest

from models import changes, directory
from models.changes import AclMode, Terms
from models.changes.jobs import LEASE
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import AclJob, JobState
from stores import change, refused

READ, WRITE = Permission.READ, Permission.WRITE
NEWS, SUB = ObjectKey("collection", "news"), ObjectKey("collection", "inner")
ASSETS = [ObjectKey("asset", f"n{number}") for number in range(5)]
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(name="world")
def world_with_content(cast: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A collection with a sub-collection and five assets in it; two objects make a batch."""
    monkeypatch.setattr("models.changes.jobs.BATCH", 2)
    with change(cast) as session:
        for key in (NEWS, SUB, *ASSETS):
            changes.register_object(session, key, "main")
        for key in (SUB, *ASSETS[:2]):
            changes.place(session, key, NEWS)
        for key in ASSETS[1:]:
            changes.place(session, key, SUB)
    return cast


def begin(store: Store, terms: Terms = Terms(READ), mode: AclMode = AclMode.APPEND) -> None:  # noqa: B008 - frozen
    """Starts a job for Ben on the collection."""
    with change(store) as session:
        changes.start_job(session, NEWS, ["user:ben"], terms, mode)


def step(store: Store, holder: str = "one", now: datetime = NOW) -> AclJob | None:
    """Lets a worker do a batch."""
    with change(store) as session:
        return changes.advance_job(session, holder, now)


def die_within_a_batch(store: Store) -> None:
    """Does a batch and fails before its commit."""
    with change(store) as session:
        changes.advance_job(session, "one", NOW)
        raise RuntimeError


def readers(store: Store) -> set[ObjectKey]:
    """Returns the objects on which Ben has an entry of his own."""
    with store.read() as session:
        return {
            key
            for key in (NEWS, SUB, *ASSETS)
            for entry in directory.list_entries(session, key)
            if entry.principal == "user:ben" and not entry.propagates
        }


def test_all_content_gets_the_entry_batch_by_batch(world: Store) -> None:
    """Progress is told after each; the collection itself has none, and the end is an end."""
    begin(world)
    told = []
    while (job := step(world)) and job.state is JobState.OPEN:
        told.append((job.done, job.total))
    assert told == [(2, 6), (4, 6), (6, 6)]
    assert job is not None
    assert (job.state, job.holder) == (JobState.DONE, None)
    assert readers(world) == {SUB, *ASSETS}
    assert step(world) is None


def test_a_job_goes_on_where_a_dead_worker_left_it(world: Store) -> None:
    """While the lease runs only its holder goes on; then anybody does, at the mark."""
    begin(world)
    step(world, "one")
    assert step(world, "two") is None
    job = step(world, "two", NOW + LEASE)
    assert job is not None
    assert (job.done, job.holder) == (4, "two")
    assert readers(world) == set(ASSETS[:4])
    assert step(world, "one", NOW + LEASE) is None


def test_a_batch_that_is_not_committed_did_nothing(world: Store) -> None:
    """Whatever happens within a batch, entries and mark are both there or neither is."""
    begin(world)
    with pytest.raises(RuntimeError):
        die_within_a_batch(world)
    assert readers(world) == set()
    job = step(world, "two")
    assert job is not None
    assert job.done == 2


def test_doing_it_twice_changes_nothing(world: Store) -> None:
    """A second job of the same terms ends with the same entries."""
    for _ in range(2):
        begin(world, Terms(READ, expires=NOW + timedelta(days=365_000)), AclMode.OVERWRITE)
        while step(world):
            pass
    with world.read() as session:
        assert all(len(directory.list_entries(session, key)) == 1 for key in ASSETS)
        assert [job.state for job in directory.list_jobs(session)] == [JobState.DONE] * 2


def test_overwriting_with_nothing_takes_it_away(world: Store) -> None:
    """What was applied is removed from content in the same way."""
    for terms, mode in ((Terms(READ | WRITE), AclMode.APPEND), (Terms(Permission.NONE), AclMode.OVERWRITE)):
        begin(world, terms, mode)
        while step(world):
            pass
    assert readers(world) == set()


def test_what_is_refused_ends_the_job(world: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that a batch breaks is told, the batch leaves nothing behind, and what was done before stays."""
    begin(world)
    step(world)
    monkeypatch.setattr("models.changes.acl.MAX_ENTRIES", 0)
    job = step(world)
    assert job is not None
    assert job.state is JobState.FAILED
    assert "entries, which is the most" in str(job.failure)
    assert (job.done, readers(world)) == (2, set(ASSETS[:2]))
    assert step(world) is None


def test_a_job_is_checked_before_it_starts(world: Store) -> None:
    """What no batch could do is refused at once."""
    start, append = changes.start_job, AclMode.APPEND
    refused(
        world, changes.UnknownError, start, ObjectKey("collection", "no"), ["user:ben"], Terms(READ), append
    )
    refused(world, changes.UnknownError, start, NEWS, ["user:none"], Terms(READ), append)
    refused(world, changes.ConflictError, start, NEWS, ["user:zoe"], Terms(READ), append)
    refused(world, changes.InvalidError, start, NEWS, [], Terms(READ), append)
    refused(world, changes.InvalidError, start, NEWS, ["user:ben"], Terms(Permission.NONE), append)
    refused(world, changes.InvalidError, start, NEWS, ["user:ben"], Terms(READ, propagates=True), append)
