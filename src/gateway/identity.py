"""Stage identity: who asks, and how that was proved; before any body is read.

Rules:

1. A credential comes as `App-ID` and `Auth-Token` headers, as `Authorization: Bearer`, or as `Authorization: Basic` with
   the token as password (players, WebDAV and file managers know nothing else; the user name is not read).
2. If `Auth-Token` or `App-ID` came, the pair is the credential and `Authorization` is the backend's business. `App-ID` alone names a program and
   proves nothing: it is no credential, as whoever signs in sends it; beside an `Authorization` it is half a pair, which is malformed.
3. Anonymous is the absence of a credential. One that is malformed, unknown, expired or revoked is 401, never anonymous
   (authentik CVE-2026-25748: a malformed cookie answered 2xx).
4. A token is found by its SHA-256 digest; its text is kept nowhere and reaches no log, URL, error or backend.
5. The header pair must name the application that the token belongs to. A token of support belongs to none and comes alone. A share's belongs to
   none either, but its visitors come by whatever program: it may come with any App-ID, which says nothing of it, as no right of a visitor
   and no network asks for an application.
"""

import base64
import binascii
import re
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec

from gateway.errors import GatewayError
from gateway.inbound import Inbound
from gateway.reasons import Reason
from models.records import Facts, ShareRecord, TokenRecord, UserRecord

HEADERS: Final = (b"authorization", b"auth-token", b"app-id")
"""Where a credential stands (rule 1). Each comes at most once: `Inbound` takes none of them twice."""
_AUTHORIZATION, _AUTH_TOKEN, _APP_ID = HEADERS
_TOKEN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=-"
MAX_TOKEN: Final = 512
"""Bytes of a token."""
_APPLICATION: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
NOT_VALID: Final = frozenset(
    (
        Reason.CREDENTIAL_MALFORMED,
        Reason.CREDENTIAL_UNKNOWN,
        Reason.CREDENTIAL_EXPIRED,
        Reason.CREDENTIAL_REVOKED,
    )
)
"""Why a credential is refused (rule 3)."""
MAX_BASIC: Final = 2048
"""Bytes of a Basic credential that are decoded."""


class Proof(StrEnum):
    """How the caller proved who it is."""

    NONE = "none"
    PAIR = "app-token"
    BEARER = "bearer"
    BASIC = "basic"


_PAIR, _BEARER, _BASIC = Proof.PAIR, Proof.BEARER, Proof.BASIC
# a member of an Enum is found more slowly than a name


class Credential(msgspec.Struct, frozen=True, gc=False):
    """What came with the request, not yet looked up; holds a digest, not the token.

    Attributes:
        proof: how it came.
        fact: the key of the token's record, which is the digest's.
        application_id: the application that the pair names; None if it is no pair.
    """

    proof: Proof
    fact: str
    application_id: str | None = None


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who asks.

    Attributes:
        user: the user's record; None for all who have no account.
        proof: how that was proved.
        application_id: the application that the token belongs to; empty for all who have no account.
        token_id: names the token for its last use; empty for an anonymous caller.
        support: who of support asks; empty for everybody else.
        share: the share that let a visitor in; None for everybody else.
        recipient_id: to whom of the share the visitor's link was given.
        scope: the roles that the token is good for; None for all that the user holds.
    """

    user: UserRecord | None
    proof: Proof
    application_id: str = ""
    token_id: str = ""
    support: str = ""
    share: ShareRecord | None = None
    recipient_id: str = ""
    scope: frozenset[str] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody in particular asks."""
        return self.user is None and not self.support and self.share is None

    @property
    def name(self) -> str:
        """Who asks, in one word: a user's id, `support:NAME`, `share:ID/RECIPIENT`, or nothing for an anonymous caller."""
        if self.user is not None:
            return self.user.id
        if self.share is not None:
            return f"share:{self.share.id}/{self.recipient_id}"
        return f"support:{self.support}" if self.support else ""

    @property
    def owns_authorization(self) -> bool:
        """Whether the `Authorization` header was ours, so that it never reaches a backend."""
        return self.proof in (Proof.BEARER, Proof.BASIC)


