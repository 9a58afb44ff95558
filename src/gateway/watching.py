"""Following the policies folder: a thread of each worker that notices saves, has them judged, and lets the good ones decide.

Rules:

1. The system's notifications make it prompt; looking every so often makes it certain, whatever is replaced, mounted or lost.
2. Only what differs from what was judged last is judged. What is refused changes nothing but what is told about it.
3. Loading stays on this thread. Taking over is one assignment on the worker's loop, between two requests.
4. Nothing that goes wrong here ends the thread or reaches a request.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Final

from watchfiles import watch

from gateway.bundle import Bundle
from gateway.errors import ConfigurationError
from gateway.folder import read_once
from gateway.history import Save, StopError, moment
from gateway.reload import Gate, Opening

LOG = logging.getLogger(__name__)
logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every event
PATIENCE: Final = 10.0
"""Seconds that stopping waits for the thread."""
SEEN_INTERVAL: Final = 60.0
"""Seconds between notes that the folder is still what is live."""


class Watcher:
    """Follows the folder in a thread of its own for as long as a worker lives."""

    def __init__(self, gate: Gate, opening: Opening, adopt: Callable[[Bundle], Awaitable[None]]) -> None:
        """Takes what is live and whom to tell.

        Args:
            gate: judges and loads.
            opening: what the worker began with.
            adopt: makes a bundle decide; runs on the worker's loop.
        """
        self._gate, self._adopt = gate, adopt
        self._folder = gate.folder
        self._live, self._handled = opening.bundle.digest, opening.reading
        self.refused = opening.refused
        self.since = time.time()
        self.loads = 0
        self.refusals = int(opening.refused is not None)
        self._noted = 0.0
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="policies", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    async def stop(self) -> None:
        """Ends following; a trial that runs is ended."""
        self._gate.stop.set()
        await asyncio.to_thread(self._thread.join, PATIENCE)

    @property
    def state(self) -> dict[str, object]:
        """What readiness tells of policies."""
        refused = self.refused
        return {
            "live": self._live,
            "since": moment(self.since),
            "refused": {
                "digest": refused.digest,
                "at": moment(refused.at),
                "problems": list(refused.problems),
            }
            if refused
            else None,
            "loads": self.loads,
            "refusals": self.refusals,
        }

    def _run(self) -> None:
        for _ in self._wakings():
            try:
                self._look()
            except StopError:
                return
            except ConfigurationError as error:
                self._refuse(Save(time.time(), "", live=False, problems=tuple(error.problems)))
            except Exception as error:
                LOG.exception("following the policies folder met a fault")
                said = f"this is a fault of mediagate itself: {type(error).__name__}: save again"
                self._refuse(Save(time.time(), "", live=False, problems=(said,)))

    def _look(self) -> None:
        """Judges what the folder holds if that is new, and lets it decide if it may (rule 2)."""
        if read_once(self._folder) != self._handled:
            self._handled, save = self._gate.judged()
            if not save.live:
                self._refuse(save)
            elif save.digest != self._live:
                self._load(save.digest)
            elif self.refused:
                self.refused = None
                LOG.info("policies: the folder is %s again, which is live", save.digest)
        elif self.refused is None and time.monotonic() - self._noted > SEEN_INTERVAL:
            self._noted = time.monotonic()
            self._gate.history.touch()

    def _load(self, digest: str) -> None:
        bundle = self._gate.loaded(digest)
        try:
            asyncio.run_coroutine_threadsafe(self._adopted(bundle), self._loop).result()
        except (CancelledError, RuntimeError) as error:
            if self._gate.stop.is_set() or self._loop.is_closed():
                raise StopError from error
            raise
        LOG.info("policies: %s is live", digest)

    async def _adopted(self, bundle: Bundle) -> None:
        await self._adopt(bundle)
        self._live, self.since, self.refused = bundle.digest, time.time(), None
        self.loads += 1

    def _refuse(self, save: Save) -> None:
        if self.refused and self.refused.problems == save.problems and self.refused.digest == save.digest:
            return
        self.refused = save
        self.refusals += 1
        name = save.digest or "the folder"
        LOG.error("policies: %s is refused, %s stays live: %s", name, self._live, "; ".join(save.problems))

    def _wakings(self) -> Iterator[None]:
        """Yields whenever the folder may have changed, and every so often (rule 1)."""
        stop, every = self._gate.stop, self._gate.poll_interval
        told = False
        while not stop.is_set():
            if not self._gate.notified or not self._folder.is_dir():
                yield
                stop.wait(every)
                continue
            try:
                yield from self._notifications(every)
                told = False
            except Exception as error:  # noqa: BLE001 - rule 4
                if not told:
                    LOG.warning("policies: no notifications of changes, looking every %g s: %s", every, error)
                told = True
                yield
                stop.wait(every)

    def _notifications(self, every: float) -> Iterator[None]:
        """Yields at each change and every so often, until the folder is another one."""
        place = _identity(self._folder)
        changes = watch(
            self._folder,
            watch_filter=None,
            debounce=200,
            stop_event=self._gate.stop,
            rust_timeout=int(every * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=True,
        )
        for _ in changes:
            yield
            if _identity(self._folder) != place:
                return


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
