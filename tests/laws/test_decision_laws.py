"""The named laws of deciding, for random worlds: Polar and the oracle agree, and neither breaks a law."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bundle import read_policy
from gateway.policy import Policy, Question
from gateway.roles import read_role_floor
from gateway.scenarios import scenario_of
from models.records import Right
from models.vocabulary import Resource
from oracle import Oracle

POLICIES = Path(__file__).parents[2] / "policies"
FLOOR = read_role_floor(POLICIES)
PLAIN_FLOOR = {role: str(kind) for role, kind in FLOOR.items()}
USERS, GROUPS, DOMAINS = ("ann", "ben", "cat"), ("red", "blue"), ("home", "away")
OBJECTS = (
    "metadata_view:v",
    "asset:a",
    "asset:b",
    "collection:c",
    "collection:d",
    "collection:e",
    "file:/",
    "file:/x",
    "file:/x/y",
)
VIEWS = ("v",)
ASKED = (*OBJECTS, "file:/x/y/z.mp4", "asset:unknown")
ROLES = ("can_read_assets", "can_write_assets", "can_write_storages", "can_write_shares")
ACTIONS = ("read", "write", "delete", "change-acl", "download", "create", "approve", "teleport")
T = TypeVar("T")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32")
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
SHARES, RIGHTS = ("link", "other"), tuple(str(right) for right in Right)
ADDRESSES = ("10.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8::9")


def some(values: tuple[T, ...]) -> st.SearchStrategy[list[T]]:
    """Returns lists of distinct values."""
    return st.lists(st.sampled_from(values), unique_by=str, max_size=len(values))


LINES: tuple[Any, ...] = (
    *NETWORKS,
    {"cidr": "10.1.0.0/16", "app": "other"},
    {"cidr": "192.0.2.0/24", "app": "app"},
)


TIMES = tuple(datetime(2026, 1, 15, hour, tzinfo=UTC) for hour in (11, 12, 13))
ENTRIES = st.fixed_dictionaries(
    {
        "object": st.sampled_from(OBJECTS),
        "to": st.sampled_from(
            [f"user:{user}" for user in USERS]
            + [f"group:{group}" for group in GROUPS]
            + [f"share:{share}" for share in SHARES]
        ),
        "may": st.lists(st.sampled_from(("read", "write", "delete", "change-acl")), unique=True, min_size=1),
        "propagates": st.booleans(),
    },
    optional={"until": st.sampled_from(TIMES)},
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Returns facts as a scenario writes them; objects stand only in later ones, so there is no cycle."""
    collections = [name for name in OBJECTS if name.startswith("collection")]
    objects = {}
    for at, name in enumerate(OBJECTS):
        above = tuple(each for each in collections if OBJECTS.index(each) > at)
        objects[name] = {
            "in": draw(some(above)) if above else [],
            "domain": draw(st.sampled_from(("home", "home", "away"))),
            "owner": draw(st.none() | st.sampled_from(USERS)),
        }
    return {
        "domains": {
            name: {
                "allow_list": draw(st.booleans()),
                "networks": draw(some(LINES)),
                "allow_list_rule": draw(st.sampled_from(("MOST_SPECIFIC", "EVERY_LEVEL"))),
                "role_model": draw(st.sampled_from(("GROUPS", "GROUPS", "ROLE_GROUPS"))),
                "status": draw(st.sampled_from(("ACTIVE", "ACTIVE", "WARNING", "FROZEN", "DEACTIVATED"))),
                "support_until": draw(st.sampled_from((None, NOON, LATER))),
                "external_share": draw(st.sampled_from((True, True, False))),
            }
            for name in DOMAINS
        },
        "groups": {
            name: {
                "kind": draw(st.sampled_from(("GROUP", "GROUP", "TEAM", "ROLE_GROUP"))),
                "roles": draw(some(ROLES)),
                "networks": draw(some(LINES)),
            }
            for name in GROUPS
        },
        "users": {
            name: {
                "type": draw(st.sampled_from(("POWER", "STANDARD", "BROWSE_ONLY", "BROWSE_API_ONLY"))),
                "status": draw(st.sampled_from(("ACTIVE", "ACTIVE", "ACTIVE", "BLOCKED"))),
                "admin": draw(st.booleans()),
                "groups": draw(some(GROUPS)),
                "networks": draw(st.just([]) | some(LINES)),
                "domain": draw(st.sampled_from(("home", "home", "away"))),
            }
            for name in USERS
        },
        "objects": {name: objects[name] for name in draw(some(OBJECTS))},
        "acl": draw(st.lists(ENTRIES, max_size=8)),
        "shares": {
            name: {
                "by": draw(st.sampled_from(USERS)),
                "of": draw(st.sampled_from(OBJECTS)),
                "may": draw(some(RIGHTS)),
                "until": draw(st.sampled_from((NOON, LATER, LATER))),
                "networks": draw(st.just([]) | some(NETWORKS)),
                "views": draw(some(VIEWS)),
            }
            for name in SHARES
        },
    }


