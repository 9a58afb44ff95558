"""The named laws of ACL templates, for drawn worlds: a plain oracle says what a new object gets, and nothing else ever changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from gateway.bundle import read_policy
from gateway.policy import Policy
from laws.drawing import Change, attempt, call, examples, pick, verdicts
from models import changes, directory
from models.changes import Created, IntentKind, Lock, TemplateLevel
from models.records import ObjectKey, Permission, UserStatus, UserType
from models.store import Store
from stores import Shared, change
from template_oracle import Given, given_by, given_to_new, storage_around, template_for

USERS, GROUPS = ("u0", "u1", "u2"), ("g0", "g1", "g2")
CREATORS, PRIMARY = ("u0", "u1"), ("g0", "g1")
PRINCIPALS = tuple(f"user:{user}" for user in USERS) + tuple(f"group:{group}" for group in GROUPS)
STORAGES, TEMPLATES, FOLDERS = ("s0", "s1"), ("t0", "t1", "t2"), ("/", "/a", "/a/b")
COLLECTIONS = tuple(ObjectKey("collection", name) for name in ("c0", "c1"))
CLIP = ObjectKey("asset", "clip")
NEW = (
    *(ObjectKey("file", path) for path in ("/a/b/n", "/a/n", "/a/b", "/ab/n")),
    ObjectKey("asset", "n"),
    ObjectKey("collection", "n"),
)
EVERYTHING = (*COLLECTIONS, CLIP, ObjectKey("file", "/a/b/n/x"), *NEW, None)
SUBJECTS = (
    *(f"storage:{name}" for name in STORAGES),
    *(f"user:{name}" for name in CREATORS),
    *(f"group:{name}" for name in GROUPS),
    "domain:d0",
)
ERA = datetime(2999, 1, 1, tzinfo=UTC)
"""When entries end that end, later than a test runs."""
MAY = st.lists(pick(("read", "write", "delete", "change-acl")), unique=True, min_size=1)
SPOKEN_OF = ("user:u0", "user:u2", "group:g0", "group:g2")
"""Of whom entries speak: few, so that a template and a collection often mean the same one."""
GIVES = st.fixed_dictionaries({"to": pick(SPOKEN_OF), "may": MAY, "propagates": st.booleans()})
HOLDS = st.fixed_dictionaries(
    {"to": pick(SPOKEN_OF), "may": MAY, "propagates": st.booleans(), "ends": pick((False, False, True))}
)


def each(keys: tuple[str, ...], values: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    """Returns mappings of each of `keys`, but for those to which nothing is drawn."""
    drawn = st.fixed_dictionaries({key: pick((*values, None)) for key in keys})
    return drawn.map(lambda found: {key: value for key, value in found.items() if value is not None})


WORLDS = st.fixed_dictionaries(
    {
        "templates": st.fixed_dictionaries(
            {name: st.lists(GIVES, min_size=1, max_size=4) for name in TEMPLATES}
        ),
        "set_for": each(SUBJECTS, TEMPLATES),
        "primary": each(CREATORS, PRIMARY),
        "mapped": each(FOLDERS, STORAGES),
        "holds": st.fixed_dictionaries(
            {name: st.lists(HOLDS, min_size=1, max_size=4) for name in ("collection:c0", "collection:c1")},
            optional={"asset:clip": st.lists(HOLDS, max_size=2)},
        ),
        "gone": st.just([]) | st.lists(pick(("t2", "s1", "g2", "u2")), unique=True),
    }
)
ARRIVALS = st.fixed_dictionaries(
    {
        "key": pick(NEW),
        "how": pick(("created", "ingested", "uploaded")),
        "creator": pick((*CREATORS, None)),
        "storage": pick((*STORAGES, None, None)),
        "parents": st.lists(pick(COLLECTIONS), unique=True),
    }
)


def settle_in(session: Session) -> None:
    """Writes who and what every drawn world has: groups of all users, storages, two collections with a clip, and a tree of files."""
    changes.create_domain(session, "d0", id_="d0")
    for user in USERS:
        changes.create_user(session, "d0", f"{user}@x", id_=user, type=UserType.POWER)
    for group in GROUPS:
        changes.create_group(session, "d0", group, id_=group)
        for user in USERS:
            changes.add_member(session, group, user)
    for key in (
        *COLLECTIONS,
        CLIP,
        ObjectKey("file", "/"),
        *(ObjectKey("storage", name) for name in STORAGES),
    ):
        changes.register_object(session, key, "d0")
    changes.place(session, CLIP, COLLECTIONS[0])
    for template in TEMPLATES:
        changes.create_template(session, "d0", template, id_=template)


def permissions_of(names: list[str]) -> Permission:
    """Returns the permissions of these names."""
    found = Permission.NONE
    for name in names:
        found |= Permission.named(name)
    return found


def write(session: Session, world: dict[str, Any]) -> None:
    """Writes a world as drawn; what is gone was there at first, and is removed the way everybody removes it."""
    for template, entries in world["templates"].items():
        for entry in entries:
            may = permissions_of(entry["may"])
            changes.give_in_template(session, template, entry["to"], may, propagates=entry["propagates"])
    for subject, template in world["set_for"].items():
        changes.set_template(session, *subject_of(subject), template)
    for user, group in world["primary"].items():
        changes.update_user(session, user, primary_group_id=group)
    for folder, storage in world["mapped"].items():
        changes.map_folder(session, ObjectKey("file", folder), ObjectKey("storage", storage))
    for name, entries in world["holds"].items():
        for entry in entries:
            changes.grant(
                session,
                ObjectKey(*name.split(":")),
                entry["to"],
                permissions_of(entry["may"]),
                propagates=entry["propagates"],
                expires=ERA if entry["ends"] else None,
            )
    removing: dict[str, Change] = {
        "t2": lambda s: changes.delete_template(s, "t2"),
        "s1": lambda s: changes.delete_object(s, ObjectKey("storage", "s1")),
        "g2": lambda s: changes.delete_group(s, "g2"),
        "u2": lambda s: changes.update_user(s, "u2", status=UserStatus.DELETED),
    }
    for name in world["gone"]:
        removing[name](session)


def subject_of(text: str) -> tuple[TemplateLevel, str | ObjectKey]:
    """Returns for whom a template is set, as the store is told."""
    level, _, id_ = text.partition(":")
    return TemplateLevel(level), ObjectKey(level, id_) if level == "storage" else id_


def arrive(session: Session, arrival: dict[str, Any]) -> None:
    """Lets an object come into being: created by a member, ingested, or uploaded by a visitor of a member's share."""
    key, creator, parents = arrival["key"], arrival["creator"], tuple(arrival["parents"])
    if arrival["how"] == "ingested":
        storage = ObjectKey("storage", arrival["storage"]) if arrival["storage"] else None
        changes.ingest(session, key, "d0", storage=storage, parents=parents, owner_id=creator)
        return
    intent = changes.open_intent(
        session, IntentKind.CREATE, [Lock(key, closes=False)], user_id=creator or "u0", request_id="r"
    )
    by_member = arrival["how"] == "created"
    changes.settle_create(session, intent.id, [Created(key, creator, parents, by_member=by_member)])


