"""Changes to who owns objects.

Rules:

1. The object owner is a user of the object's domain, or nobody; an owner is never made of a deleted user.
2. A user who is deleted goes on owning what there is, and cannot use it. Nobody inherits unasked: only admins and those
   whom entries name reach it, until it is transferred.
3. Whoever an object is taken from keeps what entries grant, and nothing else.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError
from models.changes.names import shown
from models.changes.rows import the_object, the_present_user, the_user
from models.records import ObjectKey
from models.tables import Object

MAX_TRANSFERRED = 100_000
"""Objects that one commit transfers; who owns more is asked for again."""


def change_owner(session: Session, key: ObjectKey, owner_id: str | None) -> Object:
    """Makes a user of its domain, or nobody, the owner of a registered object.

    Raises:
        ConflictError: the user belongs to another domain or is deleted.
        InvalidError: the key is malformed.
        UnknownError: there is no such object or user.
    """
    row = the_object(session, key)
    if owner_id is not None:
        the_present_user(session, owner_id, row.domain_id)
    row.owner_id = owner_id
    session.flush()
    return row


def transfer_objects(session: Session, owner_id: str, heir_id: str | None) -> tuple[int, int]:
    """Makes another user of the domain, or nobody, the owner of all that a user owns, `MAX_TRANSFERRED` at a time.

    Returns:
        How many objects were transferred, and how many the first user still owns.

    Raises:
        ConflictError: both are the same, belong to different domains, or the second is deleted.
        UnknownError: there is no such user.
    """
    owner = the_user(session, owner_id)
    if owner_id == heir_id:
        raise ConflictError(f"{shown(owner.email)} owns these objects already: name another user")
    if heir_id is not None:
        the_present_user(session, heir_id, owner.domain_id)
    owned = select(Object).where(Object.owner_id == owner_id)
    some = session.scalars(owned.order_by(Object.type, Object.id).limit(MAX_TRANSFERRED)).all()
    for row in some:
        row.owner_id = heir_id
    session.flush()
    return len(some), count_owned(session, owner_id)


def count_owned(session: Session, user_id: str) -> int:
    """Returns how many objects a user owns."""
    count = select(func.count()).select_from(Object).where(Object.owner_id == user_id)
    return session.scalar(count) or 0
