"""Users as they are told and taken.

A hidden e-mail or phone is told to the user and to admins, a description to admins alone. Null empties a text and leaves everything else as it is.
"""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.paging import Listed
from models import directory
from models.records import UserStatus, UserType
from models.tables import User

MAX_PAGE: Final = 100
"""Users on one page (documented)."""
Text = str | msgspec.UnsetType | None
Flag = bool | msgspec.UnsetType | None
UNSET: Final = msgspec.UNSET


class UserDocument(msgspec.Struct):
    """A user. `photo` is a link; groups are ids, teams and role groups among them; a hidden e-mail or phone is null."""

    id: str
    email: str | None
    first_name: str
    last_name: str
    phone: str | None
    photo: str | None
    description: str | None
    type: UserType
    status: UserStatus
    is_admin: bool
    groups: list[str]
    primary_group: str | None
    hide_email: bool
    hide_phone: bool
    metadata: dict[str, Any]
    system_domain_id: str
    system_domains: list[str]
    date_created: datetime
    date_modified: datetime
    is_super_admin: bool = False
    is_super_admin_light: bool = False


class BasicUser(msgspec.Struct):
    """A user's name and picture."""

    id: str
    email: str | None
    first_name: str
    last_name: str
    photo: str | None


class Users(Listed, kw_only=True):
    """A page of users by e-mail; those who are deleted are not listed."""

    objects: list[UserDocument]


class BasicUsers(Listed, kw_only=True):
    """A page of users' names."""

    objects: list[BasicUser]


class RoleNames(msgspec.Struct):
    """Roles that a user holds, those that only switch something of an interface among them."""

    objects: list[str]


class UserChange(msgspec.Struct, kw_only=True):
    """What is to change of a user. Null empties a text and leaves everything else as it is."""

    first_name: Text = UNSET
    last_name: Text = UNSET
    phone: Text = UNSET
    photo: Text = UNSET
    hide_email: Flag = UNSET
    hide_phone: Flag = UNSET
    metadata: dict[str, Any] | msgspec.UnsetType | None = UNSET
    password: Text = UNSET
    current_password: Text = UNSET
    id: Text = UNSET
    email: Text = UNSET
    description: Text = UNSET
    type: UserType | msgspec.UnsetType | None = UNSET
    status: UserStatus | msgspec.UnsetType | None = UNSET
    is_admin: Flag = UNSET
    is_super_admin: Flag = UNSET
    is_super_admin_light: Flag = UNSET
    groups: Annotated[list[str], msgspec.Meta(max_length=1000)] | msgspec.UnsetType | None = UNSET
    primary_group: Text = UNSET
    system_domain_id: Text = UNSET
    system_domains: list[str] | msgspec.UnsetType | None = UNSET


class UserBody(UserChange, kw_only=True):
    """What a user is to be; a field that is not there stays as it is, since a program knows only some of them."""

    type: UserType


class NewUser(UserBody, kw_only=True):
    """A user who is to be made."""

    email: str
    first_name: str


def basic_users(session: Session, call: Call, query: Select[User]) -> BasicUsers:
    """Returns the page that is asked for of some users' names."""

    def told_of(user: User) -> BasicUser:
        email, photo = _shown(user, call, "email"), user.avatar_url or None
        return BasicUser(user.id, email, user.first_name, user.last_name, photo)

    return call.listed(session, query, told_of, BasicUsers, MAX_PAGE)


def document_of(session: Session, user: User, call: Call) -> UserDocument:
    """Returns a user as the caller is shown it."""
    return UserDocument(
        id=user.id,
        email=_shown(user, call, "email"),
        first_name=user.first_name,
        last_name=user.last_name,
        phone=_shown(user, call, "phone"),
        photo=user.avatar_url or None,
        description=user.description if call.is_admin else None,
        type=user.type,
        status=user.status,
        is_admin=user.is_admin,
        groups=[group.id for group in directory.list_groups_of(session, user.id)],
        primary_group=user.primary_group_id,
        hide_email=user.hide_email,
        hide_phone=user.hide_phone,
        metadata=user.user_metadata,
        system_domain_id=user.domain_id,
        system_domains=[user.domain_id],
        date_created=user.created,
        date_modified=user.modified,
    )


def _shown(user: User, call: Call, name: str) -> str | None:
    """Returns an e-mail or phone; None where it is hidden from the caller."""
    hidden = user.hide_email if name == "email" else user.hide_phone
    value = user.email if name == "email" else user.phone
    return None if hidden and not call.is_admin and user.id != call.user.id else value or None