def expected(world: dict[str, Any], arrival: dict[str, Any]) -> Given:
    """Returns what the oracle says that an arrival gets."""
    if arrival["how"] == "uploaded":
        return {}
    path = arrival["key"].id if arrival["key"].type == "file" else None
    storage = arrival["storage"] if arrival["how"] == "ingested" else None
    return given_to_new(world, path, arrival["creator"], storage)


def entries(store: Store, key: ObjectKey) -> Given:
    """Returns the entries on an object that do not end."""
    with store.read() as session:
        return {
            (each.principal, each.propagates): set(each.permissions.names)
            for each in directory.list_entries(session, key)
            if each.end is None
        }


def joined(one: Given, other: Given) -> Given:
    """Returns the entries of both."""
    return {key: one.get(key, set()) | other.get(key, set()) for key in {*one, *other}}


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(Path(__file__).parents[2] / "policies")


def begun(shared: Shared, world: dict[str, Any]) -> Store:
    """Returns a store with a drawn world."""
    store = shared.reset(settle_in)
    with change(store) as session:
        write(session, world)
    return store


def possible(world: dict[str, Any], arrival: dict[str, Any]) -> bool:
    """Tells whether an arrival names a storage that is there; else it is refused as a whole."""
    return arrival["how"] != "ingested" or arrival["storage"] not in world["gone"]


