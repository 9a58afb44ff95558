"""Changes to where objects stand: in collections and sub-collections, several at once.

Rules:

1. Both ends exist and belong to one domain; a path exists through its nearest registered folder.
2. No object stands within itself, by placements and folders together.
3. Chains of placements are at most `MAX_DEPTH` long. Folders are not counted: an id's length bounds them.
"""

from collections.abc import Callable

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, CycleError, InvalidError
from models.changes.names import checked_key, shown
from models.changes.rows import below, chunks, named, remove, the_domain_of
from models.records import MAX_ANCESTORS, ObjectKey
from models.tables import Placement

MAX_DEPTH = 100
"""Placements in one chain, from the outermost collection down."""

MAX_PARENTS = 1_000
"""Collections that one object may stand in at once."""

MAX_WALK = 100_000
"""Objects below a collection that placing it may have to look at."""


def place(session: Session, child: ObjectKey, parent: ObjectKey) -> bool:
    """Lets `child` stand in the collection `parent`, besides where it stands already; tells whether that is new.

    Raises:
        ConflictError: they belong to different domains.
        CycleError: `parent` is `child` or stands within it.
        InvalidError: a bound on depth, parents or ancestors is met, or a key is malformed.
        UnknownError: one of them does not exist.
    """
    domain_id = the_domain_of(session, checked_key(child))
    parent_domain_id = the_domain_of(session, checked_key(parent))
    if domain_id != parent_domain_id:
        raise ConflictError(
            f"{shown(str(child))} is in the domain {shown(domain_id)}, {shown(str(parent))} in {shown(parent_domain_id)}"
        )
    if session.get(Placement, (*parent, *child)):
        return False
    _refuse_many_parents(session, child)
    _refuse_bad_shape(session, child, parent)
    session.add(
        Placement(parent_type=parent.type, parent_id=parent.id, child_type=child.type, child_id=child.id)
    )
    session.flush()
    return True


def unplace(session: Session, child: ObjectKey, parent: ObjectKey) -> bool:
    """Takes `child` out of the collection `parent`; tells whether it stood there. It loses what it inherited.

    Raises:
        InvalidError: a key is malformed.
    """
    row = session.get(Placement, (*checked_key(parent), *checked_key(child)))
    return bool(row and remove(session, [row]))


def _refuse_many_parents(session: Session, child: ObjectKey) -> None:
    count = select(func.count()).where(Placement.child_type == child.type, Placement.child_id == child.id)
    if (session.scalar(count) or 0) >= MAX_PARENTS:
        raise InvalidError(f"{shown(str(child))} stands in {MAX_PARENTS} collections, which is the most")


def _refuse_bad_shape(session: Session, child: ObjectKey, parent: ObjectKey) -> None:
    above, height = _walk(session, parent, _parents, MAX_ANCESTORS)
    if child in above:
        raise CycleError(
            f"{shown(str(parent))} stands within {shown(str(child))}, which so would contain itself"
        )
    _, depth = _walk(session, child, children_of, MAX_WALK)
    if height + 1 + depth > MAX_DEPTH:
        raise InvalidError(
            f"with {shown(str(child))} in {shown(str(parent))} a chain of {height + 1 + depth} collections would arise, "
            f"at most {MAX_DEPTH} are allowed"
        )


Step = Callable[[Session, list[ObjectKey]], list[ObjectKey]]


def _walk(session: Session, start: ObjectKey, step: Step, bound: int) -> tuple[set[ObjectKey], int]:
    """Returns all that `step` reaches from `start`, itself included, and the length of the longest chain.

    A level holds what is reached by chains of one length; an object on chains of several lengths comes up in each.
    """
    level, seen, length = _with_folders({start}), _with_folders({start}), 0
    while reached := {key for chunk in chunks(sorted(level)) for key in step(session, chunk)}:
        level = _with_folders(reached) if step is _parents else reached
        seen |= level
        length += 1
        if len(seen) > bound:
            raise InvalidError(f"more than {bound} objects hang together with {shown(str(start))}")
        if length > MAX_DEPTH:
            break  # refused by the caller, whatever follows
    return seen, length


def _parents(session: Session, keys: list[ObjectKey]) -> list[ObjectKey]:
    """Returns the collections that `keys` are placed in."""
    placed = named(Placement.child_type, Placement.child_id, keys)
    return [row.parent for row in session.scalars(select(Placement).where(placed))]


def children_of(session: Session, keys: list[ObjectKey]) -> list[ObjectKey]:
    """Returns what is placed in `keys`, for a path also what is placed in anything below it."""
    inside = [
        below(Placement.parent_type, Placement.parent_id, key) for key in keys if key.id.startswith("/")
    ]
    placed = or_(named(Placement.parent_type, Placement.parent_id, keys), *inside)
    columns = select(Placement.child_type, Placement.child_id)
    return [ObjectKey(*row) for row in session.execute(columns.where(placed))]


def _with_folders(keys: set[ObjectKey]) -> set[ObjectKey]:
    found: set[ObjectKey] = set()
    for key in keys:
        above: ObjectKey | None = key
        while above is not None and above not in found:
            found.add(above)
            above = above.folder()
    return found
