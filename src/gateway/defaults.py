"""Compares a folder of policies with the shipped ones, and knows which shipped files changed since the folder was made.

`init` leaves the digests of what it copied in `.shipped.json`. Route maps are the operator's alone and are not compared.
"""

import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.shipped import shipped_policies

RECORD: Final = ".shipped.json"
_PATTERNS: Final = ("*.polar", "*.md", "roles.yaml", "capabilities.yaml", "scenarios/*.yaml")


@dataclass(frozen=True, slots=True)
class Edited:
    """A file that differs: its name and a unified diff from the shipped one to the one here."""

    name: str
    diff: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a folder differs from the shipped one.

    Attributes:
        edited: files that both have.
        only_shipped: files that are missing here.
        only_here: files that are not shipped.
        changed_since: shipped files that are not as they were when the folder was made; None if that was not recorded.
    """

    edited: tuple[Edited, ...]
    only_shipped: tuple[str, ...]
    only_here: tuple[str, ...]
    changed_since: tuple[str, ...] | None


def compare(folder: Path) -> Comparison:
    """Returns how `folder` differs from the shipped policies of this version."""
    here, shipped = _files(folder), _files(shipped_policies())
    edited = tuple(
        Edited(name, _diff(name, shipped[name], here[name]))
        for name in sorted(here.keys() & shipped.keys())
        if here[name] != shipped[name]
    )
    return Comparison(
        edited,
        tuple(sorted(shipped.keys() - here.keys())),
        tuple(sorted(here.keys() - shipped.keys())),
        _changed_since(folder, shipped),
    )


def record_shipped(folder: Path) -> None:
    """Writes down what the shipped files were when `folder` was made of them."""
    digests = {name: _digest(content) for name, content in _files(shipped_policies()).items()}
    (folder / RECORD).write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _changed_since(folder: Path, shipped: dict[str, bytes]) -> tuple[str, ...] | None:
    try:
        recorded = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(recorded, dict):
        return None
    names = sorted(recorded.keys() | shipped.keys())
    return tuple(
        name for name in names if name not in shipped or recorded.get(name) != _digest(shipped[name])
    )


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for pattern in _PATTERNS for path in folder.glob(pattern) if not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _diff(name: str, shipped: bytes, here: bytes) -> str:
    lines = [text.decode("utf-8", "replace").splitlines(keepends=True) for text in (shipped, here)]
    shown = difflib.unified_diff(lines[0], lines[1], f"shipped/{name}", f"here/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in shown)
