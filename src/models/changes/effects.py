"""Intents: what a forwarded request is about to make true, and settling them (DESIGN, "Effects").

Rules:

1. An intent is committed before the backend is touched. It locks its targets; one object has one lock at a time.
2. A lock that closes keeps everybody out until it is settled. On a path it covers all below: nothing there may be locked
   beside it, neither before nor after.
3. Settling is one commit: the facts, the intent's end and its locks' release.
4. Settling a creation never fails for what became of the facts meanwhile: the backend has done it. It may leave out what would
   give access (a parent that is gone), and it never changes who owns an object that was there already.
5. An outcome that nobody knows keeps closed what closes. A creation keeps no lock: an object that exists without being
   registered has only what it inherits, and an interrupted upload can be tried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import BusyError, ConflictError, CycleError, InvalidError, UnknownError
from models.changes.names import checked_key, checked_text, new_id, shown
from models.changes.objects import forget, refuse_large, register_object
from models.changes.placements import place
from models.changes.rows import add, below, domain_of, named, remove, the_user
from models.changes.templates import apply_default
from models.columns import is_storable
from models.records import ObjectKey
from models.tables import Hold, Intent, IntentKind, IntentState, Object

MAX_TARGETS = 500
"""Objects that one intent may lock."""


class Lock(NamedTuple):
    """An object that an intent locks; `closes` if it is to be judged closed to all meanwhile."""

    key: ObjectKey
    closes: bool


@dataclass(frozen=True, slots=True)
class Created:
    """An object that the backend has made, its owner, and the collections it was made in; `by_member` unless a visitor uploaded it."""

    key: ObjectKey
    owner_id: str | None
    parents: tuple[ObjectKey, ...] = ()
    by_member: bool = True


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling a creation came to.

    Attributes:
        registered: objects that are new.
        present: objects that were registered already; their owner and entries are as before.
        left_out: objects and parents that could not be taken up, each with the reason.
    """

    registered: tuple[ObjectKey, ...]
    present: tuple[ObjectKey, ...]
    left_out: tuple[tuple[ObjectKey, str], ...]


def open_intent(
    session: Session,
    kind: IntentKind,
    locks: Sequence[Lock],
    *,
    user_id: str | None,
    request_id: str,
    payload: dict[str, Any] | None = None,
) -> Intent:
    """Writes down what a request is about to do and locks its targets.

    Args:
        session: of the write door.
        kind: what a success will mean.
        locks: the targets; for a deletion each closes.
        user_id: who asked.
        request_id: of the request, for the log.
        payload: what settling or reconciling will need to know.

    Raises:
        BusyError: a target is locked, or closed with a folder above it, or about to close over something locked.
        ConflictError: a target, or what a closed one contains, belongs to another domain than the user.
        InvalidError: a key is malformed, or there is too much to lock or delete.
        UnknownError: there is no such user.
    """
    if len(locks) > MAX_TARGETS:
        raise InvalidError(f"{len(locks)} objects are named, at most {MAX_TARGETS} may be changed at once")
    wanted = {lock.key: lock for lock in locks}
    domain_id = the_user(session, user_id).domain_id if user_id is not None else None
    checked_text(request_id, "request")
    for lock in wanted.values():
        _refuse_foreign(session, checked_key(lock.key), domain_id)
        if lock.closes:
            _refuse_foreign_below(session, lock.key, domain_id)
        _refuse_locked(session, lock)
    intent = Intent(
        id=new_id(),
        kind=kind,
        state=IntentState.OPEN,
        user_id=user_id,
        request_id=request_id,
        created=datetime.now(UTC),
        payload=payload or {},
    )
    add(session, intent)
    session.add_all(
        Hold(object_type=key.type, object_id=key.id, intent_id=intent.id, closes=lock.closes)
        for key, lock in wanted.items()
    )
    session.flush()
    return intent


def settle_create(session: Session, intent_id: str, created: Sequence[Created]) -> Settled:
    """Registers what the backend has made and ends the intent (rule 4). All of it belongs to the domain of who asked.

    Raises:
        ConflictError: the intent has no user, and so no domain.
        UnknownError: there is no such intent.
    """
    intent = _the_intent(session, intent_id)
    if intent.user_id is None:
        raise ConflictError(f"the intent {shown(intent_id)} has no user whose domain the object could join")
    domain_id = the_user(session, intent.user_id).domain_id
    registered: list[ObjectKey] = []
    present: list[ObjectKey] = []
    left_out: list[tuple[ObjectKey, str]] = []
    for one in created:
        try:
            if session.get(Object, tuple(checked_key(one.key))):
                present.append(one.key)
                continue
            register_object(session, one.key, domain_id, owner_id=one.owner_id)
        except (ConflictError, InvalidError, UnknownError) as error:
            left_out.append((one.key, str(error)))
            continue
        registered.append(one.key)
        left_out.extend(_place_in(session, one))
        if one.by_member:
            applied = apply_default(session, one.key, one.owner_id)
            left_out.extend(
                (one.key, f"{principal} of its template: {why}") for principal, why in applied.left_out
            )
    _end(session, intent)
    return Settled(tuple(registered), tuple(present), tuple(left_out))


