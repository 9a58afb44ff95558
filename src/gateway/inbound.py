"""Stage request: one immutable `Inbound` is made once from the raw request; every later stage reads only that.

Rules (law 1: the request judged is the request forwarded):

1. The path is read from `raw_path`, percent-decoded once, and forwarded as the bytes that came. Never `request.url`
   (CVE-2026-48710: a `Host` header could rewrite it).
2. What has two readings is refused, not repaired: dot and empty segments in any encoding, with or without what follows
   a `;`, backslash in any form, `#`, control and raw non-ASCII bytes, invalid or overlong UTF-8, double encoding of these
   (CVE-2026-33494, CVE-2026-26205, CVE-2026-42272, CVE-2019-9901, CVE-2023-47106, GO-2026-4950).
3. What only some servers read in another way is an oddity that a row must allow: `;` (`..;/`), encoded slash and dot,
   a parameter that names another method (gateway.overrides), an `If` about other resources (gateway.webdav), a header
   that names another object.
4. Exactly one `Host`; `Authorization` and other headers that decide something come at most once (CVE-2026-26308).
5. Methods are a known set; `CONNECT`, `TRACE` and unknown ones are refused.

Path and query come without the authority of an absolute-form target, which is the `Host` (`gateway.downstream.reading`), and the lone
`?` of `/a?`, which so arrives as `/a`. Both are judged and forwarded as what is left.

Not checked here: framing (`gateway.downstream.reading`), what a query or body means (gateway.routes), credentials (gateway.identity).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from netaddr import IPAddress

from gateway.client_address import believed_caller
from gateway.errors import GatewayError
from gateway.overrides import overrides_method
from gateway.reasons import Reason
from gateway.webdav import asks_about_others
from models.networks import NetworkSet

METHODS: Final = frozenset(
    [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
    ]
)
NAMING: Final = frozenset(
    (
        b"destination",  # RFC 4918 10.3
        b"x-amz-copy-source",  # S3: the object that is copied
        b"x-amz-rename-source",  # S3
        b"x-goog-copy-source",  # Google Cloud Storage
        b"x-ms-copy-source",  # Azure
        b"x-ms-rename-source",  # Azure
        b"x-copy-from",  # Swift
        b"x-object-manifest",  # Swift: the objects that are read as one
    )
)
"""Headers by which a request names another object than its target."""
UNREAD: Final = {name: f"unread-{name.decode()}" for name in NAMING}
"""The oddity of each of these where nobody judges it: only a row that reads it takes it. Rows for COPY and MOVE read `Destination`."""
ODDITIES: Final = ("semicolon", "encoded-slash", "encoded-dot", "method-parameter", "tagged-if")
"""What is refused unless the request's row allows it (rule 3)."""

_OF_OTHERS: Final = NAMING | {b"if"}
_SINGLE: Final = frozenset((b"host", b"authorization", b"app-id", b"auth-token", b"content-length", b"content-type", b"destination", b"if"))  # fmt: skip
_PLAIN_PATH: Final = b"/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@[]^|"
"""What a path may be made of without a second look: of what `_PATH` takes, all but `%` and `;`."""
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_PATH: Final = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]^|]|%[0-9A-Fa-f]{2})*")
_QUERY: Final = re.compile(rb"(?:[!$&-;=?-~]|%[0-9A-Fa-f]{2})*")
_BACKSLASH: Final = re.compile(rb"%5[cC]")
_TO_DESTINATION: Final = ("COPY", "MOVE")
_DOTS: Final = ("", ".", "..")
_ODD: Final = re.compile(rb";|%2[eEfF]")
_DOUBLE: Final = re.compile(r"%(?:2[efEF]|5[cC]|25|[01][0-9a-fA-F]|7[fF])")
_NEEDLESS: Final = re.compile(
    rb"%(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|2[dDeE]|5[fF]|7[eE])"
)  # RFC 3986, 2.3
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BAD_VALUE: Final = bytes((*range(9), *range(10, 32), 127))
"""Control characters, the tab aside."""
_PLAIN: Final[frozenset[str]] = frozenset()


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """How much of a target is read (law 10); the settings `limits.target` and `limits.segments`.

    Attributes:
        target: bytes of path and query together.
        segments: of the path.
    """

    target: int = 8192
    segments: int = 256


USUAL: Final = Bounds()
"""What the settings say unless written."""


