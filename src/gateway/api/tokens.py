"""Tokens: one's own, those of an application, and signing in by a password.

Rules:

1. No token gives more than the one by which it was asked for: who comes with a scope gets a token of that scope, or of a part of it. Another token
   ends when that one does at the latest; one that replaces it lasts as long again as it lasted from its beginning to its end.
2. A token for another user, or an application's for its user, is issued by admins alone: it is that user's whole power.
3. The text of a token is told once, when it is made.
4. One's own token may be looked at, replaced and ended by whoever presents it, whatever its scope, as long as the user may do anything at all.
5. Whoever signs in by a password is told the same whether there is no such user, the password does not fit, or the user may not come in. Tries are
   bounded as those of links are (`gateway.api.attempts`). One that is good for an interface alone does not sign in (`BROWSE_API_ONLY`).
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Service, bad_value, told
from gateway.api.paging import Listed
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models import changes
from models.changes import MAX_LIFETIME
from models.passwords import LEAST, MOST, fits
from models.records import DomainStatus, UserStatus, UserType
from models.tables import Application, SystemDomain, Token, User

SERVICE: Final = Service("auth")
SIGN_IN: Final = "sign-in"
"""The application whose tokens those get who sign in without naming one; made when it is first needed."""
SIGNED_IN: Final = timedelta(hours=24)
"""How long who signs in stays so where the domain says nothing of it."""
OVERLAP: Final = timedelta(minutes=5)
"""How long a token that was replaced stays valid where nobody says otherwise."""
MAX_HOMES: Final = 100
"""Users of one e-mail whose passwords are compared."""

Seconds = Annotated[int, msgspec.Meta(ge=1, le=int(MAX_LIFETIME.total_seconds()))]
"""For which a token lasts."""


class TokenDocument(msgspec.Struct, kw_only=True):
    """A token without its text. `scope` is an addition: the roles that it is good for, null for all that its user holds."""

    id: str
    app_id: str
    user_id: str
    expires: datetime | None
    date_created: datetime
    is_admin: bool
    scope: list[str] | None
    system_domain_id: str
    system_domain_status: DomainStatus
    is_super_admin: bool = False
    is_super_admin_light: bool = False


class NewTokenDocument(TokenDocument, kw_only=True):
    """A token with its text, which is told this once."""

    token: str


class Tokens(Listed, kw_only=True):
    """A page of the caller's tokens that are valid, oldest first."""

    objects: list[TokenDocument]


class Login(msgspec.Struct):
    """Who signs in. `system_domain_id` is an addition, for an e-mail with one password in several domains."""

    email: str
    password: str
    app_name: str | None = None
    system_domain_id: str | None = None


class TokenQuery(msgspec.Struct):
    """For how long, in seconds; by default as long as the domain says."""

    expires_in: Seconds | None = None


class TokenBody(msgspec.Struct):
    """For which roles a token is to be good; an addition."""

    scope: list[str] | None = None


class RotationQuery(msgspec.Struct):
    """For how long the new token is valid and the old one stays so, in seconds; `overlap` is an addition."""

    expires_in: Seconds | None = None
    overlap: Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)] | None = None


class PasswordChecks(msgspec.Struct):
    """What a password must be like."""

    min_length: int
    max_length: int
    digits: int = 0
    lowercase: int = 0
    uppercase: int = 0
    special_symbols: int = 0


class DomainDocument(msgspec.Struct):
    """The caller's domain."""

    id: str
    name: str
    status: DomainStatus


@SERVICE.operation(201)
def sign_in(call: Call, body: Login) -> NewTokenDocument:
    """Signs a user in by e-mail and password."""
    with call.attempt(body.email) as attempt, call.read() as session:
        user = _who(call, session, body)
        if user is None:
            attempt.failed()
            raise GatewayError(Reason.CREDENTIAL_UNKNOWN, "no active user of this e-mail and password")
    with call.write() as session:
        application = _application(session, user.domain_id, body.app_name)
        expires = _end(session, user.domain_id, None, SIGNED_IN)
        token, text = changes.issue_token(session, user.id, application.id, expires=expires)
        return _with_text(session, token, text)


