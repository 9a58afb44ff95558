"""Reading a request, without I/O: bytes in, head and body out; what has two readings is refused.

Rules:

1. A head is read by the rules of `gateway.heads`; its first line is method, target and version, with one space between (RFC 9112 3).
2. The version is HTTP/1.1 or HTTP/1.0 (RFC 9112 2.3).
3. A target is a path with a query (origin-form). The absolute form names the `Host` that came with it; what is left of it is the path
   (RFC 9112 3.2.2). Any other form is left for the pipeline to refuse. A `#` has no place in a target.
4. A body has a length, one of one number, or comes in chunks; never both, never coded otherwise (RFC 9112 6.1, 6.3).
5. What follows the end of a request is the next one.
"""

import re
from typing import Final

import msgspec
from httptools import HttpParserInvalidMethodError, HttpRequestParser

from gateway import heads
from gateway.errors import GatewayError
from gateway.reasons import Reason

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*+)", re.IGNORECASE)
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++ ")  # RFC 9110 9.1: a token
_NOT_ONE: Final = "the head is not one of HTTP/1.1"


class Head(msgspec.Struct, frozen=True, gc=False):
    """The head of a request.

    Attributes:
        method: as it came.
        path: the raw path, still percent-encoded.
        query: the raw query without its `?`; empty if there is none.
        newer: whether the version is HTTP/1.1.
        headers: lower-case names with their values, in order.
        length: bytes of the body; None if it comes in chunks.
        persistent: whether the client may send another request on the connection (RFC 9112 9.3).
        expects: whether the client waits to be told to go on (RFC 9110 10.1.1).
        upgrade: the protocols that the client offers to switch to, lower case; empty without such an offer.
    """

    method: str
    path: bytes
    query: bytes
    newer: bool
    headers: list[heads.Pair]
    length: int | None = 0
    persistent: bool = True
    expects: bool = False
    upgrade: bytes = b""


def read_head(raw: bytes) -> Head:
    """Returns the head that `raw` is, its empty line included.

    Raises:
        GatewayError: rules 1 to 4.
    """
    try:
        llhttp, headers, targets = heads.read(raw, HttpRequestParser)
    except heads.HeadError as error:
        if isinstance(error.__cause__, HttpParserInvalidMethodError) and _METHOD.match(raw):
            raise GatewayError(Reason.BAD_METHOD, f"{_NOT_ONE}: {error}") from error
        raise GatewayError(Reason.BAD_HEADERS, f"{_NOT_ONE}: {error}") from error
    target, method = targets[0] if targets else b"", llhttp.get_method()
    newer = raw.startswith(b"%b %b HTTP/1.1\r\n" % (method, target))  # llhttp takes several spaces, and RTSP
    if not (newer or raw.startswith(b"%b %b HTTP/1.0\r\n" % (method, target))):
        raise GatewayError(Reason.BAD_HEADERS, _NOT_ONE)
    if b"#" in target:
        raise GatewayError(Reason.BAD_TARGET, "a fragment")
    path, _, query = target.partition(b"?")
    if path[:1] != b"/":
        path = _origin_path(path, headers)
    head = Head(method.decode("ascii"), path, query, newer, headers, 0, newer)
    for name, _ in headers:
        if name in _FRAMING:
            return _framed(head)
    return head


def _framed(head: Head) -> Head:
    """Reads what the head says of the body and of the connection (rule 4)."""
    said: dict[bytes, list[bytes]] = {}
    for name, value in head.headers:
        if name in _FRAMING:
            said.setdefault(name, []).append(value)
    options = {
        option.strip().lower() for value in said.get(b"connection", ()) for option in value.split(b",")
    }
    return msgspec.structs.replace(
        head,
        length=_length(head.newer, said.get(b"content-length", []), said.get(b"transfer-encoding", [])),
        persistent=b"close" not in options if head.newer else b"keep-alive" in options,
        expects=head.newer and [value.lower() for value in said.get(b"expect", ())] == [b"100-continue"],
        upgrade=b",".join(said.get(b"upgrade", ())).lower() if b"upgrade" in options and head.newer else b"",
    )


def _length(newer: bool, lengths: list[bytes], codings: list[bytes]) -> int | None:  # noqa: FBT001
    if codings:
        if lengths:
            raise GatewayError(Reason.BAD_HEADERS, "both a length and a transfer coding")
        if not newer or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise GatewayError(Reason.BAD_HEADERS, "a transfer coding other than chunked alone")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > heads.MAX_LENGTH_DIGITS:
        raise GatewayError(Reason.BAD_HEADERS, "not one length that is a number")
    return int(lengths[0])


def _origin_path(path: bytes, headers: list[heads.Pair]) -> bytes:
    """Returns the path of a target in absolute form; anything else as it is, for the pipeline to refuse (rule 3)."""
    absolute = _ABSOLUTE.match(path)
    if absolute is None:
        return path
    hosts = [value.lower() for name, value in headers if name == b"host"]
    if hosts != [absolute[1].lower()]:
        raise GatewayError(Reason.BAD_TARGET, "the target names another host than `Host`")
    return path[absolute.end() :] or b"/"
