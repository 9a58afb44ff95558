"""Changes to shares: what users share with visitors, who have no account.

Rules:

1. A share never lets a visitor do more than its owner may do; that is asked with each decision, not when the share is made. So a
   share that its owner could not use himself is no danger, and of no use.
2. A share always ends. While the domain's switch is off none is made, and none of those that are there lets anybody in.
3. A link is a person's, or for whoever has it. Its text is returned once, and its digest kept, as with tokens. One visit is one
   sign-in by the link; what the visitor then asks for is no visit.
4. What is removed (a share, a recipient) goes with the tokens of its visitors, and so ends their access at once.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError, UnknownError
from models.changes.names import checked_choice, checked_key, checked_text, new_id
from models.changes.rows import (
    add,
    remove,
    the_domain,
    the_domain_of,
    the_present_user,
    the_recipient,
    the_share,
)
from models.changes.tokens import fresh_text, token_digest
from models.networks import AddressError, canonical_network
from models.records import ObjectKey, Right
from models.tables import Share, ShareRecipient, Token, TokenUse

MAX_SHARED: Final = timedelta(days=5 * 366)
"""For how long a share lasts at most."""
MAX_NETWORKS: Final = 100
"""Networks of one share."""


def create_share(  # noqa: PLR0913 - one for each thing that is said of a share
    session: Session,
    owner_id: str,
    key: ObjectKey,
    rights: Collection[Right],
    *,
    expires: datetime,
    title: str = "",
    networks: Iterable[str] = (),
    max_visits: int | None = None,
) -> Share:
    """Shares an object, and what stands in it, with whoever gets a link to it (`add_recipient`).

    Args:
        session: of the write door.
        owner_id: who shares it, and bounds what visitors may do (rule 1).
        key: the object.
        rights: what visitors may do; to look is always among them.
        expires: when it ends, with a time zone.
        title: what people call it.
        networks: where visitors may come from, as CIDR prefixes; from anywhere without any.
        max_visits: how often its links let somebody in, all together; None for any number.

    Raises:
        ConflictError: the owner is deleted or of another domain, or the domain's switch is off.
        InvalidError: a right, network, number or time is not one.
        UnknownError: there is no such object or user.
    """
    domain_id = the_domain_of(session, checked_key(key))
    the_present_user(session, owner_id, domain_id)
    _refuse_closed(session, domain_id)
    now = datetime.now(UTC)
    _check_end(expires, now)
    if max_visits is not None and max_visits < 1:
        raise InvalidError(f"{max_visits} visits are none: say how many, or leave the number out")
    named = {Right.VIEW, *(checked_choice(right, Right, "right of a share") for right in rights)}
    share = Share(
        id=new_id(),
        domain_id=domain_id,
        owner_id=owner_id,
        object_type=key.type,
        object_id=key.id,
        title=checked_text(title, "share"),
        rights=sorted(named),
        networks=_checked_networks(networks),
        max_visits=max_visits,
        created=now,
        expires=expires,
    )
    return add(session, share)


def add_recipient(session: Session, share_id: str, email: str | None = None) -> tuple[ShareRecipient, str]:
    """Makes a link to a share; returns its row and its text, which is kept nowhere (rule 3).

    Args:
        session: of the write door.
        share_id: the share.
        email: whose the link is; None for whoever has it.

    Raises:
        UnknownError: there is no such share.
    """
    the_share(session, share_id)
    text = fresh_text()
    row = ShareRecipient(
        id=new_id(),
        share_id=share_id,
        email=checked_text(email, "recipient") if email is not None else None,
        digest=token_digest(text),
        visits=0,
    )
    return add(session, row), text


def visit(session: Session, link: str) -> tuple[Token, str]:
    """Signs a visitor in by a link and counts the visit; returns the token's row and text.

    Raises:
        ConflictError: the share is over, used up, or the domain's switch is off.
        UnknownError: there is no such link.
    """
    found = session.scalar(select(ShareRecipient).where(ShareRecipient.digest == token_digest(link)))
    if found is None:
        raise UnknownError("there is no such link: ask who shared it for another")
    share, now = the_share(session, found.share_id), datetime.now(UTC)
    _refuse_closed(session, share.domain_id)
    if now >= share.expires:
        raise ConflictError("the share is over: ask who shared it for another")
    counted = select(func.sum(ShareRecipient.visits)).where(ShareRecipient.share_id == share.id)
    if share.max_visits is not None and (session.scalar(counted) or 0) >= share.max_visits:
        raise ConflictError("the share was used as often as it may be: ask who shared it for another")
    found.visits += 1
    found.last_visit = now
    text = fresh_text()
    token = Token(
        id=new_id(),
        digest=token_digest(text),
        share_id=share.id,
        recipient_id=found.id,
        created=now,
        expires=share.expires,
    )
    return add(session, token), text


def remove_recipient(session: Session, recipient_id: str) -> None:
    """Takes one link to a share back, with the tokens of those who came by it.

    Raises:
        UnknownError: there is no such recipient.
    """
    row = the_recipient(session, recipient_id)
    _remove_tokens(session, session.scalars(select(Token).where(Token.recipient_id == recipient_id)).all())
    remove(session, [row])


def remove_share(session: Session, share_id: str) -> None:
    """Takes a share back, with its links and the tokens of its visitors.

    Raises:
        UnknownError: there is no such share.
    """
    remove_shares(session, [the_share(session, share_id)])


def remove_shares_of(session: Session, owner_id: str) -> int:
    """Takes back all that a user has shared; returns how many shares that were."""
    return remove_shares(session, session.scalars(select(Share).where(Share.owner_id == owner_id)).all())


def remove_shares(session: Session, shares: Iterable[Share]) -> int:
    """Takes shares back, as `remove_share` does; returns how many."""
    gone = list(shares)
    for share in gone:
        _remove_tokens(session, session.scalars(select(Token).where(Token.share_id == share.id)).all())
        links = select(ShareRecipient).where(ShareRecipient.share_id == share.id)
        remove(session, session.scalars(links).all())
    return remove(session, gone)


def _remove_tokens(session: Session, tokens: Collection[Token]) -> None:
    for token in tokens:
        remove(session, session.scalars(select(TokenUse).where(TokenUse.token_id == token.id)).all())
    remove(session, tokens)


def _refuse_closed(session: Session, domain_id: str) -> None:
    if not the_domain(session, domain_id).external_share:
        raise ConflictError(
            "this domain does not share with people who have no account: an admin may switch that on"
        )


def _check_end(end: datetime, now: datetime) -> None:
    if end.utcoffset() is None:
        raise InvalidError(f"the end `{end.isoformat()}` has no time zone")
    if not now < end <= now + MAX_SHARED:
        raise InvalidError(f"a share ends within {MAX_SHARED.days} days from now, not at `{end.isoformat()}`")


def _checked_networks(networks: Iterable[str]) -> list[str]:
    try:
        found = sorted({canonical_network(network) for network in networks})
    except AddressError as error:
        raise InvalidError(str(error)) from error
    if len(found) > MAX_NETWORKS:
        raise InvalidError(f"{len(found)} networks are too many, at most {MAX_NETWORKS} are allowed")
    return found
