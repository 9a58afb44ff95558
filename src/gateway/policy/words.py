"""What a policy may ask: every class, question and enum, made from the code that answers, with an example each.

The questions are the public methods of `models.vocabulary`; their first sentence, arguments and number come from there, so that this list
cannot say anything else than the gateway does. Only the examples stand here; a test demands one for each and runs it.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from netaddr import AddrFormatError, IPNetwork

from gateway.policy.strict import VOCABULARY
from models.records import PERMISSION_NAMES, Right, UserType
from models.vocabulary import Request, Resource, Subject

CLASSES: Final[Mapping[str, type]] = {"subject": Subject, "resource": Resource, "request": Request}
"""The name under which the shipped policies know an instance, and its class."""
POLAR_NAMES: Final[Mapping[str, type]] = {"Subject": Subject, "Object": Resource, "Request": Request}
"""The name of each class in a policy; Oso keeps `Resource` for itself."""
GRANTING: Final = frozenset(("grants", "inherits", "given_to_share", "has_role", "in_group", "roles_held_by"))
"""Questions that a grant, a role or a membership makes true; denying one would take access away after a grant."""
_SEED: Final = re.compile(r' \(seed: "[^"]*"\)')
"""Where a word comes from, which authors of policies need not know."""
EXAMPLES: Final[Mapping[str, str]] = {
    "subject.admitted_from": "subject.admitted_from(request)",
    "subject.has_account": "subject.has_account()",
    "subject.has_right": 'subject.has_right("download")',
    "subject.has_role": 'subject.has_role("can_read_assets")',
    "subject.in_frozen_domain": "subject.in_frozen_domain()",
    "subject.in_group": 'subject.in_group("editors")',
    "subject.in_open_share": "subject.in_open_share(request)",
    "subject.in_working_domain": "subject.in_working_domain()",
    "subject.is_active": "subject.is_active()",
    "subject.is_admin": "subject.is_admin()",
    "subject.is_signed_in": "subject.is_signed_in()",
    "subject.is_support": "subject.is_support()",
    "subject.is_type": 'subject.is_type("STANDARD")',
    "subject.is_visitor": "subject.is_visitor()",
    "resource.exists": "resource.exists()",
    "resource.given_to_share": 'resource.given_to_share("read", subject)',
    "resource.grants": 'resource.grants("write", subject)',
    "resource.inherits": 'resource.inherits("read", subject)',
    "resource.is_domain": "resource.is_domain()",
    "resource.is_held": "resource.is_held()",
    "resource.is_type": 'resource.is_type("asset")',
    "resource.is_view_of": "resource.is_view_of(subject)",
    "resource.open_to_support": "resource.open_to_support(request)",
    "resource.owned_by": "resource.owned_by(subject)",
    "resource.shares_domain_with": "resource.shares_domain_with(subject)",
    "resource.shared_with": "resource.shared_with(subject)",
    "request.demands_only": 'request.demands_only(["can_read_assets", "can_read_proxies"])',
    "request.from_network": 'request.from_network("10.0.0.0/16")',
    "request.open_to_all": "request.open_to_all()",
    "request.roles_held_by": "request.roles_held_by(subject)",
    "request.time_between": 'request.time_between("22:00", "06:00", "Europe/Berlin")',
}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a question: its name and its type, as `Subject` or `str`."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Word:
    """A question.

    Attributes:
        receiver: `subject`, `resource` or `request`.
        name: the question.
        arguments: what it takes, in order.
        says: what it tells, in a sentence.
        example: a condition that uses it.
    """

    receiver: str
    name: str
    arguments: tuple[Argument, ...]
    says: str
    example: str

    @property
    def written(self) -> str:
        """How it is asked, as `resource.grants(permission: str, subject: Subject)`."""
        arguments = ", ".join(f"{argument.name}: {argument.type}" for argument in self.arguments)
        return f"{self.receiver}.{self.name}({arguments})"


def words() -> tuple[Word, ...]:
    """Returns every question that strict Oso admits, by class."""
    return tuple(_word(receiver, cls, name) for receiver, cls in CLASSES.items() for name in VOCABULARY[cls])


def enums(actions: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """Returns the closed sets of texts: user types, permissions, rights of shares, and the actions that a policy knows."""
    return {
        "user type": tuple(UserType),
        "permission": tuple(PERMISSION_NAMES),
        "right": tuple(Right),
        "action": tuple(sorted(actions)),
    }


def nearest(text: str, known: Collection[str]) -> str:
    """Returns `: did you mean ...?` with the known word that is most like `text`, or `: those are ...`."""
    close = difflib.get_close_matches(text, list(known), 1, 0.6)
    if close:
        return f": did you mean `{close[0]}`?"
    return f": those are {', '.join(sorted(known))}" if known else ""


def refusal_of(cls: type, word: str, texts: tuple[str | None, ...]) -> str:
    """Returns why a question cannot take these literal arguments (None: not a literal); empty if it can."""
    check = _CHECKS.get((cls, word))
    return check(texts) if check else ""


def _word(receiver: str, cls: type, name: str) -> Word:
    method = getattr(cls, name)
    parameters = list(inspect.signature(method).parameters.values())[1:]
    said = _SEED.sub("", (inspect.getdoc(method) or "").splitlines()[0])
    example = EXAMPLES.get(f"{receiver}.{name}", "")
    arguments = tuple(Argument(each.name, _type_name(each.annotation)) for each in parameters)
    return Word(receiver, name, arguments, said, example)


def _type_name(annotation: object) -> str:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return {"Resource": "Object"}.get(name, name)


def _of_enum(what: str, known: Collection[str]) -> Callable[[tuple[str | None, ...]], str]:
    def check(texts: tuple[str | None, ...]) -> str:
        text = texts[0]
        return "" if text is None or text in known else f"`{text}` is no {what}{nearest(text, known)}"

    return check


def _network(texts: tuple[str | None, ...]) -> str:
    try:
        if texts[0] is not None:
            IPNetwork(texts[0])
    except (AddrFormatError, ValueError):
        return f"`{texts[0]}` is no network: write it as in 10.0.0.0/16"
    return ""


def _span(texts: tuple[str | None, ...]) -> str:
    for text in texts[:2]:
        try:
            if text is not None and time.fromisoformat(text).tzinfo is not None:
                return f"`{text}` has a zone: write HH:MM, and the zone last"
        except ValueError:
            return f"`{text}` is no time: write HH:MM, as in 06:30"
    try:
        if texts[2] is not None:
            ZoneInfo(texts[2])
    except (ValueError, OSError, LookupError):
        return f"`{texts[2]}` is no time zone: write its name, as in Europe/Berlin"
    return ""


_CHECKS: Final[Mapping[tuple[type, str], Callable[[tuple[str | None, ...]], str]]] = {
    (Subject, "is_type"): _of_enum("user type", tuple(UserType)),
    (Subject, "has_right"): _of_enum("right of a share", tuple(Right)),
    (Resource, "given_to_share"): _of_enum("permission", tuple(PERMISSION_NAMES)),
    (Resource, "grants"): _of_enum("permission", tuple(PERMISSION_NAMES)),
    (Resource, "inherits"): _of_enum("permission", tuple(PERMISSION_NAMES)),
    (Request, "from_network"): _network,
    (Request, "time_between"): _span,
}
