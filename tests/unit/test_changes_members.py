"""Members of groups: of one domain, a bounded number of groups, and a primary one that is not left."""

import pytest

from models import changes
from models.records import UserRecord
from models.store import Store
from stores import change, record, refused


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
    monkeypatch.setattr("models.changes.members.MAX_GROUPS", 1)
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
