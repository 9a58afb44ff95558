"""Entries grant and add up; taking away is a change of its own."""

from collections.abc import Mapping

import pytest

from models import changes
from models.records import ObjectKey, ObjectRecord, Permission
from models.store import Store
from stores import CLIP, TOP, change, record, refused, revision

READ, WRITE, DELETE = Permission.READ, Permission.WRITE, Permission.DELETE


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


@pytest.mark.parametrize("principal", ["", "ben", "user:", "share:x", "User:ben"])
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


def test_entries_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further principal is refused at the bound; adding to an entry that is there is not."""
    monkeypatch.setattr("models.changes.acl.MAX_ENTRIES", 1)
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", READ, propagates=False)
        changes.grant(session, CLIP, "user:ben", WRITE, propagates=False)
    message = refused(cast, changes.InvalidError, changes.grant, CLIP, "user:ada", READ, propagates=False)
    assert "groups" in message
