"""The named laws of the store, for random changes: what a cache keeps is true, closures are complete, grants only grant."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from laws.drawing import Change, Loaded, attempt, call, examples, pick
from models import changes, directory
from models.changes import ChangeError, Created, IntentKind, Lock
from models.loading import Mark
from models.records import (
    AllowListRule,
    DomainStatus,
    GroupKind,
    ObjectKey,
    Permission,
    Record,
    RoleModel,
    UserRecord,
    UserStatus,
    UserType,
)
from models.store import Store
from models.tables import AclEntry, Hold, Intent, Object, Placement, Token
from models.vocabulary import Resource, Subject
from stores import Shared, change

DOMAINS = ("d0", "d1")
USERS = ("u0", "u1", "u2", "v0")
GROUPS = ("g0", "g1", "h0")
COLLECTIONS = tuple(ObjectKey("collection", f"c{number}") for number in range(4))
PATHS = tuple(ObjectKey("file", path) for path in ("/", "/a", "/a/b", "/a/b/c", "/ab"))
OBJECTS = (*COLLECTIONS, *PATHS, ObjectKey("asset", "x"), ObjectKey("asset", "y:z"))
PRINCIPALS = tuple(f"user:{user}" for user in USERS) + tuple(f"group:{group}" for group in GROUPS)
WATCHED = (
    *(f"domain:{id_}" for id_ in DOMAINS),
    *(f"user:{id_}" for id_ in USERS),
    *(f"group:{id_}" for id_ in GROUPS),
    *(key.fact for key in OBJECTS),
    "object:file:/a/b/c/d",
    "object:asset:none",
)
NETWORKS = ("10.0.0.0/8", "2001:db8::/32")

ERA = datetime(2999, 1, 1, tzinfo=UTC)
"""Around here entries end, so that they are there as long as a test runs."""


def nth(session: Session, kind: type[Token | Intent], choice: int) -> str:
    """Returns the id of one of the rows of `kind`, in the order they were made; an unknown one if there is none."""
    rows: list[Token | Intent] = sorted(session.query(kind), key=lambda row: row.created)
    return rows[choice % len(rows)].id if rows else "none"


def issue(session: Session, user_id: str, *, soon: bool) -> None:
    """Issues a token for the application of `d0`."""
    expires = datetime.now(UTC) + timedelta(hours=1) if soon else None
    changes.issue_token(session, user_id, "app-d0", expires=expires)


def grant_for(session: Session, key: ObjectKey, principal: str, permissions: Permission, days: int) -> None:
    """Grants something for some days; both kinds of entry, by turns."""
    end = ERA + timedelta(days=days)
    changes.grant(session, key, principal, permissions, propagates=days > 1, expires=end)


def begin(session: Session, kind: IntentKind, key: ObjectKey) -> None:
    """Opens an intent on one object."""
    lock = Lock(key, closes=kind is IntentKind.DELETE)
    changes.open_intent(session, kind, [lock], user_id="u0", request_id="r")


def settle(session: Session, choice: int, created: ObjectKey, parent: ObjectKey) -> None:
    """Settles one of the open intents as its kind says."""
    intent = session.get(Intent, nth(session, Intent, choice))
    if intent is None:
        return
    if intent.kind is IntentKind.DELETE:
        changes.settle_delete(session, intent.id)
    else:
        changes.settle_create(session, intent.id, [Created(created, "u1", (parent,))])


CHANGES: st.SearchStrategy[Change] = st.one_of(
    call(changes.set_domain_status, pick(DOMAINS), pick(tuple(DomainStatus))),
    call(changes.set_role_model, pick(DOMAINS), pick(tuple(RoleModel))),
    call(changes.set_allow_list_rule, pick(DOMAINS), pick(tuple(AllowListRule))),
    pick(USERS).flatmap(
        lambda user: st.fixed_dictionaries(
            {},
            optional={
                "type": pick(tuple(UserType)),
                "status": pick(tuple(UserStatus)),
                "is_admin": st.booleans(),
                "first_name": pick(("A", "B")),
            },
        ).map(lambda values: lambda session: changes.update_user(session, user, **values))
    ),
    call(changes.create_group, pick(DOMAINS), pick(("G", "H")), id_="g1"),
    call(changes.create_group, pick(DOMAINS), pick(("N", "H")), id_="g1", kind=GroupKind.ROLE_GROUP),
    pick(GROUPS).map(lambda g: lambda session: changes.update_group(session, g, name="H")),
    call(changes.delete_group, pick(GROUPS)),
    call(changes.set_roles, pick(GROUPS), st.lists(pick(("can_a", "can_b")), max_size=2)),
    call(changes.give_role, pick(GROUPS), pick(("can_a", "can_b"))),
    call(changes.take_role, pick(GROUPS), pick(("can_a", "can_b"))),
    call(changes.add_member, pick(GROUPS), pick(USERS)),
    call(changes.remove_member, pick(GROUPS), pick(USERS)),
    pick(USERS).flatmap(
        lambda user: st.booleans().map(lambda soon: lambda session: issue(session, user, soon=soon))
    ),
    st.integers(0, 9).map(lambda n: lambda session: changes.revoke_token(session, nth(session, Token, n))),
    call(changes.register_object, pick(OBJECTS), pick(DOMAINS)),
    call(changes.change_owner, pick(OBJECTS), pick((*USERS, None))),
    call(changes.delete_object, pick(OBJECTS)),
    call(changes.place, pick(OBJECTS), pick(OBJECTS)),
    call(changes.unplace, pick(OBJECTS), pick(OBJECTS)),
    call(changes.grant, pick(OBJECTS), pick(PRINCIPALS), st.integers(1, 15).map(Permission), propagates=True),
    call(
        changes.grant, pick(OBJECTS), pick(PRINCIPALS), st.integers(1, 15).map(Permission), propagates=False
    ),
    call(grant_for, pick(OBJECTS), pick(PRINCIPALS), st.integers(1, 15).map(Permission), st.integers(1, 3)),
    call(
        changes.set_entries,
        st.lists(pick(OBJECTS), max_size=3),
        st.lists(pick(PRINCIPALS), max_size=2),
        st.builds(changes.Terms, st.integers(0, 15).map(Permission), st.booleans()),
        pick(tuple(changes.AclMode)),
    ),
    call(changes.revoke, pick(OBJECTS), pick(PRINCIPALS), st.integers(1, 15).map(Permission)),
    call(changes.allow_network, pick(DOMAINS), pick(NETWORKS)),
    call(changes.disallow_network, pick(DOMAINS), pick(NETWORKS)),
    pick(GROUPS).map(lambda g: lambda s: changes.allow_network(s, "d0", "10.0.0.0/8", group_id=g)),
    pick(GROUPS).map(lambda g: lambda s: changes.disallow_network(s, "d0", "10.0.0.0/8", group_id=g)),
    pick(USERS).map(lambda u: lambda s: changes.allow_network(s, "d0", "10.0.0.0/8", user_id=u)),
    pick(USERS).map(
        lambda u: (
            lambda s: changes.disallow_network(s, "d0", "10.0.0.0/8", user_id=u, application_id="app-d0")
        )
    ),
    pick(USERS).map(
        lambda u: lambda s: changes.allow_network(s, "d0", "10.0.0.0/8", user_id=u, application_id="app-d0")
    ),
    st.booleans().map(lambda on: lambda session: changes.set_allow_list(session, "d0", enabled=on)),
    call(begin, pick(tuple(IntentKind)), pick(OBJECTS)),
    call(settle, st.integers(0, 9), pick(OBJECTS), pick(OBJECTS)),
    st.integers(0, 9).map(lambda n: lambda session: changes.abandon_intent(session, nth(session, Intent, n))),
    st.integers(0, 9).map(lambda n: lambda session: changes.mark_unknown(session, nth(session, Intent, n))),
)
COMMITS = st.lists(st.lists(CHANGES, min_size=1, max_size=3), min_size=4, max_size=14)


def settle_in(session: Session) -> None:
    """Writes a world in which most changes can be made: two domains, and objects in a small tree."""
    for domain in DOMAINS:
        changes.create_domain(session, domain, id_=domain)
        changes.create_application(session, domain, "App", id_=f"app-{domain}")
    for user in USERS:
        changes.create_user(
            session, "d1" if user == "v0" else "d0", f"{user}@x", id_=user, type=UserType.POWER
        )
    for group in ("g0", "h0"):
        changes.create_group(session, "d1" if group == "h0" else "d0", group, id_=group)
    changes.add_member(session, "g0", "u0")
    for key in (*COLLECTIONS, ObjectKey("file", "/a")):
        changes.register_object(session, key, "d0", owner_id="u0")
    changes.place(session, COLLECTIONS[1], COLLECTIONS[0])
    changes.place(session, ObjectKey("file", "/a"), COLLECTIONS[1])


@pytest.fixture
def world(shared: Shared) -> Callable[[], Store]:
    """How to begin anew in a store with the same few objects."""
    return lambda: shared.reset(settle_in)


def fresh(store: Store, keys: set[str]) -> Mapping[str, Record | None]:
    """Returns the records of `keys` as somebody reads them who knows nothing."""
    found = store.load(None, keys).records
    return {key: found[key] for key in keys}


@examples(1.25)
@given(commits=COMMITS, forgetful=st.randoms(use_true_random=False))
def test_a_cache_kept_by_the_news_alone_is_true(
    world: Callable[[], Store], commits: list[list[Change]], forgetful: Random
) -> None:
    """Whatever is changed in whatever commits, a record that no news has named equals a fresh one.

    This is what lets a gateway keep facts in memory: a change that touches too few keys would leave a right
    in force after it was taken away.
    """
    store: Store = world()
    cache: dict[str, Record | None] = {}
    mark: Mark | None = None
    for commit in commits:
        with change(store) as session:
            for made in commit:
                attempt(session, made)
        if forgetful.random() < 0.3:
            continue  # several commits between two polls
        news = store.load(mark, [])
        for key in set(cache) if news.changed is None else news.changed & cache.keys():
            del cache[key]
        assert cache == fresh(store, set(cache))
        with store.read() as session:
            tokens = [f"token:{token.digest}" for token in session.query(Token)]
        batch = store.load(news.mark, [*WATCHED, *tokens])
        cache.update(batch.records)
        mark = batch.mark


@examples(0.625)
@given(commits=COMMITS)
def test_a_refused_change_leaves_its_commit_without_it(
    world: Callable[[], Store], commits: list[list[Change]]
) -> None:
    """A change that breaks a rule has no effect, not even in part: the same commits without it give the same facts."""
    store: Store = world()
    accepted: list[list[Change]] = []
    for commit in commits:
        with change(store) as session:
            accepted.append([made for made in commit if _is_accepted(session, made)])
    with_refused = fresh(store, set(WATCHED))
    store = world()
    for commit in accepted:
        with change(store) as session:
            for made in commit:
                made(session)
    assert fresh(store, set(WATCHED)) == with_refused


def _is_accepted(session: Session, made: Change) -> bool:
    try:
        made(session)
    except ChangeError:
        return False
    return True


@examples(0.625)
@given(commits=COMMITS)
def test_a_closure_is_what_a_plain_walk_finds(
    world: Callable[[], Store], commits: list[list[Change]]
) -> None:
    """Loading an object brings exactly the ancestors, parents and entries that the rows say, by an independent walk."""
    store: Store = world()
    with change(store) as session:
        for made in (made for commit in commits for made in commit):
            attempt(session, made)
    with store.read() as session:
        placements = [(row.child, row.parent) for row in session.query(Placement)]
        registered = {row.key for row in session.query(Object)}
        rows = session.query(AclEntry).all()
        entries = {(row.key, row.principal, row.propagates): row.permissions for row in rows if not row.end}
        ending = {
            (row.key, row.principal, row.end, row.permissions, row.propagates) for row in rows if row.end
        }
        held = {row.key for row in session.query(Hold) if row.closes}
    for asked in (*OBJECTS, ObjectKey("file", "/a/b/c/d")):
        expected = {asked}
        waiting = [asked]
        while waiting:
            key = waiting.pop()
            folder = [key.folder()] if key.folder() else []
            above = {*folder, *(parent for child, parent in placements if child == key)} - expected
            expected |= above  # type: ignore[arg-type]
            waiting += above  # type: ignore[arg-type]
        records = store.load(None, [asked.fact]).records
        assert records.keys() == {key.fact for key in expected}
        for key in expected:
            found: Any = records[key.fact]
            if found is None:
                assert key not in registered
                assert not key.id.startswith("/")
                continue
            assert (found.registered, found.held) == (key in registered, key in held)
            assert set(found.parents) == {p for c, p in placements if c == key} | ({key.folder()} - {None})
            assert found.direct == {p: flags for (k, p, on), flags in entries.items() if k == key and not on}
            assert found.propagating == {p: flags for (k, p, on), flags in entries.items() if k == key and on}
            expiring = {(key, p, *each) for p, some in found.expiring.items() for each in some}
            assert expiring == {each for each in ending if each[0] == key}


@examples(0.625)
@given(commits=COMMITS)
def test_no_history_of_changes_makes_a_cycle_or_crosses_a_wall(
    world: Callable[[], Store], commits: list[list[Change]]
) -> None:
    """After any changes nothing contains itself, and whatever hangs together belongs to one domain."""
    store: Store = world()
    with change(store) as session:
        for made in (made for commit in commits for made in commit):
            attempt(session, made)
    with store.read() as session:
        domain = {row.key: row.domain_id for row in session.query(Object)}
        people = {f"user:{row.id}": row.domain_id for row in directory.list_users(session)}
        people |= {f"group:{row.id}": row.domain_id for row in directory.list_groups(session)}
        entries = [(row.key, row.principal) for row in session.query(AclEntry)]
        placements = [(row.child, row.parent) for row in session.query(Placement)]

    def home(key: ObjectKey | None) -> str | None:
        while key is not None and key not in domain:
            key = key.folder()
        return domain[key] if key is not None else None

    assert all(home(key) == people[principal] for key, principal in entries)
    assert all(home(child) == home(parent) is not None for child, parent in placements)
    for key in OBJECTS:
        above = store.load(None, [key.fact]).records
        for other in above:
            if other != key.fact:
                assert key.fact not in store.load(None, [other]).records


GRANTS = st.lists(
    st.tuples(
        pick(COLLECTIONS), pick(("user:u0", "group:g0")), st.integers(1, 15).map(Permission), st.booleans()
    ),
    max_size=8,
)


def rights(store: Store) -> set[tuple[ObjectKey, str]]:
    """Returns which permissions u0 has, by own or inherited entries, on each object."""
    facts = Loaded(store, *WATCHED)
    user = facts.get("user:u0")
    assert isinstance(user, UserRecord)
    subject = Subject(facts, user, {})
    names = ("read", "write", "delete", "change-acl")
    return {
        (key, name)
        for key in OBJECTS
        for name in names
        if (resource := Resource(facts, key, datetime.now(UTC))).grants(name, subject)
        or resource.inherits(name, subject)
    }


@examples(0.5)
@given(grants=GRANTS, order=st.randoms(use_true_random=False))
def test_the_order_of_grants_is_irrelevant(
    world: Callable[[], Store], grants: list[Any], order: Random
) -> None:
    """Granted in any order, in one commit or several, the same entries come out."""
    store: Store = world()
    with change(store) as session:
        for key, principal, permissions, propagates in grants:
            changes.grant(session, key, principal, permissions, propagates=propagates)
    one = fresh(store, set(WATCHED))
    store = world()
    for key, principal, permissions, propagates in order.sample(grants, len(grants)):
        with change(store) as session:
            changes.grant(session, key, principal, permissions, propagates=propagates)
    assert fresh(store, set(WATCHED)) == one


def grant_last(
    key: ObjectKey, principal: str, permissions: Permission, session: Session, *, propagates: bool
) -> None:
    """Grants, with the session at the end of the arguments."""
    changes.grant(session, key, principal, permissions, propagates=propagates)


def place_last(child: ObjectKey, parent: ObjectKey, session: Session) -> None:
    """Places, with the session at the end of the arguments."""
    changes.place(session, child, parent)


@examples(0.5)
@given(grants=GRANTS, places=st.lists(st.tuples(pick(OBJECTS), pick(COLLECTIONS)), max_size=6))
def test_a_grant_or_placement_never_removes_a_permission(
    world: Callable[[], Store], grants: list[Any], places: list[Any]
) -> None:
    """Step by step, what the user could do before can be done after."""
    store: Store = world()
    before = rights(store)
    steps: list[Change] = [
        partial(grant_last, key, to, flags, propagates=propagates) for key, to, flags, propagates in grants
    ]
    steps += [partial(place_last, child, parent) for child, parent in places]
    for step in steps:
        with change(store) as session:
            attempt(session, step)
        after = rights(store)
        assert before <= after
        before = after


@examples(0.25)
@given(depth=st.integers(1, 30), width=st.integers(1, 3))
def test_a_propagating_entry_reaches_every_depth(shared: Shared, depth: int, width: int) -> None:
    """Through any number of levels, each reached by several ways, a propagating entry holds and a direct one does not."""
    levels = [[ObjectKey("collection", f"{at}-{side}") for side in range(width)] for at in range(depth)]
    leaf = ObjectKey("asset", "leaf")

    store = shared.reset()
    with change(store) as session:
        changes.create_domain(session, "d0", id_="d0")
        changes.create_user(session, "d0", "u0@x", id_="u0")
        for key in (key for level in levels for key in level):
            session.add(Object(type=key.type, id=key.id, domain_id="d0", created=datetime.now(UTC)))
        changes.register_object(session, leaf, "d0")
        for above, below in zip(levels, [*levels[1:], [leaf]], strict=True):
            session.add_all(
                Placement(parent_type=p.type, parent_id=p.id, child_type=c.type, child_id=c.id)
                for p in above
                for c in below
            )
        changes.grant(session, levels[0][-1], "user:u0", Permission.READ, propagates=True)
        changes.grant(session, levels[0][0], "user:u0", Permission.WRITE, propagates=False)
    facts = Loaded(store)
    user = facts.get("user:u0")
    assert isinstance(user, UserRecord)
    resource = Resource(facts, leaf, datetime.now(UTC))
    assert resource.inherits("read", Subject(facts, user, {}))
    assert not resource.inherits("write", Subject(facts, user, {}))