class Inbound(msgspec.Struct, frozen=True, gc=False):
    """What exactly was asked, and from where.

    Attributes:
        method: upper case, one of `METHODS`.
        target: path and query as received; forwarded byte for byte.
        path: the raw path, still percent-encoded.
        query: the raw query without its `?`; empty if there is none.
        segments: the path split at `/`, each part percent-decoded once: `/a/b/` gives `("a", "b", "")`.
        headers: lower-case names with their values, in order.
        fields: the same by name; of those that came several times, which rule 4 forbids to some, the last.
        peer: the address of the connection's other end.
        client: the believed address of the client, canonical.
        client_text: the same as it is shown.
        scheme: `http` or `https` as the client used it.
        host: the believed host, as sent.
        request_id: names the request in answers, audit and log.
        oddities: what a row must allow: `ODDITIES`, and those of `UNREAD`.
    """

    method: str
    target: bytes
    path: bytes
    query: bytes
    segments: tuple[str, ...]
    headers: tuple[tuple[bytes, bytes], ...]
    fields: Mapping[bytes, bytes]
    peer: str
    client: IPAddress
    client_text: str
    scheme: str
    host: bytes
    request_id: str
    oddities: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, scope: Mapping[str, Any], trusted: NetworkSet, request_id: str, bounds: Bounds = USUAL
    ) -> "Inbound":
        """Makes the request's one description from an ASGI scope.

        Args:
            scope: an HTTP scope with `raw_path`.
            trusted: the proxies whose word about the client is believed.
            request_id: names the request everywhere.
            bounds: of the target.

        Raises:
            GatewayError: the request is refused by one of the rules above.
        """
        method = scope["method"]
        if method not in METHODS:
            raise GatewayError(Reason.BAD_METHOD, f"method `{method[:32]}`")
        path, query = _raw_target(scope, bounds.target)
        segments = _plain_segments(path)
        oddities = _PLAIN
        if segments is None:
            segments, oddities = _segments(path), _path_oddities(path)
        if len(segments) > bounds.segments:
            raise GatewayError(Reason.BAD_TARGET, f"more than {bounds.segments} segments")
        headers = tuple(scope["headers"])
        fields = _checked_headers(headers)
        client = scope.get("client")
        peer = client[0] if client else ""
        caller = believed_caller(peer, scope["scheme"], headers, trusted)
        if query and overrides_method(query):
            oddities |= {"method-parameter"}
        if not _OF_OTHERS.isdisjoint(fields):
            oddities |= _header_oddities(method, path, fields)
        return cls(  # in the order of the fields: names would cost the hot path a microsecond
            method,
            path + b"?" + query if query else path,
            path,
            query,
            segments,
            headers,
            fields,
            peer,
            caller.address,
            caller.text,
            caller.scheme,
            caller.host or fields[b"host"],
            request_id,
            oddities,
        )

    def header(self, name: bytes) -> bytes | None:
        """Returns the one value of a header, None if it did not come.

        Raises:
            GatewayError: it came several times.
        """
        value = self.fields.get(name)
        if value is not None and len(self.fields) < len(self.headers):
            _check_repeated(self.headers, (name,))
        return value

    def query_pairs(self) -> tuple[tuple[str, str], ...]:
        """Returns the query's parameters in order, each name and value percent-decoded once.

        A `+` stays a `+`: whether it means a space is for whoever reads a value to judge.

        Raises:
            GatewayError: a name or value is not UTF-8 or holds a NUL, or a name encodes what needs no encoding: backends
                that do not decode names would read another one.
        """
        pairs = [part.partition(b"=") for part in self.query.split(b"&") if part]
        if any(_NEEDLESS.search(name) for name, _, _ in pairs):
            raise GatewayError(Reason.BAD_TARGET, "a parameter's name encodes what needs no encoding")
        return tuple((_decoded(name), _decoded(value)) for name, _, value in pairs)


def _raw_target(scope: Mapping[str, Any], bound: int) -> tuple[bytes, bytes]:
    path, query = scope.get("raw_path"), scope["query_string"]
    if not path:
        raise GatewayError(Reason.BAD_TARGET, "the server gave no raw path")
    path = path.partition(b"?")[0]
    if len(path) + len(query) > bound:
        raise GatewayError(Reason.BAD_TARGET, f"longer than {bound} bytes")
    if query and not _QUERY.fullmatch(query):
        raise GatewayError(Reason.BAD_TARGET, "the query has bytes that must be percent-encoded")
    return path, query


