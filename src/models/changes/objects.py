"""Changes to objects: their registration and end.

Rules:

1. An object belongs to one domain, and so does a whole tree of paths: a path cannot be registered in another domain
   than the registered folders above it and paths below it.
2. The object owner is a user of the same domain, or nobody (`models.changes.owners`).
3. What is deleted leaves nothing behind, for a path all below it included: what is made anew under the same id
   starts without owner, entries and placements.
"""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from models.changes.errors import ConflictError, InvalidError, UnknownError
from models.changes.names import checked_key, checked_text, shown
from models.changes.rows import add, below, home_of, remove, the_domain, the_present_user
from models.changes.shares import remove_shares
from models.records import ObjectKey
from models.tables import AclEntry, AclTemplateUse, Base, Hold, Object, Placement, Share, StorageFolder

MAX_ROWS_DELETED = 100_000
"""Rows that one deletion may take with it; a larger tree is deleted in parts."""


SPEAKING_OF: tuple[tuple[type[Base], InstrumentedAttribute[str], InstrumentedAttribute[str]], ...] = (
    (Placement, Placement.child_type, Placement.child_id),
    (Placement, Placement.parent_type, Placement.parent_id),
    (AclEntry, AclEntry.object_type, AclEntry.object_id),
    (Hold, Hold.object_type, Hold.object_id),
    (StorageFolder, StorageFolder.object_type, StorageFolder.object_id),
    (StorageFolder, StorageFolder.storage_type, StorageFolder.storage_id),
    (AclTemplateUse, AclTemplateUse.subject_type, AclTemplateUse.subject_id),
    (Object, Object.type, Object.id),
)
"""The tables that speak of objects, and the columns that do."""


def register_object(
    session: Session, key: ObjectKey, domain_id: str, *, owner_id: str | None = None, title: str | None = None
) -> Object:
    """Registers an object of the backend.

    Raises:
        ConflictError: it is registered already, or rule 1 or 2 is broken.
        InvalidError: its type, id or title has a form that is not allowed.
        UnknownError: there is no such domain or owner.
    """
    checked_key(key)
    the_domain(session, domain_id)
    if owner_id is not None:
        the_present_user(session, owner_id, domain_id)
    if title is not None:
        checked_text(title, "object")
    if session.get(Object, tuple(key)):
        raise ConflictError(f"the object {shown(str(key))} is registered already")
    _refuse_mixed_tree(session, key, domain_id)
    row = Object(
        type=key.type,
        id=key.id,
        domain_id=domain_id,
        owner_id=owner_id,
        title=title,
        created=datetime.now(UTC),
    )
    return add(session, row)


def delete_object(session: Session, key: ObjectKey) -> int:
    """Deletes an object with its placements, entries and holds, for a path with all below it; returns the count of rows.

    Content of a collection that is no path stays; it stands there no longer.

    Raises:
        InvalidError: the key is malformed, or there is too much below it to delete at once.
        UnknownError: nothing is known of it.
    """
    count = forget(session, checked_key(key))
    if not count:
        raise UnknownError(f"nothing is known of the object {shown(str(key))}")
    return count


def forget(session: Session, key: ObjectKey) -> int:
    """Deletes what `delete_object` does, which may be nothing; returns the count of rows.

    Raises:
        InvalidError: there is too much below it to delete at once.
    """
    refuse_large(session, key)
    shares = select(Share).where(_at_or_below(Share.object_type, Share.object_id, key))
    return remove_shares(session, session.scalars(shares).all()) + sum(
        remove(session, session.scalars(select(kind).where(_at_or_below(type_, id_, key))).all())
        for kind, type_, id_ in SPEAKING_OF
    )


def refuse_large(session: Session, key: ObjectKey) -> None:
    """Raises InvalidError if more rows belong to an object than one deletion may take with it."""
    count = sum(
        session.scalar(select(func.count()).select_from(kind).where(_at_or_below(type_, id_, key))) or 0
        for kind, type_, id_ in SPEAKING_OF
    )
    if count > MAX_ROWS_DELETED:
        raise InvalidError(
            f"{count} rows belong to {shown(str(key))}, at most {MAX_ROWS_DELETED} go at once: delete parts of it first"
        )


def _at_or_below(
    type_: InstrumentedAttribute[str], id_: InstrumentedAttribute[str], key: ObjectKey
) -> ColumnElement[bool]:
    itself = and_(type_ == key.type, id_ == key.id)
    return or_(itself, below(type_, id_, key)) if key.id.startswith("/") else itself


def _refuse_mixed_tree(session: Session, key: ObjectKey, domain_id: str) -> None:
    """Raises ConflictError if a registered path above or below `key` belongs to another domain (rule 1)."""
    if not key.id.startswith("/"):
        return
    other = home_of(session, key)
    if other is None or other.domain_id == domain_id:
        foreign = (
            select(Object).where(below(Object.type, Object.id, key), Object.domain_id != domain_id).limit(1)
        )
        other = session.scalar(foreign)
    if other is not None:
        raise ConflictError(
            f"{shown(str(key))} cannot be in the domain {shown(domain_id)}: {shown(str(other.key))} is in {shown(other.domain_id)}"
        )
