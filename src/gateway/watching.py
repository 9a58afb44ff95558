"""Following the source of policies: a thread of each worker that notices what is new, has it judged, and lets the good decide.

Rules:

1. Only what differs from what was judged last is judged. What is refused changes nothing but what is told about it.
2. Loading stays on this thread. Taking over is one assignment on the worker's loop, between two requests.
3. Nothing that goes wrong here ends the thread or reaches a request.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Final

from gateway.bundle import Bundle
from gateway.errors import ConfigurationError
from gateway.history import Save, StopError, moment
from gateway.reload import Gate, Opening
from models.store import StoreUnavailableError

LOG = logging.getLogger(__name__)
PATIENCE: Final = 10.0
"""Seconds that stopping waits for the thread."""
SEEN_INTERVAL: Final = 60.0
"""Seconds between notes that the source still holds what is live."""


class Watcher:
    """Follows the source in a thread of its own for as long as a worker lives."""

    def __init__(self, gate: Gate, opening: Opening, adopt: Callable[[Bundle], Awaitable[None]]) -> None:
        """Takes what is live and whom to tell.

        Args:
            gate: judges and loads.
            opening: what the worker began with.
            adopt: makes a bundle decide; runs on the worker's loop.
        """
        self._gate, self._adopt = gate, adopt
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
        for _ in self._gate.source.wakings(self._gate.stop):
            try:
                self._look()
            except StopError:
                return
            except StoreUnavailableError as error:  # the next look may find it again
                LOG.warning("policies: cannot look for what was published: %s", error)
            except ConfigurationError as error:
                self._refuse(Save(time.time(), "", live=False, problems=tuple(error.problems)))
            except Exception as error:
                LOG.exception("following %s met a fault", self._gate.source.name)
                said = f"this is a fault of mediagate itself: {type(error).__name__}: save again"
                self._refuse(Save(time.time(), "", live=False, problems=(said,)))

    def _look(self) -> None:
        """Judges what the source holds if that is new, and lets it decide if it may (rule 1)."""
        if self._gate.source.now() != self._handled:
            self._handled, save = self._gate.judged()
            if not save.live:
                self._refuse(save)
            elif save.digest != self._live:
                self._load(save.digest)
            elif self.refused:
                self.refused = None
                LOG.info("policies: %s is %s again, which is live", self._gate.source.name, save.digest)
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
        name = save.digest or self._gate.source.name
        LOG.error("policies: %s is refused, %s stays live: %s", name, self._live, "; ".join(save.problems))
