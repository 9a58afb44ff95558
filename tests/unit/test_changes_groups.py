"""Groups: their roles and members, within one domain, and an end without remains."""

import pytest

from models import changes
from models.records import GroupRecord, ObjectKey, Permission, UserRecord
from models.store import Store
from models.tables import Group, GroupKind
from stores import CLIP, change, record, refused, revision, rows, touched


def test_a_new_group_gives_nothing(cast: Store) -> None:
    """A team is a group of another kind; both start without roles."""
    with change(cast) as session:
        made = changes.create_group(session, "main", "Team", kind=GroupKind.TEAM, description="d")
    assert record(cast, f"group:{made.id}") == GroupRecord(made.id, "main")
    with cast.read() as session:
        assert session.get_one(Group, made.id).kind is GroupKind.TEAM


def test_names_and_ids_are_taken_once(cast: Store) -> None:
    """Within a domain a name is taken once; another domain may use it."""
    refused(cast, changes.ConflictError, changes.create_group, "main", "Crew")
    refused(cast, changes.ConflictError, changes.create_group, "main", "C", id_="crew")
    refused(cast, changes.UnknownError, changes.create_group, "none", "C")
    with change(cast) as session:
        changes.create_group(session, "other", "Crew")


def test_roles_are_set_given_and_taken(cast: Store) -> None:
    """Setting replaces all; giving and taking tell whether anything changed."""
    with change(cast) as session:
        changes.set_roles(session, "crew", ["can_a", "can_b", "can_a"])
        changes.set_roles(session, "crew", ["can_b", "can_c"])
        assert changes.give_role(session, "crew", "can_d")
        assert not changes.give_role(session, "crew", "can_d")
        assert changes.take_role(session, "crew", "can_c")
        assert not changes.take_role(session, "crew", "can_c")
    assert record(cast, "group:crew") == GroupRecord("crew", "main", frozenset({"can_b", "can_d"}))


def test_a_bad_role_changes_nothing(cast: Store) -> None:
    """One malformed name among good ones, or a group that is not there, and none is set."""
    refused(cast, changes.InvalidError, changes.set_roles, "crew", ["can_a", "Can B"])
    refused(cast, changes.InvalidError, changes.give_role, "crew", "")
    for call in (changes.give_role, changes.take_role):
        refused(cast, changes.UnknownError, call, "none", "can_a")


def test_a_group_gives_a_bounded_number_of_roles(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds for both ways of giving."""
    monkeypatch.setattr("models.changes.groups.MAX_ROLES", 2)
    refused(cast, changes.InvalidError, changes.set_roles, "crew", ["a", "b", "c"])
    with change(cast) as session:
        changes.set_roles(session, "crew", ["a", "b"])
    refused(cast, changes.InvalidError, changes.give_role, "crew", "c")


def test_members_come_and_go(cast: Store) -> None:
    """The user's record lists the groups; doing twice what is done tells so."""
    with change(cast) as session:
        changes.create_group(session, "main", "B", id_="b")
        assert changes.add_member(session, "b", "ben")
        assert not changes.add_member(session, "b", "ben")
    assert record(cast, "user:ben") == UserRecord("ben", "main", group_ids=("b", "crew"))
    with change(cast) as session:
        assert changes.remove_member(session, "crew", "ben")
        assert not changes.remove_member(session, "crew", "ben")
    assert record(cast, "user:ben") == UserRecord("ben", "main", group_ids=("b",))


def test_members_belong_to_the_groups_domain(cast: Store) -> None:
    """A user of another domain is refused, as are unknown users and groups."""
    refused(cast, changes.ConflictError, changes.add_member, "crew", "zoe")
    refused(cast, changes.UnknownError, changes.add_member, "crew", "none")
    refused(cast, changes.UnknownError, changes.add_member, "none", "ben")


def test_a_user_is_in_a_bounded_number_of_groups(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each decision about the user looks at all of them."""
    monkeypatch.setattr("models.changes.groups.MAX_GROUPS", 1)
    with change(cast) as session:
        changes.create_group(session, "main", "B", id_="b")
    assert "most" in refused(cast, changes.InvalidError, changes.add_member, "b", "ben")


def test_a_primary_group_is_not_left(cast: Store) -> None:
    """Neither the membership nor the group goes while it is somebody's primary one."""
    with change(cast) as session:
        changes.update_user(session, "ben", primary_group_id="crew")
    refused(cast, changes.ConflictError, changes.remove_member, "crew", "ben")
    message = refused(cast, changes.ConflictError, changes.delete_group, "crew")
    assert "ben@example.com" in message


def test_a_deleted_group_leaves_nothing_behind(cast: Store) -> None:
    """After making a group, giving it everything and deleting it, all tables are as before, and all facts were touched."""
    before = rows(cast)
    with change(cast) as session:
        changes.create_group(session, "main", "B", id_="b")
        changes.add_member(session, "b", "ada")
        changes.set_roles(session, "b", ["can_a", "can_b"])
        changes.allow_network(session, "main", "10.0.0.0/8", group_id="b")
        changes.grant(session, CLIP, "group:b", Permission.READ, propagates=False)
        changes.grant(session, ObjectKey("file", "/media/x"), "group:b", Permission.READ, propagates=True)
    since = revision(cast)
    with change(cast) as session:
        changes.delete_group(session, "b")
    assert rows(cast) == before
    assert touched(cast, since) == {
        "group:b",
        "user:ada",
        "domain:main",
        CLIP.fact,
        "object:file:/media/x",
    }
    assert record(cast, "group:b") is None
