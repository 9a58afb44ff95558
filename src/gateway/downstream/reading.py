"""Reading a request, without I/O: bytes in, head and body out; what has two readings is refused.

Rules:

1. llhttp reads the head and nothing but the head, in its strict mode; beyond that, a head has as many line ends as lines, each CRLF
   (RFC 9112 2.2): no bare CR or LF, no folded line, nothing that ends earlier in one reading than in another.
2. The version is HTTP/1.1 or HTTP/1.0 (RFC 9112 2.3).
3. A target is a path with a query (origin-form). The absolute form names the `Host` that came with it; what is left of it is the path
   (RFC 9112 3.2.2). Any other form is left for the pipeline to refuse. A `#` has no place in a target.
4. A body has a length, one of one number, or comes in chunks; never both, never coded otherwise (RFC 9112 6.1, 6.3).
5. A chunk's size is hexadecimal digits and nothing else; its extensions and the trailers are dropped, and bounded (RFC 9112 7.1).
6. What follows the end of a request is the next one.
"""

import re
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from gateway.errors import GatewayError
from gateway.reasons import Reason

END: Final = b"\r\n\r\n"
MAX_LENGTH_DIGITS: Final = 18
"""Of a `Content-Length`; larger than any file."""
MAX_OVERHEAD: Final = 16384
"""Bytes of extensions and trailers between two pieces of a chunked body."""

_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*+)", re.IGNORECASE)
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++ ")  # RFC 9110 9.1: a token
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n")
_NOT_ONE: Final = "the head is not one of HTTP/1.1"

Pair = tuple[bytes, bytes]


class Head(NamedTuple):
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
    headers: list[Pair]
    length: int | None = 0
    persistent: bool = True
    expects: bool = False
    upgrade: bytes = b""


class _Reader:
    """What llhttp calls."""

    __slots__ = ("headers", "target", "whole")

    def __init__(self) -> None:
        self.target = b""
        self.headers: list[Pair] = []
        self.whole = 0

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.whole += 1


def read_head(raw: bytes) -> Head:
    """Returns the head that `raw` is, its empty line included.

    Raises:
        GatewayError: rules 1 to 4.
    """
    reader = _Reader()
    llhttp = HttpRequestParser(reader)
    try:
        llhttp.feed_data(raw)
    except HttpParserUpgrade:
        pass  # an offer to switch, or CONNECT: what follows is ours to judge
    except HttpParserInvalidMethodError as error:
        reason = Reason.BAD_METHOD if _METHOD.match(raw) else Reason.BAD_HEADERS
        raise GatewayError(reason, f"{_NOT_ONE}: {error}") from error
    except HttpParserError as error:
        raise GatewayError(Reason.BAD_HEADERS, f"{_NOT_ONE}: {error}") from error
    headers, target, method = reader.headers, reader.target, llhttp.get_method()
    newer = raw.startswith(b"%b %b HTTP/1.1\r\n" % (method, target))  # llhttp takes several spaces, and RTSP
    lines = len(headers) + 2
    if (
        reader.whole != 1
        or raw.count(b"\r\n") != lines
        or raw.count(b"\n") != lines
        or raw.count(b"\r") != lines
        or not (newer or raw.startswith(b"%b %b HTTP/1.0\r\n" % (method, target)))
    ):
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
    return head._replace(
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
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > MAX_LENGTH_DIGITS:
        raise GatewayError(Reason.BAD_HEADERS, "not one length that is a number")
    return int(lengths[0])


def _origin_path(path: bytes, headers: list[Pair]) -> bytes:
    """Returns the path of a target in absolute form; anything else as it is, for the pipeline to refuse (rule 3)."""
    absolute = _ABSOLUTE.match(path)
    if absolute is None:
        return path
    hosts = [value.lower() for name, value in headers if name == b"host"]
    if hosts != [absolute[1].lower()]:
        raise GatewayError(Reason.BAD_TARGET, "the target names another host than `Host`")
    return path[absolute.end() :] or b"/"


class Chunks:
    """Takes a chunked body apart (rule 5).

    Attributes:
        ended: whether the last chunk and the trailers have come.
    """

    __slots__ = ("_left", "_overhead", "_pending", "_trailing", "ended")

    def __init__(self) -> None:
        self._pending = b""
        self._left = 0
        self._overhead = 0
        self._trailing = False
        self.ended = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Takes what came; returns the pieces of the body in it and, once `ended`, what follows the body.

        Raises:
            GatewayError: the framing is not one.
        """
        pieces: list[bytes] = []
        data, self._pending = self._pending + data, b""
        while data and not self.ended:
            if self._left > 2:  # noqa: PLR2004 - the chunk's own line end
                piece = data[: self._left - 2]
                pieces.append(piece)
                self._overhead = 0
                self._left -= len(piece)
                data = data[len(piece) :]
            elif self._left:
                if len(data) < self._left:
                    self._pending = data
                    return pieces, b""
                if data[: self._left] != b"\r\n"[-self._left :]:
                    raise GatewayError(Reason.BAD_BODY, "a chunk is longer than it said")
                data, self._left = data[self._left :], 0
            else:
                rest = self._line(data)
                if rest is None:
                    self._keep(data)
                    return pieces, b""
                data = rest
        return pieces, data

    def _line(self, data: bytes) -> bytes | None:
        """Reads a size or a trailer; returns what follows it, None if it is not all there."""
        end = data.find(b"\r\n") + 2
        if end < 2:  # noqa: PLR2004 - not found
            return None
        self._count(end)
        if self._trailing:
            self.ended = end == 2  # noqa: PLR2004 - an empty line
            if b"\n" in data[: end - 2] or b"\r" in data[: end - 2]:
                raise GatewayError(Reason.BAD_BODY, "a bare line end between chunks")
            return data[end:]
        size = _SIZE_LINE.fullmatch(data, 0, end)
        if size is None:
            raise GatewayError(Reason.BAD_BODY, "a chunk without a size")
        number = int(size[1], 16)
        self._trailing = number == 0
        self._left = number + 2 if number else 0
        return data[end:]

    def _keep(self, data: bytes) -> None:
        """Keeps the beginning of a line; a bare line end in it will not get better."""
        if b"\n" in data or b"\r" in data[:-1]:
            raise GatewayError(Reason.BAD_BODY, "a bare line end between chunks")
        self._pending = data
        if len(data) + self._overhead > MAX_OVERHEAD:
            raise GatewayError(
                Reason.BAD_BODY, f"chunk extensions or trailers larger than {MAX_OVERHEAD} bytes"
            )

    def _count(self, octets: int) -> None:
        self._overhead += octets
        if self._overhead > MAX_OVERHEAD:
            raise GatewayError(
                Reason.BAD_BODY, f"chunk extensions or trailers larger than {MAX_OVERHEAD} bytes"
            )
