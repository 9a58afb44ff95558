"""Keeping somebody let in by the allow-lists that somebody changes, or whose groups somebody changes.

Rules:

1. Who changes them and could come in before can afterwards, from the same address with the same application. Nothing is
   asked of who was locked out before: each step of a repair may be taken.
2. Of a change that nobody's address is known of it is asked that some active admin of the domain, if one could come in before
   from anywhere, still can from somewhere: two lists that must both admit may have nothing in common.
3. The lists are read by the words that decide (`models.vocabulary`), with the change in place of what is stored.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from netaddr import IPAddress
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError
from models.changes.rows import the_domain
from models.loading import load
from models.networks import NetworkSet
from models.records import DomainRecord, Facts, GroupRecord, Record, UserRecord, UserStatus
from models.tables import User
from models.vocabulary import Request, Subject


@dataclass(frozen=True, slots=True)
class Guard:
    """Who must still be let in after a change of allow-lists.

    Attributes:
        address: from where; None for anywhere.
        user_id: who; None for any active admin of the domain.
        application_id: with a token of which application.
    """

    address: IPAddress | None = None
    user_id: str | None = None
    application_id: str = ""


ANY_ADMIN = Guard()
"""What is asked of a change by whoever has no address (rule 2)."""


@dataclass(frozen=True, slots=True)
class _Records(Facts):
    """Records of one moment, with whatever a user's question needs."""

    records: Mapping[str, Record | None]

    def get(self, key: str) -> Record | None:
        return self.records.get(key)


def refuse_lockout(
    session: Session,
    domain_id: str,
    guard: Guard | None,
    changed: str,
    **values: Any,  # noqa: ANN401 - fields of three records
) -> None:
    """Makes sure that whom the guard names is let in if the record `changed` has these values.

    Args:
        session: of the write door; nothing is changed.
        domain_id: the domain whose lists are changed.
        guard: who must stay let in; None to let the operator do it all the same.
        changed: the key of a record.
        **values: what it will have.

    Raises:
        ConflictError: nobody whom the guard names could come in any more.
    """
    binds = values.get("allow_list_enabled", the_domain(session, domain_id).allow_list_enabled)
    if guard is None or not binds:
        return
    users = _users(session, domain_id, guard)
    session.flush()
    groups = [f"group:{id_}" for id_ in values.get("group_ids", ())]
    stored = load(session.connection(), None, [changed, *users, *groups]).records
    record = stored[changed]
    if not isinstance(record, DomainRecord | GroupRecord | UserRecord):
        return
    before, after = _Records(stored), _Records({**stored, changed: replace(record, **values)})
    let_in = [key for key in users if _is_let_in(before, key, guard)]
    if let_in and not any(_is_let_in(after, key, guard) for key in let_in):
        raise ConflictError(_said(guard))


@contextmanager
def no_lockout(session: Session, domain_id: str, guard: Guard | None) -> Iterator[None]:
    """Lets a block make several changes, each without a guard, and judges them together at its end.

    Raises:
        ConflictError: somebody whom the guard names could come in before, and nobody whom it names then could any more.
    """
    before = _let_in(session, guard, _users(session, domain_id, guard)) if guard is not None else []
    yield
    if guard is not None and before and not _let_in(session, guard, _users(session, domain_id, guard)):
        raise ConflictError(_said(guard))


def _let_in(session: Session, guard: Guard, users: list[str]) -> list[str]:
    session.flush()
    stored = _Records(load(session.connection(), None, users).records)
    return [key for key in users if _is_let_in(stored, key, guard)]


def _users(session: Session, domain_id: str, guard: Guard) -> list[str]:
    """Returns the keys of the users of whom one must stay let in."""
    if guard.user_id is not None:
        return [f"user:{guard.user_id}"]
    admins = select(User.id).where(
        User.domain_id == domain_id, User.is_admin, User.status == UserStatus.ACTIVE
    )
    return [f"user:{id_}" for id_ in session.scalars(admins)]


def _is_let_in(facts: Facts, key: str, guard: Guard) -> bool:
    user = facts.get(key)
    if not isinstance(user, UserRecord):
        return False
    subject, now = Subject(facts, user, {}), datetime.now(UTC)
    addresses = _addresses(facts, user) if guard.address is None else (guard.address,)
    return any(
        subject.admitted_from(Request(address, now, application=application))
        for application in (guard.application_id, *_applications(facts, user, guard))
        for address in addresses
    )


def _lists(facts: Facts, user: UserRecord) -> Iterator[Mapping[str, NetworkSet]]:
    """Yields each allow-list that speaks of the user, by application, with the empty name for all others."""
    for key in (user.domain_fact, *user.group_facts):
        record = facts.get(key)
        if isinstance(record, DomainRecord | GroupRecord):
            yield {"": record.networks.of_all, **record.networks.of_one}
    yield {"": user.networks.of_all, **user.networks.of_one}


def _addresses(facts: Facts, user: UserRecord) -> tuple[IPAddress, ...]:
    """Returns the first address of each network: where lists have an address in common, one of these is."""
    sets = [networks for each in _lists(facts, user) for networks in each.values()]
    firsts = {(version, first) for one in sets for version, some in one.firsts.items() for first in some}
    return tuple(IPAddress(first, version) for version, first in sorted(firsts)) or (IPAddress("127.0.0.1"),)


def _applications(facts: Facts, user: UserRecord, guard: Guard) -> set[str]:
    """Returns the applications that have lines of their own, of which any will do where no address is known."""
    return set() if guard.address else {name for each in _lists(facts, user) for name in each}


def _said(guard: Guard) -> str:
    who = "you" if guard.user_id is not None else "no active admin of the domain"
    if guard.address is None:
        return "no active admin of the domain could come in from any address: let the lists have one in common, or override"
    verb = "could not" if guard.user_id is not None else "could"
    return f"{who} {verb} come in from {guard.address} any more: allow that address first, or let the operator override"
