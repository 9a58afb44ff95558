"""Users: one per e-mail and domain, admins only among POWER users, and never none of them."""

import pytest

from models import changes
from models.records import UserRecord, UserStatus, UserType
from models.store import Store
from models.tables import User
from stores import change, record, refused


def test_a_new_user_is_standard_and_active(cast: Store) -> None:
    """Every attribute has a plain default, and the times are those of making."""
    with change(cast) as session:
        made = changes.create_user(session, "main", "New@Example.com")
    with cast.read() as session:
        user = session.get_one(User, made.id)
    assert (user.email, user.settings, user.primary_group_id) == ("new@example.com", {}, None)
    assert (user.first_name, user.last_name, user.description, user.avatar_url) == ("", "", "", "")
    assert user.created == user.modified
    assert record(cast, f"user:{made.id}") == UserRecord(made.id, "main")


def test_all_attributes_can_be_set_and_changed(cast: Store) -> None:
    """What is named changes, what is not stays; the time of change is kept."""
    with change(cast) as session:
        changes.create_user(
            session, "main", "c@x", id_="c", first_name="Cia", type=UserType.POWER, settings={"a": 1}
        )
    with change(cast) as session:
        changes.update_user(
            session, "c", last_name="Lee", description="d", avatar_url="https://x/y.png", is_admin=True
        )
    with cast.read() as session:
        user = session.get_one(User, "c")
    assert (user.first_name, user.last_name, user.description) == ("Cia", "Lee", "d")
    assert (user.avatar_url, user.is_admin, user.settings) == ("https://x/y.png", True, {"a": 1})
    assert user.modified > user.created


def test_one_email_in_two_domains_is_two_users(cast: Store) -> None:
    """Each domain gives its own id; within one domain an e-mail is taken once, whatever its case."""
    with change(cast) as session:
        twin = changes.create_user(session, "other", "ben@example.com")
    assert twin.id != "ben"
    refused(cast, changes.ConflictError, changes.create_user, "main", "BEN@example.com")
    refused(cast, changes.ConflictError, changes.create_user, "other", "x@y", id_="ben")


def test_only_power_users_may_be_admin(cast: Store) -> None:
    """Neither making nor changing a user gives an admin of another type."""
    refused(cast, changes.InvalidError, changes.create_user, "main", "c@x", is_admin=True)
    refused(cast, changes.InvalidError, changes.update_user, "ben", is_admin=True)
    refused(cast, changes.InvalidError, changes.update_user, "ada", type=UserType.STANDARD)
    with change(cast) as session:
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True)


@pytest.mark.parametrize(
    "attributes",
    [
        {"is_admin": False},
        {"status": UserStatus.BLOCKED},
        {"status": UserStatus.INACTIVE},
        {"status": UserStatus.DELETED},
        {"is_admin": False, "type": UserType.STANDARD},
    ],
)
def test_the_last_active_admin_stays(cast: Store, attributes: changes.UserAttributes) -> None:
    """Whatever would leave a domain without an active admin is refused, until there is another."""
    message = refused(cast, changes.ConflictError, changes.update_user, "ada", **attributes)
    assert "last active admin" in message
    with change(cast) as session:
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True)
        changes.update_user(session, "ada", **attributes)


def test_a_blocked_admin_is_no_active_one(cast: Store) -> None:
    """An admin who cannot sign in does not count as the other admin, nor does one of another domain."""
    with change(cast) as session:
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True, status=UserStatus.BLOCKED)
    refused(cast, changes.ConflictError, changes.update_user, "ada", is_admin=False)
    with change(cast) as session:
        changes.update_user(session, "ben", is_admin=False)


def test_a_primary_group_is_one_of_the_users_groups(cast: Store) -> None:
    """It must be one that the user is in; none is allowed."""
    refused(cast, changes.InvalidError, changes.update_user, "ada", primary_group_id="crew")
    with change(cast) as session:
        changes.update_user(session, "ben", primary_group_id="crew")
        changes.update_user(session, "ben", primary_group_id=None)


@pytest.mark.parametrize(
    "attributes",
    [
        {"first_name": "a\0b"},
        {"settings": {"x": "y" * 70_000}},
        {"type": "SUPER"},
        {"status": "ASLEEP"},
    ],
)
def test_a_bad_attribute_changes_nothing(cast: Store, attributes: changes.UserAttributes) -> None:
    """Not even the attributes named beside it."""
    refused(
        cast,
        changes.InvalidError,
        changes.update_user,
        "ben",
        **changes.UserAttributes(**{"last_name": "X", **attributes}),
    )


def test_unknown_users_and_domains_are_named(cast: Store) -> None:
    """The message says which id is not known."""
    assert "`none`" in refused(cast, changes.UnknownError, changes.update_user, "none")
    refused(cast, changes.UnknownError, changes.update_user, "a\0")
    assert "`none`" in refused(cast, changes.UnknownError, changes.create_user, "none", "a@b")
