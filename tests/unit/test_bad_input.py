"""Bad input to the whole model: cycles, other domains, depth, width, twins of names. Clear errors, nothing lost, nothing opened.

What a rule refuses is tried through `models.changes`. What only a file or an older version could have left in the store is written past
the rules, and the policy is asked what it makes of it.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.authorize import Authorizer
from gateway.bundle import read_policy
from gateway.facts_keeper import FactsKeeper
from gateway.identity import Identity, Proof
from gateway.policy import Decision, Policy
from gateway.routes import Operation, Row, Target
from gateway.routes.templates import Template
from models import changes
from models.changes import ConflictError, CycleError, InvalidError, UnknownError
from models.networks import canonical_address
from models.records import MAX_ANCESTORS, ObjectKey, Permission, UserRecord, UserType
from models.store import Store
from models.tables import AclEntry, Base, Object, Placement, PrincipalKind
from stores import CLIP, FOLDER, SUB, TOP, change, refused, rows, settle_in

POLICIES = Path(__file__).parents[2] / "policies"
READ = Permission.READ
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="module", name="sizes")
def how_much(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Levels of a tree, and entries of one object: with `--long` all that the rules speak of, else enough to be beyond what can be made."""
    return (MAX_ANCESTORS + 2, 100_000) if request.config.getoption("--long") else (500, 12_000)


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(POLICIES)


def decided(store: Store, policy: Policy, who: str, *keys: ObjectKey) -> list[Decision]:
    """Returns what the gateway's own stages answer when `who` wants to read each object, with facts from the store."""
    row = Row("t.yaml:1", ("GET",), Template.of("/"), "media")

    async def asked() -> list[Decision]:
        keeper = FactsKeeper(store, poll_interval=60, max_staleness=60, max_records=1_000_000)
        await keeper.start()

        def about(key: ObjectKey) -> Decision:
            user = keeper.get(f"user:{who}")
            assert isinstance(user, UserRecord)
            operation = Operation(row, (Target("read", key),), {})
            judged = Authorizer(policy, keeper, {}).judge(
                Identity(user, Proof.BEARER), operation, canonical_address("10.0.0.1"), NOW
            )
            return judged.deciding.decision

        try:
            return [await keeper.ask(partial(about, key)) for key in keys]
        finally:
            await keeper.stop()

    return asyncio.run(asked())


def written(store: Store, rows_: Iterable[Base]) -> None:
    """Writes rows past the rules."""
    with change(store) as session:
        session.add_all(rows_)


def below(parent: ObjectKey, child: ObjectKey) -> Placement:
    """Returns the row that places one object in another."""
    return Placement(parent_type=parent.type, parent_id=parent.id, child_type=child.type, child_id=child.id)


def node(number: int) -> ObjectKey:
    """Returns a collection of a chain."""
    return ObjectKey("collection", f"n{number}")


@pytest.fixture(name="cast")
def small_cast(sqlite_store: Store) -> Store:
    """The cast in one database: what is tried here is about rules and not about SQL."""
    with change(sqlite_store) as session:
        settle_in(session)
    return sqlite_store


def test_no_object_is_placed_within_itself(cast: Store) -> None:
    """Itself, a parent in its child, over several steps, and a folder in what stands below it."""
    with change(cast) as session:
        changes.register_object(session, ObjectKey("collection", "leaf"), "main")
        changes.place(session, ObjectKey("collection", "leaf"), SUB)
    for child, parent in (
        (TOP, TOP),
        (TOP, SUB),
        (TOP, ObjectKey("collection", "leaf")),
        (FOLDER, ObjectKey("file", "/media/a")),
    ):
        assert "within" in refused(cast, CycleError, changes.place, child, parent)


def test_a_cycle_that_is_there_all_the_same_ends_every_question(cast: Store, policy: Policy) -> None:
    """Entries on the ring hold for all that stands in it, others for nobody; nothing runs for ever."""
    ring = [node(number) for number in range(50)]
    written(cast, (Object(type=key.type, id=key.id, domain_id="main", created=NOW) for key in ring))
    written(cast, (below(parent, child) for parent, child in zip(ring, (*ring[1:], ring[0]), strict=True)))
    assert {each.reason for each in decided(cast, policy, "ben", *ring[:3])} == {"no-grant"}
    with change(cast) as session:
        changes.grant(session, ring[30], "user:ben", READ, propagates=True)
    assert all(each.allowed for each in decided(cast, policy, "ben", *ring[:3]))


def test_a_tree_of_ten_thousand_levels_is_refused_or_told(
    cast: Store, policy: Policy, sizes: tuple[int, int]
) -> None:
    """Placing stops at a hundred levels; where more are there, entries hold as far as the bound on ancestors goes, and no further."""
    levels, _ = sizes
    chain = [node(number) for number in range(levels)]
    written(cast, (Object(type=key.type, id=key.id, domain_id="main", created=NOW) for key in chain))
    with change(cast) as session:
        for parent, child in pairwise(chain[:101]):
            changes.place(session, child, parent)
    assert "100" in refused(cast, InvalidError, changes.place, chain[101], chain[100])
    written(cast, (below(parent, child) for parent, child in pairwise(chain[100:])))
    with change(cast) as session:
        changes.grant(session, chain[0], "user:ben", READ, propagates=True)
    within, bottom = decided(cast, policy, "ben", chain[100], chain[-1])
    assert within.allowed
    assert bottom.allowed is (levels <= MAX_ANCESTORS)


