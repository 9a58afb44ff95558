"""Changes to allow-lists: the domain's, and those of groups (seed: "IP Allow List").

Rules:

1. Networks are written in one form (`models.networks`); what cannot be read is refused here and never reaches a decision.
2. The list of a group binds its members while the domain's switch is on.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.names import checked_text, new_id
from models.changes.rows import add, remove, the_access_group, the_domain
from models.networks import AddressError, canonical_network
from models.tables import Network, SystemDomain

MAX_NETWORKS = 10_000
"""Lines of one allow-list."""


def allow_network(
    session: Session, domain_id: str, cidr: str, *, group_id: str | None = None, note: str = ""
) -> Network:
    """Adds a network or address to the list of a domain or group; one that is there gets the new note.

    Raises:
        ConflictError: the group belongs to another domain.
        InvalidError: `cidr` is no address or network, or the list is full.
        UnknownError: there is no such domain or group.
    """
    canonical = _canonical(session, domain_id, cidr, group_id)
    checked_text(note, "network")
    row = _line(session, domain_id, canonical, group_id)
    if row is None:
        count = select(func.count()).where(
            Network.domain_id == domain_id, Network.group_id.is_not_distinct_from(group_id)
        )
        if (session.scalar(count) or 0) >= MAX_NETWORKS:
            raise InvalidError(
                f"this allow-list has {MAX_NETWORKS} lines, which is the most: join some of them"
            )
        return add(
            session, Network(id=new_id(), domain_id=domain_id, group_id=group_id, cidr=canonical, note=note)
        )
    row.note = note
    session.flush()
    return row


def disallow_network(session: Session, domain_id: str, cidr: str, *, group_id: str | None = None) -> bool:
    """Takes a network or address off the list; tells whether it was on it.

    Raises:
        ConflictError: the group belongs to another domain.
        InvalidError: `cidr` is no address or network.
        UnknownError: there is no such domain or group.
    """
    row = _line(session, domain_id, _canonical(session, domain_id, cidr, group_id), group_id)
    return bool(row and remove(session, [row]))


def set_allow_list(session: Session, domain_id: str, *, enabled: bool) -> SystemDomain:
    """Turns the allow-lists of a domain, its groups' included, on or off.

    Raises:
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    domain.allow_list_enabled = enabled
    session.flush()
    return domain


def _canonical(session: Session, domain_id: str, cidr: str, group_id: str | None) -> str:
    the_domain(session, domain_id)
    if group_id is not None:
        the_access_group(session, group_id, domain_id)
    try:
        return canonical_network(cidr)
    except AddressError as error:
        raise InvalidError(str(error)) from error


def _line(session: Session, domain_id: str, cidr: str, group_id: str | None) -> Network | None:
    return session.scalar(
        select(Network).where(
            Network.domain_id == domain_id,
            Network.cidr == cidr,
            Network.group_id.is_not_distinct_from(group_id),
        )
    )
