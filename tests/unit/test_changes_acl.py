"""Entries grant and add up; taking away is a change of its own."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from models import changes, directory
from models.records import Expiring, ObjectKey, ObjectRecord, Permission
from models.store import Store
from models.tables import AclEntry, PrincipalKind
from stores import CLIP, TOP, change, record, refused, revision

READ, WRITE, DELETE = Permission.READ, Permission.WRITE, Permission.DELETE


DAY, MONDAY = timedelta(days=1), datetime(2999, 1, 7, tzinfo=UTC)


def until(session: Session, permissions: Permission, end: datetime) -> Permission:
    """Grants something on the clip to Ben until a time."""
    return changes.grant(session, CLIP, "user:ben", permissions, propagates=False, expires=end)


def expired(session: Session, principal: str, permissions: Permission) -> None:
    """Writes an entry on the clip that was granted once and has ended."""
    kind, _, id_ = principal.partition(":")
    session.add(
        AclEntry(
            object_type=CLIP.type,
            object_id=CLIP.id,
            principal_kind=PrincipalKind(kind),
            principal_id=id_,
            propagates=False,
            expires=datetime(2020, 1, 1, tzinfo=UTC),
            permissions=permissions,
        )
    )
    session.flush()


def entries(store: Store, key: ObjectKey) -> tuple[Mapping[str, Permission], Mapping[str, Permission]]:
    """Returns the direct and the propagating entries of an object."""
    found = record(store, key.fact)
    assert isinstance(found, ObjectRecord)
    return found.direct, found.propagating


def test_grants_add_up(cast: Store) -> None:
    """Each grant returns what is new, and takes nothing away; the propagating entry is another one."""
    with change(cast) as session:
        assert changes.grant(session, TOP, "user:ben", READ | WRITE, propagates=False) == READ | WRITE
        assert changes.grant(session, TOP, "user:ben", WRITE | DELETE, propagates=False) == DELETE
        assert changes.grant(session, TOP, "group:crew", READ, propagates=True) == READ
        assert changes.grant(session, TOP, "user:ben", READ, propagates=True) == READ
    assert entries(cast, TOP) == ({"user:ben": READ | WRITE | DELETE}, {"user:ben": READ, "group:crew": READ})


def test_a_grant_of_what_is_there_is_no_commit(cast: Store) -> None:
    """Granting again changes nothing, and so disturbs no cache."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
    before = revision(cast)
    with change(cast) as session:
        assert changes.grant(session, CLIP, "user:ben", READ, propagates=False) == Permission.NONE
    assert revision(cast) == before


def test_permissions_are_taken_one_or_all(cast: Store) -> None:
    """A subset leaves the rest; all leaves no entry; both entries or one; what is not there is not taken."""
    with change(cast) as session:
        for propagates in (False, True):
            changes.grant(session, TOP, "user:ben", READ | WRITE | DELETE, propagates=propagates)
        assert changes.revoke(session, TOP, "user:ben", WRITE, propagates=False) == WRITE
        assert changes.revoke(session, TOP, "user:ben", DELETE | Permission.CHANGE_ACL) == DELETE
    assert entries(cast, TOP) == ({"user:ben": READ}, {"user:ben": READ | WRITE})
    with change(cast) as session:
        assert changes.revoke(session, TOP, "user:ben", propagates=True) == READ | WRITE
        assert changes.revoke(session, TOP, "user:ben") == READ
        assert changes.revoke(session, TOP, "user:ben") == Permission.NONE
    assert entries(cast, TOP) == ({}, {})


def test_principals_belong_to_the_objects_domain(cast: Store) -> None:
    """A user or group of another domain, or none at all, is refused."""
    for principal, error in (
        ("user:zoe", changes.ConflictError),
        ("group:strangers", changes.ConflictError),
        ("user:none", changes.UnknownError),
        ("group:none", changes.UnknownError),
    ):
        refused(cast, error, changes.grant, CLIP, principal, READ, propagates=False)


@pytest.mark.parametrize("principal", ["", "ben", "user:", "token:x", "User:ben"])
def test_a_principal_is_a_user_or_group(cast: Store, principal: str) -> None:
    """Other words are refused, in granting and in revoking."""
    refused(cast, changes.InvalidError, changes.grant, CLIP, principal, READ, propagates=False)
    refused(cast, changes.InvalidError, changes.revoke, CLIP, principal)


