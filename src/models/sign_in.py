"""Signing a visitor in by a link, from its text to the token of a visit.

Rules:

1. The password is compared between a look and a commit, so that the write door is not held meanwhile. The commit looks again.
2. A link that opens nothing costs the same as one whose password is wrong: one look and one comparison. Only who is let in costs a commit.
"""

from typing import NamedTuple

from netaddr import IPAddress
from sqlalchemy.orm import Session

from models.changes.rows import the_recipient, the_share
from models.changes.visits import LinkError, opened_by, visit
from models.passwords import fits
from models.records import ObjectKey
from models.store import Store
from models.tables import Token


class Visit(NamedTuple):
    """A visitor who was let in.

    Attributes:
        text: of the token, which is kept nowhere; empty but right after a sign-in.
        token_id: of the token.
        expires: when it ends, as a time in UTC written in ISO form.
        share_id: the share.
        recipient_id: whose link it was.
        email: the same as an address; empty for a link that is for whoever has it.
        key: what is shared.
        domain_id: the sharer's domain.
        rights: what the share gives, sorted.
        watermark: whether the backend is to mark what it shows.
    """

    text: str
    token_id: str
    expires: str
    share_id: str
    recipient_id: str
    email: str
    key: ObjectKey
    domain_id: str
    rights: tuple[str, ...]
    watermark: bool


def sign_in(store: Store, link: str, password: str, address: IPAddress, author: str) -> Visit:
    """Lets a visitor in, and counts it; takes tens of milliseconds, so call it from a thread.

    Args:
        store: an open one.
        link: the link's text.
        password: what the visitor says; empty if nothing.
        address: where the visitor comes from.
        author: of the commit.

    Raises:
        LinkError: link and password open nothing; always the same words.
    """
    kept, closed, who = _looked(store, link, address)
    if not fits(kept, password):
        raise closed or LinkError(f"{who} has another password")
    if closed is not None:
        raise closed
    with store.write(author) as commit:
        token, text = visit(commit.session, link, shown=kept, address=address)
        return visit_of(commit.session, token, text)


def visit_of(session: Session, token: Token, text: str = "") -> Visit:
    """Returns what the visit of a token is.

    Raises:
        UnknownError: its share or link is gone.
    """
    share = the_share(session, token.share_id or "")
    found = the_recipient(session, token.recipient_id or "")
    return Visit(
        text,
        token.id,
        token.expires.isoformat() if token.expires else "",
        share.id,
        found.id,
        found.email or "",
        share.key,
        share.domain_id,
        tuple(share.rights),
        share.watermark,
    )


def _looked(store: Store, link: str, address: IPAddress) -> tuple[str | None, LinkError | None, str]:
    """Returns the hash that the password must fit, why the link opens nothing all the same, and whose it is."""
    with store.read() as session:
        try:
            share, found = opened_by(session, link, address)
        except LinkError as error:
            return None, error, ""
        return share.password, None, f"share:{share.id}/{found.id}"
