"""Groups, teams and role groups: who belongs together, and which roles that gives or leaves.

Rules:

1. Who belongs to a group is for admins to say, whatever roles others hold: it opens what the group's entries open.
2. Who holds the role without being admin gives a group no role that they do not hold themselves, and leaves alone one that gives more.
3. Role groups are for admins: a role group without roles narrows nothing, so that taking roles from it gives more.
4. All kinds are listed as groups, each with its `group_type`; teams and role groups have lists of their own besides.
"""

from typing import Final, Literal

import msgspec
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Answer, told
from gateway.api.paging import Listed
from gateway.api.user_documents import UNSET, BasicUsers, Text, UserDocument, basic_users
from gateway.api.user_documents import document_of as user_document
from gateway.api.users import SERVICE, refuse_more
from gateway.reasons import Reason
from gateway.routes.templates import nearest
from models import changes, directory
from models.records import GroupKind
from models.tables import Group, Membership, User

GroupType = Literal["TEAM", "ROLE_GROUP"]
_TYPES: Final[dict[GroupKind, GroupType | None]] = {
    GroupKind.GROUP: None,
    GroupKind.TEAM: "TEAM",
    GroupKind.ROLE_GROUP: "ROLE_GROUP",
}
_KINDS: Final = {type_: kind for kind, type_ in _TYPES.items()}


class BasicGroup(msgspec.Struct):
    """A group's name and kind."""

    id: str
    name: str
    description: str
    group_type: GroupType | None


class GroupDocument(BasicGroup):
    """A group; `group_type` is null for one that gives roles and access alike."""

    roles: list[str]


class Groups(Listed, kw_only=True):
    """A page of groups by name."""

    objects: list[GroupDocument]


class BasicGroups(Listed, kw_only=True):
    """A page of groups' names."""

    objects: list[BasicGroup]


class GroupChange(msgspec.Struct, kw_only=True):
    """What is to change of a group. Its kind never does."""

    name: str | msgspec.UnsetType = UNSET
    description: Text = UNSET
    roles: list[str] | msgspec.UnsetType | None = UNSET
    group_type: GroupType | msgspec.UnsetType | None = UNSET


class GroupBody(GroupChange, kw_only=True):
    """What a group is to be; roles that are not sent stay as they are."""

    name: str


@SERVICE.operation()
def list_groups(call: Call) -> Groups:
    """The groups of the domain."""
    return _listed(call, None)


@SERVICE.operation()
def list_teams(call: Call) -> Groups:
    """The teams of the domain."""
    return _listed(call, GroupKind.TEAM)


@SERVICE.operation()
def list_role_groups(call: Call) -> Groups:
    """The role groups of the domain."""
    return _listed(call, GroupKind.ROLE_GROUP)


@SERVICE.operation()
def list_groups_basic(call: Call) -> BasicGroups:
    """The names of the groups of the domain."""
    with call.read() as session:
        return call.listed(session, _groups_of(call, None), _basic, BasicGroups)


@SERVICE.operation(201, tagged=True)
def create_group(call: Call, body: GroupBody) -> GroupDocument:
    """Makes a group; a team or role group if `group_type` says so."""
    kind = None if body.group_type is UNSET else body.group_type
    return _made(call, body, _KINDS[kind])


@SERVICE.operation(201, tagged=True)
def create_team(call: Call, body: GroupBody) -> GroupDocument:
    """Makes a team."""
    return _made(call, body, GroupKind.TEAM)


@SERVICE.operation(tagged=True)
def get_group(call: Call) -> GroupDocument:
    """A group."""
    with call.read() as session:
        return document_of(session, _the(session, call))


@SERVICE.operation(tagged=True)
def get_role_group(call: Call) -> GroupDocument:
    """A role group."""
    with call.read() as session:
        return document_of(session, _the(session, call, GroupKind.ROLE_GROUP))


@SERVICE.operation(tagged=True)
def replace_group(call: Call, body: GroupBody) -> GroupDocument:
    """Replaces what is sent of a group."""
    return _changed(call, body)


@SERVICE.operation(tagged=True)
def change_group(call: Call, body: GroupChange) -> GroupDocument:
    """Changes what is sent of a group."""
    return _changed(call, body)


@SERVICE.operation(tagged=True)
def change_team(call: Call, body: GroupChange) -> GroupDocument:
    """Changes what is sent of a team."""
    return _changed(call, body, GroupKind.TEAM)


@SERVICE.operation(tagged=True)
def get_team(call: Call) -> GroupDocument:
    """A team."""
    with call.read() as session:
        return document_of(session, _the(session, call, GroupKind.TEAM))


@SERVICE.operation(tagged=True)
def replace_team(call: Call, body: GroupBody) -> GroupDocument:
    """Replaces what is sent of a team."""
    return _changed(call, body, GroupKind.TEAM)


@SERVICE.operation(204, tagged=True)
def delete_group(call: Call) -> None:
    """Removes a group with its memberships, its roles and all entries that speak of it."""
    _delete(call, None)


@SERVICE.operation(204, tagged=True)
def delete_team(call: Call) -> None:
    """Removes a team with its memberships and all entries that speak of it."""
    _delete(call, GroupKind.TEAM)