@SERVICE.operation()
def get_own_token(call: Call) -> TokenDocument:
    """The token by which the caller asks."""
    call.refuse_unless_in("read")
    with call.read() as session:
        return document_of(session, _own(session, call))


@SERVICE.operation(201, needs_body=False)
def issue_token(call: Call, query: TokenQuery, body: TokenBody | None = None) -> NewTokenDocument:
    """Makes another token of the caller, for the same application; the one by which it is asked for stays."""
    call.refuse_unless_in("write")
    wanted = body.scope if body is not None else None
    with call.write() as session:
        own = _own(session, call)
        scope = _within(own.scope, wanted)
        expires = _earlier(_end(session, call.domain_id, query.expires_in), own.expires)
        token, text = changes.issue_token(
            session, call.user.id, own.application_id or "", expires=expires, scope=scope
        )
        return _with_text(session, token, text)


@SERVICE.operation(needs_body=False)
def rotate_own_token(call: Call, query: RotationQuery) -> NewTokenDocument:
    """Replaces the token by which the caller asks; both are valid for a while."""
    call.refuse_unless_in("write")
    overlap = OVERLAP if query.overlap is None else timedelta(seconds=query.overlap)
    with call.write() as session:
        own = _own(session, call)
        again = datetime.now(UTC) + (own.expires - own.created) if own.expires is not None else None
        expires = _earlier(_end(session, call.domain_id, query.expires_in), again)
        token, text = changes.rotate_token(session, own.id, overlap=overlap, expires=expires)
        return _with_text(session, token, text)


@SERVICE.operation()
def revoke_own_token(call: Call) -> dict[str, Any]:
    """Ends the token by which the caller asks."""
    call.refuse_unless_in("read")  # whoever may only read any more may still sign out
    with call.write() as session:
        changes.revoke_token(session, _own(session, call).id)
    return {}


@SERVICE.operation()
def get_token(call: Call) -> TokenDocument:
    """A token of the caller, or for an admin of anybody in the domain."""
    with call.read() as session:
        return document_of(session, _the(session, call))


@SERVICE.operation()
def revoke_token(call: Call) -> dict[str, Any]:
    """Ends a token of the caller, or for an admin of anybody in the domain."""
    with call.write() as session:
        changes.revoke_token(session, _the(session, call).id)
    return {}


@SERVICE.operation()
def list_tokens(call: Call) -> Tokens:
    """The valid tokens of the caller."""
    lasting = or_(Token.expires.is_(None), Token.expires > datetime.now(UTC))
    valid = select(Token).where(Token.user_id == call.user.id, Token.revoked_at.is_(None), lasting)
    with call.read() as session:
        ordered = valid.order_by(Token.created, Token.id)
        return call.listed(session, ordered, lambda token: document_of(session, token), Tokens)


@SERVICE.operation(201)
def issue_application_token(call: Call, query: TokenQuery) -> NewTokenDocument:
    """Makes a token of an application's own user."""
    with call.write() as session:
        application = changes.the_application(session, call.parameter("app_id"), call.domain_id)
        if application.user_id is None:
            raise told(Reason.CONFLICT, "the application has no `default_user_id`: its users sign in")
        if application.user_id != call.user.id or call.case.identity.scope is not None:
            call.admins_only("a token of another user")
        expires = _end(session, call.domain_id, query.expires_in)
        token, text = changes.issue_token(session, application.user_id, application.id, expires=expires)
        return _with_text(session, token, text)


@SERVICE.operation()
def get_password_checks(_call: Call) -> PasswordChecks:
    """What a password must be like."""
    return PasswordChecks(LEAST, MOST)


@SERVICE.operation()
def get_system_domain(call: Call) -> DomainDocument:
    """The caller's domain; any other is not there."""
    if call.parameter("system_domain_id") != call.domain_id:
        raise told(Reason.NOT_FOUND, "there is no domain with this id")
    with call.read() as session:
        domain = session.get_one(SystemDomain, call.domain_id)
        return DomainDocument(domain.id, domain.name, domain.status)


