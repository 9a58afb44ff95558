"""Changes to users.

Rules:

1. Only POWER users may be admin (seed: "User Attributes").
2. A domain that has an active admin keeps one: the last cannot be demoted, blocked or deleted; nor can the last one whom the
   allow-lists let in (`models.changes.lockout`).
3. A user is never removed, only DELETED: what it owned and did stays attributable, and its id is not used again. Its tokens
   are revoked, so that one who comes back needs a new one; those of an INACTIVE or BLOCKED user only rest.
4. A primary group is one of the user's groups or teams, no role group, and stays so until replaced.
5. A user belongs to one domain, and an e-mail to one user of a domain; in several domains it is several users.
"""

from datetime import UTC, datetime
from typing import Any, TypedDict, Unpack

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.lockout import ANY_ADMIN, Guard, no_lockout
from models.changes.names import (
    checked_choice,
    checked_document,
    checked_email,
    checked_id,
    checked_link,
    checked_text,
    new_id,
    shown,
)
from models.changes.rows import add, the_access_group, the_domain, the_user
from models.passwords import is_hash
from models.records import UserStatus, UserType
from models.tables import Membership, Token, User


class UserAttributes(TypedDict, total=False):
    """What can be said of a user, when made or later; what is left out stays as it is."""

    first_name: str
    last_name: str
    description: str
    avatar_url: str
    phone: str
    hide_email: bool
    hide_phone: bool
    type: UserType
    status: UserStatus
    is_admin: bool
    settings: dict[str, Any]
    user_metadata: dict[str, Any]
    primary_group_id: str | None


FRESH = UserAttributes(
    first_name="",
    last_name="",
    description="",
    avatar_url="",
    phone="",
    hide_email=False,
    hide_phone=False,
    type=UserType.STANDARD,
    status=UserStatus.ACTIVE,
    is_admin=False,
    settings={},
    user_metadata={},
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
    email = _free_email(session, domain_id, email)
    id_ = checked_id(id_ or new_id(), "user")
    if session.get(User, id_):
        raise ConflictError(f"there is a user with id {shown(id_)} already: choose another id")
    values = UserAttributes(**{**FRESH, **attributes})
    _check(session, id_, email, values)
    now = datetime.now(UTC)
    return add(session, User(id=id_, domain_id=domain_id, email=email, created=now, modified=now, **values))


def update_user(
    session: Session,
    user_id: str,
    *,
    email: str | None = None,
    guard: Guard | None = ANY_ADMIN,
    **attributes: Unpack[UserAttributes],
) -> User:
    """Changes the attributes that are named; settings and metadata are replaced as a whole.

    Raises:
        ConflictError: the domain would be left without an active admin, or without one who can come in (rule 2), the e-mail is
            taken, or the primary group is a role group.
        InvalidError: an attribute is not allowed (rules 1 and 4, `models.changes.names`).
        UnknownError: there is no such user.
    """
    user = the_user(session, user_id)
    if email is not None:
        email = _free_email(session, user.domain_id, email, user)
    present = UserAttributes(**{name: getattr(user, name) for name in FRESH})  # type: ignore[typeddict-item]
    after = UserAttributes(**{**present, **attributes})
    _check(session, user.id, user.email, after)
    loses = _is_active_admin(present) and not _is_active_admin(after)
    if loses and not _has_other_admin(session, user):
        raise ConflictError(
            f"{shown(user.email)} is the last active admin of its domain: make another one first"
        )
    with session.begin_nested(), no_lockout(session, user.domain_id, guard if loses else None):
        user.email = email or user.email
        for name, value in attributes.items():
            setattr(user, name, value)
        user.modified = datetime.now(UTC)
        if after["status"] == UserStatus.DELETED:
            _revoke_tokens(session, user)
        session.flush()
    return user


def set_password(session: Session, user_id: str, password: str | None) -> User:
    """Sets the password by which a user signs in; None leaves it none.

    Args:
        session: of the write door.
        user_id: whose.
        password: the hash of it (`models.passwords.hashed`), made before the door was opened, since that takes long.

    Raises:
        InvalidError: it is no hash, so that no password is ever kept as it came.
        UnknownError: there is no such user.
    """
    if password is not None and not is_hash(password):
        raise InvalidError("the password is not hashed")
    user = the_user(session, user_id)
    user.password, user.modified = password, datetime.now(UTC)
    session.flush()
    return user


def _free_email(session: Session, domain_id: str, email: str, user: User | None = None) -> str:
    """Returns the e-mail as it is kept; raises ConflictError if another user of the domain has it (rule 5)."""
    email = checked_email(email)
    holder = session.scalar(select(User).where(User.domain_id == domain_id, User.email == email))
    if holder is not None and holder is not user:
        raise ConflictError(f"there is a user {shown(email)} in this domain already: change that one")
    return email


def _check(session: Session, user_id: str, email: str, values: UserAttributes) -> None:
    for text in (values["first_name"], values["last_name"], values["description"], values["phone"]):
        checked_text(text, "user")
    checked_link(values["avatar_url"], "user")
    checked_document(values["settings"], f"settings of {shown(email)}")
    checked_document(values["user_metadata"], f"metadata of {shown(email)}")
    checked_choice(values["status"], UserStatus, "status")
    if checked_choice(values["type"], UserType, "user type") is not UserType.POWER and values["is_admin"]:
        raise InvalidError(f"{shown(email)} is {values['type']}: only POWER users may be admin")
    _check_primary(session, user_id, email, values["primary_group_id"])


def _check_primary(session: Session, user_id: str, email: str, primary: str | None) -> None:
    if primary is None:
        return
    if session.get(Membership, (user_id, primary)) is None:
        raise InvalidError(
            f"{shown(email)} is no member of the group {shown(primary)}: add it as a member first"
        )
    the_access_group(session, primary)


def _revoke_tokens(session: Session, user: User) -> None:
    valid = select(Token).where(Token.user_id == user.id, Token.revoked_at.is_(None))
    for token in session.scalars(valid):
        token.revoked_at = user.modified


def _is_active_admin(values: UserAttributes) -> bool:
    return values["is_admin"] and values["status"] == UserStatus.ACTIVE


def _has_other_admin(session: Session, user: User) -> bool:
    others = select(User.id).where(
        User.domain_id == user.domain_id, User.id != user.id, User.is_admin, User.status == UserStatus.ACTIVE
    )
    return session.scalar(others.limit(1)) is not None
