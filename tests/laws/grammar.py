"""Draws policies from a grammar, and worlds and questions for them: all of it from seeds, so that what fails, fails again.

The grammar covers what the shipped policies use and more: `not`, `cut`, `forall`, `in` over lists, specialisers, recursion,
comparisons of the action and of literals, lists and dictionaries that carry the asker, resource blocks, and in small doses
what strict Oso refuses. Every policy has gates and permits, as the shipped one does.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from gateway.errors import PolicyFileError
from gateway.policy import Policy, Question
from gateway.policy.meaning import Meaning
from gateway.policy.tree import Asked, _steps
from models.networks import AllowList, canonical_address
from models.records import (
    DomainRecord,
    DomainStatus,
    Expiring,
    GroupRecord,
    MissingFactError,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    UserRecord,
    UserStatus,
    UserType,
)
from models.vocabulary import Request, Resource, Subject
from worlds import World

USERS, GROUPS, DOMAINS = ("ann", "ben", "cat"), ("red", "blue"), ("home", "away")
ROLES = ("r1", "r2")
ACTIONS = ("read", "write", "delete", "teleport")
PERMISSIONS = ("read", "write", "delete", "change-acl")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32")
ADDRESSES = ("10.0.0.1", "10.1.2.3", "192.0.2.1", "2001:db8::9")
COLLECTIONS = tuple(ObjectKey("collection", name) for name in "cdef")
OBJECTS = (ObjectKey("asset", "a"), ObjectKey("asset", "b"), ObjectKey("file", "/x"), *COLLECTIONS)
ASKED = (*OBJECTS, ObjectKey("file", "/x/y.mp4"), ObjectKey("asset", "unknown"), None)
GATES = ("signed-in", "user-status", "domain", "network", "role", "unknown-object", "foreign-object")
FLOOR = {"r1": UserType.BROWSE_ONLY, "r2": UserType.STANDARD}
NEEDS = 'needs("read", "read"); needs("write", "write"); needs("delete", "delete");'
VARIABLES = ("subject", "action", "resource", "request")
QUESTIONS = (
    "subject.is_signed_in()",
    "subject.has_account()",
    "subject.is_support()",
    "subject.is_visitor()",
    'subject.has_right("view")',
    "subject.in_open_share(request)",
    "resource.shared_with(subject)",
    "resource.is_view_of(subject)",
    'resource.given_to_share("read", subject)',
    "subject.is_active()",
    "subject.in_working_domain()",
    "subject.in_frozen_domain()",
    "subject.is_admin()",
    'subject.is_type("STANDARD")',
    'subject.in_group("red")',
    'subject.in_group("blue")',
    'subject.has_role("r1")',
    'subject.has_role("r2")',
    "subject.admitted_from(request)",
    "resource.is_domain()",
    'resource.is_type("asset")',
    "resource.exists()",
    "resource.is_held()",
    "resource.shares_domain_with(subject)",
    "resource.open_to_support(request)",
    "resource.owned_by(subject)",
    'resource.grants("read", subject)',
    'resource.grants("write", subject)',
    'resource.inherits("read", subject)',
    'resource.inherits("delete", subject)',
    "request.open_to_all()",
    "request.roles_held_by(subject)",
    'request.demands_only(["r1", "r3"])',
    'request.from_network("10.1.0.0/16")',
    'request.time_between("22:00", "06:00", "Europe/Stockholm")',
)
COMPARISONS = (
    'action = "read"',
    'action != "write"',
    'action in ["read", "delete"]',
    'action > "r"',
    "1 = 1.0",
    "true = 1",
    '"a" < "b"',
    "[1, 2] = [1, 2.0]",
    "2 + 2 = 4",
    "subject matches Subject",
    "resource matches Object",
    "action matches String",
    "action matches Integer",
    "request matches Subject",
)
REFUSED = (
    "subject.banned()",
    "subject = resource",
    "subject.is_active() > 0",
    "resource.key = 1",
    'request.from_network("nonsense")',
    "1 < action",
)
HELPERS = """
    climbs(0, _subject);
    climbs(n, subject) if n > 0 and subject.in_group("red") and m = n - 1 and climbs(m, subject);
    falls(0, _resource);
    falls(n, resource) if n > 0 and not resource.is_held() and m = n - 1 and falls(m, resource);
    one_of(subject: Subject, [group, *_rest]) if subject.in_group(group);
    one_of(subject: Subject, [_group, *rest]) if one_of(subject, rest);
    same(x, x);
    may(subject, action, resource) if has_permission(subject, action, resource);
"""
BLOCKS = """
    actor Subject {}
    resource Object {
        permissions = ["read", "write"]; roles = ["viewer", "editor"];
        "read" if "viewer"; "write" if "editor"; "viewer" if "editor";
    }
    has_role(subject: Subject, "editor", resource: Object) if resource.owned_by(subject);
    has_role(subject: Subject, "viewer", _resource: Object) if subject.in_group("red");