def _plain_segments(path: bytes) -> tuple[str, ...] | None:
    """Returns the segments of a path in which nothing is encoded and nothing could be refused; None if that needs a closer look."""
    if path.translate(None, _PLAIN_PATH):
        return None
    text = path.decode("ascii")  # `in` is ten times as fast on text as on bytes
    if text[0] != "/" or "//" in text or "/." in text:
        return None
    return tuple(text[1:].split("/"))


def _path_oddities(path: bytes) -> frozenset[str]:
    if not _ODD.search(path):
        return _PLAIN
    codes = path.lower()
    found = ((b";", "semicolon"), (b"%2f", "encoded-slash"), (b"%2e", "encoded-dot"))
    return frozenset(oddity for code, oddity in found if code in codes)


def _header_oddities(method: str, path: bytes, headers: Mapping[bytes, bytes]) -> set[str]:
    """Returns the oddities of headers that may speak of other objects than the target."""
    read = (b"destination",) if method in _TO_DESTINATION else ()
    found = {UNREAD[name] for name in NAMING.intersection(headers).difference(read)}
    if b"if" in headers and _asks_about_others(method, path, headers):
        found.add("tagged-if")
    return found


def _asks_about_others(method: str, path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    destination = headers.get(b"destination") if method in _TO_DESTINATION else None
    return asks_about_others(headers[b"if"], headers[b"host"], path, destination)


def _segments(path: bytes) -> tuple[str, ...]:
    if not _PATH.fullmatch(path):
        raise GatewayError(Reason.BAD_TARGET, "the path has bytes that must be percent-encoded")
    if _BACKSLASH.search(path):
        raise GatewayError(Reason.BAD_TARGET, "the path has an encoded backslash")
    raw = path[1:].split(b"/")
    if any(part in (b".", b"..") for part in raw):
        raise GatewayError(Reason.BAD_TARGET, "the path has a dot segment")
    if b"" in raw[:-1]:
        raise GatewayError(Reason.BAD_TARGET, "the path has an empty segment")
    return tuple(_segment(part) for part in raw)


def _segment(raw: bytes) -> str:
    if b"%" not in raw:
        if b";" in raw and raw.partition(b";")[0] in (b"", b".", b".."):
            raise GatewayError(Reason.BAD_TARGET, "the path has a dot or empty segment before a `;`")
        return raw.decode("ascii")
    text = _decoded(raw)
    if (text[0] in "./;" or "/" in text) and any(part.partition(";")[0] in _DOTS for part in text.split("/")):
        raise GatewayError(Reason.BAD_TARGET, "the path has an encoded dot or empty segment")
    if _CONTROL.search(text):
        raise GatewayError(Reason.BAD_TARGET, "the path has an encoded control character")
    if "%" in text and _DOUBLE.search(text):
        raise GatewayError(Reason.BAD_TARGET, "the path is encoded twice")
    return text


def _decoded(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise GatewayError(Reason.BAD_TARGET, "percent-encoded bytes are not UTF-8") from error
    if "\x00" in text:
        raise GatewayError(Reason.BAD_TARGET, "an encoded NUL")
    return text


def _checked_headers(headers: tuple[tuple[bytes, bytes], ...]) -> Mapping[bytes, bytes]:
    """Refuses headers with two readings (rule 4); returns them by name, of repeated ones the last."""
    fields = dict(headers)
    values: Collection[bytes] = fields.values()
    if len(fields) < len(headers):
        _check_repeated(headers, _SINGLE)
        values = [value for _, value in headers]
    joined = b"".join(values)  # looked through at once: each request comes here
    if len(joined.translate(None, _BAD_VALUE)) < len(joined):
        name = next(name for name, value in headers if value != value.translate(None, _BAD_VALUE))
        raise GatewayError(
            Reason.BAD_HEADERS, f"header `{name[:64].decode('latin-1')}` has a control character"
        )
    if not _HOST.fullmatch(fields.get(b"host", b"")):
        raise GatewayError(Reason.BAD_HEADERS, "not exactly one well-formed host")
    return fields


def _check_repeated(headers: tuple[tuple[bytes, bytes], ...], single: Iterable[bytes]) -> None:
    names = [name for name, _ in headers]
    for name in single:
        if names.count(name) > 1:
            raise GatewayError(
                Reason.BAD_HEADERS, f"header `{name.decode('latin-1')}` came {names.count(name)} times"
            )
