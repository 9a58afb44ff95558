"""Changes to applications and to the credentials that users have for them.

Rules:

1. The text of a token is 256 random bits, returned once; the store keeps its SHA-256 digest. A digest without salt or
   stretching is enough for what cannot be guessed, and can be found by an index.
2. A token belongs to a user and an application of one domain; one of support to neither (`models.changes.support`).
3. A revoked token stays, so that its use is refused as revoked; it cannot be made valid again.
4. A token may be good for some roles only, its scope. That is said when it is made and never changes: it could only be widened behind the
   back of whoever counts on it.
5. A token that is replaced stays valid for a while, so that a program can be given the new one without a gap. Its successor is for the
   same user, application and scope, and is never valid for longer than is asked for.
6. Where no end is named, a domain may say how long a token lasts.
"""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_word, new_id, shown
from models.changes.rows import add, the_application, the_domain, the_present_user, the_token
from models.tables import Token

TOKEN_PREFIX = "mg_"  # noqa: S105 - not a secret: by it secret scanners know a leaked token
TOKEN_BYTES = 32
MAX_SCOPE: Final = 300
"""Roles in the scope of one token."""
MAX_OVERLAP: Final = timedelta(days=30)
"""For how long a token that was replaced may stay valid."""
MAX_LIFETIME: Final = timedelta(days=5 * 366)
"""For how long a domain may let tokens last."""


def issue_token(
    session: Session,
    user_id: str,
    application_id: str,
    *,
    expires: datetime | None = None,
    scope: Collection[str] | None = None,
) -> tuple[Token, str]:
    """Makes a token; returns its row and its text, which is kept nowhere (rule 1).

    Args:
        session: of the write door.
        user_id: who will be signed in by it.
        application_id: which program will present it.
        expires: when it ends, with a time zone; None for never.
        scope: the roles that it is good for (rule 4); None for all that the user holds.

    Raises:
        ConflictError: user and application belong to different domains, or the user is deleted.
        InvalidError: it would have expired already, the time has no zone, or the scope names no role or too many.
        UnknownError: there is no such user or application.
    """
    user = the_present_user(session, user_id)
    the_application(session, application_id, user.domain_id)
    now = datetime.now(UTC)
    if expires is not None and expires.utcoffset() is None:
        raise InvalidError(f"the expiry `{expires.isoformat()}` has no time zone")
    if expires is not None and expires <= now:
        raise InvalidError(f"the expiry `{expires.isoformat()}` is over: choose a time to come")
    text = fresh_text()
    token = Token(
        id=new_id(),
        digest=token_digest(text),
        user_id=user_id,
        application_id=application_id,
        scope=checked_scope(scope),
        created=now,
        expires=expires,
    )
    return add(session, token), text


def rotate_token(
    session: Session, token_id: str, *, overlap: timedelta, expires: datetime | None = None
) -> tuple[Token, str]:
    """Replaces a token by a new one; returns the new row and its text (rule 5).

    Args:
        session: of the write door.
        token_id: the token that is replaced; it ends `overlap` from now, or when it would have ended anyway.
        overlap: how long both are valid; may be zero.
        expires: when the new one ends, with a time zone; None for never.

    Raises:
        ConflictError: the token is revoked, has expired, or is not a user's; or the user is deleted.
        InvalidError: the overlap is negative or too long, or the end is none.
        UnknownError: there is no such token.
    """
    token, now = the_token(session, token_id), datetime.now(UTC)
    if token.user_id is None or token.application_id is None:
        raise ConflictError(f"the token {shown(token_id)} is not a user's: make a new one")
    if token.revoked_at is not None or (token.expires is not None and token.expires <= now):
        raise ConflictError(f"the token {shown(token_id)} is not valid any more: make a new one")
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise InvalidError(f"both tokens are valid for at most {MAX_OVERLAP.days} days, not for {overlap}")
    made = issue_token(session, token.user_id, token.application_id, expires=expires, scope=token.scope)
    end = now + overlap
    token.expires = end if token.expires is None else min(token.expires, end)
    session.flush()
    return made


def set_token_lifetime(session: Session, domain_id: str, lifetime: timedelta | None) -> None:
    """Says for how long tokens are issued where nobody says otherwise (rule 6); None says nothing.

    Raises:
        InvalidError: that is no time, or too long.
        UnknownError: there is no such domain.
    """
    if lifetime is not None and not timedelta(seconds=1) <= lifetime <= MAX_LIFETIME:
        raise InvalidError(f"tokens last between a second and {MAX_LIFETIME.days} days, not {lifetime}")
    the_domain(session, domain_id).token_lifetime = int(lifetime.total_seconds()) if lifetime else None
    session.flush()


def checked_scope(scope: Collection[str] | None) -> list[str] | None:
    """Returns a scope as it is stored.

    Raises:
        InvalidError: it names no role, too many, or something that can be no role.
    """
    if scope is None:
        return None
    roles = sorted({checked_word(role, "role") for role in scope})
    if not roles:
        raise InvalidError(
            "a scope without roles would let nothing through: name one, or leave the scope out"
        )
    if len(roles) > MAX_SCOPE:
        raise InvalidError(f"{len(roles)} roles in one scope are too many, at most {MAX_SCOPE} are allowed")
    return roles


def revoke_token(session: Session, token_id: str) -> Token:
    """Makes a token invalid for good; one that is revoked already stays as it is.

    Raises:
        UnknownError: there is no such token.
    """
    token = the_token(session, token_id)
    if token.revoked_at is None:
        token.revoked_at = datetime.now(UTC)
        session.flush()
    return token


def fresh_text() -> str:
    """Returns the text of a new token (rule 1)."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(text: str) -> str:
    """Returns the digest by which the store knows a token; `token:DIGEST` is its fact key."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
