"""One request and its answer on a client's connection, as the application sees them: an ASGI scope, `receive` and `send`.

Rules:

1. Nothing is written before the first piece of the body is there: head and body go out together. An endless answer sends an empty
   piece first.
2. An answer has a length or comes in chunks (to HTTP/1.0: until the end of the connection); HEAD, 204 and 304 have no body (RFC 9112 6.3).
   One that was not ended by the application is cut off, never ended by us.
3. Of an answer, the client takes what it can; beyond `WRITE_BUFFER` bytes `send` waits for it.
4. The body of the request is handed over as it comes; beyond `READ_BUFFER` bytes nobody reads from the client.
5. A client that leaves is told to whoever waits for its body, else to `on_gone`.
6. The body is counted as it comes, whatever it said; a client that waits to be told to go on is told when its body is wanted.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Scope

from gateway.chunks import ChunkError, Chunks
from gateway.downstream.errors import BodyBoundError
from gateway.downstream.reading import Head
from gateway.errors import ClientGoneError, GatewayError
from gateway.heads import Pair
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.downstream.connection import ClientConnection

READ_BUFFER: Final = 65536
"""Bytes of a request that may wait in the process for the application."""
NOT_WAITING: Final = float("inf")

MAX_OVERHEAD: Final = 16384
"""Bytes of chunk extensions and trailers between two pieces of a body."""

_BODILESS: Final = (204, 304)
_STATUS_LINES: Final[dict[int, bytes]] = {
    int(status): b"HTTP/1.1 %d %b" % (status, status.phrase.encode())
    for status in map(HTTPStatus, HTTPStatus)
}
_COLON: Final = b": "
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Turn:
    """One request and its answer.

    Attributes:
        scope: of ASGI; `type` is `http`.
        fault: why the request is refused whoever asks; None if it can be judged.
        status: of the answer; 0 until it has begun.
        answering: whether the client may have got a part of the answer.
        more_headers: go into the answer's head beside its own.
        on_drained: called when the client has taken enough of what it was sent.
        on_gone: called once if the client leaves while nobody waits for its body.
        gone: whether it has left.
        held: bytes of the body that wait for the application.
        receiving: since when a piece of the body is waited for, on the loop's clock; infinite while none is.
    """

    # not slots but defaults of the class: most requests set few of these, and one is made for each
    fault: GatewayError | None = None
    status = 0
    answering = gone = False
    more_headers: Sequence[Pair] = ()
    on_drained: Callable[[], None] | None = None
    on_gone: Callable[[], None] | None = None
    receiving = NOT_WAITING
    held = 0
    _chunks: Chunks | None = None
    _left = _octets = 0
    _whole = True
    _expects = _ended = _chunked = _told = False
    _waiter: asyncio.Future[None] | None = None
    _error: Exception | None = None
    _headers: Sequence[Pair] | None = None
    _pieces: list[bytes]

    def __init__(self, connection: "ClientConnection", head: Head, fault: GatewayError | None = None) -> None:
        self._connection = connection
        self._newer = head.newer
        self._headless = head.method == "HEAD"
        if head.length != 0:
            self._whole = False
            self._left = head.length or 0
            self._chunks = Chunks(MAX_OVERHEAD) if head.length is None else None
            self._expects = head.expects
        if fault is not None:
            self.fault = fault
        self.scope: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": "1.1" if head.newer else "1.0",
            "method": head.method,
            "scheme": "http",
            "raw_path": head.path,
            "query_string": head.query,
            "headers": head.headers,
            "client": connection.client,
            "server": connection.server,
        }

    @property
    def whole(self) -> bool:
        """Whether all of the request has come."""
        return self._whole

    @property
    def ended(self) -> bool:
        """Whether the answer has been ended by the application."""
        return self._ended

    @property
    def full(self) -> bool:
        """Whether as much waits for the application as may (rule 4)."""
        return self.held >= READ_BUFFER

    async def receive(self) -> Message:
        """Returns the next piece of the body; after the last one, when the client leaves, that it has left.

        Raises:
            BodyBoundError: the body is beyond its bounds, or not framed as one.
        """
        while True:
            if self._error is not None:
                raise self._error
            if self.held or (self._whole and not self._told):
                piece, self._told = self._gathered(), self._whole
                self.held = 0
                self._connection.read_on()
                return {"type": "http.request", "body": piece, "more_body": not self._told}
            if self.gone:
                return {"type": "http.disconnect"}
            await self._wait()

    def _gathered(self) -> bytes:
        """Takes what of the body waits."""
        if not self.held:
            return b""
        piece = b"".join(self._pieces)
        self._pieces = []
        return piece

    async def send(self, message: Message) -> None:
        """Takes a message of the answer; returns when the client has taken enough of what came before.

        Raises:
            ClientGoneError: it has left, or takes nothing for too long.
        """
        if self.gone:
            raise ClientGoneError(sent=True)
        if message["type"] == "http.response.start":
            self.status, self._headers = message["status"], message.get("headers", ())
            return
        piece: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self.answering:
            self.go_on(piece, more=more)
        elif self._headers is None:
            raise RuntimeError("a body before its head")
        else:
            self.begin(self.status, self._headers, piece, more=more)
        if more and self._connection.stuck:
            await self._connection.drained()

    def begin(self, status: int, headers: Sequence[Pair], piece: bytes, *, more: bool) -> None:
        """Writes the head with the first piece of the body, or the whole (rules 1 and 2); waits for nothing."""
        self.status, self.answering, self._ended = status, True, not more
        connection = self._connection
        if self.more_headers:
            headers = [*headers, *self.more_headers]
        named = dict(headers)
        lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
        lines.extend(map(_COLON.join, headers))
        headless = self._headless = self._headless or status in _BODILESS
        if b"content-length" not in named and not headless:
            lines += self._framing(len(piece), more=more)
        if b"date" not in named:
            lines.append(b"date: " + connection.date)
        if b"connection" in named:
            connection.close_after()  # the application says nothing else of it
        elif connection.closes or not self._whole:
            connection.close_after()  # an answer to what has not come whole is the last, even if the rest comes
            lines.append(b"connection: close")
        elif not self._newer:
            lines.append(b"connection: keep-alive")
        lines.append(b"\r\n")
        connection.write(b"\r\n".join(lines))
        if piece and not headless:
            connection.write(_chunk(piece) if self._chunked else piece)

    def go_on(self, piece: bytes, *, more: bool) -> None:
        """Writes another piece, or the last one; waits for nothing."""
        self._ended = not more
        if self._headless:
            return
        if self._chunked:
            piece = _chunk(piece) if more else _chunk(piece) + b"0\r\n\r\n"
        if piece:
            self._connection.write(piece)

    @property
    def stuck(self) -> bool:
        """Whether as much waits for the client as may (rule 3)."""
        return self._connection.stuck

    @property
    def asgi(self) -> Scope:
        """The scope with what other applications read besides."""
        path = unquote_to_bytes(self.scope["raw_path"]).decode("utf-8", "replace")
        return {**self.scope, "path": path, "root_path": "", "state": {}}

    def feed(self, data: bytes) -> bytes:
        """Takes what the client sent and returns what follows the request."""
        if self._error is not None:
            return b""
        if self._chunks is not None:
            return self._feed_chunks(self._chunks, data)
        if len(data) <= self._left:
            self._left -= len(data)
            piece, rest = data, b""
        else:
            piece, rest, self._left = data[: self._left], data[self._left :], 0
        self._whole = not self._left
        self._take(piece)
        return rest

    def leave(self) -> None:
        """Is called once when the client has left (rule 5)."""
        self.gone = True
        if self._waiter is not None:
            self._wake()
        elif self.on_gone is not None:
            self.on_gone()

    def fail(self, error: Exception) -> None:
        """Ends the body with an error: whoever reads it gets it."""
        if self._error is None:
            self._error = error
        self._wake()

    def stand_still(self, limit: float) -> None:
        """Is called when nothing of the body came for `limit` seconds."""
        self.fail(BodyBoundError(Reason.BODY_SLOW, f"nothing came for {limit:g} s"))

    def abort(self) -> None:
        """Ends the client's connection at once."""
        self._connection.abort()

    def _framing(self, length: int, *, more: bool) -> list[bytes]:
        if not more:
            return [b"content-length: %d" % length]
        if self._newer:
            self._chunked = True
            return [b"transfer-encoding: chunked"]
        self._connection.close_after()
        return []

    def _feed_chunks(self, chunks: Chunks, data: bytes) -> bytes:
        try:
            piece, rest = chunks.feed(data)
        except ChunkError as error:
            self.fail(BodyBoundError(Reason.BAD_BODY, str(error)))
            self._connection.close_after()
            return b""
        self._whole = chunks.ended
        self._take(piece)
        return rest

    def _take(self, piece: bytes) -> None:
        self._octets += len(piece)
        limit = self._connection.limits.body
        if self._octets > limit:
            self._pieces, self.held = [], 0
            self.fail(BodyBoundError(Reason.BODY_TOO_LARGE, f"more than {limit} bytes"))
            self._connection.close_after()
            return
        if piece:
            if self.held:
                self._pieces.append(piece)
            else:
                self._pieces = [piece]
            self.held += len(piece)
        if piece or self._whole:
            self._wake()

    async def _wait(self) -> None:
        connection = self._connection
        if self._expects:
            self._expects = False
            if not self._octets and not self.answering:
                connection.write(_CONTINUE)
        self._waiter = connection.loop.create_future()
        if not self._whole:
            self.receiving = connection.loop.time()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.receiving = NOT_WAITING

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


_ASGI: Final[dict[str, Any]] = {"version": "3.0", "spec_version": "2.5"}


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
