"""The policies folder as bytes: one consistent reading of what administrators edit, and writing one back.

Rules:

1. A reading is what two readings, some time apart, agree on: half a save, half a swap of symbolic links, or a file that vanishes
   meanwhile is none.
2. Only regular files are read, and no more of them than the bounds allow; what is wrong is told, and nothing else of it is used.
3. Whatever judges or decides gets the bytes of one reading, never the folder again.
"""

import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.bundle import MAX_FILE, bundle_paths, digest_of, too_large
from gateway.errors import PolicyFileError

ROUTES: Final = "routes"
"""The folder of route maps; it may be empty, but a bundle without it is a mistake."""
MAX_READINGS: Final = 100
"""Readings that may differ before the folder counts as one that never stands still."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a folder is read.

    Attributes:
        max_file: bytes of one file.
        max_files: files of one bundle.
        max_bytes: bytes of all its files.
    """

    max_file: int = MAX_FILE
    max_files: int = 2_000
    max_bytes: int = 16_777_216


USUAL: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the folder held.

    Attributes:
        digest: names the bundle; empty if it could not be read.
        files: the bytes of each file by its name below the folder.
        problems: what could not be read, and what to do about it.
    """

    digest: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()


def read_once(folder: Path, bounds: Bounds = USUAL) -> Reading:
    """Returns the folder's files as they are now, each read once."""
    if not folder.is_dir():
        return Reading(problems=(f"{folder}: there is no such folder: write it again",))
    if not (folder / ROUTES).is_dir():
        return Reading(problems=(f"{folder / ROUTES}: there is no such folder of route maps: make it",))
    paths = bundle_paths(folder)
    if len(paths) > bounds.max_files:
        return Reading(
            problems=(f"{folder}: more than {bounds.max_files} files (`policies.max_files`): take some out",)
        )
    files: dict[str, bytes] = {}
    problems: list[str] = []
    for name, path in sorted(paths.items()):
        try:
            files[name] = _content(path, name, bounds.max_file)
        except PolicyFileError as error:
            problems += error.problems
        except OSError as error:
            problems.append(f"{name}: cannot be read: {(error.strerror or 'error').lower()}")
    if sum(map(len, files.values())) > bounds.max_bytes:
        problems.append(
            f"{folder}: more than {bounds.max_bytes} bytes together (`policies.max_bytes`): write less"
        )
    return Reading(problems=tuple(problems)) if problems else Reading(digest_of(files), files)


def settled(folder: Path, pause: float, stop: threading.Event, bounds: Bounds = USUAL) -> Reading:
    """Returns a reading that another one, `pause` seconds later, agrees with (rule 1).

    Args:
        folder: what to read.
        pause: seconds.
        stop: ends the waiting; the reading is then one with a problem.
        bounds: how much is read.
    """
    before = read_once(folder, bounds)
    for _ in range(MAX_READINGS):
        if stop.wait(pause):
            break
        now = read_once(folder, bounds)
        if now == before:
            return now
        before = now
    return Reading(
        problems=(f"{folder}: the files keep changing: save them and leave them alone for a moment",)
    )


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files into a new folder, durably."""
    (folder / ROUTES).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)


def restore(files: Mapping[str, bytes], folder: Path) -> None:
    """Makes the folder's bundle be these files: each is replaced whole, and those that do not belong go.

    Raises:
        PolicyFileError: symbolic links stand there, so that something else owns the files.
        OSError: a file cannot be written.
    """
    here = bundle_paths(folder) if folder.is_dir() else {}
    if linked := sorted(name for name, path in here.items() if _is_linked(path, folder)):
        raise PolicyFileError([f"{folder / linked[0]}: a symbolic link: go back where the files come from"])
    (folder / ROUTES).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        _write(fresh, content)
        if path.exists():
            fresh.chmod(stat.S_IMODE(path.stat().st_mode))
        fresh.replace(path)
    for name in here.keys() - files.keys():
        (folder / name).unlink(missing_ok=True)


def _content(path: Path, name: str, bound: int) -> bytes:
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a descriptor
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise PolicyFileError([f"{name}: not a plain file: take it out"])
        content = file.read(bound + 1)
    if len(content) > bound:
        raise PolicyFileError([too_large(name, bound)])
    return content


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _is_linked(path: Path, folder: Path) -> bool:
    return path.is_symlink() or (path.parent != folder and path.parent.is_symlink())
