"""Each cell of the table of capabilities as a scenario, in the form of `gateway.scenarios`.

Rules:

1. A cell of a user type asks the row's example of a user whose group gives the roles, of one whose group does not and, for
   POWER, of an admin without any group. BROWSE_API_ONLY is asked with BROWSE_ONLY.
2. A visitor's cell that says `not` asks it of nobody in particular. Any other asks it of a visitor whose share gives all rights, and
   of one whose share gives none but to look; who may look at all is not asked of the latter.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gateway.capabilities import FILE, VISITOR, Capability
from gateway.scenarios import NOBODY
from models.records import PERMISSION_NAMES, Right, UserType


def cells_of(capabilities: Collection[Capability]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields name and content of the scenario of each cell that one can be written for (rule 2)."""
    for each in capabilities:
        slug = re.sub(r"[^a-z]+", "_", each.name.lower()).strip("_")
        for kind, mark in each.cells.items():
            if kind != VISITOR:
                yield f"{FILE}/{slug}/{kind}", _account_cell(each, UserType(kind), can=mark != "not")
            elif mark == "not":
                yield f"{FILE}/{slug}/{kind}", _nobody_cell(each)
            else:
                yield f"{FILE}/{slug}/{kind}", _visitor_cell(each)


def _account_cell(capability: Capability, type_: UserType, *, can: bool) -> dict[str, Any]:
    types = {type_, *((UserType.BROWSE_API_ONLY,) if type_ is UserType.BROWSE_ONLY else ())}
    with_roles = {f"with_{each.lower()}": {"type": str(each), "groups": ["with"]} for each in sorted(types)}
    without = {
        f"without_{each.lower()}": {"type": str(each), "groups": ["without"]} for each in sorted(types)
    }
    admins = {"admin": {"type": "POWER", "admin": True}} if type_ is UserType.POWER else {}
    granted = "own-acl" if capability.object_type else "by-role"
    allowed = [*with_roles, *without] if not capability.refuses else [*with_roles] if can else []
    refused = [name for name in (*with_roles, *without) if name not in allowed]
    return {
        "says": f"{capability.name}: {type_} {_can(capability, can=can)}",
        "facts": _facts(capability, {**with_roles, **without, **admins}),
        "allow": [
            *(_case(capability, name, granted) for name in allowed),
            *(_case(capability, name, "admin") for name in admins),
        ],
        "refuse": [_case(capability, name, "role") for name in refused],
    }


def _visitor_cell(capability: Capability) -> dict[str, Any]:
    """Returns the cell of what a share lets a visitor do; an admin shares, so that only the share decides."""
    name = f"{capability.object_type}:it"
    shares = {"all": {"by": "admin", "of": name, "may": [str(right) for right in Right]}}
    shares["look"] = {"by": "admin", "of": name, "may": [str(Right.VIEW)]}
    looking = capability.action == "read"
    return {
        "says": f"{capability.name}: a visitor can if the share gives it",
        "facts": {**_facts(capability, {"admin": {"type": "POWER", "admin": True}}), "shares": shares},
        "allow": [_case(capability, who, "share") for who in (("all", "look") if looking else ("all",))],
        "refuse": [] if looking else [_case(capability, "look", "role")],
    }


def _nobody_cell(capability: Capability) -> dict[str, Any]:
    return {
        "says": f"{capability.name}: nobody can without an account",
        "facts": _facts(capability, {}),
        "refuse": [_case(capability, NOBODY, "signed-in")],
    }


def _can(capability: Capability, *, can: bool) -> str:
    if not capability.refuses:
        return "is not refused it, since its role only switches an interface"
    return "can if a group gives the roles" if can else "cannot, whatever roles a group gives"


def _facts(capability: Capability, users: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "groups": {"with": {"roles": list(capability.roles)}, "without": {}},
        "users": dict(users),
    }
    if capability.object_type:
        name, everything = f"{capability.object_type}:it", list(PERMISSION_NAMES)
        facts["objects"] = {name: {}}
        facts["acl"] = [{"object": name, "to": f"group:{to}", "may": everything} for to in facts["groups"]]
    return facts


def _case(capability: Capability, who: str, because: str) -> dict[str, Any]:
    case: dict[str, Any] = {"who": who, "does": capability.action, "because": because}
    if capability.object_type:
        case["what"] = f"{capability.object_type}:it"
    if capability.refuses:
        case["roles"] = list(capability.roles)
    return case
