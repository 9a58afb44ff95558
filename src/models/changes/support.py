"""Changes to support access: who of support has a credential, and which domain lets support in.

Rules:

1. A credential of support belongs to no user, application or domain, always ends, and opens nothing by itself.
2. A domain lets support in for a time that ends by itself; how support uses it stands in the policies.
3. Only the command line of the platform operator makes credentials of support: no other file calls for one.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from models.changes.errors import InvalidError
from models.changes.names import checked_name, new_id
from models.changes.rows import add, the_domain
from models.changes.tokens import fresh_text, token_digest
from models.tables import SystemDomain, Token

MAX_SUPPORT: Final = timedelta(days=30)
"""For how long a credential of support or an opened domain lasts at most."""


def issue_support_token(session: Session, name: str, *, expires: datetime) -> tuple[Token, str]:
    """Makes a credential of support; returns its row and its text, which is kept nowhere.

    Args:
        session: of the write door.
        name: who of support will use it; the audit shows it.
        expires: when it ends, with a time zone.

    Raises:
        InvalidError: the name has a form that is not allowed, or the end is over, too far away or without a zone.
    """
    checked_name(name, "person of support")
    now = datetime.now(UTC)
    _check_end(expires, now)
    text = fresh_text()
    token = Token(id=new_id(), digest=token_digest(text), support=name, created=now, expires=expires)
    return add(session, token), text


def let_support_in(session: Session, domain_id: str, until: datetime | None) -> SystemDomain:
    """Switches support access to a domain on until a time, or off; holds for requests that begin afterwards.

    Args:
        session: of the write door.
        domain_id: the domain.
        until: when it ends by itself, with a time zone; None switches it off.

    Raises:
        InvalidError: the end is over, too far away or without a zone.
        UnknownError: there is no such domain.
    """
    domain = the_domain(session, domain_id)
    if until is not None:
        _check_end(until, datetime.now(UTC))
    domain.support_until = until
    session.flush()
    return domain


def _check_end(end: datetime, now: datetime) -> None:
    if end.utcoffset() is None:
        raise InvalidError(f"the end `{end.isoformat()}` has no time zone")
    if not now < end <= now + MAX_SUPPORT:
        raise InvalidError(
            f"support access may end within {MAX_SUPPORT.days} days from now, not at `{end.isoformat()}`"
        )
