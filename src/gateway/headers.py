"""Which headers cross the gateway, in one table, and what is added on the way.

Rules:

1. Hop-by-hop headers, and those that the sender names in `Connection`, go first (RFC 9110 7.6.1); ours are added after,
   so that nobody can name ours away (CVE-2025-48865, GHSA-w9mr-28mw-j8hg, CVE-2024-45410).
2. What says who asks, from where, or what is really meant comes from us alone. Client copies go even when we have nothing to
   say in their place (GHSA-7r4p-vjf4-gxv4).
3. Names are compared after folding case, `_` and `.` to `-`, since many backends do (CVE-2025-64484, CVE-2026-39858,
   CVE-2026-52845). A name with `_` or `.` has two readings and goes altogether, unless it is a user's own name for
   metadata in an object store, where nothing folds.
4. Our own credentials never reach a backend; a client's `Authorization` does only where the upstream says `pass`
   and it was not ours.
5. Framing is not a header here: `Content-Length` and `Transfer-Encoding` of a request are written by `gateway.upstream`.
6. Answers lose their hop-by-hop headers here, and those that send clients to another address for what comes next, round
   the gateway; what caches are told is `gateway.caching`, how links to the backend itself read `gateway.links`.

Cookies pass as they came, each request for itself: there is no cookie jar.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from gateway.by_name import ByName
from gateway.errors import GatewayError
from gateway.links import HEADERS as LINKS
from gateway.links import Links
from gateway.reasons import Reason
from models.records import ShareRecord

Pair = tuple[bytes, bytes]

HOP_BY_HOP: Final = frozenset(
    (
        b"connection",  # RFC 9110 7.6.1
        b"keep-alive",  # RFC 9110 7.6.1
        b"proxy-connection",  # RFC 9110 7.6.1
        b"te",  # RFC 9110 10.1.4
        b"transfer-encoding",  # RFC 9112 6.1
        b"trailer",  # RFC 9110 6.6.2: trailers are dropped, so none are announced
        b"upgrade",  # RFC 9110 7.8: nothing is switched to
        b"proxy-authenticate",  # RFC 9110 11.7.1
        b"proxy-authorization",  # RFC 9110 11.7.2
        b"proxy-authentication-info",  # RFC 9110 11.7.3
        b"http2-settings",  # RFC 7540 3.2.1: half of an upgrade to h2c
    )
)
"""Headers between two neighbours; removed in both directions."""

OURS: Final = frozenset(
    (
        b"host",  # rule 2; kept or replaced by `request_headers`
        b"content-length",  # rule 5
        b"expect",  # RFC 9110 10.1.1: the client was told to go on already, by our own server
        b"authorization",  # rule 4
        b"app-id",  # rule 4
        b"auth-token",  # rule 4
        b"share-auth-token",  # rule 4: the token of a visit, where one asks about it (`gateway.api.share_tokens`)
        b"via",  # tells the backend of hops that are none of its business
        b"x-request-id",
        # who calls, from where
        b"forwarded",  # RFC 7239
        b"x-forwarded",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-azure-clientip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"fastly-client-ip",
        b"client-ip",
        b"cluster-client-ip",
        b"proxy-client-ip",
        b"wl-proxy-client-ip",
        b"incap-client-ip",
        b"x-originating-ip",
        b"x-proxyuser-ip",
        b"x-custom-ip-authorization",
        b"x-appengine-user-ip",
        b"x-azure-socketip",
        b"x-sucuri-clientip",
        b"front-end-https",
        b"x-scheme",
        b"x-url-scheme",
        b"x-host",
        b"x-http-host-override",
        b"proxy",  # CVE-2016-5385: becomes HTTP_PROXY in a CGI
        # another request than the one judged
        b"x-rewrite-url",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-middleware-subrequest",  # CVE-2025-29927: skips the backend's own checks
        b"x-sendfile-type",  # CVE-2025-61780: has Rack answer with another file's name
        b"x-accel-mapping",
        b"x-scope-orgid",  # the tenant, to Loki and Mimir
    )
)
"""Headers of a request that only the gateway may set."""

OUR_PREFIXES: Final = (
    b"x-mediagate-",
    b"x-forwarded-",
    b"x-original-",
    b"x-user",
    b"x-remote-",
    b"remote-",
    b"x-auth-",
    b"x-authenticated-",
    b"x-webauth-",
    b"x-idp-",
    b"x-jwt-",
    b"x-goog-iap-",
    b"x-goog-authenticated-user-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"x-pomerium-",
    b"x-envoy-",  # also what steers an Envoy behind us
    b"x-consumer-",  # Kong, APISIX
    b"x-authentik-",
    b"x-vouch-",
    b"x-shib-",
    b"x-oidc-",
    b"oidc-",  # mod_auth_openidc
    b"tailscale-user-",
    b"cf-access-",
    b"ssl-client-",
    b"x-ssl-client-",
    b"x-client-cert",
)
"""Beginnings of such headers."""

USERS_OWN: Final = (b"x-amz-meta-", b"x-goog-meta-", b"x-ms-meta-")
"""Metadata of object stores, named by users: `_` and `.` have one reading there (rule 3)."""

NOT_FROM_BACKENDS: Final = frozenset(
    (
        b"x-request-id",  # ours is told instead
        b"alt-svc",  # RFC 7838: "ask me at this other host and port"
    )
)
"""Headers of an answer that a backend does not get to say (rule 6)."""

_UNWANTED: Final = HOP_BY_HOP | NOT_FROM_BACKENDS
_FOLD: Final = bytes.maketrans(b"_.", b"--")
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 5.6.2
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 5.5
_ESCAPED: Final = re.compile(rb"[^!-$&-~]")  # all but visible ASCII, and the percent sign itself
_QUOTED: Final = re.compile(rb'(["\\])')
_NOTHING: Final[frozenset[bytes]] = frozenset()
_USUAL: Final = frozenset((b"keep-alive", b"close"))


def folded(name: bytes) -> bytes:
    """Returns the form in which header names are compared (rule 3)."""
    return name.lower().translate(_FOLD)


class CredentialKind(StrEnum):
    """What the backend wants from us to know that it is us."""

    NONE = "none"
    HEADER = "header"
    BASIC = "basic"
    PASS = "pass"  # noqa: S105 - a word of the settings file


@dataclass(frozen=True, slots=True)
class Credential:
    """What an upstream is shown; made by one of the class methods, and without its secret when printed."""

    kind: CredentialKind
    pair: Pair | None = field(default=None, repr=False)

    @classmethod
    def none(cls) -> "Credential":
        """Nothing is shown; a client's `Authorization` is removed."""
        return cls(CredentialKind.NONE)

    @classmethod
    def header(cls, name: str, value: str) -> "Credential":
        """A header of the operator's choice.

        Raises:
            ValueError: the name is no header name or one that carries framing; the value is empty or has control characters.
        """
        raw = name.strip().lower().encode("ascii", "replace")
        if not _TOKEN.fullmatch(raw) or raw in HOP_BY_HOP or raw in (b"host", b"content-length", b"expect"):
            raise ValueError(f"`{name}` cannot be the name of a credential header")
        return cls(CredentialKind.HEADER, (raw, _secret(value)))

    @classmethod
    def basic(cls, user: str, password: str) -> "Credential":
        """`Authorization: Basic` (RFC 7617).

        Raises:
            ValueError: the user has a colon, or one of both has control characters.
        """
        if ":" in user:
            raise ValueError("the user of a basic credential cannot have a colon")
        pair = b64encode(_secret(f"{user}:{password}"))
        return cls(CredentialKind.BASIC, (b"authorization", b"Basic " + pair))

    @classmethod
    def passed(cls) -> "Credential":
        """The client's own `Authorization`, unless it was ours (rule 4)."""
        return cls(CredentialKind.PASS)


