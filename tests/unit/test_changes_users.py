"""Users: one per e-mail and domain, admins only among POWER users, and never none of them."""

import pytest

from models import changes
from models.records import TokenRecord, UserRecord, UserStatus, UserType
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
    assert (user.phone, user.hide_email, user.hide_phone, user.user_metadata) == ("", False, False, {})
    assert user.created == user.modified
    assert record(cast, f"user:{made.id}") == UserRecord(made.id, "main")


EVERY = changes.UserAttributes(
    first_name="Cia",
    last_name="Lee",
    description="d",
    avatar_url="https://x/y.png",
    phone="+46 1",
    hide_email=True,
    hide_phone=True,
    type=UserType.POWER,
    status=UserStatus.INACTIVE,
    is_admin=True,
    settings={"theme": {"dark": True}},
    user_metadata={"desk": 7},
    primary_group_id="crew",
)


def test_every_attribute_comes_back_as_it_was_set(cast: Store) -> None:
    """Whatever a user has is kept, on either database."""
    assert set(EVERY) == changes.UserAttributes.__optional_keys__
    with change(cast) as session:
        changes.update_user(session, "ben", email="Cia@X", **EVERY)
    with cast.read() as session:
        user = session.get_one(User, "ben")
        assert {name: getattr(user, name) for name in EVERY} == EVERY
    assert user.email == "cia@x"


def test_what_is_not_named_stays(cast: Store) -> None:
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


def test_an_email_is_changed_to_a_free_one_only(cast: Store) -> None:
    """The user keeps the id; another's e-mail is refused, one's own in other letters and another domain's are not."""
    refused(cast, changes.ConflictError, changes.update_user, "ben", email="ADA@example.com")
    refused(cast, changes.InvalidError, changes.update_user, "ben", email="\uff21da@example.com")
    with change(cast) as session:
        changes.update_user(session, "ben", email="BEN@example.com")
        changes.update_user(session, "ben", email="zoe@example.com")
    with cast.read() as session:
        assert session.get_one(User, "ben").email == "zoe@example.com"


@pytest.mark.parametrize("status", UserStatus)
def test_only_deletion_revokes_tokens(cast: Store, status: UserStatus) -> None:
    """One who was inactive or blocked goes on with the old token, one who was deleted does not."""
    with change(cast) as session:
        _, text = changes.issue_token(session, "ben", "app")
        changes.update_user(session, "ben", status=status)
    with change(cast) as session:
        changes.update_user(session, "ben", status=UserStatus.ACTIVE)

    token = record(cast, f"token:{changes.token_digest(text)}")
    assert isinstance(token, TokenRecord)
    assert token.revoked is (status is UserStatus.DELETED)


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
        {"first_name": "x" * 5_000},
        {"phone": "1\n\x1b2"},
        {"avatar_url": "javascript:alert(1)"},
        {"settings": [1]},
        {"user_metadata": {"x": float("inf")}},
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
