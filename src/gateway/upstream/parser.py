"""Reading an answer, without I/O: bytes in, head and body out; garbage raises one kind of error.

Rules:

1. One parser for one exchange: nothing of one answer can reach another.
2. llhttp reads the head and nothing but the head; where the body ends is decided here, from the request's method, the
   status and at most one of `Content-Length` and `Transfer-Encoding: chunked` (RFC 9112 6.3). llhttp cannot be told that an
   answer to HEAD has no body, and would take the next answer for it.
3. What has two readings is broken: bare CR or LF in a head, both kinds of length, another coding, a version that is not 1.x.
4. 1xx answers are consumed (RFC 9110 15.2), within a bound. 101 is broken: no switch was asked for. `Upgrade` on
   another status switches nothing (CVE-2024-23326).
5. Bytes after the end are *stray*: they belong to nobody, and the connection cannot be used again.
6. There is no end without a reason: the end of the stream ends only an answer that is framed by it.
7. Trailers are dropped (RFC 9110 6.5.1) and bounded like a head.
"""

from enum import Enum
from http import HTTPStatus
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.upstream.errors import UpstreamBrokenError, UpstreamDownError, UpstreamTruncatedError

MAX_INTERIM: Final = 16
"""1xx answers that may precede the real one."""
MAX_LENGTH_DIGITS: Final = 18
"""Of a `Content-Length`."""

_END: Final = b"\r\n\r\n"
_START: Final = b"HTTP/1."
_VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_FIRST_STATUS: Final = 100


class _Body(Enum):
    """How the end of the body is found; `HEAD` while that is not known yet."""

    HEAD = 0
    NONE = 1
    LENGTH = 2
    CHUNKED = 3
    UNTIL_CLOSE = 4