class Forwarding(msgspec.Struct, frozen=True, gc=False):
    """What a backend is told about a request beside what the client said.

    Attributes:
        client: the believed address of the client.
        scheme: `http` or `https` as the client used it.
        host: the host as the client used it.
        request_id: the name of the request here and in the backend's log.
        user: the id of the user; empty for an anonymous request.
        domain: the id of the user's system domain; empty for an anonymous request.
        authorization_is_ours: whether the client's `Authorization`, if any, was a credential of this gateway.
        share: the share by which a visitor came; None for everybody else.
        recipient: whose link to the share that was.
    """

    client: str
    scheme: str
    host: bytes
    request_id: str
    user: str = ""
    domain: str = ""
    authorization_is_ours: bool = True
    share: ShareRecord | None = None
    recipient: str = ""


def request_headers(
    received: Sequence[Pair],
    forwarding: Forwarding,
    credential: Credential,
    host: bytes | None = None,
    drop: frozenset[bytes] = frozenset(),
) -> list[Pair]:
    """Returns the headers of a request for the backend, all but its framing.

    User and domain arrive percent-encoded (everything but visible ASCII, and `%`), so that no two ids look alike.

    Args:
        received: the client's headers; lower-case names.
        forwarding: what we say about the client.
        credential: what the upstream is shown.
        host: the `Host` the backend gets; None keeps the client's.
        drop: further names, `folded`, that the route's row removes.

    Raises:
        GatewayError: a header has a malformed name, or a value of ours a control character.
    """
    passing: list[Pair] = []
    unwanted = drop
    for pair in received:
        if _PASSES[pair[0]]:
            passing.append(pair)
        elif pair[0] == b"connection":
            unwanted |= _listed(pair[1])
    if credential.pair is not None:
        unwanted |= {_FOLDED[credential.pair[0]]}
    if unwanted:
        passing = [pair for pair in passing if _FOLDED[pair[0]] not in unwanted]
    passing.append((b"host", forwarding.host if host is None else host))
    passing += _about_client(forwarding.client, forwarding.scheme, forwarding.host)
    passing.append((b"x-request-id", forwarding.request_id.encode()))
    passing += identity_headers(forwarding.user, forwarding.domain)
    if forwarding.share is not None:
        passing += share_headers(forwarding.share, forwarding.recipient)
    if credential.pair is not None:
        passing.append(credential.pair)
    elif credential.kind is CredentialKind.PASS and not forwarding.authorization_is_ours:
        passing += [pair for pair in received if pair[0] == b"authorization"]
    return passing


