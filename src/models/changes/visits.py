"""Changes that visitors make: they come by a link to a share and get a token of the visit.

Rules:

1. A link is a person's, or for whoever has it. Its text is returned once, and its digest kept, as with tokens.
2. One visit is one sign-in by the link. What the visitor then asks for is no visit, nor is a sign-in that is refused.
3. A link that does not exist, is over, used up, switched off, not for this address or whose password is another is refused in the same
   words: whoever holds a link that opens nothing learns nothing from it. Why is for the audit alone.
4. A visit lasts for hours and can be made longer up to a day, but never beyond its share. Whoever comes again is counted again.
5. What visits leave behind is bounded: a sign-in clears tokens of the share away that have expired, and a share has a bounded number of links.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from netaddr import IPAddress
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, UnknownError
from models.changes.names import checked_email, new_id
from models.changes.rows import add, remove, the_domain, the_recipient, the_share, the_token
from models.changes.tokens import fresh_text, token_digest
from models.networks import NetworkSet
from models.tables import Share, ShareRecipient, Token, TokenUse

VISIT: Final = timedelta(hours=4)
"""How long the token of a visit is valid, and by how much it can be made longer at a time."""
LONGEST_VISIT: Final = timedelta(days=1)
MAX_LINKS: Final = 1_000
"""Links to one share."""
CLEARED: Final = 50
"""Expired tokens that one sign-in clears away: more than it adds."""


class LinkError(UnknownError):
    """A link opens nothing, whatever the reason (rule 3).

    Attributes:
        why: the reason, for the audit; names share and recipient, never the link.
    """

    def __init__(self, why: str) -> None:
        super().__init__("this link, or its password, opens nothing: ask who shared it for another")
        self.why = why


def add_recipient(session: Session, share_id: str, email: str | None = None) -> tuple[ShareRecipient, str]:
    """Makes a link to a share; returns its row and its text, which is kept nowhere (rule 1).

    Args:
        session: of the write door.
        share_id: the share.
        email: whose the link is; None for whoever has it.

    Raises:
        ConflictError: the share has as many links as it may.
        InvalidError: the e-mail is none.
        UnknownError: there is no such share.
    """
    the_share(session, share_id)
    links = select(func.count()).where(ShareRecipient.share_id == share_id)
    if (session.scalar(links) or 0) >= MAX_LINKS:
        raise ConflictError(
            f"the share has {MAX_LINKS} links, which is the most: take some back, or make another share"
        )
    text = fresh_text()
    row = ShareRecipient(
        id=new_id(),
        share_id=share_id,
        email=checked_email(email) if email is not None else None,
        digest=token_digest(text),
        visits=0,
    )
    return add(session, row), text


def readdress(session: Session, recipient_id: str, email: str) -> tuple[ShareRecipient, str | None]:
    """Makes a link another person's: a new link in its place, since the former person has the old one; returns its row and its text.

    Whoever came by the old one is out at once. How often the link was used stays counted. Where the e-mail is the same nothing
    changes, and the text is None.

    Args:
        session: of the write door.
        recipient_id: of the link.
        email: whose it becomes.

    Raises:
        InvalidError: the e-mail is none.
        UnknownError: there is no such link.
    """
    row, wanted = the_recipient(session, recipient_id), checked_email(email)
    if row.email == wanted:
        return row, None
    tokens = session.scalars(select(Token).where(Token.recipient_id == row.id)).all()
    uses = select(TokenUse).where(TokenUse.token_id.in_([token.id for token in tokens]))
    remove(session, session.scalars(uses).all())
    remove(session, tokens)
    text = fresh_text()
    row.email, row.digest = wanted, token_digest(text)
    session.flush()
    return row, text


def opened_by(session: Session, link: str, address: IPAddress | None = None) -> tuple[Share, ShareRecipient]:
    """Returns the share that a link opens now, but for its password, and whose link it is; changes nothing.

    Args:
        session: any.
        link: the link's text.
        address: where the visitor comes from; None where that is not known, as for a share that is open from anywhere.

    Raises:
        LinkError: it opens nothing (rule 3).
    """
    found = session.scalar(select(ShareRecipient).where(ShareRecipient.digest == token_digest(link)))
    if found is None:
        raise LinkError("there is no such link")
    share, who = the_share(session, found.share_id), f"share:{found.share_id}/{found.id}"
    _check_open(session, share, address, who)
    counted = select(func.sum(ShareRecipient.visits)).where(ShareRecipient.share_id == share.id)
    if share.max_visits is not None and (session.scalar(counted) or 0) >= share.max_visits:
        raise LinkError(f"{who} was used as often as it may be")
    return share, found


def visit(
    session: Session, link: str, *, shown: str | None = None, address: IPAddress | None = None
) -> tuple[Token, str]:
    """Signs a visitor in by a link and counts the visit; returns the token's row and text.

    Args:
        session: of the write door.
        link: the link's text.
        shown: the hash of the password that the visitor was found to know; it must still be the share's.
        address: as in `opened_by`.

    Raises:
        LinkError: it opens nothing (rule 3).
    """
    share, found = opened_by(session, link, address)
    if share.password != shown:
        raise LinkError(f"share:{share.id}/{found.id} has another password")
    now = datetime.now(UTC)
    _clear(session, share.id, now)
    found.visits += 1
    found.last_visit = now
    text = fresh_text()
    token = Token(
        id=new_id(),
        digest=token_digest(text),
        share_id=share.id,
        recipient_id=found.id,
        created=now,
        expires=min(now + VISIT, share.expires),
    )
    return add(session, token), text


def _clear(session: Session, share_id: str, now: datetime) -> None:
    """Removes tokens of visits to a share that have expired (rule 5)."""
    query = select(Token).where(Token.share_id == share_id, Token.expires <= now)
    gone = session.scalars(query.order_by(Token.expires).limit(CLEARED)).all()
    uses = select(TokenUse).where(TokenUse.token_id.in_([token.id for token in gone]))
    remove(session, session.scalars(uses).all())
    remove(session, gone)


def the_visit(session: Session, token_id: str) -> Token:
    """Returns the token of a visit.

    Raises:
        UnknownError: there is none, or it is of no visit.
    """
    token = the_token(session, token_id)
    if token.share_id is None:
        raise UnknownError("the token is of no visit")
    return token


def prolong_visit(session: Session, token_id: str, address: IPAddress | None = None) -> Token:
    """Makes a visit longer, within rule 4; it is not counted again.

    Args:
        session: of the write door.
        token_id: of the visit.
        address: as in `opened_by`.

    Raises:
        LinkError: it is over, or its share lets nobody in from there any more.
        UnknownError: there is no such visit.
    """
    token, now = the_visit(session, token_id), datetime.now(UTC)
    if token.revoked_at is not None or token.expires is None or token.expires <= now:
        raise LinkError(f"the visit {token.id} is over")
    share = the_share(session, token.share_id or "")
    _check_open(session, share, address, f"the share {share.id}")
    token.expires = max(token.expires, min(now + VISIT, token.created + LONGEST_VISIT, share.expires))
    session.flush()
    return token


def _check_open(session: Session, share: Share, address: IPAddress | None, who: str) -> None:
    """Refuses a share that lets nobody in from there, whoever it is (rule 3)."""
    if not the_domain(session, share.domain_id).external_share:
        raise LinkError(f"{who} is of a domain that does not share with visitors")
    if datetime.now(UTC) >= share.expires:
        raise LinkError(f"{who} is over")
    if share.networks and (address is None or not NetworkSet.of(share.networks).admits(address)):
        raise LinkError(f"{who} is not for this address")
