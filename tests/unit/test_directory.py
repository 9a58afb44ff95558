"""People name things by e-mail and name; what is named twice is asked back."""

import pytest

from models import changes, directory
from models.records import ObjectKey, Permission
from models.store import Store
from models.tables import User
from stores import CLIP, FOLDER, SUB, TOP, change


@pytest.fixture
def twins(cast: Store) -> Store:
    """The cast, and in the other domain a user, group and application of the same names."""
    with change(cast) as session:
        changes.create_user(session, "other", "ben@example.com", id_="ben2")
        changes.create_group(session, "other", "Crew", id_="crew2")
        changes.create_application(session, "other", "Player", id_="app2")
    return cast


def test_things_are_found_by_id_and_by_name(twins: Store) -> None:
    """In a named domain, names are enough; an id is enough anywhere; e-mails in any case."""
    with twins.read() as session:
        assert directory.find_user(session, "main", "BEN@example.com").id == "ben"
        assert directory.find_user(session, None, "ben2").domain_id == "other"
        assert directory.find_group(session, "other", "Crew").id == "crew2"
        assert directory.find_group(session, None, "crew").domain_id == "main"
        assert directory.find_application(session, "main", "Player").id == "app"
        assert directory.find_application(session, None, "app2").domain_id == "other"
        assert (
            directory.find_domain(session, "main").id == directory.find_domain(session, "Main").id == "main"
        )
        assert directory.find_object(session, CLIP) is not None
        assert directory.find_object(session, ObjectKey("asset", "none")) is None


def test_an_id_beats_a_name(cast: Store) -> None:
    """A group whose name is another's id does not hide it."""
    with change(cast) as session:
        changes.create_group(session, "other", "crew", id_="other-crew")
    with cast.read() as session:
        assert directory.find_group(session, None, "crew").id == "crew"


def test_what_is_named_twice_or_never_is_an_error(twins: Store) -> None:
    """Without a domain an ambiguous name is refused, and an unknown one everywhere."""
    with twins.read() as session:
        for find, name in (
            (directory.find_user, "ben@example.com"),
            (directory.find_group, "Crew"),
            (directory.find_application, "Player"),
        ):
            with pytest.raises(changes.ConflictError, match="name the domain"):
                find(session, None, name)
            with pytest.raises(changes.UnknownError, match="there is no"):
                find(session, "main", "none")
            with pytest.raises(changes.UnknownError, match="there is no"):
                find(session, "main", "a\0\udcff")
        with pytest.raises(changes.ConflictError, match="several"):
            directory.find_domain(session, None)
        with pytest.raises(changes.UnknownError):
            directory.find_domain(session, "none")
        with pytest.raises(changes.UnknownError):
            directory.find_domain(session, "\udcff")
        assert directory.find_object(session, ObjectKey("asset", "\0")) is None


def test_the_only_domain_needs_no_name(store: Store) -> None:
    """With one domain nobody has to name it; with none, the message says what to run."""
    with store.read() as session, pytest.raises(changes.UnknownError, match="mediagate init"):
        directory.find_domain(session, None)
    with change(store) as session:
        changes.create_domain(session, "Main", id_="main")
    with store.read() as session:
        assert directory.find_domain(session, None).id == "main"


def test_lists_are_complete_and_in_order(twins: Store) -> None:
    """Each list, for one domain and for all."""
    with change(twins) as session:
        changes.set_roles(session, "crew", ["can_b", "can_a"])
        changes.grant(session, CLIP, "user:ben", Permission.READ, propagates=False)
        changes.grant(session, CLIP, "group:crew", Permission.READ, propagates=False)
        changes.allow_network(session, "main", "10.0.0.2", group_id="crew")
        changes.allow_network(session, "main", "10.0.0.1")
        token, _ = changes.issue_token(session, "ben", "app")
    with twins.read() as session:
        assert [row.id for row in directory.list_domains(session)] == ["main", "other"]
        assert [row.id for row in directory.list_domains_of(session, "ben@example.com")] == ["main", "other"]
        assert [row.id for row in directory.list_users(session, "main")] == ["ada", "ben"]
        assert [row.id for row in directory.list_users(session)] == ["ada", "ben", "ben2", "zoe"]
        assert [row.id for row in directory.list_groups(session, "other")] == ["crew2", "strangers"]
        assert list(directory.list_roles(session, "crew")) == ["can_a", "can_b"]
        assert directory.list_roles_of(session, session.get_one(User, "ben")) == ["can_a", "can_b"]
        assert directory.list_roles_of(session, session.get_one(User, "ada")) == []
        assert [row.id for row in directory.list_members(session, "crew")] == ["ben"]
        assert [row.id for row in directory.list_groups_of(session, "ben")] == ["crew"]
        assert [row.id for row in directory.list_applications(session)] == ["app", "app2"]
        assert [row.id for row in directory.list_tokens(session, "ben")] == [token.id]
        assert [row.id for row in directory.list_tokens(session)] == [token.id]
        assert [row.key for row in directory.list_objects(session, "main", "collection")] == [SUB, TOP]
        assert [row.key for row in directory.list_objects(session)] == [CLIP, SUB, TOP, FOLDER]
        assert list(directory.list_content(session, TOP)) == [SUB]
        assert list(directory.list_parents(session, CLIP)) == [SUB]
        assert [row.principal for row in directory.list_entries(session, CLIP)] == ["group:crew", "user:ben"]
        assert [row.cidr for row in directory.list_networks(session, "main")] == [
            "10.0.0.1/32",
            "10.0.0.2/32",
        ]
