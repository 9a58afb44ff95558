"""Changes to shares: what users share with visitors, who have no account.

Rules:

1. A share never lets a visitor do more than its owner may do; that is asked with each decision, not when the share is made. So a
   share that its owner could not use himself is no danger, and of no use.
2. A share always ends. While the domain's switch is off none is made, and none of those that are there lets anybody in.
3. A link is a person's, or for whoever has it. Its text is returned once, and its digest kept, as with tokens. One visit is one
   sign-in by the link; what the visitor then asks for is no visit.
4. What is removed (a share, a recipient) goes with the tokens of its visitors, and so ends their access at once. So does another
   password: who came by the old one signs in again.
5. A domain's locks bind whoever makes or changes a share (`models.changes.share_rules`).
6. A share of a share is none: what visitors do is done in the sharer's name, and they have no name to share in.
7. A password is compared before the visit is written, since that takes long (`models.passwords`): `visit` is told the hash that
   it matched, and lets in only while that is still the share's.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict, Unpack

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError, UnknownError
from models.changes.names import checked_email, checked_key, checked_text, new_id
from models.changes.rows import (
    add,
    remove,
    the_domain,
    the_domain_of,
    the_present_user,
    the_recipient,
    the_share,
)
from models.changes.share_rules import MAX_SHARED, Rules, refuse_beyond, rules_of, usual_rights
from models.changes.tokens import fresh_text, token_digest
from models.networks import AddressError, canonical_network
from models.records import ObjectKey, Right
from models.tables import Share, ShareRecipient, Token, TokenUse

MAX_NETWORKS: Final = 100
"""Networks of one share."""
MAX_LINKS: Final = 1_000
"""Links to one share."""
LOCKED: Final = ("expires", "password", "rights")
"""What a domain's locks speak of."""


class ShareAttributes(TypedDict, total=False):
    """What can be said of a share, when made or later; what is left out stays as it is, or is as the domain says."""

    title: str
    rights: Collection[Right]
    expires: datetime
    networks: Iterable[str]
    max_visits: int | None
    password: str | None


def create_share(
    session: Session, owner_id: str, key: ObjectKey, **said: Unpack[ShareAttributes]
) -> Share:
    """Shares an object, and what stands in it, with whoever gets a link to it (`add_recipient`).

    Args:
        session: of the write door.
        owner_id: who shares it, and bounds what visitors may do (rule 1).
        key: the object.
        said: `rights`, what visitors may do: to look is always among them, and the domain's usual ones are meant if they are left out;
            `expires`, when it ends, with a time zone: as the domain says if it is left out; `title`, what people call it;
            `networks`, where visitors may come from, as CIDR prefixes: from anywhere without any; `max_visits`, how often its links
            let somebody in, all together: None for any number; `password`, its hash (`models.passwords.hashed`), None for none.

    Raises:
        ConflictError: the owner is deleted or of another domain, the domain's switch is off, or a lock forbids it (rule 5).
        InvalidError: a right, network, number or time is not one, or there is no end.
        UnknownError: there is no such object or user.
    """
    domain_id = the_domain_of(session, checked_key(key))
    the_present_user(session, owner_id, domain_id)
    _refuse_closed(session, domain_id)
    rules, now = rules_of(session, domain_id), datetime.now(UTC)
    if "expires" not in said:
        if rules.usual is None:
            raise InvalidError("a share always ends: say when")
        said["expires"] = now + rules.usual
    fresh = {"title": "", "networks": [], "max_visits": None, "password": None}
    values = {**fresh, "rights": sorted(usual_rights(rules, None)), **_checked(rules, said, now)}
    refuse_beyond(rules, now, **{name: values[name] for name in LOCKED})
    share = Share(
        id=new_id(),
        domain_id=domain_id,
        owner_id=owner_id,
        object_type=key.type,
        object_id=key.id,
        created=now,
        **values,
    )
    return add(session, share)


def update_share(session: Session, share_id: str, **said: Unpack[ShareAttributes]) -> Share:
    """Changes what is said of a share; holds for visitors who are there with their next request.

    Raises:
        ConflictError: a lock of the domain forbids it, or the domain's switch is off.
        InvalidError: as `create_share`.
        UnknownError: there is no such share.
    """
    share, now = the_share(session, share_id), datetime.now(UTC)
    _refuse_closed(session, share.domain_id)
    rules, password = rules_of(session, share.domain_id), share.password
    values = _checked(rules, said, now)
    refuse_beyond(rules, now, **{name: values.get(name, getattr(share, name)) for name in LOCKED})
    for name, value in values.items():
        setattr(share, name, value)
    tokens = session.scalars(select(Token).where(Token.share_id == share_id)).all()
    if share.password != password:  # rule 4
        _remove_tokens(session, tokens)
    else:
        for token in tokens:
            token.expires = share.expires
    session.flush()
    return share


def add_recipient(session: Session, share_id: str, email: str | None = None) -> tuple[ShareRecipient, str]:
    """Makes a link to a share; returns its row and its text, which is kept nowhere (rule 3).

    Args:
        session: of the write door.
        share_id: the share.
        email: whose the link is; None for whoever has it.

    Raises:
        InvalidError: the e-mail is none, or the share has too many links.
        UnknownError: there is no such share.
    """
    the_share(session, share_id)
    count = select(func.count()).where(ShareRecipient.share_id == share_id)
    if (session.scalar(count) or 0) >= MAX_LINKS:
        raise InvalidError(f"the share has {MAX_LINKS} links, which is the most: make another share")
    text = fresh_text()
    row = ShareRecipient(
        id=new_id(),
        share_id=share_id,
        email=checked_email(email) if email is not None else None,
        digest=token_digest(text),
        visits=0,
    )
    return add(session, row), text


def visit(session: Session, link: str, *, matched: str | None = None) -> tuple[Token, str]:
    """Signs a visitor in by a link and counts the visit; returns the token's row and text.

    Args:
        session: of the write door.
        link: its text.
        matched: the hash that the visitor's password matched (rule 7); None if none was given.

    Raises:
        ConflictError: the share is over, used up, or the domain's switch is off, or it has another password.
        UnknownError: there is no such link.
    """
    found = session.scalar(select(ShareRecipient).where(ShareRecipient.digest == token_digest(link)))
    if found is None:
        raise UnknownError("there is no such link: ask who shared it for another")
    share, now = the_share(session, found.share_id), datetime.now(UTC)
    _refuse_closed(session, share.domain_id)
    if now >= share.expires:
        raise ConflictError("the share is over: ask who shared it for another")
    if share.password is not None and share.password != matched:
        raise ConflictError("the share has a password: ask who shared it")
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


def _checked(rules: Rules, said: ShareAttributes, now: datetime) -> dict[str, Any]:
    """Returns what is said as it is stored; raises InvalidError if it cannot be said."""
    values: dict[str, Any] = dict(said)
    if "expires" in said:
        _check_end(said["expires"], now)
    if "rights" in said:
        values["rights"] = sorted(usual_rights(rules, said["rights"]))
    if "networks" in said:
        values["networks"] = _checked_networks(said["networks"])
    most = said.get("max_visits")
    if most is not None and most < 1:
        raise InvalidError(f"{most} visits are none: say how many, or leave the number out")
    if "title" in said:
        values["title"] = checked_text(said["title"], "share")
    return values


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