@SERVICE.operation()
def list_members(call: Call) -> BasicUsers:
    """The members of a group; an addition to the documented API."""
    with call.read() as session:
        members = select(User).join(Membership, Membership.user_id == User.id)
        inside = members.where(Membership.group_id == _the(session, call).id)
        return basic_users(session, call, inside.order_by(User.email, User.id))


@SERVICE.operation(201, 200)
def add_member(call: Call) -> Answer[UserDocument]:
    """Makes a user a member of a group: 201, or 200 where it is one already."""
    return _join(call, None)


@SERVICE.operation(201, 200)
def add_team_member(call: Call) -> Answer[UserDocument]:
    """Makes a user a member of a team: 201, or 200 where it is one already."""
    return _join(call, GroupKind.TEAM)


@SERVICE.operation()
def remove_member(call: Call) -> UserDocument:
    """Takes a user out of a group."""
    return _leave(call, None)


@SERVICE.operation()
def remove_team_member(call: Call) -> UserDocument:
    """Takes a user out of a team."""
    return _leave(call, GroupKind.TEAM)


def document_of(session: Session, group: Group) -> GroupDocument:
    """Returns a group as it is told."""
    roles = list(directory.list_roles(session, group.id))
    return GroupDocument(group.id, group.name, group.description, _TYPES[group.kind], roles)


def _listed(call: Call, kind: GroupKind | None) -> Groups:
    with call.read() as session:
        found = _groups_of(call, kind)
        return call.listed(session, found, lambda group: document_of(session, group), Groups)


def _groups_of(call: Call, kind: GroupKind | None) -> Select[Group]:
    found = select(Group).where(Group.domain_id == call.domain_id).order_by(Group.name, Group.id)
    return found if kind is None else found.where(Group.kind == kind)


def _basic(group: Group) -> BasicGroup:
    return BasicGroup(group.id, group.name, group.description, _TYPES[group.kind])


def _delete(call: Call, kind: GroupKind | None) -> None:
    with call.write() as session:
        group = _the(session, call, kind)
        _refuse_stronger(session, call, group)
        call.unchanged(document_of(session, group))
        changes.delete_group(session, group.id, guard=call.guard)


def _join(call: Call, kind: GroupKind | None) -> Answer[UserDocument]:
    call.admins_only("who belongs to a group")
    with call.write() as session:
        group = _the(session, call, kind)
        user = changes.the_user(session, call.parameter("user_id"), call.domain_id)
        is_new = changes.add_member(session, group.id, user.id, guard=call.guard)
        return Answer(user_document(session, user, call), 201 if is_new else 200)


def _leave(call: Call, kind: GroupKind | None) -> UserDocument:
    call.admins_only("who belongs to a group")
    with call.write() as session:
        group = _the(session, call, kind)
        user = changes.the_user(session, call.parameter("user_id"), call.domain_id)
        if not changes.remove_member(session, group.id, user.id, guard=call.guard):
            raise told(Reason.NOT_FOUND, "the user is not in this group")
        return user_document(session, user, call)


def _made(call: Call, body: GroupBody, kind: GroupKind) -> GroupDocument:
    if kind is GroupKind.ROLE_GROUP:
        call.admins_only("a role group")
    description = body.description if isinstance(body.description, str) else ""
    with call.write() as session:
        group = changes.create_group(session, call.domain_id, body.name, kind=kind, description=description)
        _set_roles(session, call, group, body)
        return document_of(session, group)


def _changed(call: Call, body: GroupChange, kind: GroupKind | None = None) -> GroupDocument:
    with call.write() as session:
        group = _the(session, call, kind)
        before = document_of(session, group)
        call.unchanged(before)
        if body.group_type is not UNSET and body.group_type != before.group_type:
            raise told(Reason.CONFLICT, "a group stays of its kind: make another")
        _refuse_stronger(session, call, group)
        name = None if body.name is UNSET or body.name == group.name else body.name
        text = None if body.description is UNSET else body.description or ""
        changes.update_group(session, group.id, name=name, description=text)
        _set_roles(session, call, group, body)
        return document_of(session, group)


def _set_roles(session: Session, call: Call, group: Group, body: GroupChange) -> None:
    if (
        body.roles is UNSET
        or body.roles is None
        or sorted(set(body.roles)) == list(directory.list_roles(session, group.id))
    ):
        return
    unknown = sorted(set(body.roles) - call.roles.keys())
    if unknown:
        name = unknown[0][:64]
        raise told(Reason.BAD_VALUE, f"the catalogue has no role `{name}`{nearest(name, call.roles)}")
    refuse_more(session, call, set(body.roles))
    changes.set_roles(session, group.id, body.roles)


def _refuse_stronger(session: Session, call: Call, group: Group) -> None:
    """Refuses who is no admin to change a group that gives more than they hold (rules 2 and 3)."""
    if call.is_admin:
        return
    if group.kind is GroupKind.ROLE_GROUP:
        call.admins_only("a role group")
    refuse_more(session, call, set(directory.list_roles(session, group.id)))


def _the(session: Session, call: Call, kind: GroupKind | None = None) -> Group:
    group = changes.the_group(session, call.parameter("group_id"), call.domain_id)
    if kind is not None and group.kind is not kind:
        raise changes.UnknownError(f"there is no {kind.value.lower().replace('_', ' ')} with this id")
    return group