"""


@dataclass
class Grammar:
    """Draws the text of one policy.

    Attributes:
        drawn: where chance comes from.
        errors: how often, of 1, an atom is something that strict Oso refuses.
    """

    drawn: Random
    errors: float = 0.02
    count: int = field(default=0, init=False)

    def policy(self) -> str:
        """Returns the text of a policy; a few of them Oso does not load."""
        gates = self.drawn.sample(GATES, self.drawn.randint(1, 4))
        rules = [f"gates({json.dumps(gates)});", NEEDS, HELPERS, BLOCKS]
        rules += [self.rule("gate", first=gate) for gate in gates for _ in range(self.drawn.randint(1, 2))]
        rules += [self.rule("permit", last=f"p{at}") for at in range(self.drawn.randint(1, 4))]
        return "\n".join(rules)

    def rule(self, name: str, *, first: str = "", last: str = "") -> str:
        """Returns one gate or permit."""
        body = self.body()
        heads = [f'"{first}"'] * bool(first)
        heads += [self._head(variable, body) for variable in VARIABLES]
        heads += [f'"{last}"'] * bool(last)
        return f"{name}({', '.join(heads)}) if {body};"

    def body(self) -> str:
        """Returns the condition of a rule, `cut` now and then at its end."""
        body = self.condition(3)
        return f"{body} and cut" if self.drawn.random() < 0.1 else body

    def condition(self, depth: int) -> str:
        """Returns a condition in brackets or an atom."""
        if depth == 0 or self.drawn.random() < 0.2:
            return self.atom()
        form = self.drawn.choice(("and", "or", "and", "or", "not", "forall", "in", "carried"))
        if form in ("and", "or"):
            return f"({self.condition(depth - 1)} {form} {self.condition(depth - 1)})"
        if form == "not":
            return f"not ({self.condition(depth - 1)})"
        return getattr(self, f"_{form}")()  # type: ignore[no-any-return]

    def atom(self) -> str:
        """Returns one question, comparison or call of a rule."""
        if self.drawn.random() < self.errors:
            return self.drawn.choice(REFUSED)
        kind = self.drawn.random()
        if kind < 0.6:
            return self.drawn.choice(QUESTIONS)
        if kind < 0.75:
            return self.drawn.choice(COMPARISONS)
        new = self._new()
        return self.drawn.choice(
            (
                f"(needs(action, {new}) and resource.grants({new}, subject))",
                f"(needs(action, {new}) and resource.inherits({new}, subject))",
                f"climbs({self.drawn.randint(0, 4)}, subject)",
                f"falls({self.drawn.randint(0, 3)}, resource)",
                f'one_of(subject, ["green", "{self.drawn.choice(GROUPS)}"])',
                "may(subject, action, resource)",
                f"({new} := {self.drawn.choice(QUESTIONS)} and {new})",
                f"{self.drawn.choice(QUESTIONS)} = {self.drawn.choice(('true', 'false', '1', '1.0'))}",
                'print("asked", subject)',
            )
        )

    def _head(self, variable: str, body: str) -> str:
        """Returns a parameter: unused ones are named so, some have a type, and an action may be a literal."""
        if variable == "action" and self.drawn.random() < 0.2 and not re.search(r"\baction\b", body):
            return f'"{self.drawn.choice(ACTIONS)}"'
        name = variable if re.search(rf"\b{variable}\b", body) else f"_{variable}"
        if self.drawn.random() < 0.3:
            return f"{name}: {dict(zip(VARIABLES, ('Subject', 'String', 'Object', 'Request'), strict=True))[variable]}"
        return name

    def _forall(self) -> str:
        new = self._new()
        asked = self.drawn.choice(
            (f"subject.in_group({new})", f"not subject.has_role({new})", f'{new} != "red"')
        )
        return f'forall({new} in ["red", "{self.drawn.choice(("blue", "r1"))}"], {asked})'

    def _in(self) -> str:
        new = self._new()
        asked = self.drawn.choice((f"subject.in_group({new})", f"subject.has_role({new})"))
        return f'({new} in ["red", "r1", "r2"] and {asked})'

    def _carried(self) -> str:
        new, other = self._new(), self._new()
        return self.drawn.choice(
            (
                f"({new} = subject and {other} = {new} and resource.owned_by({other}))",
                f"([{new}, *{other}] = [subject, resource] and {other} = [resource] and {new}.is_active())",
                f'({new} = {{who: subject, n: "q"}} and {new}.n = "q" and resource.owned_by({new}.who))',
                f"(same(subject, {new}) and {new}.is_admin())",
                f"({new} in [resource] and {new}.owned_by(subject))",
                f'({new} in [["read", 1], ["write", 2]] and [{other}, 2] = {new} and resource.grants({other}, subject))',
            )
        )

    def _new(self) -> str:
        self.count += 1
        return f"v{self.count}"


def policy_of(seed: int, **options: int) -> Policy:
    """Returns the policy of a seed; where Oso does not load its text, that of the next one it does."""
    for attempt in range(20):
        text = Grammar(Random(f"policy {seed} {attempt}")).policy()
        try:
            return Policy({"drawn.polar": text}, **options)
        except PolicyFileError:
            continue
    raise AssertionError(f"no policy of seed {seed} loads")


def record_of(drawn: Random, key: str) -> Record:
    """Returns a random record for one of the keys of `KEYS`."""
    kind, _, id_ = key.partition(":")
    if kind == "domain":
        status = drawn.choice((DomainStatus.ACTIVE, DomainStatus.ACTIVE, DomainStatus.FROZEN))
        return DomainRecord(
            id_,
            status,
            drawn.random() < 0.4,
            _networks(drawn),
            drawn.random() < 0.3,
            drawn.random() < 0.5,
            drawn.choice((None, datetime(2026, 1, 15, 12, tzinfo=UTC))),
        )
    if kind == "group":
        given, narrows_to = frozenset(_some(drawn, ROLES)), frozenset(_some(drawn, ROLES))
        return GroupRecord(id_, "home", given, _networks(drawn), narrows_to)
    if kind == "user":
        return UserRecord(
            id_,
            drawn.choice(("home", "home", "away")),
            drawn.choice(tuple(UserType)),
            drawn.choice((UserStatus.ACTIVE, UserStatus.ACTIVE, UserStatus.BLOCKED)),
            drawn.random() < 0.3,
            tuple(_some(drawn, GROUPS)),
            _networks(drawn),
        )
    object_ = ObjectKey(*id_.split(":", 1))
    above = tuple(each for each in COLLECTIONS if OBJECTS.index(each) > OBJECTS.index(object_))
    return ObjectRecord(
        object_,
        registered=drawn.random() < 0.8,
        domain_id=drawn.choice(("home", "home", "away")),
        owner_id=drawn.choice((None, *USERS)),
        parents=tuple(_some(drawn, above)),
        direct=_entries(drawn),
        propagating=_entries(drawn),
        held=drawn.random() < 0.1,
        expiring=_expiring(drawn),
    )


KEYS = (
    *(f"domain:{name}" for name in DOMAINS),
    *(f"group:{name}" for name in GROUPS),
    *(f"user:{name}" for name in USERS),
    *(key.fact for key in OBJECTS),
)


def world_of(drawn: Random) -> World:
    """Returns random facts; some records do not exist, and in few worlds one is not at hand."""
    world = World(*((key, record_of(drawn, key)) for key in KEYS if drawn.random() < 0.95))
    if drawn.random() < 0.1:
        world.missing = frozenset((drawn.choice([key for key in KEYS if not key.startswith("user:")]),))
    return world


def question_in(drawn: Random, world: World) -> Question:
    """Returns a random question about a world."""
    user = world.records.get(f"user:{drawn.choice((*USERS, 'nobody'))}")
    request = Request(
        canonical_address(drawn.choice(ADDRESSES)),
        datetime(2026, 1, 15, drawn.randrange(24), tzinfo=UTC),
        roles=tuple(_some(drawn, ROLES)),
        anonymous=drawn.random() < 0.1,
        application=drawn.choice(("app", "other")),
    )
    return Question(
        Subject(world, user, FLOOR)
        if isinstance(user, UserRecord)
        else Subject(world, None, FLOOR, drawn.choice(("", "support"))),
        drawn.choice(ACTIONS),
        Resource(world, drawn.choice(ASKED), request.now),
        request,
    )


def recordings(seeds: range, questions: int) -> list[object]:
    """Returns what strict Oso asks, in order, with the decisions, for the policies and questions of seeds."""
    told: list[object] = []
    for seed in seeds:
        meaning = policy_of(seed).meaning
        drawn = Random(f"recordings {seed}")
        told += [_recording(meaning, question_in(drawn, world_of(drawn))) for _ in range(questions)]
    return told


def _recording(meaning: Meaning, question: Question) -> object:
    path: list[Asked] = []
    try:
        decision = meaning.answer(question, path.append).decision
        end = [decision.allowed, str(decision.reason), decision.rule]
    except MissingFactError as missing:
        end = [missing.key]
    return [end, [[list(step), answer] for step, answer in _steps(question, path)]]


def _some(drawn: Random, values: tuple[object, ...]) -> list:  # type: ignore[type-arg]
    return drawn.sample(values, drawn.randint(0, len(values)))


def _networks(drawn: Random) -> AllowList:
    some = _some(drawn, NETWORKS) if drawn.random() < 0.5 else ()
    return AllowList.of((network, drawn.choice((None, None, "other"))) for network in some)


def _entries(drawn: Random) -> dict[str, Permission]:
    principals = [*(f"user:{name}" for name in USERS), *(f"group:{name}" for name in GROUPS)]
    return {
        principal: Permission(drawn.randint(1, 15))
        for principal in drawn.sample(principals, drawn.choice((0, 0, 1, 2)))
    }


def _expiring(drawn: Random) -> dict[str, tuple[Expiring, ...]]:
    """Returns entries that end at some hour of the day of the questions."""
    return {
        principal: (
            Expiring(
                datetime(2026, 1, 15, drawn.randrange(24), tzinfo=UTC), permissions, drawn.random() < 0.5
            ),
        )
        for principal, permissions in _entries(drawn).items()
    }


if __name__ == "__main__":  # a fresh process for the law of recordings
    json.dump(recordings(range(int(sys.argv[1])), int(sys.argv[2])), sys.stdout)
