"""The bundle: Polar files, route maps, role catalogue and scenarios of one folder, loaded together under one digest.

Rules:

1. Everything in the folder loads or nothing does; all problems are reported together, each with its place.
2. One digest names all that decides: it covers the relative name and the bytes of every file.
3. An action of a route that `needs(action, permission)` does not know is a problem: it could never be granted.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from gateway.capabilities import read_capabilities
from gateway.cells import cells_of
from gateway.errors import ConfigurationError, PolicyFileError
from gateway.policy import Policy
from gateway.policy.lint import errors_of, lint
from gateway.roles import Role, floor_of, gui_only_of, read_roles
from gateway.routes import RouteTable
from gateway.scenarios import Scenario, load_scenarios, scenario_of
from models.records import UserType

MAX_FILE: Final = 1_048_576
"""Bytes of one file unless the settings say otherwise (`policies.max_file`)."""
MAX_NESTING: Final = 200
"""Brackets within brackets; Oso's parser ends the process at some 10,000."""
T = TypeVar("T")
_PATTERNS: Final = (
    "*.polar",
    "roles.yaml",
    "capabilities.yaml",
    "routes/*.yaml",
    "scenarios/*.yaml",
    "scenarios/own/*.yaml",
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """What decides, as one version.

    Attributes:
        digest: names the version; the first 16 hex digits of a SHA-256.
        policy: the loaded Polar files.
        routes: the route maps.
        role_floor: role → the lowest user type that may hold it.
        scenarios: what the policy must allow and refuse.
    """

    digest: str
    policy: Policy
    routes: RouteTable
    role_floor: Mapping[str, UserType]
    scenarios: tuple[Scenario, ...]


def load_bundle(
    folder: Path,
    upstreams: Collection[str] | None = None,
    prefix: str = "/-/",
    *,
    proved: bool = False,
    max_file: int = MAX_FILE,
) -> Bundle:
    """Loads the folder (rule 1).

    Args:
        folder: holds `*.polar`, `roles.yaml`, `routes/` and `scenarios/`.
        upstreams: the configured upstreams that routes may name; None to leave that unchecked.
        prefix: the management prefix, closed to routes.
        proved: whether these bytes passed their trial by this version, so that neither lint nor scenarios are needed again.
        max_file: bytes that one Polar file may have.

    Raises:
        ConfigurationError: something is wrong; carries every problem.
    """
    problems: list[str] = []
    roles = _tried(problems, read_roles, folder) or {}
    role_floor, gui_only = floor_of(roles), gui_only_of(roles)

    def load_policy(place: Path) -> Policy:
        return Policy(polar_sources(place, max_file)) if proved else read_policy(place, max_file, gui_only)

    policy = _tried(problems, load_policy, folder)

    def load_guards(place: Path) -> list[Scenario]:
        return [] if proved else read_scenarios(place, roles)

    scenarios = _tried(problems, load_guards, folder) or []

    def load_routes(routes: Path) -> RouteTable:
        return RouteTable.load(
            routes, known_roles=role_floor, gui_only=gui_only, upstreams=upstreams, prefix=prefix
        )

    routes = _tried(problems, load_routes, folder / "routes")
    if policy is not None and routes is not None:
        problems.extend(_unknown_actions(policy, routes))
    if problems or policy is None or routes is None:
        raise ConfigurationError(problems)
    return Bundle(bundle_digest(folder), policy, routes, role_floor, tuple(scenarios))


def read_scenarios(folder: Path, roles: Mapping[str, Role]) -> list[Scenario]:
    """Returns what the folder says must be allowed and refused: its scenarios, and the cells of its table of capabilities.

    Raises:
        PolicyFileError: something is malformed, or the table contradicts the catalogue `roles`; carries every problem.
    """
    problems: list[str] = []
    scenarios = _tried(problems, load_scenarios, folder / "scenarios") or []

    def load_table(place: Path) -> list[Scenario]:
        cells = cells_of(read_capabilities(place, roles))
        return [scenario_of(name, content, folder="") for name, content in cells]

    cells = _tried(problems, load_table, folder) or [] if roles else []
    if problems:
        raise PolicyFileError(problems)
    return [*cells, *scenarios]


def bundle_paths(folder: Path) -> dict[str, Path]:
    """Returns the files that belong to the bundle by their names below the folder; what editors hide there does not."""
    found = (
        path for pattern in _PATTERNS for path in _matching(folder, pattern) if not path.name.startswith(".")
    )
    return {path.relative_to(folder).as_posix(): path for path in found}


def digest_of(files: Mapping[str, bytes]) -> str:
    """Returns the digest of files by their names (rule 2)."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        encoded = name.encode(errors="surrogateescape")
        whole.update(b"%d:%b%d:%b" % (len(encoded), encoded, len(content), content))
    return whole.hexdigest()[:16]


def bundle_digest(folder: Path) -> str:
    """Returns the digest of the folder's files (rule 2)."""
    return digest_of({name: path.read_bytes() for name, path in bundle_paths(folder).items()})


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Returns the files of a pattern, dangling links included (a pattern without a star leaves those out before 3.12)."""
    if "*" in pattern:
        return list(folder.glob(pattern))
    return [folder / pattern] if os.path.lexists(folder / pattern) else []


def read_policy(folder: Path, max_file: int = MAX_FILE, gui_only: Collection[str] = ()) -> Policy:
    """Loads the folder's Polar files, if the lint finds no error in them; `gui_only` are roles that no rule may name.

    Raises:
        PolicyFileError: there are none, or they cannot be loaded.
    """
    sources = polar_sources(folder, max_file)
    if problems := errors_of(lint(sources, gui_only=gui_only)):
        raise PolicyFileError(problems)
    return Policy(sources)


def polar_sources(folder: Path, max_file: int = MAX_FILE) -> dict[str, str]:
    """Returns the text of the folder's Polar files by their names.

    Raises:
        PolicyFileError: there are none, or one cannot be read.
    """
    sources = {
        path.name: _polar_text(path, max_file)
        for path in bundle_paths(folder).values()
        if path.suffix == ".polar"
    }
    if not sources:
        raise PolicyFileError([f"{folder}: no *.polar file here: `mediagate init` writes the shipped ones"])
    return sources


def too_large(name: str, bound: int) -> str:
    """Returns the sentence about a file of more than `bound` bytes."""
    return f"{name}: larger than {bound} bytes (`policies.max_file`): split it or write less"


def _polar_text(path: Path, max_file: int) -> str:
    try:
        if path.stat().st_size > max_file:
            raise PolicyFileError([too_large(path.name, max_file)])
        text = path.read_text("utf-8")
    except OSError as error:
        raise PolicyFileError([f"{path.name}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise PolicyFileError([f"{path.name}: not UTF-8 at byte {error.start}: save it as UTF-8"]) from error
    depth = 0
    for line, content in enumerate(text.splitlines(), 1):
        for character in content.partition("#")[0]:
            depth = max(0, depth + (character in "([{") - (character in ")]}"))
            if depth > MAX_NESTING:
                raise PolicyFileError(
                    [f"{path.name}:{line}: more than {MAX_NESTING} brackets within brackets"]
                )
    return text


def _tried(problems: list[str], load: Callable[[Path], T], path: Path) -> T | None:
    try:
        return load(path)
    except ConfigurationError as error:
        problems.extend(error.problems)
        return None


def _unknown_actions(policy: Policy, routes: RouteTable) -> list[str]:
    return [
        f'{row.place}: action `{judged.action}` is not in actions.polar: add needs("{judged.action}", PERMISSION) there'
        for row in routes.rows
        for judged in row.judged
        if judged.action not in policy.actions
    ]
