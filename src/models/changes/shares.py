"""Changes to shares: what users share with visitors, who have no account.

Rules:

1. A share never lets a visitor do more than its owner may do; that is asked with each decision, not when the share is made. So a
   share that its owner could not use himself is no danger, and of no use.
2. A share always ends. While the domain's switch is off none is made, and none of those that are there lets anybody in.
3. What may be chosen, and what is taken where nothing is chosen or may be, are the domain's terms (`models.changes.share_terms`).
4. What is removed (a share, a recipient) goes with the tokens of its visitors and the entries that name it, and so ends their access at once. So does another password.
5. Only content is shared: a share cannot be shared again, and visitors, who have no account, share nothing.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_choice, checked_id, checked_key, checked_text, new_id
from models.changes.rows import (
    add,
    remove,
    the_domain,
    the_domain_of,
    the_present_user,
    the_recipient,
    the_share,
)
from models.changes.share_terms import LIFE, WATERMARK, share_terms_of
from models.networks import AddressError, canonical_network
from models.passwords import Hashed, is_hash
from models.records import ObjectKey, Right
from models.tables import AclEntry, PrincipalKind, Share, ShareRecipient, ShareTerms, Token, TokenUse

MAX_NETWORKS: Final = 100
"""Networks of one share."""
MAX_VIEWS: Final = 100
"""Metadata views of one share."""
SHARE: Final = "share"
"""The type under which a backend may know shares (rule 5)."""


def create_share(  # noqa: PLR0913 - one for each thing that is said of a share
    session: Session,
    owner_id: str,
    key: ObjectKey,
    rights: Collection[str] | None = None,
    *,
    expires: datetime | None = None,
    title: str = "",
    networks: Iterable[str] = (),
    max_visits: int | None = None,
    password: Hashed | None = None,
    watermark: bool | None = None,
    metadata_views: Iterable[str] = (),
) -> Share:
    """Shares an object, and what stands in it, with whoever gets a link to it (`models.changes.visits`).

    Args:
        session: of the write door.
        owner_id: who shares it, and bounds what visitors may do (rule 1).
        key: the object.
        rights: what visitors may do; to look is always among them. None for what the domain's terms say.
        expires: when it ends, with a time zone; None for as the domain's terms say.
        title: what people call it.
        networks: where visitors may come from, as CIDR prefixes; from anywhere without any.
        max_visits: how often its links let somebody in, all together; None for any number.
        password: what `models.passwords.hashed` made of the password that visitors need; None for none.
        watermark: whether the backend is to mark what it shows; None for as the domain's terms say.
        metadata_views: ids of the metadata views by which visitors may read metadata.

    Raises:
        ConflictError: the owner is deleted or of another domain, the domain's switch is off, or it asks for a password.
        InvalidError: a right, network, view, number or time is not one, or the object is a share.
        UnknownError: there is no such object or user.
    """
    if checked_key(key).type == SHARE:
        raise InvalidError("a share cannot be shared: share the object that it is of")
    domain_id = the_domain_of(session, key)
    the_present_user(session, owner_id, domain_id)
    _refuse_closed(session, domain_id)
    terms, now = share_terms_of(session, domain_id), datetime.now(UTC)
    usual = now + timedelta(seconds=terms.life)
    end = usual if expires is None or LIFE in terms.locked else expires
    mark = terms.watermark if watermark is None or WATERMARK in terms.locked else watermark
    _check_end(end, now, now, terms)
    share = Share(
        id=new_id(),
        domain_id=domain_id,
        owner_id=owner_id,
        object_type=key.type,
        object_id=key.id,
        title=checked_text(title, "share"),
        rights=_chosen(terms, rights, terms.rights),
        networks=_checked_networks(networks),
        max_visits=_checked_visits(max_visits),
        password=_checked_password(password, terms),
        watermark=mark,
        metadata_views=_checked_views(metadata_views),
        created=now,
        expires=end,
    )
    return add(session, share)


def update_share(  # noqa: PLR0913 - one for each thing that is said of a share
    session: Session,
    share_id: str,
    *,
    rights: Collection[str] | None = None,
    expires: datetime | None = None,
    title: str | None = None,
    networks: Iterable[str] | None = None,
    max_visits: int | EllipsisType | None = ...,
    password: Hashed | EllipsisType | None = ...,
    watermark: bool | None = None,
    metadata_views: Iterable[str] | None = None,
) -> Share:
    """Changes a share; what is left out stays as it is. Arguments as in `create_share`; what the terms lock stays as well.

    Raises:
        ConflictError: the domain asks for a password, or fixes how long shares last.
        InvalidError: a right, network, view, number or time is not one.
        UnknownError: there is no such share.
    """
    share = the_share(session, share_id)
    terms, now = share_terms_of(session, share.domain_id), datetime.now(UTC)
    if expires is not None:
        _check_end(expires, share.created, now, terms)
    if expires is not None and LIFE in terms.locked and expires > share.expires:
        raise ConflictError("this domain fixes how long a share lasts: make another instead")
    values = {
        "expires": expires,
        "rights": _chosen(terms, rights, share.rights) if rights is not None else None,
        "title": checked_text(title, "share") if title is not None else None,
        "networks": _checked_networks(networks) if networks is not None else None,
        "metadata_views": _checked_views(metadata_views) if metadata_views is not None else None,
        "watermark": None if WATERMARK in terms.locked else watermark,
    }
    visits = share.max_visits if isinstance(max_visits, EllipsisType) else _checked_visits(max_visits)
    kept = share.password if isinstance(password, EllipsisType) else _checked_password(password, terms)
    if kept != share.password:
        _remove_tokens(session, session.scalars(select(Token).where(Token.share_id == share.id)).all())
    share.max_visits, share.password = visits, kept
    for name, value in values.items():
        if value is not None:
            setattr(share, name, value)
    session.flush()
    return share


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


def remove_shares_in(session: Session, domain_id: str) -> int:
    """Takes back all that users of a domain have shared; returns how many shares that were."""
    return remove_shares(session, session.scalars(select(Share).where(Share.domain_id == domain_id)).all())


def remove_shares(session: Session, shares: Iterable[Share]) -> int:
    """Takes shares back, as `remove_share` does; returns how many."""
    gone = list(shares)
    for share in gone:
        _remove_tokens(session, session.scalars(select(Token).where(Token.share_id == share.id)).all())
        links = select(ShareRecipient).where(ShareRecipient.share_id == share.id)
        remove(session, session.scalars(links).all())
        entries = select(AclEntry).where(
            AclEntry.principal_kind == PrincipalKind.SHARE, AclEntry.principal_id == share.id
        )
        remove(session, session.scalars(entries).all())
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


def _chosen(terms: ShareTerms, rights: Collection[str] | None, otherwise: Collection[str]) -> list[str]:
    """Returns the rights of a share: what was chosen, but `otherwise` for what was not or may not be."""
    if rights is None:
        return sorted({Right.VIEW, *otherwise})
    named = {checked_choice(right, Right, "right of a share") for right in rights}
    free = {right for right in named if right not in terms.locked}
    return sorted({Right.VIEW, *free, *(right for right in otherwise if right in terms.locked)})


def _check_end(end: datetime, created: datetime, now: datetime, terms: ShareTerms) -> None:
    if end.utcoffset() is None:
        raise InvalidError(f"the end `{end.isoformat()}` has no time zone")
    last = created + timedelta(seconds=terms.longest_life)
    if not now < end <= last:
        raise InvalidError(
            f"the end `{end.isoformat()}` is over, or after {last:%Y-%m-%d %H:%M}Z, the longest that shares of this domain last"
        )


def _checked_visits(number: int | None) -> int | None:
    if number is not None and not 1 <= number < 2**31:
        raise InvalidError(f"{number} visits are no bound: say how many, or leave the number out")
    return number


def _checked_password(kept: Hashed | None, terms: ShareTerms) -> str | None:
    if kept is None and terms.needs_password:
        raise ConflictError("shares of this domain need a password: choose one")
    if kept is not None and not is_hash(kept):
        raise InvalidError("the password of a share is kept as an Argon2id hash, not as it came")
    return kept


def _checked_views(ids: Iterable[str]) -> list[str]:
    found = sorted({checked_id(each, "metadata view") for each in ids})
    if len(found) > MAX_VIEWS:
        raise InvalidError(f"{len(found)} metadata views are too many, at most {MAX_VIEWS} are allowed")
    return found


def _checked_networks(networks: Iterable[str]) -> list[str]:
    try:
        found = sorted({canonical_network(network) for network in networks})
    except AddressError as error:
        raise InvalidError(str(error)) from error
    if len(found) > MAX_NETWORKS:
        raise InvalidError(f"{len(found)} networks are too many, at most {MAX_NETWORKS} are allowed")
    return found
