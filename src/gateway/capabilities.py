"""What each kind of user can do, `capabilities.yaml`: the published table as data (its cells: `gateway.cells`).

Rules:

1. The table and the catalogue of roles agree, or neither loads: a user type that can do something may hold all roles behind it,
   one that cannot may hold none of them.
2. A role that decides nothing stands behind a row that is `display only`, any other behind one that `refuses`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import PolicyFileError
from gateway.roles import Role
from gateway.routes.sheets import Entry, Sheet
from models.records import UserType

FILE: Final = "capabilities.yaml"
VISITOR: Final = "VISITOR"
"""The kind of user without an account, whom a share lets in (seed: "Non-paid Users")."""
KINDS: Final = (UserType.POWER, UserType.STANDARD, UserType.BROWSE_ONLY, VISITOR)
MARKS: Final = ("may", "not", "if enabled", "shared assets only")
EFFECTS: Final = ("refuses", "display only")
_ROW_KEYS: Final = ("row", "roles", "example", "effect", "cells")
_EXAMPLE_KEYS: Final = ("operation", "action", "object")
_MEND_EFFECT: Final = "write the other `effect`, or change `gui_only` in roles.yaml"


@dataclass(frozen=True, slots=True)
class Capability:
    """One row of the table.

    Attributes:
        name: as published.
        roles: what stands behind it.
        operation: an example of it, METHOD /PATH.
        action: what the example asks of the policy.
        object_type: about what; empty for the domain.
        refuses: whether its roles decide anything (rule 2).
        cells: kind of user → one of `MARKS`.
    """

    name: str
    roles: tuple[str, ...]
    operation: str
    action: str
    object_type: str
    refuses: bool
    cells: Mapping[str, str]


def read_capabilities(folder: Path, roles: Mapping[str, Role]) -> tuple[Capability, ...]:
    """Returns the rows of the folder's table; none if it has no such file.

    Raises:
        PolicyFileError: it is malformed or contradicts the catalogue `roles`; carries every problem with its line.
    """
    sheet = Sheet(FILE)
    try:
        top = sheet.read((folder / FILE).read_bytes())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise PolicyFileError([f"{folder / FILE}: {error.strerror}"]) from error
    fields = top.as_fields("the table", ("rows",)) if top else {}
    entries = fields["rows"].as_list("`rows`") if "rows" in fields else []
    found = [capability for entry in entries if (capability := _row(entry, roles)) is not None]
    if sheet.problems:
        raise PolicyFileError(sheet.problems)
    return tuple(found)


def _row(entry: Entry, roles: Mapping[str, Role]) -> Capability | None:
    """Returns the row that `entry` states; None if it has a mistake, which is reported."""
    problems = len(entry.sheet.problems)
    fields = _complete(entry, "a row", _ROW_KEYS, _ROW_KEYS)
    if fields is None:
        return None
    example = _complete(fields["example"], "`example`", _EXAMPLE_KEYS, _EXAMPLE_KEYS[:2])
    cells = _complete(fields["cells"], "`cells`", KINDS, KINDS)
    if example is None or cells is None:
        return None
    capability = Capability(
        name=fields["row"].as_text("`row`") or "",
        roles=tuple(fields["roles"].as_texts("`roles`")),
        operation=example["operation"].as_text("`operation`") or "",
        action=example["action"].as_text("`action`") or "",
        object_type=(example["object"].as_text("`object`") or "") if "object" in example else "",
        refuses=fields["effect"].as_choice("`effect`", EFFECTS) == EFFECTS[0],
        cells={kind: cell.as_choice(f"`{kind}`", MARKS) or "" for kind, cell in cells.items()},
    )
    if len(entry.sheet.problems) == problems:
        for sentence in _contradictions(capability, roles):
            entry.report(f"`{capability.name}`: {sentence}")
    return capability if len(entry.sheet.problems) == problems else None


def _complete(
    entry: Entry, what: str, known: Collection[str], needed: Collection[str]
) -> dict[str, Entry] | None:
    """Returns the fields of `entry` if all that are needed are there; reports it otherwise."""
    fields = entry.as_fields(what, known)
    missing = [key for key in needed if key not in fields]
    if missing and entry.pairs is not None:
        entry.report(f"{what} states {', '.join(f'`{key}`' for key in missing)}")
    return None if missing else fields


def _contradictions(capability: Capability, roles: Mapping[str, Role]) -> Iterator[str]:
    """Yields where the row and the catalogue disagree (rules 1 and 2)."""
    for name in capability.roles:
        role = roles.get(name)
        if role is None:
            yield f"roles.yaml has no role `{name}`: add it there, or name another"
            continue
        if role.gui_only is capability.refuses:
            yield f"`{name}` {'only switches an interface' if role.gui_only else 'decides'}: {_MEND_EFFECT}"
        for kind, mark in capability.cells.items():
            if kind == VISITOR:
                continue
            holds, can = UserType(kind).rank >= role.lowest.rank, mark != "not"
            if holds is not can:
                yield (
                    f"{kind} {'can' if can else 'cannot'}, but {'can' if holds else 'cannot'} hold `{name}`, which "
                    f"roles.yaml gives to {role.lowest} and above: change one of the two"
                )