def document_of(session: Session, token: Token) -> TokenDocument:
    """Returns a user's token as it is told."""
    user = changes.the_user(session, token.user_id or "")
    domain = session.get_one(SystemDomain, user.domain_id)
    return TokenDocument(
        id=token.id,
        app_id=token.application_id or "",
        user_id=user.id,
        expires=token.expires,
        date_created=token.created,
        is_admin=user.is_admin,
        scope=token.scope,
        system_domain_id=domain.id,
        system_domain_status=domain.status,
    )


def _with_text(session: Session, token: Token, text: str) -> NewTokenDocument:
    plain = document_of(session, token)
    return NewTokenDocument(token=text, **{name: getattr(plain, name) for name in plain.__struct_fields__})


def _own(session: Session, call: Call) -> Token:
    return changes.the_token(session, call.case.identity.token_id)


def _the(session: Session, call: Call) -> Token:
    """Returns the token that the path names, if the caller may see it; else it is not there."""
    unknown = changes.UnknownError("there is no such token of yours")
    try:
        token = changes.the_token(session, call.parameter("token_id"))
    except changes.UnknownError:
        raise unknown from None
    if token.user_id is None:
        raise unknown
    if token.user_id != call.user.id:
        user = changes.the_user(session, token.user_id)
        if user.domain_id != call.domain_id or not call.is_admin:
            raise unknown
    return token


def _within(own: list[str] | None, wanted: list[str] | None) -> list[str] | None:
    """Returns the scope of a new token."""
    if own is None or wanted is None:
        return wanted if own is None else own
    more = sorted(set(wanted) - set(own))
    if more:
        raise told(Reason.SCOPE, f"`{more[0][:64]}` is not in the scope of the token that asks")
    return wanted


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Returns the earlier of two ends; None is no end."""
    return min((end for end in (one, other) if end is not None), default=None)


def _end(
    session: Session, domain_id: str, seconds: int | None, default: timedelta | None = None
) -> datetime | None:
    """Returns when a token ends: as it is asked for, but no later than the domain says; else as that says."""
    lifetime = session.get_one(SystemDomain, domain_id).token_lifetime
    longest = timedelta(seconds=lifetime) if lifetime is not None else None
    wanted = timedelta(seconds=seconds) if seconds is not None else None
    if wanted is not None and longest is not None and wanted > longest:
        raise bad_value(f"tokens of this domain last {lifetime} seconds at most")
    span = wanted or longest or default
    return datetime.now(UTC) + span if span is not None else None


def _who(call: Call, session: Session, said: Login) -> User | None:
    """Returns the user who signs in (rule 5).

    Raises:
        GatewayError: CONFLICT, the password is that of several users: the domain must be named.
    """
    rows = select(User).where(User.email == said.email.lower()).order_by(User.id).limit(MAX_HOMES)
    homes = [user for user in session.scalars(rows) if said.system_domain_id in (None, user.domain_id)]
    fitting = [user for user in homes if user.password is not None and fits(user.password, said.password)]
    if not any(user.password is not None for user in homes):
        fits(None, said.password)  # takes as long as if there were one
    open_to = [user for user in fitting if _may_come(call, user)]
    if len(open_to) > 1:
        raise told(
            Reason.CONFLICT, "this e-mail has this password in several domains: name `system_domain_id`"
        )
    return open_to[0] if open_to else None


def _may_come(call: Call, user: User) -> bool:
    if user.status is not UserStatus.ACTIVE or user.type is UserType.BROWSE_API_ONLY:
        return False
    return call.lets_in(user.id)


def _application(session: Session, domain_id: str, name: str | None) -> Application:
    wanted = name or SIGN_IN
    found = session.scalar(
        select(Application).where(Application.domain_id == domain_id, Application.name == wanted)
    )
    if found is None and wanted != SIGN_IN:
        raise bad_value("`app_name` names no application of the domain")
    return found or changes.create_application(session, domain_id, SIGN_IN)
