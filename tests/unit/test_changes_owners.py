"""Owners: of the object's domain, never deleted when made owner, and transferred all at once."""

import pytest

from models import changes
from models.records import ObjectKey, ObjectRecord, UserStatus
from models.store import Store
from stores import CLIP, FOLDER, SUB, TOP, change, record, refused, revision, touched


def owners(store: Store) -> dict[ObjectKey, str | None]:
    """Returns who owns each object of the cast."""
    found = {key: record(store, key.fact) for key in (CLIP, SUB, TOP, FOLDER)}
    return {key: each.owner_id for key, each in found.items() if isinstance(each, ObjectRecord)}


def test_owners_belong_to_the_objects_domain(cast: Store) -> None:
    """Neither registering nor changing gives an object to a user who is foreign, unknown or deleted."""
    key = ObjectKey("asset", "new")
    with change(cast) as session:
        changes.create_user(session, "main", "c@x", id_="cia", status=UserStatus.DELETED)
    for owner, error in (
        ("zoe", changes.ConflictError),
        ("none", changes.UnknownError),
        ("cia", changes.ConflictError),
    ):
        refused(cast, error, changes.register_object, key, "main", owner_id=owner)
        refused(cast, error, changes.change_owner, CLIP, owner)
    refused(cast, changes.UnknownError, changes.change_owner, key, "ben")
    refused(cast, changes.UnknownError, changes.register_object, key, "none")
    with change(cast) as session:
        changes.change_owner(session, CLIP, "ben")
        changes.change_owner(session, FOLDER, None)
    assert record(cast, CLIP.fact).owner_id == "ben"  # type: ignore[union-attr]


def test_all_that_a_user_owns_is_transferred(cast: Store) -> None:
    """Every object changes hands, others' stay, and only what changed is touched."""
    with change(cast) as session:
        changes.change_owner(session, FOLDER, "ben")
        changes.create_user(session, "main", "cia@x", id_="cia")
    since = revision(cast)
    with change(cast) as session:
        assert changes.transfer_objects(session, "ada", "cia") == (3, 0)
    assert owners(cast) == {CLIP: "cia", SUB: "cia", TOP: "cia", FOLDER: "ben"}
    assert touched(cast, since) == {CLIP.fact, SUB.fact, TOP.fact}
    with change(cast) as session:
        assert changes.transfer_objects(session, "ada", "cia") == (0, 0)
        assert changes.transfer_objects(session, "ben", None) == (1, 0)
    assert owners(cast)[FOLDER] is None


def test_a_deleted_owner_keeps_what_there_is_until_it_is_transferred(cast: Store) -> None:
    """Deleting a user changes no object; what it owned can be given to another, and not to one who is deleted."""
    with change(cast) as session:
        changes.change_owner(session, CLIP, "ben")
        changes.update_user(session, "ben", status=UserStatus.DELETED)
    assert owners(cast)[CLIP] == "ben"
    refused(cast, changes.ConflictError, changes.transfer_objects, "ada", "ben")
    with change(cast) as session:
        assert changes.transfer_objects(session, "ben", "ada") == (1, 0)
    assert owners(cast)[CLIP] == "ada"


def test_a_transfer_stays_in_its_domain(cast: Store) -> None:
    """Foreign and unknown users, and the same one twice, are refused."""
    refused(cast, changes.ConflictError, changes.transfer_objects, "ada", "zoe")
    refused(cast, changes.ConflictError, changes.transfer_objects, "ada", "ada")
    refused(cast, changes.UnknownError, changes.transfer_objects, "ada", "none")
    refused(cast, changes.UnknownError, changes.transfer_objects, "none", "ada")


def test_a_transfer_is_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left is told, and taken along by the next."""
    monkeypatch.setattr("models.changes.owners.MAX_TRANSFERRED", 3)
    with change(cast) as session:
        assert changes.transfer_objects(session, "ada", "ben") == (3, 1)
        assert changes.count_owned(session, "ada") == 1
    with change(cast) as session:
        assert changes.transfer_objects(session, "ada", "ben") == (1, 0)
