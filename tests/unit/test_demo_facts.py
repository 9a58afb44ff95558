"""Tests of gateway.demo.facts: the cast in a real store, put there once or again, and tokens that end with their run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.cast import ADA, BOB, CAST, DOMAIN, EPISODES, GRANTS, INBOX, NELL, PILOT, STUDIO, THINGS
from gateway.demo.facts import fresh_keys, keys_for_a_check, put_cast
from models import changes
from models.directory import (
    list_entries,
    list_groups,
    list_members,
    list_networks,
    list_objects,
    list_parents,
    list_roles,
    list_tokens,
    list_users,
)
from models.records import ObjectKey, UserStatus
from models.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with the cast."""
    url = f"sqlite:///{tmp_path / 'demo.db'}"
    Store.upgrade(url)
    opened = Store.open(url)
    put_cast(opened)
    yield opened
    opened.close()


def live(store: Store) -> set[str]:
    """Returns the digests of the tokens that are not revoked."""
    with store.read() as session:
        return {each.digest for each in list_tokens(session) if each.revoked_at is None}


def test_everybody_is_there_with_the_groups(store: Store) -> None:
    """Users, groups, members, roles and networks are those of the cast."""
    with store.read() as session:
        assert {each.email for each in list_users(session, DOMAIN)} == {each.email for each in CAST}
        for group in list_groups(session, DOMAIN):
            wanted = {each.email for each in CAST if group.name in {its.name for its in each.groups}}
            assert {each.email for each in list_members(session, group.id)} == wanted
        assert set(list_roles(session, "studio")) == STUDIO.roles
        assert [(each.group_id, each.cidr) for each in list_networks(session, DOMAIN)] == [
            ("newsroom", "127.0.0.2/32")
        ]


def test_statuses_and_the_admin_are_set(store: Store) -> None:
    """Bob is blocked, Ada is admin, nobody else is either."""
    with store.read() as session:
        users = {each.email: each for each in list_users(session)}

        assert [name for name, each in users.items() if each.is_admin] == [ADA.email]
        assert [name for name, each in users.items() if each.status is UserStatus.BLOCKED] == [BOB.email]


def test_objects_stand_in_their_collections_with_their_entries(store: Store) -> None:
    """Objects, placements and entries are those of the cast; the welcome in the inbox belongs to Ada."""
    with store.read() as session:
        objects = {each.key: each for each in list_objects(session, DOMAIN)}

        assert {each.key for each in THINGS} | {ObjectKey("file", "/inbox/welcome.txt")} == set(objects)
        assert list_parents(session, PILOT) == [EPISODES]
        assert objects[ObjectKey("file", "/inbox/welcome.txt")].owner_id == "ada"
        assert len(list_entries(session, INBOX)) == len([each for each in GRANTS if each.on == INBOX])


def test_putting_the_cast_again_changes_nothing(store: Store) -> None:
    """What decisions are made from is the same after a second run."""
    facts = [f"domain:{DOMAIN}", "user:stan", "user:bob", "user:nell", PILOT.fact, INBOX.fact]
    before = store.load(None, facts).records
    put_cast(store)

    assert store.load(None, facts).records == before


def test_what_was_taken_comes_back_and_what_was_added_stays(store: Store) -> None:
    """Whoever experiments gets the cast back without losing the rest."""
    with store.write("test") as commit:
        changes.set_roles(commit.session, "studio", [])
        changes.update_user(commit.session, "bob", status=UserStatus.ACTIVE)
        changes.register_object(commit.session, ObjectKey("asset", "mine"), DOMAIN)
    put_cast(store)

    with store.read() as session:
        assert set(list_roles(session, "studio")) == STUDIO.roles
        assert {each.email for each in list_users(session) if each.status is UserStatus.BLOCKED} == {
            BOB.email
        }
        assert ObjectKey("asset", "mine") in {each.key for each in list_objects(session)}


def test_a_run_gives_everybody_a_token_and_ends_those_before(store: Store) -> None:
    """The tokens of the run before are revoked by the next one."""
    first, second = fresh_keys(store), fresh_keys(store)

    assert set(first) == set(second) == set(CAST)
    assert live(store) == {changes.token_digest(key.token) for key in second.values()}
    assert first[NELL].application == second[NELL].application


def test_a_check_leaves_printed_tokens_alone(store: Store) -> None:
    """A check has tokens of its own, for its time only, even if it fails."""
    printed = {changes.token_digest(key.token) for key in fresh_keys(store).values()}

    def failing_check() -> None:
        with keys_for_a_check(store) as keys:
            assert live(store) == printed | {changes.token_digest(key.token) for key in keys.values()}
            raise KeyError

    with pytest.raises(KeyError):
        failing_check()
    assert live(store) == printed
