"""Background jobs of the store, carried on by whichever worker takes them (`models.changes.jobs`).

Rules:

1. A batch is one commit. Stopping waits for the batch that runs, and leaves the rest to whoever comes next.
2. Looking for jobs is a read: a gateway without any takes no turn at the write door.
3. A store that does not answer is asked again; nothing that goes wrong here ends the thread or reaches a request.
"""

import asyncio
import logging
import secrets
import threading
from datetime import UTC, datetime
from typing import Final

from models import changes
from models.store import Store, StoreUnavailableError
from models.tables import AclJob

LOG = logging.getLogger(__name__)
INTERVAL: Final = 2.0
"""Seconds between looks for jobs."""
PATIENCE: Final = 10.0
"""Seconds that stopping waits for the batch that runs."""


def work(store: Store, holder: str) -> AclJob | None:
    """Does one batch of one job; returns the job as it is then, None if there is nothing to do for `holder`.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    with store.read() as session:
        if not changes.open_jobs(session, holder, datetime.now(UTC)):
            return None
    with store.write(f"job:{holder}") as commit:
        return changes.advance_job(commit.session, holder, datetime.now(UTC))


class Jobs:
    """Works jobs off in a thread of its own for as long as a worker lives."""

    def __init__(self, store: Store, interval: float = INTERVAL) -> None:
        """Takes where jobs are, and how long to wait between looks for them."""
        self._store, self._interval = store, interval
        self._holder = secrets.token_hex(8)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begins to look for jobs."""
        self._thread.start()

    async def stop(self) -> None:
        """Ends after the batch that runs (rule 1)."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, PATIENCE)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                while not self._stop.is_set() and work(self._store, self._holder):
                    pass
            except StoreUnavailableError as error:
                LOG.warning("jobs wait for the store: %s", error)
            except Exception:
                LOG.exception("a job could not go on")
