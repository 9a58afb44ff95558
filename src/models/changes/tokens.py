"""Changes to applications and to the credentials that users have for them.

Rules:

1. The text of a token is 256 random bits, returned once; the store keeps its SHA-256 digest. A digest without salt or
   stretching is enough for what cannot be guessed, and can be found by an index.
2. A token belongs to a user and an application of one domain; one of support to neither (`models.changes.support`).
3. A revoked token stays, so that its use is refused as revoked; it cannot be made valid again.
"""

import secrets
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.changes.names import checked_id, checked_name, new_id, shown
from models.changes.rows import add, the_application, the_domain, the_present_user, the_token
from models.tables import Application, Token

TOKEN_PREFIX = "mg_"  # noqa: S105 - not a secret: by it secret scanners know a leaked token
TOKEN_BYTES = 32


def create_application(session: Session, domain_id: str, name: str, *, id_: str | None = None) -> Application:
    """Makes an application: what a user's tokens are issued for.

    Raises:
        ConflictError: the name or id is taken.
        InvalidError: the name or id has a form that is not allowed.
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    checked_name(name, "application")
    taken = select(Application.id).where(Application.domain_id == domain_id, Application.name == name)
    if session.scalar(taken):
        raise ConflictError(
            f"there is an application {shown(name)} in this domain already: choose another name"
        )
    id_ = checked_id(id_ or new_id(), "application")
    if session.get(Application, id_):
        raise ConflictError(f"there is an application with id {shown(id_)} already: choose another id")
    return add(session, Application(id=id_, domain_id=domain_id, name=name))


def issue_token(
    session: Session, user_id: str, application_id: str, *, expires: datetime | None = None
) -> tuple[Token, str]:
    """Makes a token; returns its row and its text, which is kept nowhere (rule 1).

    Args:
        session: of the write door.
        user_id: who will be signed in by it.
        application_id: which program will present it.
        expires: when it ends, with a time zone; None for never.

    Raises:
        ConflictError: user and application belong to different domains, or the user is deleted.
        InvalidError: it would have expired already, or the time has no zone.
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
        created=now,
        expires=expires,
    )
    return add(session, token), text


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
