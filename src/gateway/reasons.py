"""The one table of refusals: stage, reason, HTTP status, and what is told outside.

Rules:

1. Every refusal, in code, documents, audit and tests, is a `Reason`; no other file holds a status for one.
2. 401 means that no valid credential came; 403 that a valid one was refused; 4xx otherwise the request itself
   is at fault; 5xx a backend or this gateway is.
3. The precise reason goes to the audit and to `explain`. Outside, the *public* reason is told: an object that
   does not exist, one of another domain, and one without a grant look alike, so that ids cannot be probed.
4. Gates and permits in `policies/*.polar` use these names; a policy cannot invent one for a refusal.

`docs/reasons.md` carries the same table for readers; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a request was refused: a closed set."""

    BAD_TARGET = "bad-target"
    BAD_HEADERS = "bad-headers"
    BAD_METHOD = "bad-method"
    BAD_BODY = "bad-body"
    BODY_TOO_LARGE = "body-too-large"
    BODY_SLOW = "body-slow"
    HEAD_TOO_LARGE = "head-too-large"
    OVERLOADED = "overloaded"
    ADDRESS_RATE = "address-rate"
    GUESS_RATE = "guess-rate"
    USER_RATE = "user-rate"
    TOKEN_RATE = "token-rate"  # noqa: S105 - no secret
    WEBSOCKET = "websocket"
    FORWARD_AUTH_PEER = "forward-auth-peer"
    CREDENTIAL_MALFORMED = "credential-malformed"
    CREDENTIAL_UNKNOWN = "credential-unknown"
    CREDENTIAL_EXPIRED = "credential-expired"
    CREDENTIAL_REVOKED = "credential-revoked"
    LINK_CLOSED = "link-closed"
    NO_ROUTE = "no-route"
    GATEWAY_ONLY = "gateway-only"
    SIGNED_IN = "signed-in"
    SHARE_OFF = "share-off"
    USER_STATUS = "user-status"
    DOMAIN = "domain"
    NETWORK = "network"
    ROLE = "role"
    SCOPE = "scope"
    UNKNOWN_OBJECT = "unknown-object"
    SUPPORT_OFF = "support-off"
    FOREIGN_OBJECT = "foreign-object"
    NO_GRANT = "no-grant"
    SHARER = "sharer"
    POLICY_ERROR = "policy-error"
    OBJECT_HELD = "object-held"
    OBJECT_BUSY = "object-busy"
    STORE_REFUSED = "store-refused"
    FACTS_UNAVAILABLE = "facts-unavailable"
    AUDIT_UNAVAILABLE = "audit-unavailable"
    STORE_UNAVAILABLE = "store-unavailable"
    BACKEND_DOWN = "backend-down"
    BACKEND_SLOW = "backend-slow"
    BACKEND_BROKEN = "backend-broken"
    BACKEND_BUSY = "backend-busy"
    OUTCOME_UNKNOWN = "outcome-unknown"
    BAD_VALUE = "bad-value"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    NOT_SERVED = "not-served"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row of the table.

    Attributes:
        stage: the stage of the pipeline that refuses.
        status: the HTTP status sent, unless a setting turns a 403 into 404.
        public: the reason told outside.
        says: one sentence for the person who was refused: what it means and what to do.
    """

    stage: str
    status: int
    public: Reason
    says: str

    @property
    def is_refusal(self) -> bool:
        """Whether the request was understood and refused, rather than broken or unserved."""
        return self.status in (401, 403)


def _row(stage: str, status: int, says: str, public: Reason) -> Refusal:
    return Refusal(stage, status, public, says)


_ABSENT: Final = "this object does not exist for you, or you have no right to do this with it"
_SIGN_IN: Final = (
    "sign in: send App-ID and Auth-Token headers, a Bearer token, or Basic with the token as password"
)
_CREDENTIAL: Final = "the credential is not valid: get a new token from your administrator"

TABLE: Final[Mapping[Reason, Refusal]] = {
    Reason.BAD_TARGET: _row("request", 400, "the address can be read in two ways: send a plain, once-encoded path", Reason.BAD_TARGET),
    Reason.BAD_HEADERS: _row("request", 400, "the headers can be read in two ways", Reason.BAD_HEADERS),
    Reason.BAD_METHOD: _row("request", 405, "this method is not known here", Reason.BAD_METHOD),
    Reason.BAD_BODY: _row("request", 400, "the body is not what this operation takes", Reason.BAD_BODY),
    Reason.BODY_TOO_LARGE: _row("request", 413, "the body is larger than this operation takes", Reason.BODY_TOO_LARGE),
    Reason.BODY_SLOW: _row("request", 408, "nothing more of the body came for too long", Reason.BODY_SLOW),
    Reason.HEAD_TOO_LARGE: _row("request", 431, "the headers are too many or too long", Reason.HEAD_TOO_LARGE),
    Reason.OVERLOADED: _row("request", 503, "too many requests are under way: try again in a moment", Reason.OVERLOADED),
    Reason.ADDRESS_RATE: _row("request", 429, "too many requests from this address: try again later", Reason.ADDRESS_RATE),
    Reason.GUESS_RATE: _row("identity", 429, "too many credentials from this address were not valid: try again later", Reason.GUESS_RATE),
    Reason.USER_RATE: _row("identity", 429, "you have sent too many requests: try again later", Reason.USER_RATE),
    Reason.TOKEN_RATE: _row("identity", 429, "too many requests were sent with this token: try again later", Reason.TOKEN_RATE),
    Reason.WEBSOCKET: _row("request", 403, "no WebSocket is served here, or not to a page of another origin", Reason.WEBSOCKET),
    Reason.FORWARD_AUTH_PEER: _row("request", 403, "this address may not ask for the requests of others", Reason.FORWARD_AUTH_PEER),
    Reason.CREDENTIAL_MALFORMED: _row("identity", 401, _CREDENTIAL, Reason.CREDENTIAL_UNKNOWN),
    Reason.CREDENTIAL_UNKNOWN: _row("identity", 401, _CREDENTIAL, Reason.CREDENTIAL_UNKNOWN),
    Reason.CREDENTIAL_EXPIRED: _row("identity", 401, _CREDENTIAL, Reason.CREDENTIAL_EXPIRED),
    Reason.CREDENTIAL_REVOKED: _row("identity", 401, _CREDENTIAL, Reason.CREDENTIAL_REVOKED),
    Reason.LINK_CLOSED: _row("identity", 404, "this link, or its password, opens nothing: ask who shared it for another", Reason.LINK_CLOSED),
    Reason.NO_ROUTE: _row("routes", 403, "no route of this gateway covers the request", Reason.NO_ROUTE),
    Reason.GATEWAY_ONLY: _row("routes", 403, "this operation works only through the gateway itself, not behind another proxy", Reason.GATEWAY_ONLY),
    Reason.SIGNED_IN: _row("authorize", 401, _SIGN_IN, Reason.SIGNED_IN),
    Reason.SHARE_OFF: _row("authorize", 403, "the share is over, or sharing is switched off: ask who shared it", Reason.SHARE_OFF),
    Reason.USER_STATUS: _row("authorize", 403, "the account is not active", Reason.USER_STATUS),
    Reason.DOMAIN: _row("authorize", 403, "your system domain does not take this now", Reason.DOMAIN),
    Reason.NETWORK: _row("authorize", 403, "this address is not on the allow-list", Reason.NETWORK),
    Reason.ROLE: _row("authorize", 403, "you do not hold a role that this needs", Reason.ROLE),
    Reason.SCOPE: _row("authorize", 403, "this token is not good for the roles that this needs", Reason.SCOPE),
    Reason.UNKNOWN_OBJECT: _row("authorize", 403, _ABSENT, Reason.NO_GRANT),
    Reason.SUPPORT_OFF: _row("authorize", 403, _ABSENT, Reason.NO_GRANT),
    Reason.FOREIGN_OBJECT: _row("authorize", 403, _ABSENT, Reason.NO_GRANT),
    Reason.NO_GRANT: _row("authorize", 403, _ABSENT, Reason.NO_GRANT),
    Reason.SHARER: _row("authorize", 403, _ABSENT, Reason.NO_GRANT),
    Reason.POLICY_ERROR: _row("authorize", 403, "the policy could not decide; an administrator finds why in the audit", Reason.POLICY_ERROR),
    Reason.OBJECT_HELD: _row("authorize", 409, "the object is being changed: try again in a moment", Reason.OBJECT_HELD),
    Reason.OBJECT_BUSY: _row("prepare", 409, "another request is changing this object: try again in a moment", Reason.OBJECT_BUSY),
    Reason.STORE_REFUSED: _row("prepare", 409, "the change does not fit what is known: an id, a domain or a bound forbids it", Reason.STORE_REFUSED),
    Reason.FACTS_UNAVAILABLE: _row("authorize", 503, "the store of facts does not answer: try again later", Reason.STORE_UNAVAILABLE),
    Reason.AUDIT_UNAVAILABLE: _row("authorize", 503, "the audit cannot be written: try again later", Reason.AUDIT_UNAVAILABLE),
    Reason.STORE_UNAVAILABLE: _row("prepare", 503, "the store does not take the change: try again later", Reason.STORE_UNAVAILABLE),
    Reason.BACKEND_DOWN: _row("forward", 502, "the media service does not answer", Reason.BACKEND_DOWN),
    Reason.BACKEND_SLOW: _row("forward", 504, "the media service took too long", Reason.BACKEND_SLOW),
    Reason.BACKEND_BROKEN: _row("forward", 502, "the media service gave an answer that is not HTTP", Reason.BACKEND_BROKEN),
    Reason.BACKEND_BUSY: _row("forward", 503, "too many requests wait for the media service: try again later", Reason.BACKEND_BUSY),
    Reason.OUTCOME_UNKNOWN: _row("settle", 502, "it is not known whether the change happened; the object stays closed until that is settled", Reason.OUTCOME_UNKNOWN),
    Reason.BAD_VALUE: _row("answer", 400, "a value is not what this operation takes", Reason.BAD_VALUE),
    Reason.NOT_FOUND: _row("answer", 404, "there is no such thing in your domain", Reason.NOT_FOUND),
    Reason.CONFLICT: _row("answer", 409, "the change does not fit what is there", Reason.CONFLICT),
    Reason.PRECONDITION: _row("answer", 412, "it has changed since you read it: read it again, then change it", Reason.PRECONDITION),
    Reason.NOT_SERVED: _row("answer", 501, "this is not served for this type of object", Reason.NOT_SERVED),
    Reason.INTERNAL: _row("request", 500, "the gateway failed; the request id finds it in the log", Reason.INTERNAL),
}  # fmt: skip


def status_of(reason: Reason, hidden: frozenset[Reason] = frozenset()) -> int:
    """Returns the status for `reason`; 404 instead of 403 when its public reason is in `hidden` (rule 3)."""
    row = TABLE[reason]
    if row.status == 403 and row.public in hidden:  # noqa: PLR2004 - this file is where statuses live
        return 404
    return row.status
