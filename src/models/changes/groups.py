"""Changes to groups, teams and role groups, and to the roles that they speak of.

Rules:

1. A group, its members and what it is given all belong to one domain, which has no other group of a name that looks alike.
2. A deleted group leaves nothing behind: no membership, role, network or ACL entry. A user's primary group is
   replaced first. Members of a deleted role group are narrowed by it no longer.
3. A group stays of its kind. A team has no roles; a role group has roles alone, so nobody is granted anything through it.
"""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.lockout import ANY_ADMIN, Guard, refuse_lockout
from models.changes.names import (
    checked_choice,
    checked_id,
    checked_name,
    checked_text,
    checked_word,
    new_id,
    plain_form,
    shown,
)
from models.changes.rows import add, remove, the_domain, the_group
from models.changes.templates import forget_principal
from models.networks import UNRESTRICTED
from models.records import GroupKind
from models.tables import AclEntry, Group, GroupRole, Membership, Network, PrincipalKind, User

MAX_ROLES = 1_000
"""Roles that one group may give."""


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
    checked_text(description, "group")
    checked_choice(kind, GroupKind, "kind of group")
    _free_name(session, domain_id, name)
    id_ = checked_id(id_ or new_id(), "group")
    if session.get(Group, id_):
        raise ConflictError(f"there is a group with id {shown(id_)} already: choose another id")
    return add(session, Group(id=id_, domain_id=domain_id, name=name, kind=kind, description=description))


def update_group(
    session: Session, group_id: str, *, name: str | None = None, description: str | None = None
) -> Group:
    """Changes the name or description of a group; what is not named stays.

    Raises:
        ConflictError: the name is taken.
        InvalidError: a value has a form that is not allowed.
        UnknownError: there is no such group.
    """
    group = the_group(session, group_id)
    checked_text(description or "", "group")
    if name is not None:
        _free_name(session, group.domain_id, name, group)
        group.name = name
    group.description = group.description if description is None else description
    session.flush()
    return group


def delete_group(session: Session, group_id: str, *, guard: Guard | None = ANY_ADMIN) -> None:
    """Deletes a group with all that speaks of it (rule 2), its allow-list included.

    Raises:
        ConflictError: it is the primary group of a user, or the guard would be locked out (`models.changes.lockout`).
        UnknownError: there is no such group.
    """
    group = the_group(session, group_id)
    primary_of = session.scalar(select(User.email).where(User.primary_group_id == group_id))
    if primary_of is not None:
        raise ConflictError(
            f"{shown(group.name)} is the primary group of {shown(primary_of)}: give that user another first"
        )
    refuse_lockout(session, group.domain_id, guard, f"group:{group_id}", networks=UNRESTRICTED)
    entries = select(AclEntry).where(
        AclEntry.principal_kind == PrincipalKind.GROUP, AclEntry.principal_id == group_id
    )
    remove(session, session.scalars(entries).all())
    forget_principal(session, PrincipalKind.GROUP, group_id)
    for kind in (Membership, GroupRole, Network):
        remove(session, session.scalars(select(kind).where(kind.group_id == group_id)).all())
    remove(session, [group])


def set_roles(session: Session, group_id: str, roles: Iterable[str]) -> None:
    """Makes `roles` the roles of a group, taking away all others.

    Raises:
        ConflictError: it is a team (rule 3).
        InvalidError: a role's name has a form that is not allowed, or there are too many.
        UnknownError: there is no such group.
    """
    wanted = {checked_word(role, "role") for role in roles}
    _refuse_many_roles(len(wanted))
    group = the_group(session, group_id)
    if wanted:
        _refuse_team(group)
    present = {
        row.role: row for row in session.scalars(select(GroupRole).where(GroupRole.group_id == group_id))
    }
    remove(session, [row for role, row in present.items() if role not in wanted])
    session.add_all(GroupRole(group_id=group_id, role=role) for role in sorted(wanted - present.keys()))
    session.flush()


def give_role(session: Session, group_id: str, role: str) -> bool:
    """Gives a role to a group; tells whether it is new to it.

    Raises:
        ConflictError: it is a team (rule 3).
        InvalidError: the role's name has a form that is not allowed, or the group has too many.
        UnknownError: there is no such group.
    """
    checked_word(role, "role")
    _refuse_team(the_group(session, group_id))
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


def _refuse_many_roles(count: int) -> None:
    if count > MAX_ROLES:
        raise InvalidError(f"a group gives at most {MAX_ROLES} roles")


def _refuse_team(group: Group) -> None:
    if group.kind is GroupKind.TEAM:
        raise ConflictError(
            f"{shown(group.name)} is a team, which has no roles: give them to a group, or in a domain whose "
            "roles are narrowed to a role group"
        )


def _free_name(session: Session, domain_id: str, name: str, group: Group | None = None) -> None:
    """Raises ConflictError if another group of the domain has a name that looks alike (rule 1)."""
    plain = plain_form(checked_name(name, "group"))
    for other in session.scalars(select(Group).where(Group.domain_id == domain_id)):
        if other is not group and plain_form(other.name) == plain:
            raise ConflictError(
                f"there is a group {shown(other.name)} in this domain already: choose another name"
            )