def test_a_grant_needs_an_object_and_a_permission(cast: Store) -> None:
    """Nothing is granted on what does not exist, and not nothing on what does."""
    none = ObjectKey("asset", "none")
    refused(cast, changes.UnknownError, changes.grant, none, "user:ben", READ, propagates=False)
    refused(
        cast,
        changes.UnknownError,
        changes.grant,
        ObjectKey("file", "/x"),
        "user:ben",
        READ,
        propagates=False,
    )
    refused(
        cast,
        changes.InvalidError,
        changes.grant,
        CLIP,
        "user:ben",
        Permission.NONE,
        propagates=False,
    )


def rows(store: Store, key: ObjectKey) -> list[tuple[str, Permission, bool, datetime | None]]:
    """Returns the entries that are stored for an object."""
    with store.read() as session:
        found = directory.list_entries(session, key)
        return [(each.principal, each.permissions, each.propagates, each.end) for each in found]


def test_an_entry_with_an_end_stands_beside_one_without(cast: Store) -> None:
    """Only what does not hold as long already is new, and what held for a shorter time is in the longer entry alone."""
    with change(cast) as session:
        assert changes.grant(session, CLIP, "user:ben", READ, propagates=False) == READ
        assert until(session, READ | WRITE, MONDAY) == WRITE
        assert until(session, READ | WRITE, MONDAY - DAY) == Permission.NONE
        assert until(session, WRITE | DELETE, MONDAY + DAY) == WRITE | DELETE
    assert rows(cast, CLIP) == [
        ("user:ben", READ, False, None),
        ("user:ben", WRITE | DELETE, False, MONDAY + DAY),
    ]
    with change(cast) as session:
        assert changes.grant(session, CLIP, "user:ben", WRITE, propagates=False) == WRITE
    assert rows(cast, CLIP) == [
        ("user:ben", READ | WRITE, False, None),
        ("user:ben", DELETE, False, MONDAY + DAY),
    ]
    found = record(cast, CLIP.fact)
    assert isinstance(found, ObjectRecord)
    assert (found.direct, found.expiring) == (
        {"user:ben": READ | WRITE},
        {"user:ben": (Expiring(MONDAY + DAY, DELETE, propagates=False),)},
    )


def test_revoking_takes_whatever_the_end(cast: Store) -> None:
    """What lasts and what would end some day go together; what ended before is not among what was taken."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
        until(session, WRITE, MONDAY)
        expired(session, "user:ben", DELETE)
        assert changes.revoke(session, CLIP, "user:ben") == READ | WRITE
    assert rows(cast, CLIP) == []


def test_what_has_expired_goes_with_the_next_change(cast: Store) -> None:
    """A new entry clears the list of all that has ended, and so makes room for itself; asking for what is there does not."""
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
        expired(session, "user:ada", WRITE)
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
    assert len(rows(cast, CLIP)) == 2
    with change(cast) as session:
        until(session, DELETE, MONDAY)
    assert [each[1] for each in rows(cast, CLIP)] == [READ, DELETE]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), "is over"),
        (datetime(2999, 1, 1), "has no time zone"),  # noqa: DTZ001 - that is the mistake
        (datetime(9999, 12, 31, 1, tzinfo=UTC), "too late"),
    ],
)
def test_an_end_is_a_time_to_come(cast: Store, end: datetime, says: str) -> None:
    """An end that is over, names no point in time or could be taken for none is refused."""
    message = refused(
        cast, changes.InvalidError, changes.grant, CLIP, "user:ben", READ, propagates=False, expires=end
    )
    assert says in message


def test_entries_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further principal is refused at the bound; adding to an entry that is there is not."""
    monkeypatch.setattr("models.changes.acl.MAX_ENTRIES", 1)
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
        changes.grant(session, CLIP, "user:ben", WRITE, propagates=False)
    message = refused(cast, changes.InvalidError, changes.grant, CLIP, "user:ada", READ, propagates=False)
    assert "groups" in message