CASES = st.fixed_dictionaries(
    {
        "who": st.sampled_from((*USERS, *SHARES, "nobody", "support")),
        "does": st.sampled_from(ACTIONS),
        "roles": some(ROLES),
        "from": st.sampled_from(ADDRESSES),
    },
    optional={
        "what": st.sampled_from(ASKED),
        "open": st.just(value=True),
        "app": st.just("other"),
        "at": st.sampled_from(TIMES),
    },
)

LAWS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(POLICIES)


def decide(policy: Policy, world: dict[str, Any], case: dict[str, Any]) -> tuple[bool, str]:
    """Returns the policy's verdict and reason for a case in a world."""
    scenario = scenario_of("law", {"says": "", "facts": world, "allow": [{**case, "because": ""}]})
    asked = scenario.cases[0]
    subject = scenario.subject(asked, FLOOR)
    decision = policy.decide(
        Question(subject, asked.does, Resource(scenario.facts, asked.what, asked.at), asked.request())
    )
    return decision.allowed, str(decision.reason)


@LAWS
@given(world=worlds(), case=CASES)
def test_polar_and_the_oracle_agree(policy: Policy, world: dict[str, Any], case: dict[str, Any]) -> None:
    """For any world and question the policy and the plain-Python oracle give the same verdict and reason."""
    assert decide(policy, world, case) == Oracle(world, PLAIN_FLOOR).answer(case)


@LAWS
@given(world=worlds(), case=CASES)
def test_default_deny(policy: Policy, world: dict[str, Any], case: dict[str, Any]) -> None:
    """Without entries, ownership and admin, nobody does anything with an object."""
    bare = {
        **world,
        "acl": [],
        "users": {name: {**user, "admin": False} for name, user in world["users"].items()},
        "objects": {name: {**entry, "owner": None} for name, entry in world["objects"].items()},
    }
    case = {"what": "asset:a", **case, "open": False}

    assert decide(policy, bare, case)[0] is False


