"""Entries of many principals on many objects in one change.

Rules:

1. All of it is done or nothing: a key or principal that is refused undoes what went before.
2. APPEND adds, as `grant` does. OVERWRITE makes what each named principal has in entries of the named kind exactly what is said, and
   its end too; others' entries, and those of the other kind, stay. With no permission it takes these entries away.
3. At most `MAX_OBJECTS` objects are named at once (the documented API's bound).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from models.changes.acl import checked_end, entries_of, grant, parse_principal, revoke
from models.changes.errors import InvalidError
from models.changes.names import checked_choice, checked_key
from models.changes.rows import the_domain_of
from models.records import ObjectKey, Permission
from models.tables import AclMode

MAX_OBJECTS = 500
"""Objects that one change names."""

MAX_PAIRS = 10_000
"""Pairs of an object and a principal in one change, so that it does not keep other writers waiting."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an entry says.

    Attributes:
        permissions: what is granted.
        propagates: whether that holds on content too.
        expires: when it ends, with a time zone; None for never.
    """

    permissions: Permission
    propagates: bool = False
    expires: datetime | None = None


def set_entries(
    session: Session, keys: Sequence[ObjectKey], principals: Sequence[str], terms: Terms, mode: AclMode
) -> tuple[ObjectKey, ...]:
    """Sets what principals may do with objects; returns the objects on which something changed, in the order given.

    Args:
        session: of the write door.
        keys: the objects; one that is named twice counts once.
        principals: each `user:ID` or `group:ID`.
        terms: what each of them may do with each object.
        mode: what becomes of entries that are there.

    Raises:
        ConflictError: as `grant` does.
        InvalidError: nobody or nothing is named, too much is, or as `grant` does.
        UnknownError: there is no such object, user or group.
    """
    wanted, whom = tuple(dict.fromkeys(keys)), tuple(dict.fromkeys(principals))
    checked_choice(mode, AclMode, "mode of setting entries")
    _refuse_size(len(wanted), len(whom))
    changed = []
    with session.begin_nested():  # rule 1
        for key in wanted:
            the_domain_of(session, checked_key(key))
            did = [_set(session, key, who, terms, mode) for who in whom]
            if any(did):
                changed.append(key)
    return tuple(changed)


def _set(session: Session, key: ObjectKey, principal: str, terms: Terms, mode: AclMode) -> bool:
    """Sets the entries of one principal on one object; tells whether that changed anything."""
    propagates, permissions = terms.propagates, terms.permissions
    if mode is AclMode.OVERWRITE:
        if _is_so(session, key, principal, terms):
            return False
        taken = revoke(session, key, principal, propagates=propagates)
        if not permissions:
            return bool(taken)
    return bool(grant(session, key, principal, permissions, propagates=propagates, expires=terms.expires))


def _is_so(session: Session, key: ObjectKey, principal: str, terms: Terms) -> bool:
    """Tells whether the principal's entries that have not expired are exactly what is asked for."""
    end, now = checked_end(terms.expires), datetime.now(UTC)
    own = entries_of(session, key, *parse_principal(principal), propagates=terms.propagates)
    held = {(entry.permissions, entry.expires) for entry in own if entry.expires > now}
    return held == ({(terms.permissions, end)} if terms.permissions else set())


def _refuse_size(objects: int, principals: int) -> None:
    if not objects or not principals:
        raise InvalidError("name at least one object and one user or group")
    if objects > MAX_OBJECTS:
        raise InvalidError(
            f"{objects} objects are named, at most {MAX_OBJECTS} are set at once: set them in parts"
        )
    if objects * principals > MAX_PAIRS:
        raise InvalidError(
            f"{objects} objects and {principals} principals are {objects * principals} pairs, at most {MAX_PAIRS} are set at once:"
            " set them in parts, or grant to groups"
        )