def settle_delete(session: Session, intent_id: str) -> int:
    """Deletes the facts of all targets and ends the intent; returns the count of rows.

    Raises:
        InvalidError: there is more below a target than one deletion may take with it.
        UnknownError: there is no such intent.
    """
    intent = _the_intent(session, intent_id)
    keys = [hold.key for hold in _holds(session, intent) if hold.closes]
    count = sum(forget(session, key) for key in keys)
    _end(session, intent)
    return count


def abandon_intent(session: Session, intent_id: str) -> None:
    """Ends an intent of which nothing became true: facts stay, locks are released.

    Raises:
        UnknownError: there is no such intent.
    """
    _end(session, _the_intent(session, intent_id))


def mark_unknown(session: Session, intent_id: str) -> Intent:
    """Notes that no trustworthy answer came; locks that close stay until the intent is settled or abandoned (rule 5).

    Raises:
        UnknownError: there is no such intent.
    """
    intent = _the_intent(session, intent_id)
    intent.state = IntentState.UNKNOWN
    remove(session, [hold for hold in _holds(session, intent) if not hold.closes])
    session.flush()
    return intent


def _the_intent(session: Session, intent_id: str) -> Intent:
    intent = session.get(Intent, intent_id) if is_storable(intent_id) else None
    if intent is None:
        raise UnknownError(f"there is no intent {shown(intent_id)}: it has been settled")
    return intent


def _holds(session: Session, intent: Intent) -> list[Hold]:
    return list(session.scalars(select(Hold).where(Hold.intent_id == intent.id)))


def _end(session: Session, intent: Intent) -> None:
    remove(session, _holds(session, intent))
    remove(session, [intent])


def _place_in(session: Session, one: Created) -> list[tuple[ObjectKey, str]]:
    """Places a new object in its parents; returns those where it cannot stand, each with the reason."""
    refused = []
    for parent in one.parents:
        try:
            place(session, one.key, parent)
        except (ConflictError, CycleError, InvalidError, UnknownError) as error:
            refused.append((parent, str(error)))
    return refused


def _refuse_foreign(session: Session, key: ObjectKey, domain_id: str | None) -> None:
    found = domain_of(session, key)
    if domain_id is not None and found is not None and found != domain_id:
        raise ConflictError(f"{shown(str(key))} is in the domain {shown(found)}, not in {shown(domain_id)}")


def _refuse_foreign_below(session: Session, key: ObjectKey, domain_id: str | None) -> None:
    """Refuses to close a folder that no domain has registered over what another domain has registered in it."""
    if domain_id is None or not key.id.startswith("/"):
        return
    inside = select(Object).where(below(Object.type, Object.id, key), Object.domain_id != domain_id).limit(1)
    if session.scalar(inside) is not None:
        raise ConflictError(
            f"in {shown(str(key))} stands what another domain has registered: name a folder of your own"
        )


def _refuse_locked(session: Session, lock: Lock) -> None:
    """Raises BusyError if rule 1 or 2 forbids the lock."""
    key = lock.key
    if session.get(Hold, tuple(key)):
        raise BusyError(f"another request is changing {shown(str(key))}: try again when it is settled")
    folders = []
    above = key.folder()
    while above is not None:
        folders.append(above)
        above = above.folder()
    if folders:
        closed = select(Hold).where(named(Hold.object_type, Hold.object_id, folders), Hold.closes).limit(1)
        if hold := session.scalar(closed):
            raise BusyError(
                f"another request is deleting {shown(str(hold.key))}: try again when it is settled"
            )
    if not lock.closes:
        return
    refuse_large(session, key)
    if key.id.startswith("/"):
        inside = select(Hold).where(below(Hold.object_type, Hold.object_id, key)).limit(1)
        if hold := session.scalar(inside):
            raise BusyError(
                f"another request is changing {shown(str(hold.key))}: try again when it is settled"
            )
