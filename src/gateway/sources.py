"""Where bundles come from: a folder that administrators edit, or the store, into which they publish. One of the two, never both.

Rules:

1. A source gives whole bundles as bytes, each with its digest; what cannot be had whole is a reading with problems.
2. It tells promptly when something may have changed, and every so often in any case: whoever follows it misses nothing for good.
3. Bytes from the store count only if they give the digest under which they were published.
"""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from watchfiles import watch

from gateway.bundle import digest_of
from gateway.folder import Bounds, Reading, read_once, settled
from models.published import latest_publication, published_files
from models.store import Store

LOG = logging.getLogger(__name__)
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every event
LISTENING: Final = 0.1
"""Seconds between looks at the store's bell, which cost no query."""


class Source(Protocol):
    """A place of which one bundle is the present one.

    Attributes:
        name: how sentences call it.
    """

    name: str

    def now(self) -> Reading:
        """Returns what it holds."""
        ...

    def settled(self, stop: threading.Event) -> Reading:
        """Returns what it holds when nobody is in the middle of changing it; `stop` ends the waiting."""
        ...

    def wakings(self, stop: threading.Event) -> Iterator[None]:
        """Yields whenever it may have changed, and every so often, until `stop` (rule 2)."""
        ...


class FolderSource:
    """The policies folder: notifications make it prompt, looking makes it certain, whatever is replaced, mounted or lost."""

    name = "the policies folder"

    def __init__(self, folder: Path, *, notified: bool, every: float, pause: float, bounds: Bounds) -> None:
        """Takes where to look and how.

        Args:
            folder: what is edited.
            notified: whether the system is asked to tell of changes.
            every: seconds between looks in any case.
            pause: seconds for which the folder must stand still.
            bounds: how much is read.
        """
        self._folder, self._notified, self._every, self._pause, self._bounds = (
            folder,
            notified,
            every,
            pause,
            bounds,
        )

    def now(self) -> Reading:
        """Returns the files as they are now, each read once."""
        return read_once(self._folder, self._bounds)

    def settled(self, stop: threading.Event) -> Reading:
        """Returns a reading that another one, a pause later, agrees with."""
        return settled(self._folder, self._pause, stop, self._bounds)

    def wakings(self, stop: threading.Event) -> Iterator[None]:
        """Yields at notifications and every so often."""
        told = False
        while not stop.is_set():
            if not self._notified or not self._folder.is_dir():
                yield
                stop.wait(self._every)
                continue
            try:
                yield from self._notifications(stop)
                told = False
            except Exception as error:  # noqa: BLE001 - whatever the system lacks, looking remains
                if not told:
                    LOG.warning(
                        "policies: no notifications of changes, looking every %g s: %s", self._every, error
                    )
                told = True
                yield
                stop.wait(self._every)

    def _notifications(self, stop: threading.Event) -> Iterator[None]:
        """Yields at each change and every so often, until the folder is another one."""
        place = _identity(self._folder)
        changes = watch(
            self._folder,
            watch_filter=None,
            debounce=200,
            stop_event=stop,
            rust_timeout=int(self._every * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for _ in changes:
            yield
            if _identity(self._folder) != place:
                return


class StoreSource:
    """The store: what was published last. The bell makes it prompt on this machine, looking every so often finds it elsewhere."""

    name = "the published bundle"

    def __init__(self, store: Store, every: float) -> None:
        """Takes the open store, and the seconds between looks in any case."""
        self._store, self._every = store, every
        self._number = 0
        self._last = Reading(
            problems=("the store holds no policies yet: `mediagate policy publish FOLDER` puts them there",)
        )

    def now(self) -> Reading:
        """Returns what was published last; its files are fetched only when that is another publication than before.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        with self._store.read() as session:
            latest = latest_publication(session)
            if latest is not None and (latest.number != self._number or self._last.problems):
                self._last = stored_reading(latest.digest, published_files(session, latest.digest))
                self._number = latest.number
        return self._last

    def settled(self, stop: threading.Event) -> Reading:  # noqa: ARG002 - a commit is whole
        """Returns what was published last: a commit is there whole or not at all."""
        return self.now()

    def wakings(self, stop: threading.Event) -> Iterator[None]:
        """Yields at each commit of this machine and every so often."""
        heard, due = -1, 0.0
        while not stop.is_set():
            value = self._store.bell.value()
            if value != heard or time.monotonic() >= due:
                heard, due = value, time.monotonic() + self._every
                yield
            stop.wait(min(LISTENING, self._every))


def stored_reading(digest: str, files: dict[str, bytes]) -> Reading:
    """Returns published files as a reading (rule 3)."""
    if digest_of(files) == digest:
        return Reading(digest, files)
    return Reading(problems=(f"the stored files of `{digest}` are damaged: publish the bundle again",))


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