class AnswerParser:
    """Reads one answer.

    Attributes:
        status: of the final answer; 0 until its head is complete.
        headers: lower-case names, in order; without the trailers.
        complete: the answer has ended as it said it would.
        stray: bytes came after its end (rule 5).
        keep_alive: the backend lets the connection be used again.
    """

    __slots__ = (
        "_headless", "_interim", "_left", "_llhttp", "_max_head", "_max_headers", "_mode", "_overhead", "_partial",
        "_pieces", "_tail", "_whole", "complete", "headers", "keep_alive", "status", "stray",
    )  # fmt: skip

    def __init__(self, method: str, max_head: int, max_headers: int) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = self.stray = self.keep_alive = False
        self._headless = method == "HEAD"
        self._max_head = max_head
        self._max_headers = max_headers
        self._mode = _Body.HEAD
        self._partial: bytearray | None = None
        self._interim = 0
        self._llhttp: Any = None

    @property
    def begun(self) -> bool:
        """Whether a byte of an answer came."""
        return self._mode is not _Body.HEAD or self._partial is not None or self._interim > 0

    def feed(self, data: bytes) -> bytes:
        """Takes what came from the backend and returns the bytes of the body in it.

        Raises:
            UpstreamBrokenError: the answer breaks a rule above.
        """
        if self._mode is _Body.HEAD:
            data = self._feed_heads(data)
            if not data:
                return data
        return self._feed_body(data)

    def end(self) -> None:
        """Takes the end of the stream (rule 6).

        Raises:
            UpstreamDownError: before the first byte.
            UpstreamBrokenError: within the head.
            UpstreamTruncatedError: within the body.
        """
        if self.complete:
            return
        if self._mode is _Body.UNTIL_CLOSE:
            self.complete = True
        elif self._mode is not _Body.HEAD:
            raise UpstreamTruncatedError("the answer ended before its length or last chunk")
        elif self.begun:
            raise UpstreamBrokenError("the answer ended within its head")
        else:
            raise UpstreamDownError("the connection ended without an answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp for each header of a head, and for each trailer, which is dropped."""
        if self._mode is _Body.HEAD:
            self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Called by llhttp at the end of a head; a second one within a chunked answer is stray."""
        self._whole = True
        self.stray = self.complete

    def on_body(self, data: bytes) -> None:
        """Called by llhttp for each piece of a chunked body."""
        if not self.complete:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Called by llhttp after the last chunk; all other ends are found here (rule 2)."""
        if self._mode is _Body.CHUNKED:
            self.complete = True

    def _feed_heads(self, data: bytes) -> bytes:
        """Reads heads up to and including the final one; returns what follows it."""
        pending: bytes | bytearray = data
        searched = 0
        if self._partial is not None:
            searched = max(0, len(self._partial) - 3)
            self._partial += data
            pending = self._partial
        while pending:
            end = pending.find(_END, searched) + len(_END)
            if end < len(_END):
                self._keep(pending)
                return b""
            if end > self._max_head:
                raise UpstreamBrokenError(f"a head larger than {self._max_head} bytes")
            self._partial = None
            self._read_head(bytes(pending[:end]))
            pending, searched = bytes(pending[end:]), 0
            if self._mode is not _Body.HEAD:
                return pending
        return b""

    def _keep(self, pending: bytes | bytearray) -> None:
        if len(pending) > self._max_head:
            raise UpstreamBrokenError(f"a head larger than {self._max_head} bytes")
        if not pending.startswith(_START[: len(pending)]):
            raise UpstreamBrokenError("an answer that does not begin as HTTP/1")
        if self._partial is None:
            self._partial = bytearray(pending)

    def _read_head(self, head: bytes) -> None:
        if not head.startswith(_VERSIONS):
            raise UpstreamBrokenError("an answer that is not HTTP/1.1 or HTTP/1.0")
        self._whole = False
        self.headers = []
        self._llhttp = HttpResponseParser(self)
        try:
            self._llhttp.feed_data(head)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise UpstreamBrokenError(f"a malformed head: {error}") from error
        status: int = self._llhttp.get_status_code()
        if not self._whole or status < _FIRST_STATUS or status == HTTPStatus.SWITCHING_PROTOCOLS:
            raise UpstreamBrokenError(f"status {status} was not asked for")
        if len(self.headers) > self._max_headers:
            raise UpstreamBrokenError(f"more than {self._max_headers} headers")
        if status >= HTTPStatus.OK:
            self.status = status
            self._frame(newer=head.startswith(_VERSIONS[0]))
            if self._mode is not _Body.CHUNKED:
                self._llhttp = None  # it points back here
            return
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise UpstreamBrokenError(f"more than {MAX_INTERIM} interim answers")

    def _frame(self, *, newer: bool) -> None:
        """Decides where the body ends (rules 2 and 3); llhttp has refused two lengths, and length with coding."""
        length, coding, options = self._framing()
        self.keep_alive = b"close" not in options if newer else b"keep-alive" in options  # RFC 9112 9.3
        if self._headless or self.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self._mode = _Body.NONE
            self.complete = True
            if self.status == HTTPStatus.NO_CONTENT and length is not None:  # RFC 9110 8.6
                self.headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        elif coding is not None:
            if coding != b"chunked" or not newer:
                raise UpstreamBrokenError("a transfer coding other than chunked")
            self._mode = _Body.CHUNKED
            self._overhead = 0
            self._tail = b""
        elif length is not None:
            if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
                raise UpstreamBrokenError("a length that is no number")
            self._mode = _Body.LENGTH
            self._left = int(length)
            self.complete = self._left == 0
        else:
            self._mode = _Body.UNTIL_CLOSE
            self.keep_alive = False

    def _framing(self) -> tuple[bytes | None, bytes | None, frozenset[bytes]]:
        """Returns the length, the transfer coding and the connection's options."""
        length = coding = None
        options: frozenset[bytes] = frozenset()
        for name, value in self.headers:
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                coding = value.lower() if coding is None else b"repeated"
            elif name == b"connection":
                options |= {option.strip() for option in value.lower().split(b",")}
        return length, coding, options

    def _feed_body(self, data: bytes) -> bytes:
        if self.complete:
            self.stray = True
            return b""
        if self._mode is _Body.LENGTH:
            left = self._left = self._left - len(data)
            if left > 0:
                return data
            self.complete = True
            self.stray = left < 0
            return data[:left] if left else data
        return self._feed_chunks(data) if self._mode is _Body.CHUNKED else data

    def _feed_chunks(self, data: bytes) -> bytes:
        self._pieces: list[bytes] = []
        self._tail = (self._tail + data[-5:])[-5:]
        try:
            self._llhttp.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            if not self.complete:
                raise UpstreamBrokenError(f"a malformed chunk: {error}") from error
            self.stray = True
        if self.complete:
            self._llhttp = None
            # llhttp passes over line ends after the last chunk: they are stray all the same
            self.stray = self.stray or self._tail[-4:] != _END or self._tail[:1] in (b"\r", b"\n")
        elif self._pieces:
            self._overhead = 0
        else:
            self._overhead += len(data)
            if self._overhead > self._max_head:
                raise UpstreamBrokenError(f"chunk framing or trailers larger than {self._max_head} bytes")
        return b"".join(self._pieces)