@lru_cache(maxsize=4096)
def identity_headers(user: str, domain: str) -> tuple[Pair, ...]:
    """Returns who asks as backends are told it, percent-encoded; nothing of what is empty."""
    pairs = ((b"x-mediagate-user", user), (b"x-mediagate-domain", domain))
    return tuple((name, _escaped(value)) for name, value in pairs if value)


def share_headers(share: ShareRecord, recipient: str) -> list[Pair]:
    """Returns who a visitor is as backends are told it: share and recipient, what the share gives, and whose what is uploaded will be.

    A backend that draws watermarks does so where `x-mediagate-watermark` says `on`; ids are percent-encoded.
    """
    pairs = (
        (b"x-mediagate-share", share.id),
        (b"x-mediagate-share-recipient", recipient),
        (b"x-mediagate-share-owner", share.owner_id),
        (b"x-mediagate-share-rights", ",".join(sorted(share.rights))),
        (b"x-mediagate-watermark", "on" if share.watermark else "off"),
    )
    return [(name, _escaped(value)) for name, value in pairs if value]


def response_headers(answered: Sequence[Pair], request_id: str, links: Links | None = None) -> list[Pair]:
    """Returns the headers of an answer for the client: rule 6, and the request's id.

    Args:
        answered: the backend's headers; lower-case names.
        request_id: told to the client.
        links: how the backend calls itself and the client calls it; None leaves links as they are.
    """
    fields = dict(answered)  # tells at once what did not come
    said = fields.get(b"connection")
    named = _NOTHING if said is None else _listed(said) if len(fields) == len(answered) else _named(answered)
    unwanted = _UNWANTED | named if named else _UNWANTED
    passing = [pair for pair in answered if pair[0] not in unwanted]
    if links is not None and (LINKS[0] in fields or LINKS[1] in fields):
        passing = [(name, links.told(value) if name in LINKS else value) for name, value in passing]
    passing.append((b"x-request-id", request_id.encode()))
    return passing


def _passes(name: bytes) -> bool:
    """Whether a client's header reaches the backend, by its name alone."""
    if not _TOKEN.fullmatch(name):
        raise GatewayError(Reason.BAD_HEADERS, f"header name `{name[:64].decode('latin-1')}` is malformed")
    plain = folded(name)
    if plain in HOP_BY_HOP or plain in OURS or plain.startswith(OUR_PREFIXES):
        return False
    return plain == name or name.startswith(USERS_OWN)


_PASSES: Final = ByName(_passes)
_FOLDED: Final = ByName(folded)


def _named(headers: Iterable[Pair]) -> frozenset[bytes]:
    """The folded names that the sender's `Connection` declares hop-by-hop (RFC 9110 7.6.1)."""
    named = _NOTHING
    for name, value in headers:
        if name == b"connection":
            named |= _listed(value)
    return named


@lru_cache(maxsize=256)
def _listed(value: bytes) -> frozenset[bytes]:
    return frozenset(folded(part.strip()) for part in value.split(b",")) - _USUAL


@lru_cache(maxsize=4096)
def _about_client(client: str, scheme: str, host: bytes) -> tuple[Pair, ...]:
    """The forwarding headers; `Forwarded` quotes what users control (GHSA-4jgr-pg2m-m988)."""
    address, proto = client.encode(), scheme.encode()
    for value in (address, proto, host):
        if _BAD_VALUE.search(value):
            raise GatewayError(Reason.BAD_HEADERS, "address, scheme or host has a control character")
    node = b'"[%s]"' % address if b":" in address else address  # RFC 7239 6
    quoted = _QUOTED.sub(rb"\\\1", host)
    return (
        (b"x-forwarded-for", address),
        (b"x-forwarded-proto", proto),
        (b"x-forwarded-host", host),
        (b"forwarded", b'for=%s;host="%s";proto=%s' % (node, quoted, proto)),
    )


def _escaped(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: b"%%%02X" % found[0][0], text.encode())


def _secret(value: str) -> bytes:
    raw = value.encode()
    if not raw or _BAD_VALUE.search(raw):
        raise ValueError("a credential cannot be empty or have control characters")
    return raw