@contextmanager
def only_this_changes(store: Store, keys: set[str]) -> Iterator[None]:
    """Holds what happens inside to these fact keys: no commit names another, so nothing else is judged anew."""
    mark = store.load(None, []).mark
    yield
    changed = store.load(mark, []).changed
    assert changed is not None
    assert changed <= keys


@examples(1)
@given(world=WORLDS, arrival=ARRIVALS)
def test_a_new_object_gets_what_the_oracle_says(
    shared: Shared, world: dict[str, Any], arrival: dict[str, Any]
) -> None:
    """However it comes, a new object has the entries of the one template that counts, and a visitor's upload has none."""
    store = begun(shared, world)
    if not possible(world, arrival):
        return
    with only_this_changes(store, {arrival["key"].fact}), change(store) as session:
        arrive(session, arrival)
    assert entries(store, arrival["key"]) == expected(world, arrival)


@examples(0.5)
@given(world=WORLDS, arrival=ARRIVALS, to=pick(SPOKEN_OF), may=MAY)
def test_a_template_adds_to_what_stood_on_a_path_before_it_was_registered(
    shared: Shared, world: dict[str, Any], arrival: dict[str, Any], to: str, may: list[str]
) -> None:
    """Entries of a path that is registered later stay, and are joined with those of the template."""
    store = begun(shared, world)
    if arrival["key"].type != "file" or not possible(world, arrival) or to.partition(":")[2] in world["gone"]:
        return
    with change(store) as session:
        changes.grant(session, arrival["key"], to, permissions_of(may), propagates=True)
        arrive(session, arrival)
    assert entries(store, arrival["key"]) == joined({(to, True): set(may)}, expected(world, arrival))


EDITS: st.SearchStrategy[Change] = st.one_of(
    call(lambda s, t, to, may, on: changes.give_in_template(s, t, to, permissions_of(may), propagates=on), pick(TEMPLATES), pick(PRINCIPALS), MAY, st.booleans()),
    call(lambda s, t, to, may: changes.take_from_template(s, t, to, permissions_of(may)), pick(TEMPLATES), pick(PRINCIPALS), MAY),
    call(lambda s, of, t: changes.set_template(s, *subject_of(of), t), pick(SUBJECTS), pick((*TEMPLATES, None))),
    call(lambda s, f, to: changes.map_folder(s, ObjectKey("file", f), to and ObjectKey("storage", to)), pick(FOLDERS), pick((*STORAGES, None))),
    call(changes.rename_template, pick(TEMPLATES), pick(("A", "B"))),
    call(changes.delete_template, pick(TEMPLATES)),
    call(lambda s, id_: changes.create_template(s, "d0", id_, id_=id_), pick(TEMPLATES)),
)  # fmt: skip


@examples(1)
@given(world=WORLDS, arrivals=st.lists(ARRIVALS, max_size=3), edits=st.lists(EDITS, min_size=1, max_size=6))
def test_no_change_of_a_template_changes_a_decision(
    shared: Shared, policy: Policy, world: dict[str, Any], arrivals: list[dict[str, Any]], edits: list[Change]
) -> None:
    """Whatever is done with templates, everybody may do with everything that exists what they could before, for the same reason."""
    store = begun(shared, world)
    with change(store) as session:
        for arrival in arrivals:
            attempt(session, lambda s, a=arrival: arrive(s, a))  # type: ignore[misc]
    before = verdicts(policy, store, [f"user:{user}" for user in USERS], EVERYTHING)
    with only_this_changes(store, set()):
        for edit in edits:
            with change(store) as session:
                attempt(session, edit)
    assert verdicts(policy, store, [f"user:{user}" for user in USERS], EVERYTHING) == before


