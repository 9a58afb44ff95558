"""Changes to what a domain's shares are like: defaults, and which of them nobody may depart from.

Rules:

1. An option is a right, the life or the watermark. Whoever shares may choose it, else it has its default. A locked option has its default
   whatever is chosen: a right that is no default and locked is one that no share gives. To look is always given.
2. No share of the domain lasts longer than the longest life; where a password is needed none is made without one.
3. Terms hold for shares that are made or changed afterwards. Those that are there stay as they are: what ends them is the domain's
   switch, or removing them. What a change leaves alone keeps what it has.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.names import checked_choice, shown
from models.changes.rows import add, the_domain
from models.records import Right
from models.tables import ShareTerms

MAX_SHARED: Final = timedelta(days=5 * 366)
"""For how long a share lasts at most, whatever a domain says."""
DEFAULT_LIFE: Final = timedelta(days=30)
LIFE: Final = "life"
WATERMARK: Final = "watermark"
OPTIONS: Final = (*(str(right) for right in Right if right is not Right.VIEW), LIFE, WATERMARK)
"""What may be locked (rule 1)."""


def share_terms_of(session: Session, domain_id: str) -> ShareTerms:
    """Returns a domain's terms; where nobody has said any, those that leave all to whoever shares."""
    found = session.get(ShareTerms, domain_id)
    if found is not None:
        return found
    return ShareTerms(
        domain_id=domain_id,
        rights=[str(Right.VIEW)],
        locked=[],
        life=int(DEFAULT_LIFE.total_seconds()),
        longest_life=int(MAX_SHARED.total_seconds()),
        needs_password=False,
        watermark=False,
    )


def set_share_terms(  # noqa: PLR0913 - one for each thing that is said of a domain's shares
    session: Session,
    domain_id: str,
    *,
    rights: Collection[str] | None = None,
    locked: Collection[str] | None = None,
    life: timedelta | None = None,
    longest_life: timedelta | None = None,
    needs_password: bool | None = None,
    watermark: bool | None = None,
) -> ShareTerms:
    """Says what shares of a domain are like that are made from now on; None leaves a thing as it is.

    Args:
        session: of the write door.
        domain_id: the domain.
        rights: the rights that a share gives by default.
        locked: the options that nobody chooses (`OPTIONS`).
        life: how long a share lasts by default.
        longest_life: how long one may last.
        needs_password: whether each needs a password.
        watermark: whether the backend marks what it shows, by default.

    Raises:
        InvalidError: a right, option or span is not one, or a share would last longer than it may.
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    terms = share_terms_of(session, domain_id)
    named = _named(rights) if rights is not None else terms.rights
    closed = sorted({_option(each) for each in locked}) if locked is not None else terms.locked
    longest = terms.longest_life if longest_life is None else _seconds(longest_life)
    usual = terms.life if life is None else _seconds(life)
    if life is None:
        usual = min(usual, longest)
    if usual > longest:
        raise InvalidError("a share would last longer by default than it may: name a shorter life")
    terms.rights, terms.locked, terms.life, terms.longest_life = named, closed, usual, longest
    if needs_password is not None:
        terms.needs_password = needs_password
    if watermark is not None:
        terms.watermark = watermark
    return add(session, terms)


def _named(rights: Collection[str]) -> list[str]:
    return sorted({Right.VIEW, *(checked_choice(right, Right, "right of a share") for right in rights)})


def _option(text: str) -> str:
    if text not in OPTIONS:
        raise InvalidError(f"{shown(text)} is no option of a share: use one of {', '.join(OPTIONS)}")
    return text


def _seconds(span: timedelta) -> int:
    if not timedelta(minutes=1) <= span <= MAX_SHARED:
        raise InvalidError(f"a share lasts a minute to {MAX_SHARED.days} days, not {span}")
    return int(span.total_seconds())
