"""The way of a bundle from the folder to where it decides: read whole, tried, recorded, and only then loaded by workers.

`watching` follows the folder; here is what happens to what it finds.

Rules:

1. What does not pass its trial changes nothing but what is told about it. The last good bundle serves on.
2. All workers load the bytes that were tried, from the record, never from the folder.
3. One trial is made for all workers of this machine; its outcome is shared through the state folder.
4. At start a broken folder is replaced by what was live last, if the folder was that not too long ago; else nothing starts.
"""

import logging
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.bundle import Bundle, load_bundle
from gateway.errors import ConfigurationError
from gateway.folder import Reading, read_once, settled
from gateway.history import History, Save, StopError, moment
from gateway.settings import Settings
from gateway.trial import Trial, problems_of

LOG = logging.getLogger(__name__)


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

        What the trial of this version found good under these settings is not linted again: linting holds Python's lock, and
        so the loop. Where no such trial is on record, everything is looked at anew.

        Raises:
            ConfigurationError: it is not recorded whole, or does not load.
        """
        folder = self.history.bundle(digest)
        if folder is None:
            raise ConfigurationError(
                [f"policies.state: the files of `{digest}` are missing or changed: save again"]
            )
        proved = self.history.trial(self._trial_key(digest)) == []
        bundle = load_bundle(folder, set(self._upstreams), self._prefix, proved=proved)
        if bundle.digest != digest:
            raise ConfigurationError(
                [f"policies.state: the files of `{digest}` changed while they were read: save again"]
            )
        return bundle

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
        key = self._trial_key(reading.digest)
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
            problems = [problem.replace(f"{copy}/", "") for problem in problems]
            if not problems:
                self.history.keep(copy, reading.digest)
        self.history.remember_trial(key, problems)
        return problems

    def _trial_key(self, digest: str) -> str:
        """Returns what a trial's outcome depends on."""
        return repr((digest, self._upstreams, self._prefix, version("mediagate")))
