"""Changes to allow-lists: the domain's, and those of its groups and users (seed: "IP Allow List").

Rules:

1. Networks are written in one form (`models.networks`); what cannot be read is refused here and never reaches a decision.
2. A list binds while the domain's switch is on: the domain's all users, a group's its members, a user's that user. A line
   may hold for requests of one application alone.
3. What somebody would lock oneself out by is refused (`models.changes.lockout`).
"""

from typing import TypedDict, Unpack

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.lockout import ANY_ADMIN, Guard, refuse_lockout
from models.changes.names import checked_choice, checked_text, new_id
from models.changes.rows import add, remove, the_access_group, the_application, the_domain, the_user
from models.networks import AddressError, AllowList, canonical_network
from models.records import AllowListRule
from models.tables import Network, SystemDomain

MAX_NETWORKS = 10_000
"""Lines of one allow-list."""


class Line(TypedDict, total=False):
    """Which line of which list: a group's, a user's or by default the domain's; for one application or all."""

    group_id: str | None
    user_id: str | None
    application_id: str | None


def allow_network(
    session: Session,
    domain_id: str,
    cidr: str,
    *,
    note: str = "",
    guard: Guard | None = ANY_ADMIN,
    **line: Unpack[Line],
) -> Network:
    """Adds a network or address to an allow-list; one that is there gets the new note.

    Raises:
        ConflictError: group, user or application belong to another domain, or the guard would be locked out (rule 3).
        InvalidError: `cidr` is no address or network, or the list is full.
        UnknownError: there is no such domain, group, user or application.
    """
    new = _line(session, domain_id, cidr, line)
    new.note = checked_text(note, "network")
    row = session.scalar(_stored(new))
    if row is None:
        count = select(func.count()).select_from(Network).where(*_same_list(new))
        if (session.scalar(count) or 0) >= MAX_NETWORKS:
            raise InvalidError(
                f"this allow-list has {MAX_NETWORKS} lines, which is the most: join some of them"
            )
        _refuse_lockout(session, guard, new, comes=True)
        return add(session, new)
    row.note = note
    session.flush()
    return row


def disallow_network(
    session: Session,
    domain_id: str,
    cidr: str,
    *,
    guard: Guard | None = ANY_ADMIN,
    **line: Unpack[Line],
) -> bool:
    """Takes a network or address off an allow-list; tells whether it was on it.

    Raises:
        ConflictError: group, user or application belong to another domain, or the guard would be locked out (rule 3).
        InvalidError: `cidr` is no address or network.
        UnknownError: there is no such domain, group, user or application.
    """
    gone = _line(session, domain_id, cidr, line)
    row = session.scalar(_stored(gone))
    if row is None:
        return False
    _refuse_lockout(session, guard, row, comes=False)
    return bool(remove(session, [row]))


def set_allow_list(
    session: Session, domain_id: str, *, enabled: bool, guard: Guard | None = ANY_ADMIN
) -> SystemDomain:
    """Turns the allow-lists of a domain, its groups' and users' included, on or off.

    Raises:
        ConflictError: the guard would be locked out (rule 3).
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    refuse_lockout(session, domain_id, guard, f"domain:{domain_id}", allow_list_enabled=enabled)
    domain.allow_list_enabled = enabled
    session.flush()
    return domain


def set_allow_list_rule(
    session: Session, domain_id: str, rule: AllowListRule, *, guard: Guard | None = ANY_ADMIN
) -> SystemDomain:
    """Sets how the lists of domain, groups and users combine.

    Raises:
        ConflictError: the guard would be locked out (rule 3).
        InvalidError: there is no such rule.
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    rule = checked_choice(rule, AllowListRule, "rule of allow-lists")
    binds = rule is AllowListRule.EVERY_LEVEL
    refuse_lockout(session, domain_id, guard, f"domain:{domain_id}", every_level_binds=binds)
    domain.allow_list_rule = rule
    session.flush()
    return domain


def _line(session: Session, domain_id: str, cidr: str, line: Line) -> Network:
    """Returns the line as a row that is not stored, or raises what is wrong with it."""
    group_id, user_id = line.get("group_id"), line.get("user_id")
    application_id = line.get("application_id")
    the_domain(session, domain_id)
    if group_id is not None and user_id is not None:
        raise InvalidError("an allow-list belongs to a group or to a user: name one of them")
    if group_id is not None:
        the_access_group(session, group_id, domain_id)
    if user_id is not None:
        the_user(session, user_id, domain_id)
    if application_id is not None:
        the_application(session, application_id, domain_id)
    try:
        canonical = canonical_network(cidr)
    except AddressError as error:
        raise InvalidError(str(error)) from error
    return Network(
        id=new_id(),
        domain_id=domain_id,
        group_id=group_id,
        user_id=user_id,
        application_id=application_id,
        cidr=canonical,
    )


def _same_list(line: Network) -> tuple[ColumnElement[bool], ...]:
    """Returns the conditions that a line stands in the same list as `line`."""
    return (
        Network.domain_id == line.domain_id,
        Network.group_id.is_not_distinct_from(line.group_id),
        Network.user_id.is_not_distinct_from(line.user_id),
    )


def _stored(line: Network) -> Select[Network]:
    same = Network.application_id.is_not_distinct_from(line.application_id)
    return select(Network).where(*_same_list(line), Network.cidr == line.cidr, same)


def _refuse_lockout(session: Session, guard: Guard | None, line: Network, *, comes: bool) -> None:
    """Raises ConflictError if the guard is locked out when `line` comes or goes; while the lists are off nobody is."""
    if guard is None or not the_domain(session, line.domain_id).allow_list_enabled:
        return
    columns = select(Network.cidr, Network.application_id).where(*_same_list(line), Network.id != line.id)
    lines = [(cidr, application) for cidr, application in session.execute(columns)]
    lines += [(line.cidr, line.application_id)] if comes else []
    whose = list(line.fact_keys())[-1]  # a user or group, else the domain
    refuse_lockout(session, line.domain_id, guard, whose, networks=AllowList.of(lines))