def test_a_hundred_thousand_entries_on_one_object_are_judged(
    cast: Store, policy: Policy, sizes: tuple[int, int]
) -> None:
    """Adding by hand stops before, with a way out; where they are there, the one that names somebody holds and no other does."""
    _, count = sizes
    written(
        cast,
        (
            AclEntry(
                object_type=CLIP.type,
                object_id=CLIP.id,
                principal_kind=PrincipalKind.USER,
                principal_id=f"u{number}",
                propagates=False,
                permissions=READ,
            )
            for number in range(count)
        ),
    )
    assert "grant to groups instead" in refused(
        cast, InvalidError, changes.grant, CLIP, "user:ben", READ, propagates=False
    )
    assert decided(cast, policy, "ben", CLIP)[0].reason == "no-grant"
    with change(cast) as session:
        changes.create_user(session, "main", "many@example.com", id_=f"u{count - 1}")
    assert decided(cast, policy, f"u{count - 1}", CLIP)[0].allowed


TWINS = ("Clip", "CLIP", "\uff43lip", "cl\u0456p", "clip\u0301", "clip ", " clip", "clip\u200b")
"""Ids that look like `clip`: other cases and widths, a Cyrillic letter, an accent of its own, spaces that are and are not seen."""


@pytest.mark.parametrize("twin", TWINS)
def test_a_twin_of_an_id_is_another_object(cast: Store, policy: Policy, twin: str) -> None:
    """Ids are compared bytewise, so what is granted on one opens no other, and no user or group is taken for its twin."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
    there, other = decided(cast, policy, "ben", CLIP, ObjectKey("asset", twin))
    assert there.allowed
    assert other.reason == "unknown-object"
    refused(cast, UnknownError, changes.grant, ObjectKey("asset", twin), "user:ben", READ, propagates=False)
    refused(
        cast,
        UnknownError,
        changes.grant,
        CLIP,
        f"user:{twin.replace('clip', 'ben').replace('Clip', 'Ben').replace('CLIP', 'BEN')}x",
        READ,
        propagates=False,
    )


@pytest.mark.parametrize(
    "email", ["BEN@example.com", "ben@EXAMPLE.com", "\uff42en@example.com", "be\u0301n@example.com"]
)
def test_a_twin_of_a_person_is_not_made(cast: Store, email: str) -> None:
    """Another case is the same e-mail, and letters that only look alike are none."""
    refused(cast, changes.ChangeError, changes.create_user, "main", email)


@pytest.mark.parametrize("name", ["crew", "CREW", "\uff23rew", "Crew\u200b", "Crew "])
def test_a_twin_of_a_group_is_not_made(cast: Store, name: str) -> None:
    """In its domain; another domain knows nothing of it."""
    refused(cast, changes.ChangeError, changes.create_group, "main", name)


def test_nothing_reaches_into_another_domain(cast: Store) -> None:
    """Ids of another domain, wherever an id can be given, are refused, and the store stays as it was."""
    far = ObjectKey("collection", "far")
    with change(cast) as session:
        changes.register_object(session, far, "other")
        changes.create_template(session, "other", "Far", id_="far")
        changes.create_application(session, "other", "App", id_="faraway")
        mine = changes.create_share(session, "ben", CLIP).id
    before = rows(cast)
    refused(cast, ConflictError, changes.grant, CLIP, "user:zoe", READ, propagates=False)
    refused(cast, ConflictError, changes.grant, CLIP, "group:strangers", READ, propagates=False)
    refused(cast, changes.ChangeError, changes.grant, far, f"share:{mine}", READ, propagates=False)
    refused(cast, ConflictError, changes.place, CLIP, far)
    refused(cast, ConflictError, changes.add_member, "crew", "zoe")
    refused(cast, ConflictError, changes.change_owner, CLIP, "zoe")
    refused(cast, ConflictError, changes.create_share, "zoe", CLIP)
    refused(cast, ConflictError, changes.issue_token, "ben", "faraway")
    refused(cast, ConflictError, changes.apply_template, "far", CLIP)
    refused(cast, InvalidError, changes.update_user, "ben", primary_group_id="strangers")
    refused(cast, ConflictError, changes.allow_network, "main", "10.0.0.0/8", group_id="strangers")
    refused(cast, ConflictError, changes.register_object, CLIP, "other")
    assert rows(cast) == before


def test_a_share_of_a_share_is_none(cast: Store) -> None:
    """Neither by its id as an object nor by a link to it."""
    with change(cast) as session:
        share = changes.create_share(session, "ben", CLIP).id
    refused(cast, changes.ChangeError, changes.create_share, "ben", ObjectKey("share", share))


def test_only_a_power_user_becomes_admin_and_the_last_one_stays(cast: Store) -> None:
    """Whichever way it is asked for: flag, type or status."""
    refused(cast, InvalidError, changes.update_user, "ben", is_admin=True)
    for said in (
        {"is_admin": False},
        {"type": UserType.STANDARD, "is_admin": False},
        {"status": "BLOCKED"},
        {"status": "DELETED"},
    ):
        refused(cast, changes.ChangeError, changes.update_user, "ada", **said)
