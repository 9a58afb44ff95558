"""Entries on many objects are set in one change, all of them or none."""

from datetime import UTC, datetime

import pytest

from models import changes, directory
from models.changes import AclMode, Terms
from models.records import ObjectKey, Permission
from models.store import Store
from stores import CLIP, TOP, change, refused, revision, rows, touched

READ, WRITE, DELETE = Permission.READ, Permission.WRITE, Permission.DELETE
APPEND, OVERWRITE = AclMode.APPEND, AclMode.OVERWRITE
END = datetime(2999, 1, 1, tzinfo=UTC)
NOWHERE = ObjectKey("asset", "nowhere")


def entries(store: Store, key: ObjectKey) -> set[tuple[str, Permission, bool, datetime | None]]:
    """Returns the entries on an object."""
    with store.read() as session:
        found = directory.list_entries(session, key)
        return {(each.principal, each.permissions, each.propagates, each.end) for each in found}


def test_appending_adds_on_every_object(cast: Store) -> None:
    """Each principal has what it had and what is set, on each object; what changed is told, once, in one commit."""
    since = revision(cast)
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", DELETE, propagates=False)
        changes.grant(session, TOP, "user:ben", READ, propagates=False)
        changes.grant(session, TOP, "group:crew", READ, propagates=False)
        assert changes.set_entries(
            session, [CLIP, TOP, CLIP], ["user:ben", "group:crew"], Terms(READ), APPEND
        ) == (CLIP,)
    assert entries(cast, CLIP) == {
        ("user:ben", READ | DELETE, False, None),
        ("group:crew", READ, False, None),
    }
    assert revision(cast) == since + 1
    assert touched(cast, since) == {CLIP.fact, TOP.fact}


def test_overwriting_leaves_exactly_what_is_set(cast: Store) -> None:
    """Of the named principals and the named kind, permissions and end; whoever else has an entry, or the other kind, keeps it."""
    with change(cast) as session:
        changes.grant(session, TOP, "user:ben", READ | DELETE, propagates=False)
        changes.grant(session, TOP, "user:ben", WRITE, propagates=True)
        changes.grant(session, TOP, "user:ada", DELETE, propagates=False)
        assert changes.set_entries(
            session, [TOP], ["user:ben"], Terms(READ | WRITE, expires=END), OVERWRITE
        ) == (TOP,)
    kept = {("user:ben", WRITE, True, None), ("user:ada", DELETE, False, None)}
    assert entries(cast, TOP) == {*kept, ("user:ben", READ | WRITE, False, END)}
    before = revision(cast)
    with change(cast) as session:
        assert (
            changes.set_entries(session, [TOP], ["user:ben"], Terms(READ | WRITE, expires=END), OVERWRITE)
            == ()
        )
    assert revision(cast) == before
    with change(cast) as session:
        assert changes.set_entries(session, [TOP], ["user:ben"], Terms(Permission.NONE), OVERWRITE) == (TOP,)
    assert entries(cast, TOP) == kept


@pytest.mark.parametrize("mode", list(AclMode))
@pytest.mark.parametrize(
    ("keys", "principals", "error"),
    [
        ([CLIP, NOWHERE], ["user:ben"], changes.UnknownError),
        ([CLIP, TOP], ["user:ben", "user:none"], changes.UnknownError),
        ([CLIP], ["user:ben", "user:zoe"], changes.ConflictError),
        ([CLIP], ["user:ben", "ben"], changes.InvalidError),
    ],
)
def test_what_is_refused_leaves_nothing_behind(
    cast: Store, keys: list[ObjectKey], principals: list[str], error: type[changes.ChangeError], mode: AclMode
) -> None:
    """One object or principal that is refused undoes the rest, even if the commit goes on without it."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", DELETE, propagates=False)
    before = rows(cast)["acl_entries"]
    with change(cast) as session:
        with pytest.raises(error):
            changes.set_entries(session, keys, principals, Terms(READ), mode)
        changes.create_group(session, "main", "later")
    assert rows(cast)["acl_entries"] == before


def test_a_change_is_bounded(cast: Store) -> None:
    """Five hundred objects are the most, and nobody and nothing is too little; to append nothing is a mistake."""
    many = [ObjectKey("asset", str(number)) for number in range(501)]
    said = refused(cast, changes.InvalidError, changes.set_entries, many, ["user:ben"], Terms(READ), APPEND)
    assert said.startswith("501 objects are named, at most 500")
    whom = [f"user:{number}" for number in range(21)]
    assert "pairs" in refused(
        cast, changes.InvalidError, changes.set_entries, many[:500], whom, Terms(READ), APPEND
    )
    refused(cast, changes.InvalidError, changes.set_entries, [], ["user:ben"], Terms(READ), APPEND)
    refused(cast, changes.InvalidError, changes.set_entries, [CLIP], [], Terms(READ), APPEND)
    refused(
        cast, changes.InvalidError, changes.set_entries, [CLIP], ["user:ben"], Terms(Permission.NONE), APPEND
    )
    refused(cast, changes.InvalidError, changes.set_entries, [CLIP], ["user:ben"], Terms(READ), "ADD")  # type: ignore[arg-type]


def test_five_hundred_objects_are_one_commit(cast: Store) -> None:
    """The most that is allowed works."""
    keys = [ObjectKey("asset", str(number)) for number in range(500)]
    with change(cast) as session:
        for key in keys:
            changes.register_object(session, key, "main")
    with change(cast) as session:
        assert changes.set_entries(session, keys, ["user:ben"], Terms(READ), OVERWRITE) == tuple(keys)
    assert entries(cast, keys[-1]) == {("user:ben", READ, False, None)}
