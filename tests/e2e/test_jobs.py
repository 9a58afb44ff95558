"""A job that the command line leaves to the gateway is done by its workers, and once."""

import time
from pathlib import Path

from gateways import prepare, running
from models import changes, directory
from models.changes import AclMode, Terms
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import JobState

ROUTES = "upstream: media\nroutes:\n  - GET /open: {anonymous: true}\n"
TOML = '[upstreams.media]\nurl = "http://127.0.0.1:9"\n'
NEWS = ObjectKey("collection", "news")
ASSETS = [ObjectKey("asset", str(number)) for number in range(450)]


def furnish(store: Store) -> None:
    """Writes a collection of three batches, and a job over it."""
    with store.write("test") as commit:
        session = commit.session
        changes.create_domain(session, "home", id_="home")
        changes.create_user(session, "home", "kim@example.org", id_="kim")
        for key in (NEWS, *ASSETS):
            changes.register_object(session, key, "home")
        for key in ASSETS:
            changes.place(session, key, NEWS)
        changes.start_job(session, NEWS, ["user:kim"], Terms(Permission.READ), AclMode.APPEND)


def finished(store: Store) -> tuple[JobState, int]:
    """Returns how the job stands once it has ended, or after a minute."""
    end = time.monotonic() + 60
    while True:
        with store.read() as session:
            (job,) = directory.list_jobs(session)
        if job.state is not JobState.OPEN or time.monotonic() > end:
            return job.state, job.done
        time.sleep(0.1)


def test_workers_finish_what_the_command_line_began(tmp_path: Path) -> None:
    """Two workers share the store; every object has the entry in the end, and none is counted twice."""
    store = prepare(tmp_path, TOML, routes=ROUTES)
    furnish(store)
    with running(tmp_path, "--workers", "2"):
        assert finished(store) == (JobState.DONE, len(ASSETS))
    with store.read() as session:
        assert all(len(directory.list_entries(session, key)) == 1 for key in ASSETS)
    store.close()
