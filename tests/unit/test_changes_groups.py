"""Groups: their kinds, names and roles, within one domain, and an end without remains."""

import pytest

from models import changes
from models.records import GroupKind, GroupRecord, ObjectKey, Permission
from models.store import Store
from models.tables import Group
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


@pytest.mark.parametrize("name", ["crew", "CREW", " Crew", "\uff23rew", "cRew "])
def test_a_name_that_looks_like_another_is_taken(cast: Store, name: str) -> None:
    """Letter case, width and space around it do not make another name."""
    assert "`Crew`" in refused(cast, changes.ConflictError, changes.create_group, "main", name)


def test_names_and_descriptions_are_changed(cast: Store) -> None:
    """What is not named stays; a group may take its own name in other letters, and no other's."""
    with change(cast) as session:
        changes.create_group(session, "main", "B", id_="b", description="d")
        changes.update_group(session, "crew", name="CREW")
        changes.update_group(session, "b", name="Cutters")
        changes.update_group(session, "b", description="e")
    with cast.read() as session:
        found = {group.id: (group.name, group.description) for group in session.query(Group)}
    assert (found["crew"], found["b"]) == (("CREW", ""), ("Cutters", "e"))
    refused(cast, changes.ConflictError, changes.update_group, "b", name="crew")
    refused(cast, changes.InvalidError, changes.update_group, "b", name="")
    refused(cast, changes.InvalidError, changes.update_group, "b", description="x" * 5_000)
    refused(cast, changes.UnknownError, changes.update_group, "none", name="x")


def test_a_team_has_no_roles(cast: Store) -> None:
    """Whoever tries is told what does; taking away and setting none are no mistake."""
    with change(cast) as session:
        changes.create_group(session, "main", "Team", kind=GroupKind.TEAM, id_="t")
        changes.set_roles(session, "t", [])
        assert not changes.take_role(session, "t", "can_a")
    assert "is a team, which has no roles" in refused(
        cast, changes.ConflictError, changes.give_role, "t", "can_a"
    )
    refused(cast, changes.ConflictError, changes.set_roles, "t", ["can_a"])
    refused(cast, changes.InvalidError, changes.create_group, "main", "X", kind="CLAN")  # type: ignore[arg-type]


def test_a_role_group_has_roles_and_nothing_else(cast: Store) -> None:
    """Its record says to what it narrows; no entry, network or primary group speaks of it."""
    with change(cast) as session:
        changes.create_group(session, "main", "Narrow", kind=GroupKind.ROLE_GROUP, id_="n")
        changes.give_role(session, "n", "can_a")
        changes.add_member(session, "n", "ben")
    assert record(cast, "group:n") == GroupRecord("n", "main", narrows_to=frozenset({"can_a"}))
    for message in (
        refused(
            cast, changes.ConflictError, changes.grant, CLIP, "group:n", Permission.READ, propagates=False
        ),
        refused(cast, changes.ConflictError, changes.allow_network, "main", "10.0.0.0/8", group_id="n"),
        refused(cast, changes.ConflictError, changes.update_user, "ben", primary_group_id="n"),
    ):
        assert message == "`Narrow` is a role group, which has roles and nothing else: use a group or a team"


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
