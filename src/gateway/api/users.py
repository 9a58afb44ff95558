"""Users: who there is in the caller's domain, shown and changed.

Rules:

1. What makes somebody more powerful is for admins: type, status, admin flag, groups, primary group, e-mail, password and description of another.
   Programs send back whole documents: such a field passes where it says what is so already, and is refused where it would change something.
2. Who holds the role without being admin changes the rest, of users who are no admins and of no higher type than the caller's. So does whoever makes
   a user: one of no higher type, active, in no group, no admin, and with no role that the caller does not hold; where role groups narrow what a type may
   hold, nobody who is narrowed makes somebody who is not.
3. About themselves users change their name, phone, picture, what is hidden, metadata and password, and nothing else. A password is changed with the
   old one, where there is one.
4. A hidden e-mail or phone is told to the user and to admins.
5. A user who is removed is DELETED, and stays known.
"""

from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Service, bad_value, told
from gateway.api.user_documents import (
    MAX_PAGE,
    UNSET,
    BasicUsers,
    NewUser,
    RoleNames,
    UserBody,
    UserChange,
    UserDocument,
    Users,
    basic_users,
    document_of,
)
from gateway.reasons import Reason
from models import changes, directory
from models.changes import UserAttributes
from models.passwords import fits, hashed
from models.records import UserStatus, UserType
from models.tables import User

SERVICE: Final = Service("users")


_OWN: Final = {
    "first_name": "first_name",
    "last_name": "last_name",
    "phone": "phone",
    "photo": "avatar_url",
    "hide_email": "hide_email",
    "hide_phone": "hide_phone",
    "metadata": "user_metadata",
}
"""Fields that users change about themselves → attributes of the model."""
_POWERFUL: Final = {"type": "type", "status": "status", "is_admin": "is_admin", "description": "description"}
"""Fields that are for admins → attributes of the model."""
_FIXED: Final = ("id", "is_super_admin", "is_super_admin_light", "system_domain_id", "system_domains")
"""Fields that nobody changes here."""
_EMPTY: Final[dict[str, Any]] = {
    "first_name": "",
    "last_name": "",
    "phone": "",
    "photo": "",
    "description": "",
    "metadata": {},
}
"""What null makes of a field."""


@SERVICE.operation()
def list_users(call: Call) -> Users:
    """The users of the domain."""
    present = _users_of(call).where(User.status != UserStatus.DELETED)
    with call.read() as session:
        return call.listed(session, present, lambda user: document_of(session, user, call), Users, MAX_PAGE)


@SERVICE.operation()
def list_users_basic(call: Call) -> BasicUsers:
    """The names of the users of the domain."""
    with call.read() as session:
        return basic_users(session, call, _users_of(call).where(User.status == UserStatus.ACTIVE))


@SERVICE.operation(201, tagged=True)
def create_user(call: Call, body: NewUser) -> UserDocument:
    """Makes a user."""
    said = _said(body)
    if not call.is_admin:
        powerful = {"is_admin": False, "status": "ACTIVE", "groups": [], "primary_group": None}
        _refuse_power(
            [name for name, plain in powerful.items() if said.get(name, plain) not in (plain, None)]
        )
        _refuse_above(call, body.type)
    password = said.pop("password", None)
    fresh = hashed(password) if password is not None else None
    attributes = _attributes(said)
    with call.write() as session:
        user = changes.create_user(session, call.domain_id, body.email, **attributes)
        if fresh is not None:
            changes.set_password(session, user.id, fresh)
        _join(session, call, user, said)
        refuse_more(session, call, set(roles_of(session, call, user)))
        return document_of(session, user, call)


@SERVICE.operation(tagged=True)
def get_user(call: Call) -> UserDocument:
    """A user."""
    with call.read() as session:
        return document_of(session, _the(session, call), call)


@SERVICE.operation(tagged=True)
def replace_user(call: Call, body: UserBody) -> UserDocument:
    """Replaces what is sent of a user."""
    return _changed(call, call.parameter("user_id"), body)


@SERVICE.operation(tagged=True)
def change_user(call: Call, body: UserChange) -> UserDocument:
    """Changes what is sent of a user."""
    return _changed(call, call.parameter("user_id"), body)


@SERVICE.operation(204, tagged=True)
def delete_user(call: Call) -> None:
    """Makes a user DELETED; its tokens end."""
    with call.write() as session:
        user = _the(session, call)
        _refuse_stronger(call, user)
        call.unchanged(document_of(session, user, call))
        changes.update_user(session, user.id, status=UserStatus.DELETED, guard=call.guard)


@SERVICE.operation(tagged=True)
def get_current(call: Call) -> UserDocument:
    """The caller."""
    with call.read() as session:
        return document_of(session, changes.the_user(session, call.user.id), call)


@SERVICE.operation(tagged=True)
def replace_current(call: Call, body: UserChange) -> UserDocument:
    """Replaces what is sent of the caller."""
    return _changed(call, call.user.id, body, own=True)


@SERVICE.operation(tagged=True)
def change_current(call: Call, body: UserChange) -> UserDocument:
    """Changes what is sent of the caller."""
    return _changed(call, call.user.id, body, own=True)


@SERVICE.operation()
def list_own_roles(call: Call) -> RoleNames:
    """The roles of the caller, by this token."""
    with call.read() as session:
        roles = roles_of(session, call, changes.the_user(session, call.user.id))
    scope = call.case.identity.scope
    return RoleNames([role for role in roles if scope is None or role in scope])


