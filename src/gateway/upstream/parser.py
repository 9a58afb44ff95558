"""Reading an answer, without I/O: bytes in, head and body out; garbage raises one kind of error.

Rules:

1. One parser for one exchange: nothing of one answer can reach another.
2. llhttp reads the head and nothing but the head (`gateway.heads`); where the body ends is decided here, from the request's method, the
   status and at most one of `Content-Length` and `Transfer-Encoding: chunked` (RFC 9112 6.3). llhttp cannot be told that an
   answer to HEAD has no body, and would take the next answer for it.
3. What has two readings is broken: bare CR or LF in a head, both kinds of length, another coding, a version that is not 1.x.
4. 1xx answers are consumed (RFC 9110 15.2), within a bound. 101 is broken: no switch was asked for. `Upgrade` on
   another status switches nothing (CVE-2024-23326).
5. Bytes after the end are *stray*: they belong to nobody, and the connection cannot be used again.
6. There is no end without a reason: the end of the stream ends only an answer that is framed by it.
7. Trailers are dropped (RFC 9110 6.5.1) and bounded like a head.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from httptools import HttpResponseParser

from gateway import heads
from gateway.by_name import ByName
from gateway.chunks import ChunkError, Chunks
from gateway.upstream.errors import UpstreamBrokenError, UpstreamDownError, UpstreamTruncatedError

MAX_INTERIM: Final = 16
"""1xx answers that may precede the real one."""

_START: Final = b"HTTP/1."
_VERSIONS: Final = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_FIRST, _OK, _SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 100, 200, 101, 204, 304
_SINGLE: Final = (b"content-length", b"transfer-encoding")

_OPTIONS: Final = ByName(lambda said: frozenset(each.strip() for each in said.lower().split(b",")))
"""The options that a value of `Connection` lists."""

# how the end of the body is found; `_HEAD` while that is not known yet
_HEAD, _NONE, _LENGTH, _CHUNKED, _UNTIL_CLOSE = range(5)


class AnswerParser:
    """Reads one answer.

    Attributes:
        status: of the final answer; 0 until its head is complete.
        headers: lower-case names, in order; without the trailers.
        fields: the same by name; of repeated ones the last.
        complete: the answer has ended as it said it would.
        stray: bytes came after its end (rule 5).
        keep_alive: the backend lets the connection be used again.
    """

    # not slots but defaults of the class: one is made for each request
    status = 0
    headers: Sequence[heads.Pair] = ()
    fields: Mapping[bytes, bytes] = {}
    complete = stray = keep_alive = False
    _mode = _HEAD
    _partial = b""
    _interim = _left = 0
    _chunks: Chunks

    def __init__(self, method: str, max_head: int, max_headers: int) -> None:
        self._headless = method == "HEAD"
        self._max_head = max_head
        self._max_headers = max_headers

    @property
    def begun(self) -> bool:
        """Whether a byte of an answer came."""
        return self._mode != _HEAD or bool(self._partial) or self._interim > 0

    def feed(self, data: bytes) -> bytes:
        """Takes what came from the backend and returns the bytes of the body in it.

        Raises:
            UpstreamBrokenError: the answer breaks a rule above.
        """
        if self._mode == _HEAD:
            data = self._feed_heads(data)
            if not data:
                return data
        if self.complete:
            self.stray = True
            return b""
        if self._mode == _LENGTH:
            left = self._left = self._left - len(data)
            if left > 0:
                return data
            self.complete = True
            self.stray = left < 0
            return data[:left] if left else data
        return self._feed_chunks(data) if self._mode == _CHUNKED else data

    def end(self) -> None:
        """Takes the end of the stream (rule 6).

        Raises:
            UpstreamDownError: before the first byte.
            UpstreamBrokenError: within the head.
            UpstreamTruncatedError: within the body.
        """
        if self.complete:
            return
        if self._mode == _UNTIL_CLOSE:
            self.complete = True
        elif self._mode != _HEAD:
            raise UpstreamTruncatedError("the answer ended before its length or last chunk")
        elif self.begun:
            raise UpstreamBrokenError("the answer ended within its head")
        else:
            raise UpstreamDownError("the connection ended without an answer")

    def _feed_heads(self, data: bytes) -> bytes:
        """Reads heads up to and including the final one; returns what follows it."""
        searched = 0
        if self._partial:
            searched = max(0, len(self._partial) - 3)
            data, self._partial = self._partial + data, b""
        while data:
            end = data.find(heads.END, searched) + 4
            if end < 4:  # noqa: PLR2004 - not found
                self._keep(data)
                return b""
            if end > self._max_head:
                raise UpstreamBrokenError(f"a head larger than {self._max_head} bytes")
            raw, data, searched = data[:end], data[end:], 0
            self._read_head(raw)
            if self._mode != _HEAD:
                return data
        return b""

    def _keep(self, pending: bytes) -> None:
        if len(pending) > self._max_head:
            raise UpstreamBrokenError(f"a head larger than {self._max_head} bytes")
        if not pending.startswith(_START[: len(pending)]):
            raise UpstreamBrokenError("an answer that does not begin as HTTP/1")
        self._partial = pending

    def _read_head(self, raw: bytes) -> None:
        if not raw.startswith(_VERSIONS):
            raise UpstreamBrokenError("an answer that is not HTTP/1.1 or HTTP/1.0")
        try:
            llhttp, headers, _ = heads.read(raw, HttpResponseParser)
        except heads.HeadError as error:
            raise UpstreamBrokenError(f"a malformed head: {error}") from error
        status: int = llhttp.get_status_code()
        if status < _FIRST or status == _SWITCHING:
            raise UpstreamBrokenError(f"status {status} was not asked for")
        if len(headers) > self._max_headers:
            raise UpstreamBrokenError(f"more than {self._max_headers} headers")
        if status >= _OK:
            self.status, self.headers = status, headers
            self._frame(newer=raw.startswith(_VERSIONS[0]))
            return
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise UpstreamBrokenError(f"more than {MAX_INTERIM} interim answers")

    def _frame(self, *, newer: bool) -> None:
        """Decides where the body ends (rules 2 and 3)."""
        fields = self.fields = dict(self.headers)
        if len(fields) < len(self.headers):
            self._check_repeated()
        length, coding, said = (
            fields.get(b"content-length"), fields.get(b"transfer-encoding"), fields.get(b"connection")
        )  # fmt: skip
        self.keep_alive = newer if said is None else self._is_kept(said, newer=newer)
        if self._headless or self.status in (_NO_CONTENT, _NOT_MODIFIED):
            self._mode = _NONE
            self.complete = True
            if self.status == _NO_CONTENT and length is not None:  # RFC 9110 8.6
                self.headers = [pair for pair in self.headers if pair[0] != b"content-length"]
        elif coding is not None:
            if coding.lower() != b"chunked" or not newer or length is not None:
                raise UpstreamBrokenError("a transfer coding other than chunked")
            self._mode = _CHUNKED
            self._chunks = Chunks(self._max_head)
        elif length is not None:
            if not length.isdigit() or len(length) > heads.MAX_LENGTH_DIGITS:
                raise UpstreamBrokenError("a length that is no number")
            self._mode = _LENGTH
            self._left = int(length)
            self.complete = self._left == 0
        else:
            self._mode = _UNTIL_CLOSE
            self.keep_alive = False

    def _check_repeated(self) -> None:
        names = [name for name, _ in self.headers]
        if any(names.count(name) > 1 for name in _SINGLE):
            raise UpstreamBrokenError("several lengths or transfer codings")

    def _is_kept(self, said: bytes, *, newer: bool) -> bool:
        """Tells what `Connection` says of the connection's use (RFC 9112 9.3)."""
        options = _OPTIONS[said]
        if len(self.fields) < len(self.headers):  # perhaps it came several times
            options = frozenset().union(
                *(_OPTIONS[value] for name, value in self.headers if name == b"connection")
            )
        return b"close" not in options if newer else b"keep-alive" in options

    def _feed_chunks(self, data: bytes) -> bytes:
        try:
            piece, rest = self._chunks.feed(data)
        except ChunkError as error:
            raise UpstreamBrokenError(f"a malformed chunk: {error}") from error
        self.complete = self._chunks.ended
        self.stray = bool(rest)
        return piece
