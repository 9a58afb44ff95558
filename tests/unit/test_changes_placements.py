"""Placements: within one domain, never within oneself, and bounded."""

import pytest

from models import changes
from models.records import ObjectKey, ObjectRecord
from models.store import Store
from stores import CLIP, FOLDER, SUB, TOP, change, record, refused


def collection(name: str) -> ObjectKey:
    """Returns the key of a collection."""
    return ObjectKey("collection", name)


def parents(store: Store, key: ObjectKey) -> tuple[ObjectKey, ...]:
    """Returns what an object stands in."""
    found = record(store, key.fact)
    assert isinstance(found, ObjectRecord)
    return found.parents


def test_an_object_stands_in_several_collections(cast: Store) -> None:
    """Placing adds; placing again tells that it is not new; unplacing takes one away."""
    with change(cast) as session:
        assert changes.place(session, CLIP, TOP)
        assert not changes.place(session, CLIP, TOP)
    assert parents(cast, CLIP) == (SUB, TOP)
    with change(cast) as session:
        assert changes.unplace(session, CLIP, SUB)
        assert not changes.unplace(session, CLIP, SUB)
    assert parents(cast, CLIP) == (TOP,)


def test_the_ends_exist_and_share_a_domain(cast: Store) -> None:
    """Unknown and foreign objects are refused at either end."""
    with change(cast) as session:
        changes.register_object(session, collection("far"), "other")
    none = collection("none")
    refused(cast, changes.UnknownError, changes.place, CLIP, none)
    refused(cast, changes.UnknownError, changes.place, none, TOP)
    refused(cast, changes.UnknownError, changes.place, ObjectKey("file", "/none"), TOP)
    refused(cast, changes.ConflictError, changes.place, CLIP, collection("far"))
    refused(cast, changes.ConflictError, changes.place, collection("far"), TOP)
    refused(cast, changes.InvalidError, changes.place, ObjectKey("file", "/media/"), TOP)


def test_an_unregistered_path_can_be_placed(cast: Store) -> None:
    """A path exists through its registered folder, as content and as a place for content."""
    path = ObjectKey("file", "/media/a/b")
    with change(cast) as session:
        changes.place(session, path, TOP)
        changes.place(session, CLIP, ObjectKey("file", "/media/c"))
    assert parents(cast, path) == (ObjectKey("file", "/media/a"), TOP)


@pytest.mark.parametrize(("child", "parent"), [(TOP, TOP), (TOP, SUB), (TOP, CLIP), (SUB, CLIP)])
def test_nothing_stands_within_itself(cast: Store, child: ObjectKey, parent: ObjectKey) -> None:
    """A collection cannot be placed in itself nor in anything below it."""
    assert "contain itself" in refused(cast, changes.CycleError, changes.place, child, parent)


def test_folders_count_in_cycles(cast: Store) -> None:
    """A folder cannot be placed in a collection that stands somewhere below that folder."""
    with change(cast) as session:
        changes.place(session, TOP, ObjectKey("file", "/media/a/b"))
    for folder in ("/media", "/media/a", "/media/a/b"):
        refused(cast, changes.CycleError, changes.place, ObjectKey("file", folder), CLIP)
    with change(cast) as session:
        changes.place(session, ObjectKey("file", "/media/c"), CLIP)


def test_chains_are_bounded_from_either_end(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining two chains counts what is above, what is below and the new link, along the longest way."""
    monkeypatch.setattr("models.changes.placements.MAX_DEPTH", 4)
    with change(cast) as session:
        for name in "abcd":
            changes.register_object(session, collection(name), "main")
        changes.place(session, collection("b"), collection("a"))
        changes.place(session, collection("c"), collection("b"))
        changes.place(session, collection("c"), collection("a"))
    message = refused(cast, changes.InvalidError, changes.place, TOP, collection("c"))
    assert "chain of 5" in message
    with change(cast) as session:
        changes.place(session, TOP, collection("b"))
        changes.place(session, SUB, collection("c"))


def test_a_chain_that_is_far_too_long_is_not_walked_to_its_end(
    cast: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound the walk stops, and the placement is refused all the same."""
    with change(cast) as session:
        for number in range(8):
            changes.register_object(session, collection(f"n{number}"), "main")
        for number in range(7):
            changes.place(session, collection(f"n{number + 1}"), collection(f"n{number}"))
    monkeypatch.setattr("models.changes.placements.MAX_DEPTH", 3)
    refused(cast, changes.InvalidError, changes.place, CLIP, collection("n7"))
    refused(cast, changes.InvalidError, changes.place, collection("n0"), TOP)


def test_parents_and_walks_are_bounded(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object stands in so many collections, and a placement looks at so many objects, and no more."""
    with change(cast) as session:
        changes.register_object(session, collection("a"), "main")
    with monkeypatch.context() as patch:
        patch.setattr("models.changes.placements.MAX_PARENTS", 1)
        refused(cast, changes.InvalidError, changes.place, CLIP, TOP)
    with monkeypatch.context() as patch:
        patch.setattr("models.changes.placements.MAX_WALK", 1)
        refused(cast, changes.InvalidError, changes.place, TOP, collection("a"))
    with monkeypatch.context() as patch:
        patch.setattr("models.changes.placements.MAX_ANCESTORS", 1)
        refused(cast, changes.InvalidError, changes.place, FOLDER, SUB)
