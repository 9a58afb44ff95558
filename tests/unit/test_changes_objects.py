"""Objects: registered once, in one domain, and gone without remains."""

import pytest

from models import changes
from models.records import ObjectKey, ObjectRecord, Permission
from models.store import Store
from stores import CLIP, FOLDER, SUB, TOP, change, record, refused, revision, rows, touched


def file(path: str) -> ObjectKey:
    """Returns the key of a path."""
    return ObjectKey("file", path)


def test_a_registered_object_has_a_domain_and_an_owner(cast: Store) -> None:
    """Owner and title may be missing."""
    key = ObjectKey("asset", "new")
    with change(cast) as session:
        row = changes.register_object(session, key, "main", title="New")
        assert (row.key, row.title) == (key, "New")
    assert record(cast, key.fact) == ObjectRecord(key, registered=True, domain_id="main")


def test_an_object_is_registered_once(cast: Store) -> None:
    """A second registration, also for another domain, is refused; ids are compared bytewise."""
    refused(cast, changes.ConflictError, changes.register_object, CLIP, "main")
    refused(cast, changes.ConflictError, changes.register_object, CLIP, "other")
    with change(cast) as session:
        for id_ in ("CLIP", "clíp", "cli\u0301p", "clip "):
            changes.register_object(session, ObjectKey("asset", id_), "main")


@pytest.mark.parametrize(
    "key", [("Asset", "x"), ("asset", ""), ("file", "/a/"), ("file", "/a/../b"), ("asset", "a\0")]
)
def test_a_malformed_key_is_refused(cast: Store, key: tuple[str, str]) -> None:
    """A path has one spelling, an id no control characters, a type is a word."""
    refused(cast, changes.InvalidError, changes.register_object, ObjectKey(*key), "main")


@pytest.mark.parametrize("path", ["/media/x", "/media/x/y", "/"])
def test_a_tree_of_paths_belongs_to_one_domain(cast: Store, path: str) -> None:
    """A path below or above one that is registered cannot go to another domain; beside it, it can."""
    message = refused(cast, changes.ConflictError, changes.register_object, file(path), "other")
    assert "`file:/media`" in message
    with change(cast) as session:
        changes.register_object(session, file(path), "main")
        if path != "/":
            changes.register_object(session, file("/mediatheque"), "other")
            changes.register_object(session, ObjectKey("storage", "/media"), "other")


def test_a_deleted_collection_leaves_its_content(cast: Store) -> None:
    """Content of a collection that is no path stays, and stands there no longer."""
    since = revision(cast)
    with change(cast) as session:
        changes.grant(session, SUB, "user:ben", Permission.READ, propagates=True)
        assert changes.delete_object(session, SUB) == 4
    assert record(cast, SUB.fact) is None
    assert record(cast, CLIP.fact) == ObjectRecord(CLIP, registered=True, domain_id="main", owner_id="ada")
    assert touched(cast, since) == {SUB.fact, CLIP.fact}


def test_a_deleted_path_leaves_nothing_below_it(cast: Store) -> None:
    """Registrations, entries and placements at and below the path go, registered or not; its neighbours stay."""
    with change(cast) as session:
        changes.register_object(session, file("/media-old"), "main")
        changes.grant(session, file("/media-old/x"), "user:ben", Permission.READ, propagates=False)
        changes.place(session, file("/media-old/x"), TOP)
    before = rows(cast)
    with change(cast) as session:
        changes.register_object(session, file("/media/a"), "main", owner_id="ben")
        changes.grant(session, FOLDER, "user:ben", Permission.READ, propagates=True)
        changes.grant(session, file("/media/a/b"), "group:crew", Permission.WRITE, propagates=False)
        changes.place(session, file("/media/a/b"), TOP)
        changes.place(session, ObjectKey("asset", "clip"), file("/media/a"))
    with change(cast) as session:
        assert changes.delete_object(session, FOLDER) == 6
    with change(cast) as session:
        changes.register_object(session, FOLDER, "main", owner_id="ada")
    after = rows(cast)
    assert {name: found for name, found in after.items() if name != "objects"} == {
        name: found for name, found in before.items() if name != "objects"
    }
    assert [row[:4] for row in after["objects"]] == [row[:4] for row in before["objects"]]


def test_the_root_can_be_deleted(cast: Store) -> None:
    """All paths of the type lie below `/`; other types stay."""
    with change(cast) as session:
        changes.register_object(session, file("/"), "main")
        changes.register_object(session, ObjectKey("storage", "/media"), "main")
        assert changes.delete_object(session, file("/")) == 2
    assert record(cast, "object:storage:/media").registered  # type: ignore[union-attr]


def test_nothing_to_delete_is_told(cast: Store) -> None:
    """An object of which nothing is known is an error, so that a slip of the pen is seen."""
    refused(cast, changes.UnknownError, changes.delete_object, ObjectKey("asset", "none"))
    refused(cast, changes.UnknownError, changes.delete_object, file("/none"))


def test_a_deletion_takes_a_bounded_number_of_rows(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree beyond the bound is refused as a whole."""
    monkeypatch.setattr("models.changes.objects.MAX_ROWS_DELETED", 2)
    assert "delete parts" in refused(cast, changes.InvalidError, changes.delete_object, SUB)
