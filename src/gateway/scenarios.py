"""Scenarios: what a policy must allow and refuse, as data that carries its own facts.

A scenario file:

    says: members of a group that may only read, read and do nothing else
    facts:
      domains: {studio: {}}         # status, role_model, allow_list (a switch), allow_list_rule, networks, support_until, external_share
      groups: {viewers: {roles: [can_read_assets], networks: [10.1.0.0/16]}}   # kind
      users: {vera: {type: STANDARD, groups: [viewers]}}          # status, admin, domain, email, networks
      objects: {collection:top: {}, asset:clip: {owner: vera, in: [collection:top]}}   # domain
      acl: [{object: collection:top, to: group:viewers, may: [read], propagates: true}]      # until, a time
      shares: {link: {by: vera, of: collection:top, may: [view]}}           # until (2200 if left out), networks, views (metadata views)
    allow:
      - {who: vera, does: read, what: asset:clip, roles: [can_read_assets], because: inherited-acl}
    refuse:
      - {who: vera, does: write, what: asset:clip, because: no-grant}
      - {who: nobody, does: read, what: asset:clip, because: signed-in}

`who: nobody` is an anonymous caller, `who: support` is support, and the name of a share a visitor of it. `what` may be left out: the caller's own domain. `from` is the client's address
(10.0.0.1 if left out), `at` the time (noon UTC of a day), `roles` what the route demands, `open: true` a route open to all, `app` the
application (`app` if left out). An entry of `networks` may be for one application: {cidr: 10.1.0.0/16, app: player}.
A domain that is left out is the first one named, or `home`.

Shipped scenarios stand in `scenarios/`, the operator's own in `scenarios/own/`. An own one may stand in for a shipped one that is
no longer wanted, and says why:

    overrides: object_owners_change_who_has_access
    because: owners here change access only through the desk
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.errors import PolicyFileError
from gateway.policy.words import nearest
from models.networks import AllowList, NetworkSet, canonical_address, canonical_network
from models.records import (
    AllowListRule,
    DomainRecord,
    DomainStatus,
    Expiring,
    Facts,
    GroupKind,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    Right,
    RoleModel,
    ShareRecord,
    UserRecord,
    UserStatus,
    UserType,
)
from models.vocabulary import Request, Subject

NOBODY: Final = "nobody"
SUPPORT: Final = "support"
OWN: Final = "own/"
APP: Final = "app"
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "domains": frozenset(
        (
            "status",
            "role_model",
            "allow_list",
            "allow_list_rule",
            "networks",
            "support_until",
            "external_share",
        )
    ),
    "groups": frozenset(("domain", "kind", "roles", "networks")),
    "users": frozenset(("domain", "email", "type", "status", "admin", "groups", "networks")),
    "objects": frozenset(("domain", "owner", "in")),
    "acl": frozenset(("object", "to", "may", "propagates", "until")),
    "shares": frozenset(("by", "of", "may", "until", "networks", "views")),
}
"""What may be said of each thing in the facts."""
FAR: Final = datetime(2200, 1, 1, tzinfo=UTC)
_NOON: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """One expectation: a question, and what it must be answered with."""

    who: str
    does: str
    what: ObjectKey | None
    roles: tuple[str, ...]
    address: str
    at: datetime
    open_to_all: bool
    app: str
    allowed: bool
    because: str

    def request(self) -> Request:
        """Returns the request as the policy is asked about it."""
        return Request(
            canonical_address(self.address),
            self.at,
            roles=self.roles,
            anonymous=self.open_to_all,
            application=self.app,
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as loaded.

    Attributes:
        place: the file's name below `folder`.
        says: what it shows, in a sentence.
        raw: its facts as written, for those who build a world of their own from them.
        facts: its facts as records; a key that is not in it does not exist.
        cases: its expectations.
        overrides: the shipped scenario that it stands in for; empty if none.
        because: why.
        folder: where it stands in the bundle; empty for what is made of another file.
    """

    place: str
    says: str
    raw: Mapping[str, Any]
    facts: "ScenarioFacts"
    cases: tuple[Case, ...]
    overrides: str = ""
    because: str = ""
    folder: str = "scenarios/"

    def subject(self, case: Case, role_floor: Mapping[str, UserType]) -> Subject:
        """Returns who asks in a case."""
        user, share = self.facts.get(f"user:{case.who}"), self.facts.get(f"share:{case.who}")
        return Subject(
            self.facts,
            user if isinstance(user, UserRecord) else None,
            role_floor,
            SUPPORT if case.who == SUPPORT else "",
            share if isinstance(share, ShareRecord) else None,
        )

    @property
    def where(self) -> str:
        """Where it stands in the bundle, for messages."""
        return f"{self.folder}{self.place}"

    @property
    def is_own(self) -> bool:
        """Whether it is the operator's own."""
        return self.place.startswith(OWN)


