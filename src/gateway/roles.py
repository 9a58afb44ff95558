"""The catalogue of roles, `roles.yaml`: which roles there are, and which user types may hold them.

Rules:

1. A role that is GUI-only is known and can be given, and decides nothing: no route demands it and no rule asks for it
   (seed: "Security Controls").
2. A role stands in one category, under one lowest user type, with a source; a catalogue with anything else does not load.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import PolicyFileError
from gateway.routes.sheets import Entry, Sheet
from models.records import WORD_FORM, UserType, is_word

FILE: Final = "roles.yaml"
CATEGORIES: Final = (
    "core",
    "collaborate",
    "organize",
    "download",
    "upload",
    "assets_edit",
    "metadata_admin",
    "users_groups_admin",
    "storage_admin",
    "integrations_admin",
    "billing",
    "face_recognition",
    "others",
)
"""The groups in which an editor of roles shows them; nothing is decided by them."""
_KEYS: Final = ("lowest", "gui_only", "known_from")


@dataclass(frozen=True, slots=True)
class Role:
    """One role of the catalogue.

    Attributes:
        category: one of `CATEGORIES`.
        lowest: the lowest user type that may hold it.
        gui_only: whether it only switches something of a graphical interface (rule 1).
        known_from: where the name is known from, in short labels.
    """

    category: str
    lowest: UserType
    gui_only: bool
    known_from: tuple[str, ...]


def read_roles(folder: Path) -> dict[str, Role]:
    """Returns the roles of the folder's catalogue by name.

    Raises:
        PolicyFileError: it is missing or malformed; carries every problem with its line.
    """
    path, sheet = folder / FILE, Sheet(FILE)
    try:
        top = sheet.read(path.read_bytes())
    except OSError as error:
        raise PolicyFileError([f"{path}: {error.strerror}"]) from error
    found: dict[str, Role] = {}
    for category, roles in top.as_fields("the catalogue", CATEGORIES).items() if top else ():
        for name, entry in roles.as_pairs(f"`{category}`"):
            _add(found, name, category, entry)
    if sheet.problems:
        raise PolicyFileError(sheet.problems)
    return found


def read_role_floor(folder: Path) -> dict[str, UserType]:
    """Returns the lowest user type that may hold each role of the folder's catalogue.

    Raises:
        PolicyFileError: as `read_roles` says.
    """
    return floor_of(read_roles(folder))


def floor_of(roles: Mapping[str, Role]) -> dict[str, UserType]:
    """Returns the lowest user type that may hold each role."""
    return {name: role.lowest for name, role in roles.items()}


def gui_only_of(roles: Mapping[str, Role]) -> frozenset[str]:
    """Returns the roles that decide nothing (rule 1)."""
    return frozenset(name for name, role in roles.items() if role.gui_only)


def _add(found: dict[str, Role], name: str, category: str, entry: Entry) -> None:
    if not is_word(name):
        entry.report(f"`{name[:64]}` is no role: {WORD_FORM}")
    fields = entry.as_fields(f"the role `{name}`", _KEYS)
    missing = [key for key in ("lowest", "known_from") if key not in fields]
    if missing and entry.pairs is not None:
        entry.report(f"the role `{name}` states no `{'` and no `'.join(missing)}`: {_FORM}")
    lowest = fields["lowest"].as_choice("`lowest`", tuple(UserType)) if "lowest" in fields else None
    gui_only = fields["gui_only"].as_flag("`gui_only`") if "gui_only" in fields else False
    sources = fields["known_from"].as_texts("`known_from`") if "known_from" in fields else []
    if name in found:
        entry.report(f"the role `{name}` stands under `{found[name].category}` already: keep one")
    if lowest is not None:
        found[name] = Role(category, UserType(lowest), bool(gui_only), tuple(sources))


_FORM: Final = "write it as in {lowest: STANDARD, known_from: [our own]}"
