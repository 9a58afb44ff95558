"""What a storage brings is taken up once, with its place and its storage's template."""

import pytest

from models import changes, directory
from models.changes import TemplateLevel
from models.records import ObjectKey, Permission
from models.store import Store
from stores import CLIP, FOLDER, TOP, change, refused, rows

NAS = ObjectKey("storage", "nas")
NEW = ObjectKey("file", "/media/new.mov")


@pytest.fixture(name="store")
def with_storage(cast: Store) -> Store:
    """The cast with a storage that /media is mapped to, whose template lets the crew read."""
    with change(cast) as session:
        changes.register_object(session, NAS, "main")
        changes.map_folder(session, FOLDER, NAS)
        changes.create_template(session, "main", "Nas", id_="tpl")
        changes.give_in_template(session, "tpl", "group:crew", Permission.READ, propagates=False)
        changes.set_template(session, TemplateLevel.STORAGE, NAS, "tpl")
    return cast


def entries(store: Store, key: ObjectKey) -> set[str]:
    """Returns who has entries on an object."""
    with store.read() as session:
        return {each.principal for each in directory.list_entries(session, key)}


def test_an_object_is_taken_up_with_place_and_entries(store: Store) -> None:
    """The storage is that of the folder; owner and collections are as named."""
    with change(store) as session:
        ingested = changes.ingest(session, NEW, "main", parents=[TOP], owner_id="ben", title="New")
    assert (ingested.is_new, ingested.storage, ingested.applied.template) == (True, NAS, "Nas")
    assert entries(store, NEW) == {"group:crew"}
    with store.read() as session:
        assert directory.list_parents(session, NEW) == [TOP]
        found = directory.find_object(session, NEW)
    assert found is not None
    assert (found.owner_id, found.title) == ("ben", "New")


def test_a_storage_may_be_named(store: Store) -> None:
    """An object that is no path comes from the storage that is named, else from none."""
    with change(store) as session:
        named = changes.ingest(session, ObjectKey("asset", "a"), "main", storage=NAS)
        none = changes.ingest(session, ObjectKey("asset", "b"), "main")
    assert (named.applied.template, none.applied.template) == ("Nas", None)
    assert entries(store, ObjectKey("asset", "b")) == set()


def test_what_is_there_stays_as_it_is(store: Store) -> None:
    """Ingest may be repeated: nothing is given twice, placed or renamed."""
    before = rows(store)
    with change(store) as session:
        again = changes.ingest(session, CLIP, "main", storage=NAS, parents=[TOP], owner_id="ada", title="X")
    assert not again.is_new
    assert rows(store) == before


def test_domains_are_walls(store: Store) -> None:
    """Neither object, storage nor collection of another domain."""
    with change(store) as session:
        changes.register_object(session, ObjectKey("storage", "far"), "other")
        changes.register_object(session, ObjectKey("collection", "far"), "other")
    new, far = ObjectKey("asset", "n"), ObjectKey("collection", "far")
    refused(store, changes.ConflictError, changes.ingest, CLIP, "other")
    refused(store, changes.ConflictError, changes.ingest, NEW, "main", storage=ObjectKey("storage", "far"))
    refused(store, changes.InvalidError, changes.ingest, new, "main", storage=TOP)
    refused(store, changes.ConflictError, changes.ingest, new, "main", parents=[far])
    refused(store, changes.UnknownError, changes.ingest, new, "main", storage=ObjectKey("storage", "none"))
    refused(store, changes.UnknownError, changes.ingest, new, "none")
