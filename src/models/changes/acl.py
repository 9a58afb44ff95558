"""Changes to access control lists.

Rules:

1. Entries only grant: to grant again adds, and taking away is a change of its own (DESIGN, law 7).
2. Entry, object and principal belong to one domain. A role group is no principal: it has roles alone. An entry may stand on a path that is not registered, if one of its
   folders is.
3. An entry that propagates and one that does not are two entries, even for the same principal.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.names import checked_id, checked_key, shown
from models.changes.rows import add, remove, the_access_group, the_domain_of, the_user
from models.records import ObjectKey, Permission
from models.tables import AclEntry, PrincipalKind

MAX_ENTRIES = 10_000
"""Entries on one object; groups are the way to speak of more users."""


def grant(
    session: Session, key: ObjectKey, principal: str, permissions: Permission, *, propagates: bool
) -> Permission:
    """Adds permissions to what a principal may do with an object; returns those that are new.

    Args:
        session: of the write door.
        key: the object.
        principal: `user:ID` or `group:ID`.
        permissions: what to add.
        propagates: whether they hold on its content too.

    Raises:
        ConflictError: the principal belongs to another domain, or is a role group.
        InvalidError: nothing is granted, the principal is malformed, or the object has too many entries.
        UnknownError: there is no such object, user or group.
    """
    if not permissions:
        raise InvalidError("no permission is named: use read, write, delete or change-acl")
    domain_id = the_domain_of(session, checked_key(key))
    kind, id_ = parse_principal(principal)
    if kind is PrincipalKind.USER:
        the_user(session, id_, domain_id)
    else:
        the_access_group(session, id_, domain_id)
    entry = session.get(AclEntry, (*key, kind, id_, propagates))
    if entry is None:
        _refuse_many(session, key)
        entry = AclEntry(
            object_type=key.type,
            object_id=key.id,
            principal_kind=kind,
            principal_id=id_,
            propagates=propagates,
            permissions=permissions,
        )
        add(session, entry)
        return permissions
    new = permissions & ~entry.permissions
    entry.permissions |= permissions
    session.flush()
    return new


def revoke(
    session: Session,
    key: ObjectKey,
    principal: str,
    permissions: Permission | None = None,
    *,
    propagates: bool | None = None,
) -> Permission:
    """Takes permissions of a principal on an object away; returns those that it had. What it inherits stays.

    Args:
        session: of the write door.
        key: the object.
        principal: `user:ID` or `group:ID`.
        permissions: what to take; None for all.
        propagates: which of the two entries; None for both.

    Raises:
        InvalidError: the principal or key is malformed.
    """
    checked_key(key)
    kind, id_ = parse_principal(principal)
    taken = Permission.NONE
    for which in (False, True) if propagates is None else (propagates,):
        entry = session.get(AclEntry, (*key, kind, id_, which))
        if entry is None:
            continue
        gone = entry.permissions if permissions is None else entry.permissions & permissions
        taken |= gone
        entry.permissions &= ~gone
        if not entry.permissions:
            remove(session, [entry])
    session.flush()
    return taken


def parse_principal(text: str) -> tuple[PrincipalKind, str]:
    """Returns kind and id of the principal that `user:ID` or `group:ID` names.

    Raises:
        InvalidError: it names neither, or the id is malformed.
    """
    kind, _, id_ = text.partition(":")
    if kind not in list(PrincipalKind) or not id_:
        raise InvalidError(f"{shown(text)} is no principal: write user:ID or group:ID")
    return PrincipalKind(kind), checked_id(id_, kind)


def _refuse_many(session: Session, key: ObjectKey) -> None:
    count = select(func.count()).where(AclEntry.object_type == key.type, AclEntry.object_id == key.id)
    if (session.scalar(count) or 0) >= MAX_ENTRIES:
        raise InvalidError(
            f"{shown(str(key))} has {MAX_ENTRIES} entries, which is the most: grant to groups instead"
        )
