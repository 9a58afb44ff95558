"""The state folder: what went live and when, with its bytes, and what became of each save.

Rules:

1. Only the owner may write it: what stands here may decide.
2. Whoever writes it holds its lock. A bundle is written aside and renamed, so that it is there whole or not at all.
3. A bundle is used only if its bytes still give its digest.
4. As many bundles are kept as the settings say; the latest is always among them.
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.bundle import bundle_digest
from gateway.errors import ConfigurationError
from gateway.folder import USUAL, Bounds, Reading, read_once, write_files

MAX_SAVES: Final = 1_000
"""Lines that the record of saves may have; the older half goes then."""
MAX_TRIALS: Final = 500
"""Remembered outcomes of trials."""
REFUSAL_HOLDS: Final = 10.0
"""Seconds for which a refusal by a trial is believed, so that several workers run one trial and a start tries again."""
_TRYING: Final = "trying-"


@dataclass(frozen=True, slots=True)
class Live:
    """A bundle that went live at a time (seconds since the epoch)."""

    digest: str
    at: float


@dataclass(frozen=True, slots=True)
class Save:
    """What became of one save.

    Attributes:
        at: seconds since the epoch.
        digest: names the bundle; empty if the folder could not be read.
        live: whether it went live.
        problems: why not.
    """

    at: float
    digest: str
    live: bool
    problems: tuple[str, ...] = ()


class StopError(Exception):
    """The gateway stops; nothing more is waited for."""


class History:
    """The state folder of one source of policies on this machine."""

    def __init__(self, folder: Path, *, keep: int = 50, bounds: Bounds = USUAL) -> None:
        """Names the folder; nothing is made before something is recorded.

        Args:
            folder: the state folder.
            keep: bundles to keep.
            bounds: how much of a recorded bundle is read.
        """
        self.folder, self._keep, self._bounds = folder, keep, bounds

    @contextmanager
    def locked(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Holds the lock for the length of a block, making the folder where it is missing.

        Raises:
            ConfigurationError: the folder cannot be used.
            StopError: `stop` was set before the lock was free.
        """
        waiting = stop or threading.Event()
        descriptor = self._open_lock()
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if waiting.wait(0.05):
                        raise StopError from None
            yield
        finally:
            os.close(descriptor)

    def lives(self) -> list[Live]:
        """Returns what went live, oldest first."""
        return [Live(line["digest"], line["at"]) for line in _lines(self.folder / "history.jsonl")]

    def saves(self) -> list[Save]:
        """Returns what became of the latest saves, oldest first."""
        return [
            Save(line["at"], line["digest"], line["live"], tuple(line["problems"]))
            for line in _lines(self.folder / "saves.jsonl")
        ]

    def last_good(self, max_age: float) -> Live | None:
        """Returns what went live last, if the folder was that at most `max_age` seconds ago."""
        latest = next(reversed(self.lives()), None)
        if latest is None or self.bundle(latest.digest) is None:
            return None
        return latest if time.time() - max(latest.at, self.seen()) <= max_age else None

    def seen(self) -> float:
        """Returns when the folder was last known to be what is live, in seconds since the epoch; 0 if never."""
        try:
            return (self.folder / "seen").stat().st_mtime
        except OSError:
            return 0.0

    def touch(self) -> None:
        """Notes that the folder is what is live now."""
        with suppress(OSError):
            (self.folder / "seen").touch()

    def bundle(self, digest: str) -> Path | None:
        """Returns the folder that holds a bundle's files; None if it is not here whole (rule 3)."""
        folder = self.folder / "bundles" / digest
        try:
            return folder if folder.is_dir() and bundle_digest(folder) == digest else None
        except OSError:
            return None

    def files(self, digest: str) -> Reading:
        """Returns the bytes of a bundle."""
        return read_once(self.folder / "bundles" / digest, self._bounds)

    @contextmanager
    def copied(self, reading: Reading) -> Iterator[Path]:
        """Yields a private copy of the files, under the lock; it is gone afterwards unless it was kept."""
        for left in self.folder.glob(f"{_TRYING}*"):  # by a gateway that was killed
            shutil.rmtree(left, ignore_errors=True)
        copy = Path(tempfile.mkdtemp(prefix=_TRYING, dir=self.folder))
        try:
            write_files(reading.files, copy)
            yield copy
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def keep(self, copy: Path, digest: str) -> None:
        """Keeps a copy as the bundle of this digest, under the lock."""
        place = self.folder / "bundles" / digest
        place.parent.mkdir(mode=0o700, exist_ok=True)
        if self.bundle(digest) is None:
            shutil.rmtree(place, ignore_errors=True)
            copy.rename(place)

    def went_live(self, digest: str) -> None:
        """Records under the lock that the bundle is live from now on, and lets the oldest go."""
        lives = self.lives()
        if not lives or lives[-1].digest != digest:
            lives = [*lives, Live(digest, time.time())][-self._keep :]
            _rewrite(self.folder / "history.jsonl", [asdict(live) for live in lives])
        kept = {live.digest for live in lives}
        for folder in (self.folder / "bundles").iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
        self.touch()

    def note(self, save: Save) -> None:
        """Records under the lock what became of a save, once for all workers that saw it."""
        saves = self.saves()
        if saves and (saves[-1].digest, saves[-1].problems) == (save.digest, save.problems):
            return
        lines = [asdict(each) for each in [*saves, save]]
        _rewrite(self.folder / "saves.jsonl", lines[-MAX_SAVES // 2 :] if len(lines) > MAX_SAVES else lines)

    def trial(self, key: str) -> list[str] | None:
        """Returns the problems that a trial found; None if it was not made, or is too old to be believed."""
        path = self._trial_path(key)
        try:
            problems: list[str] = json.loads(path.read_text("utf-8"))
            fresh = time.time() - path.stat().st_mtime < REFUSAL_HOLDS
        except (OSError, ValueError):
            return None
        return problems if fresh or not problems else None

    def remember_trial(self, key: str, problems: list[str]) -> None:
        """Keeps the problems that a trial found, under the lock."""
        path = self._trial_path(key)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _replace(path, json.dumps(problems))
        by_age = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in by_age[:-MAX_TRIALS]:
            old.unlink(missing_ok=True)

    def _trial_path(self, key: str) -> Path:
        return self.folder / "trials" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"

    def _open_lock(self) -> int:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = self.folder.stat().st_mode
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ConfigurationError(
                    [
                        f"policies.state: others may write `{self.folder}`, and what stands there may decide: chmod 700"
                    ]
                )
            return os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            said = (error.strerror or "error").lower()
            raise ConfigurationError(
                [f"policies.state: `{self.folder}` cannot be written: {said}: name a folder that can"]
            ) from error


def moment(at: float) -> str:
    """Returns a time as records and commands show it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        with suppress(ValueError):  # half a line is no line
            yield json.loads(line)


def _rewrite(path: Path, lines: Sequence[Any]) -> None:
    _replace(path, "".join(json.dumps(line) + "\n" for line in lines))


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
