"""The way of a bundle from its source to where it decides: read whole, tried, recorded, and only then loaded by workers.

`watching` follows the source, a folder or the store; here is what happens to what it finds.

Rules:

1. What does not pass its trial changes nothing but what is told about it. The last good bundle serves on.
2. All workers load the bytes that were tried, from the record, never from the source.
3. One trial is made for all workers of this machine; its outcome is shared through the state folder.
4. At start a source whose bundle is broken is replaced by what was live last, if it held that not too long ago; else nothing
   starts.
"""

import logging
import tempfile
import threading
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.bundle import Bundle, load_bundle
from gateway.errors import ConfigurationError
from gateway.folder import Bounds, Reading, write_files
from gateway.history import History, Save, StopError, moment
from gateway.settings import Settings
from gateway.settings.sections import PoliciesSection
from gateway.sources import FolderSource, Source, StoreSource
from gateway.trial import Trial, problems_of
from models.store import Store

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a start begins with.

    Attributes:
        bundle: what decides.
        reading: what the source held.
        refused: why that does not decide; None if it does.
    """

    bundle: Bundle
    reading: Reading
    refused: Save | None = None


class Gate:
    """Judges what the source holds, and loads what may decide."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        """Takes the settings of source, state and trial.

        Args:
            settings: all of them: routes are tried against the upstreams.
            store: where bundles are published, if `policies.source` is `store`.
        """
        self._all, self._settings = settings, settings.policies
        self._upstreams = settings.targets
        self._prefix = settings.server.prefix
        self.source = _source(self._settings, store)
        self.history = history_of(self._settings)
        self.stop = threading.Event()

    def opening(self) -> Opening:
        """Returns what to begin with (rule 4).

        Raises:
            ConfigurationError: what the source holds is broken and nothing else may be served, or the state folder is unusable.
            StoreUnavailableError: the store, being the source, does not answer.
        """
        reading, save = self.judged(self._live_still())
        if save.live:
            return Opening(self.loaded(save.digest), reading)
        last = self.history.last_good(self._settings.last_good_max_age)
        if last is None:
            raise ConfigurationError(list(save.problems))
        try:
            bundle = self.loaded(last.digest)
        except ConfigurationError as error:
            raise ConfigurationError([*save.problems, *error.problems]) from error
        LOG.error("%s is refused: serving %s of %s", self.source.name, last.digest, moment(last.at))
        return Opening(bundle, reading, save)

    def judged(self, settled: Reading | None = None) -> tuple[Reading, Save]:
        """Returns what the source holds and what became of it: recorded as live, or refused.

        Args:
            settled: what it is known to have held for a while; None to wait until that can be said.

        Raises:
            StopError: `stop` was set meanwhile.
            ConfigurationError: the state folder is unusable.
            StoreUnavailableError: the store, being the source, does not answer.
        """
        while True:
            reading = settled or self.source.settled(self.stop)
            settled = None
            with self.history.locked(self.stop):
                if self.source.now() == reading or reading.problems:
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
        bundle = load_bundle(
            folder, set(self._upstreams), self._prefix, proved=proved, max_file=self._settings.max_file
        )
        if bundle.digest != digest:
            raise ConfigurationError(
                [f"policies.state: the files of `{digest}` changed while they were read: save again"]
            )
        return bundle

    def _live_still(self) -> Reading | None:
        """Returns what the source holds if that is what went live last, hence was read before; else None.

        So a worker does not wait for what the main process has just waited for.
        """
        with self.history.locked(self.stop):
            last = next(reversed(self.history.lives()), None)
        reading = self.source.now()
        return reading if last is not None and last.digest == reading.digest else None

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
        with self.history.copied(reading) as copy:
            problems = _problems(self._all, copy, self.stop)
            if not problems:
                self.history.keep(copy, reading.digest)
        self.history.remember_trial(key, problems)
        return problems

    def _trial_key(self, digest: str) -> str:
        """Returns what a trial's outcome depends on."""
        return repr((digest, self._upstreams, self._prefix, version("mediagate")))


def problems_with(settings: Settings, reading: Reading) -> list[str]:
    """Returns what keeps a bundle from going live under these settings, by the same trial that a gateway makes; records nothing."""
    if reading.problems:
        return list(reading.problems)
    with tempfile.TemporaryDirectory(prefix="mediagate-trial-") as place:
        write_files(reading.files, Path(place))
        return _problems(settings, Path(place), threading.Event())


def bounds_of(policies: PoliciesSection) -> Bounds:
    """Returns how much of a bundle is read."""
    return Bounds(policies.max_file, policies.max_files, policies.max_bytes)


def history_of(policies: PoliciesSection) -> History:
    """Returns the record of what went live on this machine."""
    return History(policies.state_folder, keep=policies.history, bounds=bounds_of(policies))


def _problems(settings: Settings, copy: Path, stop: threading.Event) -> list[str]:
    """Tries a private copy of a bundle."""
    policies = settings.policies
    trial = Trial(
        str(copy),
        settings.targets,
        settings.server.prefix,
        policies.trial_cpu,
        policies.trial_time,
        policies.trial_memory,
        policies.max_file,
    )
    problems = problems_of(trial, stop)
    if problems is None:
        raise StopError
    return [problem.replace(f"{copy}/", "") for problem in problems]


def _source(policies: PoliciesSection, store: Store | None) -> Source:
    if not policies.in_store:
        return FolderSource(
            policies.folder,
            notified=policies.watch == "notify",
            every=policies.poll_interval,
            pause=policies.settle,
            bounds=bounds_of(policies),
        )
    if store is None:
        raise ValueError("`policies.source` is `store`, and none was handed over")
    return StoreSource(store, policies.poll_interval)