@dataclass(frozen=True, slots=True)
class ScenarioFacts(Facts):
    """Facts of a scenario: all at hand, so nothing is ever missing."""

    records: Mapping[str, Record] = field(default_factory=dict)

    def get(self, key: str) -> Record | None:
        """Returns the record; a path below a registered folder has one of its own, as in the store."""
        found = self.records.get(key)
        if found is None and key.startswith("object:"):
            _, kind, id_ = key.split(":", 2)
            folder = ObjectKey(kind, id_).folder()
            return ObjectRecord(ObjectKey(kind, id_), parents=(folder,)) if folder else None
        return found


def load_scenarios(folder: Path) -> list[Scenario]:
    """Returns the scenarios of all `*.yaml` files in `folder` and its `own/`, in the order of their names.

    Those that an own one overrides are left out.

    Raises:
        PolicyFileError: files are malformed; carries every problem, each with its file.
    """
    scenarios: list[Scenario] = []
    problems: list[str] = []
    for path in (*sorted(folder.glob("*.yaml")), *sorted((folder / OWN).glob("*.yaml"))):
        place = path.relative_to(folder).as_posix()
        if path.name.startswith("."):
            continue
        try:
            scenarios.append(scenario_of(place, yaml.safe_load(path.read_text("utf-8"))))
        except (
            OSError,
            yaml.YAMLError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            problems.append(f"scenarios/{place}: {type(error).__name__}: {' '.join(str(error).split())}")
    problems += _override_problems(scenarios, {path.stem for path in folder.glob("*.yaml")})
    if problems:
        raise PolicyFileError(problems)
    overridden = {scenario.overrides for scenario in scenarios}
    return [each for each in scenarios if each.is_own or each.place.removesuffix(".yaml") not in overridden]


def _override_problems(scenarios: list[Scenario], shipped: Collection[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for scenario in scenarios:
        name, place = scenario.overrides, f"scenarios/{scenario.place}"
        if not name:
            continue
        if not scenario.is_own:
            yield f"{place}: only scenarios in scenarios/own/ may override: move it there"
            continue
        if not scenario.because:
            yield f"{place}: it overrides `{name}`: say why under `because`"
        if name not in shipped:
            yield f"{place}: no shipped scenario is called `{name}`{nearest(name, shipped)}"
        if name in seen:
            yield f"{place}: `{name}` is already overridden by {seen[name]}: keep one"
        seen.setdefault(name, place)


def scenario_of(place: str, data: dict[str, Any], folder: str = "scenarios/") -> Scenario:
    """Returns the scenario that a file's content describes; `folder` and `place` say where it stands.

    Raises:
        ValueError, KeyError, TypeError: the content is not a scenario.
    """
    if unknown := set(data) - {"says", "facts", "allow", "refuse", "overrides", "because"}:
        raise ValueError(f"unknown words {sorted(unknown)}")
    raw = data.get("facts") or {}
    _check_words(raw)
    cases = [_case(entry, allowed=True) for entry in data.get("allow") or ()]
    cases += [_case(entry, allowed=False) for entry in data.get("refuse") or ()]
    if not cases:
        raise ValueError("no case under `allow` or `refuse`")
    facts = ScenarioFacts(_records(raw))
    overrides, because = data.get("overrides", ""), data.get("because", "")
    if not isinstance(overrides, str) or not isinstance(because, str):
        raise TypeError("`overrides` and `because` are texts")
    return Scenario(place, data["says"], raw, facts, tuple(cases), overrides, because, folder)


def _check_words(raw: Mapping[str, Any]) -> None:
    """Raises ValueError for a word that the facts do not have: it would silently say nothing."""
    if unknown := set(raw) - set(_WORDS):
        raise ValueError(f"unknown words {sorted(unknown)} in the facts")
    names = [NOBODY, SUPPORT, *(raw.get("users") or ()), *(raw.get("shares") or ())]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{sorted(twice)} would name two who may ask")
    for section, words in _WORDS.items():
        entries = raw.get(section) or {}
        for entry in entries.values() if isinstance(entries, Mapping) else entries:
            if unknown := set(entry) - words:
                raise ValueError(f"unknown words {sorted(unknown)} in `{section}`")


def _case(entry: dict[str, Any], *, allowed: bool) -> Case:
    if unknown := set(entry) - {"who", "does", "what", "roles", "from", "at", "open", "app", "because"}:
        raise ValueError(f"unknown words {sorted(unknown)} in a case")
    return Case(
        who=entry["who"],
        does=entry["does"],
        what=ObjectKey.parse(entry["what"]) if "what" in entry else None,
        roles=tuple(entry.get("roles", ())),
        address=entry.get("from", "10.0.0.1"),
        at=entry.get("at", _NOON),
        open_to_all=entry.get("open", False),
        app=entry.get("app", APP),
        allowed=allowed,
        because=entry["because"],
    )


def _records(raw: Mapping[str, Any]) -> dict[str, Record]:
    domains = raw.get("domains") or {"home": {}}
    first = next(iter(domains))
    records: dict[str, Record] = {}
    for name, entry in domains.items():
        records[f"domain:{name}"] = DomainRecord(
            name,
            DomainStatus(entry.get("status", "ACTIVE")),
            entry.get("allow_list", False),
            _networks(entry),
            RoleModel(entry.get("role_model", "GROUPS")) is RoleModel.ROLE_GROUPS,
            AllowListRule(entry.get("allow_list_rule", "MOST_SPECIFIC")) is AllowListRule.EVERY_LEVEL,
            entry.get("support_until"),
            entry.get("external_share", True),
        )
    for name, entry in (raw.get("groups") or {}).items():
        roles, kind = frozenset(entry.get("roles", ())), GroupKind(entry.get("kind", "GROUP"))
        records[f"group:{name}"] = GroupRecord(
            name,
            entry.get("domain", first),
            roles if kind is GroupKind.GROUP else frozenset(),
            _networks(entry),
            roles if kind is GroupKind.ROLE_GROUP else frozenset(),
        )
    for name, entry in (raw.get("users") or {}).items():
        records[f"user:{name}"] = UserRecord(
            name,
            entry.get("domain", first),
            UserType(entry.get("type", "STANDARD")),
            UserStatus(entry.get("status", "ACTIVE")),
            entry.get("admin", False),
            tuple(entry.get("groups", ())),
            _networks(entry),
        )
    for name, entry in (raw.get("objects") or {}).items():
        key = ObjectKey.parse(name)
        records[key.fact] = _object(key, entry, first, raw.get("acl") or ())
    for name, entry in (raw.get("shares") or {}).items():
        records[f"share:{name}"] = _share(name, entry, records[f"user:{entry['by']}"])
    return records


def _share(name: str, entry: Mapping[str, Any], sharer: Record) -> ShareRecord:
    if not isinstance(sharer, UserRecord):
        raise TypeError(f"`{name}` is not shared by a user")
    return ShareRecord(
        name,
        sharer.domain_id,
        sharer.id,
        ObjectKey.parse(entry["of"]),
        frozenset(Right(name) for name in entry["may"]),
        entry.get("until", FAR),
        NetworkSet.of(canonical_network(line) for line in entry.get("networks", ())),
        frozenset(entry.get("views", ())),
    )


def network_lines(entry: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Returns the lines of an allow-list as written: each network in one form, and its application or None for all."""
    lines = [
        line if isinstance(line, Mapping) else {"cidr": line, "app": None}
        for line in entry.get("networks", ())
    ]
    return [(canonical_network(line["cidr"]), line["app"]) for line in lines]


def _networks(entry: Mapping[str, Any]) -> AllowList:
    return AllowList.of(network_lines(entry))


def _object(key: ObjectKey, entry: Mapping[str, Any], first: str, acl: Any) -> ObjectRecord:  # noqa: ANN401 - YAML
    entries: dict[bool, dict[str, Permission]] = {False: {}, True: {}}
    expiring: dict[str, tuple[Expiring, ...]] = {}
    for grant in acl:
        if ObjectKey.parse(grant["object"]) != key:
            continue
        to, propagates = grant["to"], bool(grant.get("propagates", False))
        permissions = reduce(or_, map(Permission.named, grant["may"]), Permission.NONE)
        if "until" in grant:
            ending = Expiring(_zoned(grant["until"]), permissions, propagates)
            expiring[to] = (*expiring.get(to, ()), ending)
        else:
            kept = entries[propagates]
            kept[to] = kept.get(to, Permission.NONE) | permissions
    folder = key.folder()
    placed = tuple(ObjectKey.parse(name) for name in entry.get("in", ()))
    return ObjectRecord(
        key,
        registered=True,
        domain_id=entry.get("domain", first),
        owner_id=entry.get("owner"),
        parents=(folder, *placed) if folder else placed,
        direct=entries[False],
        propagating=entries[True],
        expiring=expiring,
    )


def _zoned(time: object) -> datetime:
    """Returns a time as written; raises ValueError if it has no zone, and so is none."""
    if not isinstance(time, datetime) or time.utcoffset() is None:
        raise ValueError(f"`until: {time}` is no time: write 2026-01-15T18:00:00Z")
    return time
