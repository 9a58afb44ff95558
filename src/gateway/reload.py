"""The way of a bundle from the folder to where it decides: read whole, tried, recorded, and only then loaded by workers.

Rules:

1. What does not pass its trial changes nothing but what is told about it. The last good bundle serves on.
2. All workers load the bytes that were tried, from the record, never from the folder.
3. One trial is made for all workers of this machine; its outcome is shared through the state folder.
4. At start a broken folder is replaced by what was live last, if the folder was that not too long ago; else nothing starts.
5. The folder is watched by notifications and also looked at every so often, so that no replaced folder or mount goes unseen.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from watchfiles import watch

from gateway.bundle import Bundle, load_bundle
from gateway.errors import ConfigurationError
from gateway.folder import Reading, read_once, settled
from gateway.history import History, Save, StopError, moment
from gateway.settings import Settings
from gateway.trial import Trial, problems_of

LOG = logging.getLogger(__name__)
PATIENCE: Final = 10.0
"""Seconds that stopping waits for the watcher."""
SEEN_INTERVAL: Final = 60.0
"""Seconds between notes that the folder is still what is live."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a start begins with.

    Attributes:
        bundle: what decides.
        reading: what the folder held.
        refused: why the folder does not decide; None if it does.
    """

    bundle: Bundle
    reading: Reading
    refused: Save | None = None


class Gate:
    """Judges what the folder holds, and loads what may decide."""

    def __init__(self, settings: Settings) -> None:
        """Takes the settings of folder, state and trial."""
        self._settings = settings.policies
        self._upstreams = tuple(sorted(settings.upstreams))
        self._prefix = settings.server.prefix
        self.history = History(self._settings.state_folder, keep=self._settings.history)
        self.stop = threading.Event()

    @property
    def folder(self) -> Path:
        """The policies folder."""
        return self._settings.folder

    @property
    def notified(self) -> bool:
        """Whether the system is asked to tell of changes."""
        return self._settings.watch == "notify"

    @property
    def poll_interval(self) -> float:
        """Seconds between looks at the folder."""
        return self._settings.poll_interval

    def opening(self) -> Opening:
        """Returns what to begin with (rule 4).

        Raises:
            ConfigurationError: the folder is broken and nothing else may be served, or the state folder is unusable.
        """
        reading, save = self.judged()
        if save.live:
            return Opening(self.loaded(save.digest), reading)
        last = self.history.last_good(self._settings.last_good_max_age)
        if last is None:
            raise ConfigurationError(list(save.problems))
        try:
            bundle = self.loaded(last.digest)
        except ConfigurationError as error:
            raise ConfigurationError([*save.problems, *error.problems]) from error
        LOG.error("the policies folder is refused: serving %s of %s", last.digest, moment(last.at))
        return Opening(bundle, reading, save)

    def judged(self) -> tuple[Reading, Save]:
        """Returns what the folder holds and what became of it: recorded as live, or refused.

        Raises:
            StopError: `stop` was set meanwhile.
            ConfigurationError: the state folder is unusable.
        """
        while True:
            reading = settled(self._settings.folder, self._settings.settle, self.stop)
            with self.history.locked(self.stop):
                if read_once(self._settings.folder) == reading or reading.problems:
                    save = self._outcome(reading)
                    self.history.note(save)
                    return reading, save

    def loaded(self, digest: str) -> Bundle:
        """Returns the recorded bundle (rule 2).

        Raises:
            ConfigurationError: it is not recorded whole, or does not load.
        """
        folder = self.history.bundle(digest)
        if folder is None:
            raise ConfigurationError(
                [f"policies.state: the files of `{digest}` are missing or changed: save again"]
            )
        return load_bundle(folder, set(self._upstreams), self._prefix)

    def _outcome(self, reading: Reading) -> Save:
        """Tries what was read, unless that was done (rule 3), and records it if it passes."""
        if self.stop.is_set():
            raise StopError
        problems = list(reading.problems) or self._tried(reading)
        if problems:
            return Save(time.time(), reading.digest, live=False, problems=tuple(problems))
        self.history.went_live(reading.digest)
        return Save(time.time(), reading.digest, live=True)

    def _tried(self, reading: Reading) -> list[str]:
        key = repr((reading.digest, self._upstreams, self._prefix, version("mediagate")))
        known = self.history.trial(key)
        if known or (known is not None and self.history.bundle(reading.digest)):
            return known
        bounds = self._settings
        with self.history.copied(reading) as copy:
            trial = Trial(
                str(copy),
                self._upstreams,
                self._prefix,
                bounds.trial_cpu,
                bounds.trial_time,
                bounds.trial_memory,
            )
            problems = problems_of(trial, self.stop)
            if problems is None:
                raise StopError
            if not problems:
                self.history.keep(copy, reading.digest)
        self.history.remember_trial(key, problems)
        return problems


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
            except Exception:
                LOG.exception("looking at the policies folder failed")

    def _look(self) -> None:
        """Judges what the folder holds if that is new, and lets it decide if it may (rule 1)."""
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
        except (CancelledError, RuntimeError) as error:  # the loop ends
            raise StopError from error
        self._live, self.since, self.refused = digest, time.time(), None
        self.loads += 1
        LOG.info("policies: %s is live", digest)

    async def _adopted(self, bundle: Bundle) -> None:
        await self._adopt(bundle)

    def _refuse(self, save: Save) -> None:
        if self.refused and self.refused.problems == save.problems and self.refused.digest == save.digest:
            return
        self.refused = save
        self.refusals += 1
        name = save.digest or "the folder"
        LOG.error("policies: %s is refused, %s stays live: %s", name, self._live, "; ".join(save.problems))

    def _wakings(self) -> Iterator[None]:
        """Yields whenever the folder may have changed, and every so often (rule 5)."""
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
            except OSError as error:
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