@SERVICE.operation()
def list_roles(call: Call) -> RoleNames:
    """The roles of a user."""
    with call.read() as session:
        return RoleNames(roles_of(session, call, _the(session, call)))


@SERVICE.operation()
def check_role(call: Call) -> dict[str, Any]:
    """Whether a user holds a role: 200, or 404."""
    role = call.parameter("role")
    with call.read() as session:
        if role not in roles_of(session, call, _the(session, call)):
            raise told(Reason.NOT_FOUND, "the user does not hold this role")
    return {}


def refuse_more(session: Session, call: Call, roles: set[str]) -> None:
    """Refuses who is no admin to give roles that they do not hold themselves.

    Raises:
        GatewayError: ROLE.
    """
    if call.is_admin:
        return
    more = sorted(roles.difference(roles_of(session, call, changes.the_user(session, call.user.id))))
    if more:
        raise told(Reason.ROLE, f"you do not hold `{more[0]}` yourself: an admin gives it")


def roles_of(session: Session, call: Call, user: User) -> list[str]:
    """Returns the roles that a user holds by the facts and the catalogue, sorted; as `models.vocabulary.Subject.has_role`, and all for an admin."""
    if user.is_admin and user.type is UserType.POWER:
        return sorted(call.roles)
    given = directory.list_roles_of(session, user)
    return sorted(
        role
        for role, lowest in call.roles.items()
        if user.type.rank >= lowest.rank and (given is None or role in given)
    )


def _users_of(call: Call) -> Select[User]:
    return select(User).where(User.domain_id == call.domain_id).order_by(User.email, User.id)


def _changed(call: Call, user_id: str, body: UserChange, *, own: bool = False) -> UserDocument:
    said = _said(body)
    password, old = said.pop("password", None), said.pop("current_password", None)
    fresh = hashed(password) if password is not None else None
    if fresh is not None and own:
        _check_old(call, old)
    with call.write() as session:
        user = changes.the_user(session, user_id, call.domain_id)
        before = document_of(session, user, call)
        call.unchanged(before)
        different = {name for name, value in said.items() if value != getattr(before, name)}
        _refuse_fixed(different)
        if not own:
            _refuse_stronger(call, user)
        if own or not call.is_admin:
            _refuse_power(
                sorted(different - _OWN.keys()) + (["password"] if fresh is not None and not own else [])
            )
        some = {name: value for name, value in said.items() if name in different}
        email = some.pop("email", None)
        changes.update_user(session, user.id, email=email, guard=call.guard, **_attributes(some))
        if fresh is not None:
            changes.set_password(session, user.id, fresh)
        _join(session, call, user, some)
        return document_of(session, user, call)


def _said(body: UserChange) -> dict[str, Any]:
    """Returns the fields that were sent; null empties what it can empty, and says nothing of the rest."""
    found: dict[str, Any] = {}
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value is not UNSET and (value is not None or name in _EMPTY or name == "primary_group"):
            found[name] = value
    return found


def _attributes(said: dict[str, Any]) -> UserAttributes:
    values = {
        attribute: _EMPTY[name] if said[name] is None else said[name]
        for name, attribute in (_OWN | _POWERFUL).items()
        if name in said
    }
    found: UserAttributes = values  # type: ignore[assignment] # the tables name its keys
    return found


def _join(session: Session, call: Call, user: User, said: dict[str, Any]) -> None:
    """Makes the user a member of the groups that were sent and of no others, and one of them its primary one."""
    wanted, primary = said.get("groups"), said.get("primary_group", UNSET)
    present = {group.id for group in directory.list_groups_of(session, user.id)}
    for group_id in sorted(set(wanted or ()) - present):
        changes.the_group(session, group_id, call.domain_id)
        changes.add_member(session, group_id, user.id, guard=call.guard)
    if primary is not UNSET:
        changes.update_user(session, user.id, primary_group_id=primary)
    if wanted is not None:
        for group_id in sorted(present - set(wanted)):
            changes.remove_member(session, group_id, user.id, guard=call.guard)


def _refuse_fixed(different: set[str]) -> None:
    fixed = sorted(different.intersection(_FIXED))
    if fixed:
        raise bad_value(f"`{'`, `'.join(fixed)}` cannot be changed")


def _refuse_power(names: list[str]) -> None:
    """Refuses fields that are for admins, or for others than oneself (rules 1 and 3)."""
    if names:
        raise told(Reason.ROLE, f"`{'`, `'.join(names)}`: an admin changes this, as another user's")


def _refuse_stronger(call: Call, user: User) -> None:
    """Refuses who is no admin to do anything to somebody more powerful than they are (rule 2)."""
    if call.is_admin:
        return
    if user.is_admin:
        raise told(Reason.ROLE, "this user is an admin: an admin changes it")
    _refuse_above(call, user.type)


def _refuse_above(call: Call, type_: UserType) -> None:
    if type_.rank > call.user.type.rank:
        raise told(Reason.ROLE, f"a user of the type {type_.value} is above your own: an admin changes it")


def _check_old(call: Call, old: str | None) -> None:
    """Compares the old password, off the write door: it takes tens of milliseconds."""
    with call.read() as session:
        kept = changes.the_user(session, call.user.id).password
    if kept is not None and not fits(kept, old or ""):
        raise told(Reason.ROLE, "`current_password` is not the present password")


def _the(session: Session, call: Call) -> User:
    return changes.the_user(session, call.parameter("user_id"), call.domain_id)
