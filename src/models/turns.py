"""Writers of an SQLite store take turns: one at a time among all threads and processes, checkpoints included.

SQLite has a lock of its own for writers, but none that also keeps a checkpoint of one connection away from a commit of
another, which versions before 3.51.3 need (`models.engines.warn_of_old_sqlite`).
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import StoreUnavailableError

PAUSE = 0.002
"""Seconds between two looks at a lock that another process holds."""


class Turns:
    """The queue of writers of one SQLite file."""

    __slots__ = ("_handle", "_lock", "_patience", "_place")

    def __init__(self, store: Path, patience: float) -> None:
        """Opens the lock file beside `store`, making it (mode 0600) if there is none.

        Args:
            store: the SQLite file.
            patience: seconds to wait for one's turn.

        Raises:
            OSError: the lock file cannot be made.
        """
        self._place, self._patience = store, patience
        self._lock = threading.Lock()  # flock does not keep threads apart that share a handle
        self._handle = os.open(f"{store}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Waits for the turn, and gives it back at the end.

        Raises:
            StoreUnavailableError: it did not come in time.
        """
        deadline = time.monotonic() + self._patience
        if not self._lock.acquire(timeout=self._patience):
            raise self._too_long()
        try:
            self._flock(deadline)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Closes the lock file."""
        os.close(self._handle)

    def _flock(self, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._too_long() from None
                time.sleep(PAUSE)
            else:
                return

    def _too_long(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"another writer holds the store `{self._place}` for more than {self._patience:g} s; nothing was written"
        )
