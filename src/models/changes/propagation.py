"""How far an entry that propagates reaches, and how many collections of a domain may have one.

Rules:

1. At most `max_propagating` collections and folders of a domain have entries that propagate (seed: "Inherited Access Control"; 1,000 unless the
   domain says otherwise); entries that have expired do not count. The next is refused. A lower number takes nothing away.
2. Write or delete that propagates over more than `warn_above` objects is granted, and whoever grants it is told.
3. Content is what is placed in a collection or registered below a path, at any depth. Files that nobody registered are not known here.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import shown
from models.changes.placements import children_of
from models.changes.rows import below, chunks, the_domain, the_domain_of
from models.records import ObjectKey, Permission
from models.tables import AclEntry, Group, Object, PrincipalKind, Share, SystemDomain, User

MAX_BOUND = 1_000_000
"""The highest number that either bound of a domain can be set to."""


def set_propagation_bounds(
    session: Session, domain_id: str, *, max_propagating: int | None = None, warn_above: int | None = None
) -> SystemDomain:
    """Sets the bounds of rules 1 and 2 for a domain; None leaves one as it is.

    Raises:
        InvalidError: a number is negative or above `MAX_BOUND`.
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    for number in (max_propagating, warn_above):
        if number is not None and not 0 <= number <= MAX_BOUND:
            raise InvalidError(f"{number} is no bound: use 0 to {MAX_BOUND}")
    domain.max_propagating = domain.max_propagating if max_propagating is None else max_propagating
    domain.warn_above = domain.warn_above if warn_above is None else warn_above
    session.flush()
    return domain


def refuse_another(session: Session, domain_id: str, key: ObjectKey, now: datetime) -> None:
    """Raises ConflictError if `key` has no entry that propagates and the domain may have no further collection with one."""
    holding = AclEntry.propagates, AclEntry.expires > now
    here = select(AclEntry).where(AclEntry.object_type == key.type, AclEntry.object_id == key.id, *holding)
    if session.scalar(here.limit(1)) is not None:
        return
    domain = the_domain(session, domain_id)
    # A path may have no row that says its domain; the principal of an entry is of the same domain.
    principals = (
        (AclEntry.principal_kind == kind)
        & AclEntry.principal_id.in_(select(table.id).where(table.domain_id == domain_id))
        for kind, table in (
            (PrincipalKind.USER, User),
            (PrincipalKind.GROUP, Group),
            (PrincipalKind.SHARE, Share),
        )
    )
    named = select(AclEntry.object_type, AclEntry.object_id).where(*holding, or_(*principals))
    count = session.scalar(select(func.count()).select_from(named.distinct().subquery())) or 0
    if count >= domain.max_propagating:
        raise ConflictError(
            f"{count} collections of the domain {shown(domain.name)} have entries that propagate, and {domain.max_propagating} is the most:"
            f" grant on a collection that has one already or above {shown(str(key))}, revoke some, or let the operator raise `--max-propagating`"
        )


def far_reaching(session: Session, key: ObjectKey, permissions: Permission) -> str:
    """Returns what to tell whoever grants permissions that propagate from `key` (rule 2); empty if there is nothing to say."""
    grave = permissions & (Permission.WRITE | Permission.DELETE)
    bound = the_domain(session, the_domain_of(session, key)).warn_above
    if not grave or sum(1 for _ in islice(content_of(session, key), bound + 1)) <= bound:
        return ""
    return f"{' and '.join(grave.names)} on {shown(str(key))} holds on more than {bound} objects that stand in it"


def content_of(session: Session, key: ObjectKey) -> Iterator[ObjectKey]:
    """Yields the content of an object (rule 3), each once, nearest first and in order within one depth."""
    seen, level = {key}, [key]
    while level:
        placed = {child for chunk in chunks(level) for child in children_of(session, chunk)} - seen
        within = {path for one in level if one.id.startswith("/") for path in _below(session, one)} - seen
        yield from sorted(placed | within)
        seen |= placed | within
        level = sorted(placed - within)  # what is placed below a path came with the path


def _below(session: Session, folder: ObjectKey) -> Iterator[ObjectKey]:
    registered = select(Object.type, Object.id).where(below(Object.type, Object.id, folder))
    for type_, id_ in session.execute(registered):
        yield ObjectKey(type_, id_)
