"""What a domain says of all its shares: locks, which nobody may go beyond, and defaults for what nobody says.

Rules:

1. A lock binds everybody who makes or changes a share, admins and the command line too: whoever may turn it turns it.
2. A lock that is turned on changes no share that is there; each is bound by it when it is changed next.
3. Defaults are never beyond the locks.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_choice
from models.changes.rows import add, the_domain
from models.records import Right
from models.tables import ShareRules

MAX_SHARED: Final = timedelta(days=5 * 366)
"""For how long a share lasts at most, whatever a domain says."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Locks and defaults.

    Attributes:
        longest: for how long a share may last.
        usual: for how long it lasts if nobody says; None if somebody has to.
        needs_password: whether each share has one.
        most_rights: those that may be given.
        usual_rights: those that are given if nobody says, beside to look.
    """

    longest: timedelta = MAX_SHARED
    usual: timedelta | None = None
    needs_password: bool = False
    most_rights: frozenset[Right] = frozenset(Right)
    usual_rights: frozenset[Right] = frozenset()


def rules_of(session: Session, domain_id: str) -> Rules:
    """Returns what a domain says of its shares."""
    row = session.get(ShareRules, domain_id)
    if row is None:
        return Rules()
    return Rules(
        MAX_SHARED if row.longest is None else timedelta(seconds=row.longest),
        None if row.usual is None else timedelta(seconds=row.usual),
        row.needs_password,
        frozenset(Right) if row.most_rights is None else frozenset(map(Right, row.most_rights)),
        frozenset() if row.usual_rights is None else frozenset(map(Right, row.usual_rights)),
    )


def set_share_rules(session: Session, domain_id: str, rules: Rules) -> None:
    """Makes these the rules of a domain's shares.

    Raises:
        InvalidError: a time or right is none, or a default is beyond its lock (rule 3).
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    most = {Right.VIEW, *(checked_choice(right, Right, "right of a share") for right in rules.most_rights)}
    usual = {checked_choice(right, Right, "right of a share") for right in rules.usual_rights}
    if not timedelta(seconds=1) <= rules.longest <= MAX_SHARED:
        raise InvalidError(f"shares last between a second and {MAX_SHARED.days} days, not {rules.longest}")
    if rules.usual is not None and not timedelta(seconds=1) <= rules.usual <= rules.longest:
        raise InvalidError(f"a share cannot last {rules.usual} by default and {rules.longest} at most")
    if beyond := sorted(usual - most):
        raise InvalidError(f"{', '.join(beyond)} cannot be given by default, since it may not be given")
    row = session.get(ShareRules, domain_id) or add(session, ShareRules(domain_id=domain_id))
    row.longest = None if rules.longest == MAX_SHARED else int(rules.longest.total_seconds())
    row.usual = None if rules.usual is None else int(rules.usual.total_seconds())
    row.needs_password = rules.needs_password
    row.most_rights = None if most == frozenset(Right) else sorted(most)
    row.usual_rights = sorted(usual) or None
    session.flush()


def refuse_beyond(
    rules: Rules, now: datetime, *, expires: datetime, password: str | None, rights: Collection[str]
) -> None:
    """Refuses what goes beyond a domain's locks (rule 1).

    Raises:
        ConflictError: it does; says which.
    """
    if expires > now + rules.longest:
        raise ConflictError(f"shares of this domain last at most {rules.longest}: end it earlier")
    if rules.needs_password and password is None:
        raise ConflictError("shares of this domain have a password: give one")
    if beyond := sorted(set(rights) - set(rules.most_rights)):
        raise ConflictError(f"this domain does not share {', '.join(beyond)}: leave that out")


def usual_rights(rules: Rules, rights: Collection[Right] | None) -> set[Right]:
    """Returns the rights of a share: those that are named, or the usual ones; to look is always among them.

    Raises:
        InvalidError: one of them is none.
    """
    named = rules.usual_rights if rights is None else rights
    return {Right.VIEW, *(checked_choice(right, Right, "right of a share") for right in named)}