ANONYMOUS: Final = Identity(None, Proof.NONE)


def credential_of(inbound: Inbound) -> Credential | None:
    """Returns the credential that came; None if there is none.

    Raises:
        GatewayError: it is malformed (rule 3).
    """
    fields = inbound.fields
    if _AUTH_TOKEN in fields or _APP_ID in fields:
        return _pair(fields.get(_AUTH_TOKEN), fields.get(_APP_ID), alone=_AUTHORIZATION not in fields)
    authorization = fields.get(_AUTHORIZATION)
    if authorization is None:
        return None
    scheme, _, rest = authorization.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return Credential(_BEARER, _fact(rest.strip(b" ")))
    if scheme == b"basic":
        return Credential(_BASIC, _fact(_password(rest.strip(b" "))))
    raise GatewayError(Reason.CREDENTIAL_MALFORMED, "authorization is neither Bearer nor Basic")


def identify(credential: Credential | None, facts: Facts, now: datetime) -> Identity:
    """Returns who the credential belongs to; pure, so that it may be asked again.

    Raises:
        MissingFactError: a fact is not at hand.
        GatewayError: the credential is not valid (rule 3).
    """
    if credential is None:
        return ANONYMOUS
    token = facts.get(credential.fact)
    if not isinstance(token, TokenRecord):
        raise GatewayError(Reason.CREDENTIAL_UNKNOWN)
    named = credential.application_id
    if named is not None and named != token.application_id and not token.share_id:
        raise GatewayError(Reason.CREDENTIAL_UNKNOWN, f"token `{token.id}` belongs to another application")
    if token.revoked:
        raise GatewayError(Reason.CREDENTIAL_REVOKED, f"token `{token.id}`")
    if token.expires is not None and now >= token.expires:
        raise GatewayError(
            Reason.CREDENTIAL_EXPIRED, f"token `{token.id}` expired {token.expires:%Y-%m-%d %H:%M}Z"
        )
    if token.support:
        return Identity(None, credential.proof, token_id=token.id, support=token.support)
    if token.share_id:
        share = facts.get(f"share:{token.share_id}")
        if not isinstance(share, ShareRecord):
            raise GatewayError(Reason.CREDENTIAL_UNKNOWN, f"token `{token.id}` belongs to no share")
        who = token.recipient_id
        return Identity(None, credential.proof, token_id=token.id, share=share, recipient_id=who)
    user = facts.get(token.user_fact)
    if not isinstance(user, UserRecord):
        raise GatewayError(Reason.CREDENTIAL_UNKNOWN, f"token `{token.id}` belongs to no user")
    return Identity(user, credential.proof, token.application_id, token.id, "", None, "", token.scope)


def credential_in(token: bytes) -> Credential:
    """Returns the credential that a token alone is, wherever it stood.

    Raises:
        GatewayError: it is malformed (rule 3).
    """
    return Credential(_BEARER, _fact(token))


def _pair(token: bytes | None, application: bytes | None, *, alone: bool) -> Credential | None:
    """Returns the credential of the pair; None for an App-ID without anything else that could be one (rule 2)."""
    if application is None or (token is None and not alone):
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "App-ID and Auth-Token come together")
    if not _APPLICATION.fullmatch(application):
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "App-ID is malformed")
    if token is None:
        return None
    return Credential(_PAIR, _fact(token), application.decode("ascii"))


def _fact(token: bytes) -> str:
    """Returns the key under which the token's record is found (rule 4)."""
    if not token or len(token) > MAX_TOKEN or token.translate(None, _TOKEN):
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "the token is empty or has bytes that no token has")
    return "token:" + sha256(token).hexdigest()


def _password(encoded: bytes) -> bytes:
    if len(encoded) > MAX_BASIC:
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "the Basic credential is too long")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "the Basic credential is not base64") from error
    _user, colon, password = decoded.partition(b":")
    if not colon:
        raise GatewayError(Reason.CREDENTIAL_MALFORMED, "the Basic credential has no colon")
    return password