@LAWS
@given(world=worlds(), case=CASES, extra=ENTRIES)
def test_adding_a_grant_never_removes_access(
    policy: Policy, world: dict[str, Any], case: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Who was allowed stays allowed when an entry is added."""
    more = {**world, "acl": [*world["acl"], extra]}

    assert not decide(policy, world, case)[0] or decide(policy, more, case)[0]


@LAWS
@given(world=worlds(), case=CASES, entry=ENTRIES, until=st.sampled_from(TIMES), at=st.sampled_from(TIMES))
def test_an_entry_that_expires_lasts_until_then_and_is_gone_from_then_on(
    policy: Policy,
    world: dict[str, Any],
    case: dict[str, Any],
    entry: dict[str, Any],
    until: datetime,
    at: datetime,
) -> None:
    """Before its end an entry is worth one without an end; from the very moment of its end it is worth nothing."""
    who = case["who"] if case["who"] in USERS else USERS[0]
    lasting = {"object": entry["object"], "to": f"user:{who}", "may": entry["may"], "propagates": True}
    expiring = {**lasting, "until": until}
    world = {**world, "domains": {"home": {}, "away": {}}, "users": {**world["users"], who: {}}}
    case = {**case, "who": who, "does": entry["may"][0], "roles": [], "at": at}

    with_it = decide(policy, {**world, "acl": [*world["acl"], expiring]}, case)

    assert with_it == decide(
        policy, {**world, "acl": [*world["acl"], *([lasting] if at < until else [])]}, case
    )


@LAWS
@given(world=worlds(), case=CASES, data=st.data())
def test_order_of_grants_is_irrelevant(
    policy: Policy, world: dict[str, Any], case: dict[str, Any], data: st.DataObject
) -> None:
    """Entries, groups and collections in another order give the same verdict for the same reason."""
    users = {name: {**user, "groups": user["groups"][::-1]} for name, user in world["users"].items()}
    objects = {name: {**entry, "in": entry["in"][::-1]} for name, entry in world["objects"].items()}
    shuffled = {**world, "users": users, "objects": objects, "acl": data.draw(st.permutations(world["acl"]))}

    assert decide(policy, world, case) == decide(policy, shuffled, case)


@LAWS
@given(
    depth=st.integers(min_value=1, max_value=64),
    permission=st.sampled_from(("read", "write", "delete", "change-acl")),
)
def test_inheritance_reaches_every_depth(policy: Policy, depth: int, permission: str) -> None:
    """An entry that propagates from the top reaches content at any depth; one that does not, nothing below."""
    chain = {
        f"collection:{level}": {"in": [f"collection:{level - 1}"] if level else []}
        for level in range(depth + 1)
    }
    entry = {"object": "collection:0", "to": "user:ann", "may": [permission], "propagates": True}
    world = {"users": {"ann": {}}, "objects": chain, "acl": [entry]}
    case = {"who": "ann", "does": permission, "what": f"collection:{depth}"}

    assert decide(policy, world, case) == (True, "inherited-acl")
    assert decide(policy, {**world, "acl": [{**entry, "propagates": False}]}, case) == (False, "no-grant")


@LAWS
@given(world=worlds(), action=st.sampled_from(ACTIONS), what=st.sampled_from(OBJECTS), roles=some(ROLES))
def test_admin_override(
    policy: Policy, world: dict[str, Any], action: str, what: str, roles: list[str]
) -> None:
    """An active admin does everything with every object of the own working domain, from an admitted address."""
    boss = {"type": "POWER", "admin": True}
    world = {
        **world,
        "domains": {"home": {"status": "ACTIVE"}, "away": {}},
        "users": {**world["users"], "boss": boss},
        "objects": {**world["objects"], what: {"domain": "home"}},
    }

    assert decide(policy, world, {"who": "boss", "does": action, "what": what, "roles": roles}) == (
        True,
        "admin",
    )


@LAWS
@given(world=worlds(), case=CASES, extra=ENTRIES)
def test_support_only_looks_where_it_is_let_in(
    policy: Policy, world: dict[str, Any], case: dict[str, Any], extra: dict[str, Any]
) -> None:
    """Support is allowed nothing but to look, nothing once all switches are off, and gains nothing by anybody's grants."""
    asked = {**case, "who": "support", "open": False}
    off = {
        **world,
        "domains": {name: {**each, "support_until": None} for name, each in world["domains"].items()},
    }
    verdict = decide(policy, world, asked)

    assert not verdict[0] or (verdict[1] == "support" and case["does"] in ("read", "list"))
    assert decide(policy, off, asked)[0] is False
    assert decide(policy, {**world, "acl": [*world["acl"], extra]}, asked) == verdict


@LAWS
@given(world=worlds(), case=CASES, who=st.sampled_from(SHARES))
def test_a_share_never_gives_what_its_sharer_may_not_do(
    policy: Policy, world: dict[str, Any], case: dict[str, Any], who: str
) -> None:
    """A visitor who is allowed asks for what the sharer, from an admitted address and with the role to share, may do too."""
    verdict = decide(policy, world, {**case, "who": who, "open": False})
    unlisted = {name: {**each, "allow_list": False} for name, each in world["domains"].items()}
    roles = [*case["roles"], "can_write_shares"]
    sharer = {**case, "who": world["shares"][who]["by"], "roles": roles, "open": False}

    assert verdict[0] is False or verdict[1] == "share"
    assert not verdict[0] or decide(policy, {**world, "domains": unlisted}, sharer)[0]


@LAWS
@given(world=worlds(), case=CASES, who=st.sampled_from(SHARES))
def test_a_share_that_is_over_or_switched_off_gives_nothing(
    policy: Policy, world: dict[str, Any], case: dict[str, Any], who: str
) -> None:
    """At its end and with the domain's switch off, whatever the share gave is refused."""
    asked = {**case, "who": who, "open": False}
    end = asked.get("at", NOON)
    over = {**world, "shares": {name: {**each, "until": end} for name, each in world["shares"].items()}}
    closed = {name: {**each, "external_share": False} for name, each in world["domains"].items()}

    assert decide(policy, over, asked) == (False, "share-off")
    assert decide(policy, {**world, "domains": closed}, asked) == (False, "share-off")