@examples(0.5)
@given(world=WORLDS, template=pick(TEMPLATES), key=pick((CLIP, *COLLECTIONS)))
def test_a_template_gives_what_its_entries_say_and_takes_nothing(
    shared: Shared, world: dict[str, Any], template: str, key: ObjectKey
) -> None:
    """Applied to an object that exists, it adds its own entries to those that are there; applied again, nothing."""
    store = begun(shared, world)
    if template in world["gone"]:
        return
    before = entries(store, key)
    for _ in range(2):
        with only_this_changes(store, {key.fact}), change(store) as session:
            changes.apply_template(session, template, key)
        assert entries(store, key) == joined(before, given_by(world, template))
    with only_this_changes(store, set()), change(store) as session:
        changes.apply_template(session, template, key)


@examples(1)
@given(world=WORLDS, template=pick(TEMPLATES), key=pick((CLIP, *COLLECTIONS)), within=pick(COLLECTIONS))
def test_a_restricted_template_opens_nothing_that_its_collection_does_not(
    shared: Shared, policy: Policy, world: dict[str, Any], template: str, key: ObjectKey, within: ObjectKey
) -> None:
    """Who may do more with an object or its content afterwards may do that with the collection, by entries of its own that do not end."""
    store = begun(shared, world)
    if template in world["gone"]:
        return
    people, below = [f"user:{user}" for user in USERS], (key, CLIP)
    had, own = entries(store, key), entries(store, within)
    before = verdicts(policy, store, people, below)
    with change(store) as session:
        changes.apply_template(session, template, key, within=within)
    assert entries(store, key) == joined(had, given_by(world, template, str(within)))

    after = verdicts(policy, store, people, below)
    assert all(after[asked][0] for asked, verdict in before.items() if verdict[0])
    for asked in after:
        if after[asked][0] and not before[asked][0]:
            direct = (True, False) if asked.what == key else (True,)
            kinds = [(name, propagates) for name in names_of(asked.who, world) for propagates in direct]
            assert any(asked.action in own.get(kind, ()) for kind in kinds)


def names_of(who: str, world: dict[str, Any]) -> set[str]:
    """Returns the principals that entries speak of who mean a user."""
    return {who, *(f"group:{group}" for group in GROUPS if group not in world["gone"])}


def test_the_oracle_knows_each_rule() -> None:
    """Nearest folder before outer one, storage before creator, creator before group, group before domain, and what is gone counts not."""
    world = {
        "templates": {"t": [{"to": "user:u", "may": ["read", "write"], "propagates": True}]},
        "set_for": {"storage:s": "t", "user:u": "t1", "group:g": "t2", "domain:d0": "t3"},
        "primary": {"u": "g"},
        "mapped": {"/a": "s", "/a/b": "other"},
        "holds": {
            "collection:c": [
                {"to": "user:u", "may": ["read"], "propagates": True, "ends": False},
                {"to": "user:u", "may": ["write"], "propagates": False, "ends": False},
            ]
        },
        "gone": [],
    }
    assert storage_around(world, "/a/b/x") == "other"
    assert storage_around(world, "/ab") is None
    assert template_for(world, "/a/x", "u") == "t"
    assert template_for(world, "/x", "u") == "t1"
    assert template_for({**world, "gone": ["t1"]}, "/x", "u") == "t2"
    assert template_for(world, "/x", None) == "t3"
    assert template_for({**world, "gone": ["other", "s"]}, "/a/b/x", None) == "t3"
    assert given_by(world, "t") == {("user:u", True): {"read", "write"}}
    assert given_by(world, "t", "collection:c") == {("user:u", True): {"read"}}
    assert given_by({**world, "gone": ["u"]}, "t") == {}
