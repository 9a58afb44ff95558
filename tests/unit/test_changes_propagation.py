"""Entries that propagate: how many collections of a domain have them, and how far they reach."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from models import changes
from models.changes.propagation import content_of
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import AclEntry, PrincipalKind
from stores import CLIP, TOP, change, record, refused

READ, WRITE = Permission.READ, Permission.WRITE
FOLDER = ObjectKey("file", "/films")


def collections(session: Session, count: int) -> list[ObjectKey]:
    """Registers some collections of the domain `main`."""
    keys = [ObjectKey("collection", f"n{number}") for number in range(count)]
    for key in keys:
        changes.register_object(session, key, "main")
    return keys


def test_the_next_collection_with_an_entry_that_propagates_is_refused(cast: Store) -> None:
    """At the bound of the domain one that has such an entry may get more, one that has none gets the plain kind alone."""
    with change(cast) as session:
        first, second, third = collections(session, 3)
        changes.set_propagation_bounds(session, "main", max_propagating=2)
        changes.grant(session, first, "user:ben", READ, propagates=True)
        changes.grant(session, second, "group:crew", READ, propagates=True)
        changes.grant(session, second, "user:ben", WRITE, propagates=True)
    message = refused(cast, changes.ConflictError, changes.grant, third, "user:ben", READ, propagates=True)
    assert "2 collections of the domain `Main`" in message
    assert "--max-propagating" in message
    with change(cast) as session:
        changes.grant(session, third, "user:ben", READ, propagates=False)
        changes.revoke(session, first, "user:ben")
        changes.grant(session, third, "user:ben", READ, propagates=True)


def test_what_has_expired_and_what_is_elsewhere_does_not_count(cast: Store) -> None:
    """An entry that has ended holds no place; nor does one of another domain."""
    with change(cast) as session:
        old, new = collections(session, 2)
        changes.set_propagation_bounds(session, "main", max_propagating=1)
        abroad = changes.register_object(session, ObjectKey("collection", "abroad"), "other").key
        changes.grant(session, abroad, "user:zoe", READ, propagates=True)
        session.add(
            AclEntry(
                object_type=old.type,
                object_id=old.id,
                principal_kind=PrincipalKind.USER,
                principal_id="ben",
                propagates=True,
                expires=datetime(2020, 1, 1, tzinfo=UTC),
                permissions=READ,
            )
        )
        changes.grant(session, new, "user:ben", READ, propagates=True)
    refused(cast, changes.ConflictError, changes.grant, old, "user:ben", READ, propagates=True)


def test_a_folder_counts_as_a_collection(cast: Store) -> None:
    """A path without a row of its own takes a place too."""
    with change(cast) as session:
        changes.register_object(session, FOLDER, "main")
        changes.set_propagation_bounds(session, "main", max_propagating=1)
        changes.grant(session, ObjectKey("file", "/films/a"), "user:ben", READ, propagates=True)
    refused(cast, changes.ConflictError, changes.grant, TOP, "user:ben", READ, propagates=True)


def test_content_is_what_stands_there_at_any_depth(cast: Store) -> None:
    """Placed or below a path, by several ways or one, each once."""
    with change(cast) as session:
        outer, inner, other = collections(session, 3)
        changes.register_object(session, FOLDER, "main")
        film = changes.register_object(session, ObjectKey("file", "/films/a/b.mp4"), "main").key
        for child, parent in (
            (inner, outer),
            (FOLDER, outer),
            (other, ObjectKey("file", "/films/a")),
            (other, inner),
        ):
            changes.place(session, child, parent)
        assert list(content_of(session, outer)) == [inner, FOLDER, other, film]
        assert list(content_of(session, FOLDER)) == [other, film]
        assert list(content_of(session, other)) == []


def test_what_reaches_far_is_told(cast: Store) -> None:
    """Write and delete over more objects than the domain says are named; reading never is, nor what reaches less far."""
    with change(cast) as session:
        outer, *inside = collections(session, 4)
        for key in inside:
            changes.place(session, key, outer)
        assert changes.far_reaching(session, outer, WRITE) == ""
        changes.set_propagation_bounds(session, "main", warn_above=2)
        assert changes.far_reaching(session, outer, READ | WRITE | Permission.DELETE) == (
            "write and delete on `collection:n0` holds on more than 2 objects that stand in it"
        )
        assert changes.far_reaching(session, outer, READ) == ""
        changes.set_propagation_bounds(session, "main", warn_above=3)
        assert changes.far_reaching(session, outer, WRITE) == ""


@pytest.mark.parametrize("number", [-1, 1_000_001])
def test_a_bound_is_a_number_in_reach(cast: Store, number: int) -> None:
    """Others are refused; decisions do not depend on either bound."""
    before = record(cast, "domain:main")
    refused(cast, changes.InvalidError, changes.set_propagation_bounds, "main", max_propagating=number)
    refused(cast, changes.InvalidError, changes.set_propagation_bounds, "main", warn_above=number)
    with change(cast) as session:
        changes.set_propagation_bounds(session, "main", max_propagating=0, warn_above=0)
    assert record(cast, "domain:main") == before
    refused(cast, changes.ConflictError, changes.grant, CLIP, "user:ben", READ, propagates=True)
