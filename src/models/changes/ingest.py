"""Taking up what a storage brings: an object, where it stands, and its storage's template, in one commit.

Rules:

1. What is registered already stays as it is: ingest may be repeated, and a template is applied once (`models.changes.templates`, rule 1).
2. It belongs to nobody unless an owner is named, who is then its creator.
3. The storage is the one that is named, else the one that the nearest mapped folder comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.changes.errors import ForeignError
from models.changes.names import checked_key, shown
from models.changes.objects import register_object
from models.changes.placements import place
from models.changes.rows import the_domain_of, unknown_object
from models.changes.templates import NOTHING, Applied, apply_default, storage_of
from models.records import ObjectKey
from models.tables import Object


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of an object: whether it is new, the storage that it came from, and what the template gave it."""

    key: ObjectKey
    is_new: bool
    storage: ObjectKey | None = None
    applied: Applied = NOTHING


def ingest(  # noqa: PLR0913 - one for each thing that is known of what came
    session: Session,
    key: ObjectKey,
    domain_id: str,
    *,
    storage: ObjectKey | None = None,
    parents: Sequence[ObjectKey] = (),
    owner_id: str | None = None,
    title: str | None = None,
) -> Ingested:
    """Registers an object that came from a storage.

    Args:
        session: of the write door.
        key: the object.
        domain_id: where it belongs.
        storage: where it came from (rule 3).
        parents: collections that it stands in.
        owner_id: whose it is.
        title: what people call it.

    Raises:
        ConflictError: it, its storage or a collection is of another domain.
        CycleError: a collection stands in the object.
        InvalidError: a key, the title or the storage has a form that is not allowed.
        UnknownError: there is no such domain, storage, collection or owner.
    """
    present = session.get(Object, tuple(checked_key(key)))
    if present is not None and present.domain_id != domain_id:
        raise ForeignError(f"{shown(str(key))} is in another domain", unknown_object(key))
    if storage is not None:
        the_domain_of(session, checked_key(storage), domain_id)
    if present is not None:
        return Ingested(key, is_new=False)
    with session.begin_nested():  # all of it or nothing
        register_object(session, key, domain_id, owner_id=owner_id, title=title)
        for parent in parents:
            place(session, key, parent)
        came_from = storage or storage_of(session, key)
        return Ingested(key, True, came_from, apply_default(session, key, owner_id, came_from))
