"""Changes to groups and teams: their roles and members.

Rules:

1. A group, its members and what it is given all belong to one domain.
2. A deleted group leaves nothing behind: no membership, role, network or ACL entry. A user's primary group is
   replaced first.
"""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_id, checked_name, checked_text, checked_word, new_id, shown
from models.changes.rows import add, remove, the_domain, the_group, the_user
from models.tables import AclEntry, Group, GroupKind, GroupRole, Membership, Network, PrincipalKind, User

MAX_ROLES = 1_000
"""Roles that one group may give."""

MAX_GROUPS = 1_000
"""Groups that one user may be in: each decision about the user looks at all of them."""


def create_group(
    session: Session,
    domain_id: str,
    name: str,
    *,
    kind: GroupKind = GroupKind.GROUP,
    description: str = "",
    id_: str | None = None,
) -> Group:
    """Makes a group without roles and members.

    Raises:
        ConflictError: the name or id is taken.
        InvalidError: a value has a form that is not allowed.
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    checked_name(name, "group")
    checked_text(description, "group")
    if session.scalar(select(Group.id).where(Group.domain_id == domain_id, Group.name == name)):
        raise ConflictError(f"there is a group {shown(name)} in this domain already: choose another name")
    id_ = checked_id(id_ or new_id(), "group")
    if session.get(Group, id_):
        raise ConflictError(f"there is a group with id {shown(id_)} already: choose another id")
    return add(session, Group(id=id_, domain_id=domain_id, name=name, kind=kind, description=description))


def delete_group(session: Session, group_id: str) -> None:
    """Deletes a group with all that speaks of it (rule 2). Its members may then be admitted from more networks.

    Raises:
        ConflictError: it is the primary group of a user.
        UnknownError: there is no such group.
    """
    group = the_group(session, group_id)
    primary_of = session.scalar(select(User.email).where(User.primary_group_id == group_id))
    if primary_of is not None:
        raise ConflictError(
            f"{shown(group.name)} is the primary group of {shown(primary_of)}: give that user another first"
        )
    entries = select(AclEntry).where(
        AclEntry.principal_kind == PrincipalKind.GROUP, AclEntry.principal_id == group_id
    )
    remove(session, session.scalars(entries).all())
    for kind in (Membership, GroupRole, Network):
        remove(session, session.scalars(select(kind).where(kind.group_id == group_id)).all())
    remove(session, [group])


def set_roles(session: Session, group_id: str, roles: Iterable[str]) -> None:
    """Makes `roles` the roles of a group, taking away all others.

    Raises:
        InvalidError: a role's name has a form that is not allowed, or there are too many.
        UnknownError: there is no such group.
    """
    wanted = {checked_word(role, "role") for role in roles}
    _refuse_many_roles(len(wanted))
    the_group(session, group_id)
    present = {
        row.role: row for row in session.scalars(select(GroupRole).where(GroupRole.group_id == group_id))
    }
    remove(session, [row for role, row in present.items() if role not in wanted])
    session.add_all(GroupRole(group_id=group_id, role=role) for role in sorted(wanted - present.keys()))
    session.flush()


def give_role(session: Session, group_id: str, role: str) -> bool:
    """Gives a role to a group; tells whether it is new to it.

    Raises:
        InvalidError: the role's name has a form that is not allowed, or the group has too many.
        UnknownError: there is no such group.
    """
    checked_word(role, "role")
    the_group(session, group_id)
    if session.get(GroupRole, (group_id, role)):
        return False
    count = select(func.count()).select_from(GroupRole).where(GroupRole.group_id == group_id)
    _refuse_many_roles((session.scalar(count) or 0) + 1)
    add(session, GroupRole(group_id=group_id, role=role))
    return True


def take_role(session: Session, group_id: str, role: str) -> bool:
    """Takes a role from a group; tells whether it had it.

    Raises:
        InvalidError: the role's name has a form that is not allowed.
        UnknownError: there is no such group.
    """
    checked_word(role, "role")
    the_group(session, group_id)
    row = session.get(GroupRole, (group_id, role))
    return bool(row and remove(session, [row]))


def add_member(session: Session, group_id: str, user_id: str) -> bool:
    """Makes a user a member of a group; tells whether it is new there.

    Raises:
        ConflictError: they belong to different domains.
        InvalidError: the user is in too many groups.
        UnknownError: there is no such group or user.
    """
    group = the_group(session, group_id)
    user = the_user(session, user_id, group.domain_id)
    if session.get(Membership, (user_id, group_id)):
        return False
    count = session.scalar(select(func.count()).select_from(Membership).where(Membership.user_id == user_id))
    if (count or 0) >= MAX_GROUPS:
        raise InvalidError(
            f"{shown(user.email)} is in {MAX_GROUPS} groups, which is the most: remove it from one"
        )
    add(session, Membership(user_id=user_id, group_id=group_id))
    return True


def remove_member(session: Session, group_id: str, user_id: str) -> bool:
    """Takes a user out of a group; tells whether it was in it.

    Raises:
        ConflictError: the group is the user's primary one.
        UnknownError: there is no such group or user.
    """
    group = the_group(session, group_id)
    user = the_user(session, user_id)
    if user.primary_group_id == group_id:
        raise ConflictError(
            f"{shown(group.name)} is the primary group of {shown(user.email)}: set another first"
        )
    row = session.get(Membership, (user_id, group_id))
    return bool(row and remove(session, [row]))


def _refuse_many_roles(count: int) -> None:
    if count > MAX_ROLES:
        raise InvalidError(f"a group gives at most {MAX_ROLES} roles")
