"""Changes to users.

Rules:

1. Only POWER users may be admin (seed: "User Attributes").
2. A domain that has an active admin keeps one: the last cannot be demoted, blocked or deleted.
3. A user is never removed, only DELETED: what it owned and did stays attributable, and its id is not used again.
4. A primary group is one of the user's groups, and stays so until replaced.
"""

import json
from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_choice, checked_email, checked_id, checked_text, new_id, shown
from models.changes.rows import add, the_domain, the_user
from models.records import UserStatus, UserType
from models.tables import Membership, User


class UserAttributes(TypedDict, total=False):
    """What can be said of a user, when made or later; what is left out stays as it is."""

    first_name: str
    last_name: str
    description: str
    avatar_url: str
    type: UserType
    status: UserStatus
    is_admin: bool
    settings: dict[str, Any]
    primary_group_id: str | None


MAX_SETTINGS = 65_536
"""Characters of a user's settings, written as JSON."""

FRESH = UserAttributes(
    first_name="",
    last_name="",
    description="",
    avatar_url="",
    type=UserType.STANDARD,
    status=UserStatus.ACTIVE,
    is_admin=False,
    settings={},
    primary_group_id=None,
)


def create_user(
    session: Session,
    domain_id: str,
    email: str,
    *,
    id_: str | None = None,
    **attributes: Unpack[UserAttributes],
) -> User:
    """Makes a user of a domain: by default STANDARD and ACTIVE, in no group. Each domain gives an e-mail its own id.

    Raises:
        ConflictError: the e-mail or id is taken.
        InvalidError: an attribute is not allowed (rules 1 and 4, `models.changes.names`).
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    email = checked_email(email)
    taken = select(User.id).where(User.domain_id == domain_id, User.email == email)
    if session.scalar(taken):
        raise ConflictError(f"there is a user {shown(email)} in this domain already: change that one")
    id_ = checked_id(id_ or new_id(), "user")
    if session.get(User, id_):
        raise ConflictError(f"there is a user with id {shown(id_)} already: choose another id")
    values = UserAttributes(**{**FRESH, **attributes})
    _check(session, id_, email, values)
    now = datetime.now(UTC)
    return add(session, User(id=id_, domain_id=domain_id, email=email, created=now, modified=now, **values))


def update_user(session: Session, user_id: str, **attributes: Unpack[UserAttributes]) -> User:
    """Changes the attributes that are named; settings are replaced as a whole.

    Raises:
        ConflictError: the domain would be left without an active admin (rule 2).
        InvalidError: an attribute is not allowed (rules 1 and 4, `models.changes.names`).
        UnknownError: there is no such user.
    """
    user = the_user(session, user_id)
    present = UserAttributes(**{name: getattr(user, name) for name in FRESH})  # type: ignore[typeddict-item]
    after = UserAttributes(**{**present, **attributes})
    _check(session, user.id, user.email, after)
    if _is_active_admin(present) and not _is_active_admin(after) and not _has_other_admin(session, user):
        raise ConflictError(
            f"{shown(user.email)} is the last active admin of its domain: make another one first"
        )
    for name, value in attributes.items():
        setattr(user, name, value)
    user.modified = datetime.now(UTC)
    session.flush()
    return user


def _check(session: Session, user_id: str, email: str, values: UserAttributes) -> None:
    for text in (values["first_name"], values["last_name"], values["description"], values["avatar_url"]):
        checked_text(text, "user")
    if len(json.dumps(values["settings"])) > MAX_SETTINGS:
        raise InvalidError(
            f"the settings of {shown(email)} are larger than {MAX_SETTINGS} characters of JSON"
        )
    checked_choice(values["status"], UserStatus, "status")
    if checked_choice(values["type"], UserType, "user type") is not UserType.POWER and values["is_admin"]:
        raise InvalidError(f"{shown(email)} is {values['type']}: only POWER users may be admin")
    primary = values["primary_group_id"]
    if primary is not None and session.get(Membership, (user_id, primary)) is None:
        raise InvalidError(
            f"{shown(email)} is no member of the group {shown(primary)}: add it as a member first"
        )


def _is_active_admin(values: UserAttributes) -> bool:
    return values["is_admin"] and values["status"] == UserStatus.ACTIVE


def _has_other_admin(session: Session, user: User) -> bool:
    others = select(User.id).where(
        User.domain_id == user.domain_id, User.id != user.id, User.is_admin, User.status == UserStatus.ACTIVE
    )
    return session.scalar(others.limit(1)) is not None
