"""Changes to access control lists.

Rules:

1. Entries only grant: to grant again adds, and taking away is a change of its own (DESIGN, law 7).
2. Entry, object and principal (a user, a group, or the visitors of a share) belong to one domain. A role group is no principal: it has roles alone. An entry may stand on a path that is not registered, if one of its
   folders is.
3. An entry that propagates and one that does not are two entries, even for the same principal. So are two that expire at different
   times; but each permission has one end, the latest that was granted, and is in the entry with that end alone.
4. Whether an entry has expired is judged when somebody asks (`models.records`). What has expired is cleared away by the
   next change to the list that adds or takes something.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.names import checked_id, checked_key, shown
from models.changes.propagation import refuse_another
from models.changes.rows import add, remove, the_access_group, the_domain_of, the_share, the_user
from models.records import ObjectKey, Permission
from models.tables import NEVER, AclEntry, PrincipalKind

MAX_ENTRIES = 10_000
"""Entries on one object; groups are the way to speak of more users."""


def grant(
    session: Session,
    key: ObjectKey,
    principal: str,
    permissions: Permission,
    *,
    propagates: bool,
    expires: datetime | None = None,
) -> Permission:
    """Adds permissions to what a principal may do with an object; returns those that are new, or hold for longer than before.

    Args:
        session: of the write door.
        key: the object.
        principal: `user:ID`, `group:ID` or `share:ID`.
        permissions: what to add.
        propagates: whether they hold on its content too.
        expires: when they end, with a time zone; None for never.

    Raises:
        ConflictError: the principal belongs to another domain, or is a role group; or no further collection of the domain may
            have entries that propagate.
        InvalidError: nothing is granted, it would have expired already, the principal is malformed, or the object has too
            many entries.
        UnknownError: there is no such object, user or group.
    """
    if not permissions:
        raise InvalidError("no permission is named: use read, write, delete or change-acl")
    end, now = checked_end(expires), datetime.now(UTC)
    domain_id = the_domain_of(session, checked_key(key))
    kind, id_ = parse_principal(principal)
    check_principal(session, kind, id_, domain_id)
    own = entries_of(session, key, kind, id_, propagates=propagates)
    new = permissions & ~_sum(entry for entry in own if entry.expires >= end)
    if not new:
        return new
    entry = next((entry for entry in own if entry.expires == end), None)
    if entry is None:
        _refuse_many(session, key, now)
    if propagates:
        refuse_another(session, domain_id, key, now)
    _clear(session, (*own, *_expired(session, key, now)), now, new)  # rule 3: what ends earlier goes
    if entry is not None:
        entry.permissions |= new
        session.flush()
        return new
    entry = AclEntry(
        object_type=key.type,
        object_id=key.id,
        principal_kind=kind,
        principal_id=id_,
        propagates=propagates,
        expires=end,
        permissions=new,
    )
    add(session, entry)
    return new


def revoke(
    session: Session,
    key: ObjectKey,
    principal: str,
    permissions: Permission | None = None,
    *,
    propagates: bool | None = None,
) -> Permission:
    """Takes permissions of a principal on an object away, whenever they would expire; returns those that it had. What it inherits stays.

    Args:
        session: of the write door.
        key: the object.
        principal: `user:ID`, `group:ID` or `share:ID`.
        permissions: what to take; None for all.
        propagates: which of the two entries; None for both.

    Raises:
        InvalidError: the principal or key is malformed.
    """
    checked_key(key)
    kind, id_ = parse_principal(principal)
    own, now = entries_of(session, key, kind, id_, propagates=propagates), datetime.now(UTC)
    wanted = ~Permission.NONE if permissions is None else permissions
    taken = _sum(entry for entry in own if entry.expires > now) & wanted
    _clear(session, own, now, wanted)
    return taken


def checked_end(expires: datetime | None) -> datetime:
    """Returns the end of an entry as it is stored: `NEVER` for None.

    Raises:
        InvalidError: it is over already, later than can be told, or has no time zone.
    """
    if expires is None:
        return NEVER
    if expires.utcoffset() is None:
        raise InvalidError(f"the expiry `{expires.isoformat()}` has no time zone")
    if expires <= datetime.now(UTC):
        raise InvalidError(f"the expiry `{expires.isoformat()}` is over: choose a time to come")
    if expires >= NEVER:
        raise InvalidError(f"the expiry `{expires.isoformat()}` is too late to be told: let the entry last")
    return expires


def parse_principal(text: str) -> tuple[PrincipalKind, str]:
    """Returns kind and id of the principal that `user:ID`, `group:ID` or `share:ID` names.

    Raises:
        InvalidError: it names none of them, or the id is malformed.
    """
    kind, _, id_ = text.partition(":")
    if kind not in list(PrincipalKind) or not id_:
        raise InvalidError(f"{shown(text)} is no principal: write user:ID, group:ID or share:ID")
    return PrincipalKind(kind), checked_id(id_, kind)


def check_principal(session: Session, kind: PrincipalKind, id_: str, domain_id: str) -> None:
    """Refuses a principal of whom no entry in a domain may speak (rule 2).

    Raises:
        ConflictError: it belongs to another domain, or is a role group.
        UnknownError: there is none.
    """
    finding = {
        PrincipalKind.USER: the_user,
        PrincipalKind.GROUP: the_access_group,
        PrincipalKind.SHARE: the_share,
    }
    finding[kind](session, id_, domain_id)


def entries_of(
    session: Session, key: ObjectKey, kind: PrincipalKind, id_: str, *, propagates: bool | None
) -> list[AclEntry]:
    """Returns the entries of one principal on an object: of one of the two kinds, or of both."""
    query = select(AclEntry).where(
        AclEntry.object_type == key.type,
        AclEntry.object_id == key.id,
        AclEntry.principal_kind == kind,
        AclEntry.principal_id == id_,
    )
    if propagates is not None:
        query = query.where(AclEntry.propagates == propagates)
    return list(session.scalars(query))


def _expired(session: Session, key: ObjectKey, now: datetime) -> list[AclEntry]:
    query = select(AclEntry).where(AclEntry.object_type == key.type, AclEntry.object_id == key.id)
    return list(session.scalars(query.where(AclEntry.expires <= now)))


def _sum(entries: Iterable[AclEntry]) -> Permission:
    found = Permission.NONE
    for entry in entries:
        found |= entry.permissions
    return found


def _clear(session: Session, entries: Iterable[AclEntry], now: datetime, gone: Permission) -> None:
    """Takes `gone` out of entries; those in which nothing is left, or which have expired, are removed (rule 4)."""
    empty = []
    for entry in dict.fromkeys(entries):
        if entry.permissions & gone:
            entry.permissions &= ~gone
        if not entry.permissions or entry.expires <= now:
            empty.append(entry)
    remove(session, empty)


def _refuse_many(session: Session, key: ObjectKey, now: datetime) -> None:
    count = select(func.count()).where(AclEntry.object_type == key.type, AclEntry.object_id == key.id)
    if (session.scalar(count.where(AclEntry.expires > now)) or 0) >= MAX_ENTRIES:
        raise InvalidError(
            f"{shown(str(key))} has {MAX_ENTRIES} entries, which is the most: grant to groups instead"
        )
