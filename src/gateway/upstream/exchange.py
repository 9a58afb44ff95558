"""One request and its answer over one connection: what is sent when, who waits for whom, and how it ends.

Rules:

1. A connection goes back to the pool only after a clean end: the request sent whole, the answer complete, nothing stray,
   and the backend willing. Every other way out, cancellation included, cuts it.
2. A request is repeated once, and only if a connection that was used before ended without a byte of an answer, the
   method is safe (RFC 9110 9.2.1), and there is no body.
3. An answer that comes before the request is sent whole stops the upload (RFC 9112 9.3); the answer is carried,
   then the connection cut, since the backend still waits for the rest.
4. An upload that breaks off or is not as long as it said cuts the connection: never a clean last chunk.
5. What waits in the process is bounded both ways: reading stops at `ANSWER_BUFFER`, writing at
   `gateway.upstream.connection.UPLOAD_BUFFER`.
6. Time is counted only while the backend has to act: not while the client holds up its body or takes no more of the answer.
"""

import asyncio
import math
from collections import deque
from types import TracebackType
from typing import Final

from gateway.upstream.answer import Answer
from gateway.upstream.connection import Connection
from gateway.upstream.errors import (
    UpstreamBrokenError,
    UpstreamDownError,
    UpstreamError,
    UpstreamSlowError,
    UpstreamTruncatedError,
)
from gateway.upstream.outbound import Outbound
from gateway.upstream.parser import AnswerParser
from gateway.upstream.pool import Pool
from gateway.upstream.settings import UpstreamSettings
from gateway.upstream.upload import Upload

ANSWER_BUFFER: Final = 131072
"""Bytes of an answer that may wait in the process before reading stops; the read that reaches it may exceed it."""
SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "PROPFIND"))
"""Methods of requests that may be repeated (rule 2)."""


class Exchange:
    """An asynchronous context manager: sends the request on the way in, ends the exchange on the way out."""

    # not slots but defaults of the class: most exchanges set few of these, and one is made for each request
    _connection: Connection | None = None
    _upload: Upload | None = None
    _waiter: asyncio.Future[None] | None = None
    _error: Exception | None = None
    _waiting = 0
    _whole = _stuck = _paused = False

    def __init__(self, pool: Pool, settings: UpstreamSettings, outbound: Outbound) -> None:
        self._pool = pool
        self._settings = settings
        self._outbound = outbound
        self._loop = pool.loop
        self._patience = settings.read_timeout if outbound.read_timeout is None else outbound.read_timeout
        self._chunks: deque[bytes] = deque()

    async def __aenter__(self) -> Answer:
        """Sends the request and returns the answer when its head is there.

        Raises:
            GatewayError: the request cannot be written as one; nothing was sent.
            UpstreamError: no usable head came; says whether the backend may have seen the request.
            UploadBrokenError: rule 4.
            Exception: what the iterator of the body raised.
        """
        try:
            await self._asked()
        except BaseException:
            self._finish()
            raise
        parser = self._parser
        return Answer(parser.status, tuple(parser.headers), self, parser.fields)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the connection back or cuts it (rule 1); does not wait for anything."""
        self._finish()

    def at_hand(self) -> bytes:
        """Returns the next piece of the answer, if it has come; else nothing."""
        return self._taken() if self._chunks else b""

    @property
    def ended(self) -> bool:
        """Whether all of the answer was handed over."""
        return self._parser.complete and not self._chunks

    async def chunk(self) -> bytes:
        """Returns the next piece of the answer; empty at its end.

        Raises:
            UpstreamError: the answer broke off; never after its end.
        """
        while not self._chunks:
            if self._parser.complete:
                return b""
            await self._wait()
        return self._taken()

    def _taken(self) -> bytes:
        """Takes the next piece, and reads on where that was held back."""
        piece = self._chunks.popleft()
        self._waiting -= len(piece)
        if self._waiting < ANSWER_BUFFER:
            self._resume()
        return piece

    def received(self, data: bytes) -> None:
        """Called by the connection when bytes came."""
        parser = self._parser
        try:
            piece = parser.feed(data)
        except UpstreamError as error:
            self._fail(error)
            return
        if parser.stray and self._connection is not None:
            self._connection.cut()
        if self._upload is not None and parser.status and not self._whole:
            self._upload.stop()
        if not parser.complete:
            self._set_deadline()
        elif self._connection is not None:
            self._connection.deadline = math.inf
        self._arrived(piece)

    def finished(self) -> None:
        """Called by the connection when the backend ended the stream."""
        try:
            self._parser.end()
        except UpstreamError as error:
            self._fail(error)
            return
        if self._upload is not None and not self._whole:
            self._upload.stop()
        self._arrived(b"")

    def lost(self, error: Exception | None) -> None:
        """Called by the connection when it is gone."""
        if self._parser.complete or self._error is not None:
            self._wake()
        elif self._parser.status:
            self._fail(UpstreamTruncatedError(f"the connection was lost within the answer: {error}"))
        elif self._parser.begun:
            self._fail(UpstreamBrokenError(f"the connection was lost within the head of the answer: {error}"))
        else:
            self._fail(UpstreamDownError(f"the connection was lost before an answer: {error}"))

    def expired(self) -> None:
        """Called by the pool when the deadline has passed."""
        if self._stuck and not self._parser.status:
            self._fail(
                UpstreamSlowError(f"took nothing of the request for {self._settings.write_timeout:g} s")
            )
        else:
            self._fail(UpstreamSlowError(f"sent nothing for {self._patience:g} s"))

    def write_paused(self) -> None:
        """Called by the connection when the backend does not take what is written."""
        self._stuck = True
        if self._upload is not None:
            self._upload.pause()
        self._set_deadline()

    def write_resumed(self) -> None:
        """Called by the connection when the backend takes it again."""
        self._stuck = False
        if self._upload is not None:
            self._upload.resume()
        self._set_deadline()

    def uploaded(self) -> None:
        """Called by the upload when the request is written whole."""
        self._whole = True
        self._set_deadline()

    def upload_failed(self, error: Exception) -> None:
        """Called by the upload when the body broke off (rule 4)."""
        self._fail(error)

    async def _asked(self) -> None:
        """Asks, and asks again where rule 2 has it so; returns when enough of an answer is there."""
        head = self._outbound.head()
        connection = self._connection = self._pool.take() or await self._pool.acquire()
        try:
            await self._ask(connection, head)
        except UpstreamDownError:
            if not connection.used or self._outbound.body or self._outbound.method not in SAFE:
                raise
            self._connection = self._error = None
            self._connection = await self._pool.replace(connection)
            await self._ask(self._connection, head)

    async def _ask(self, connection: Connection, head: bytes) -> None:
        """Writes the request, or its head and leaves the rest to an upload; returns when enough of an answer is there."""
        settings, body = self._settings, self._outbound.body
        self._parser = AnswerParser(self._outbound.method, settings.max_head_bytes, settings.max_headers)
        connection.traffic = self
        if connection.closed:
            raise UpstreamDownError("the connection was closed before the request", sent=False)
        if body is None or isinstance(body, bytes):
            self._whole = True
            self._set_deadline()
            connection.send(head + body if body else head)
        else:
            connection.transport.write(head)
            self._upload = Upload(self, connection.transport, body, self._outbound.length)
            if self._stuck:
                self._upload.pause()
        while not self._is_enough():
            await self._wait()

    def _is_enough(self) -> bool:
        """Whether what has come of the answer is what is waited for: here, its head."""
        return bool(self._parser.status)

    async def _wait(self) -> None:
        """Returns when something happened; raises what went wrong."""
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        if self._connection is not None:
            self._connection.cut()
        if self._upload is not None:
            self._upload.stop()
        self._wake()

    def _arrived(self, piece: bytes) -> None:
        """Keeps what came of the body until it is asked for (rule 5), and wakes who waits."""
        if piece:
            self._buffer(piece)
        self._wake()

    def _buffer(self, piece: bytes) -> None:
        self._chunks.append(piece)
        self._waiting += len(piece)
        self._pool.answer_peak = max(self._pool.answer_peak, self._waiting)
        if self._waiting >= ANSWER_BUFFER and not self._parser.complete:
            self._hold()

    def _hold(self) -> None:
        """Stops reading until what has come is taken (rules 5 and 6)."""
        connection = self._connection
        if connection is not None and not (connection.closed or self._paused):
            self._paused = True
            connection.transport.pause_reading()
            connection.deadline = math.inf

    def _resume(self) -> None:
        """Reads on."""
        if self._paused:
            self._paused = False
            if self._connection is not None and not self._connection.closed:
                self._connection.transport.resume_reading()
                self._set_deadline()

    def _set_deadline(self) -> None:
        """Rule 6."""
        connection = self._connection
        if connection is None:
            return
        if self._whole and not (self._parser.complete or self._paused or self._stuck):  # as most are
            connection.deadline = self._loop.time() + self._patience
        elif self._parser.complete or self._paused:
            connection.deadline = math.inf
        elif self._stuck and not self._parser.status:
            connection.deadline = self._loop.time() + self._settings.write_timeout
        elif self._whole or self._parser.status:
            connection.deadline = self._loop.time() + self._patience
        else:
            connection.deadline = math.inf

    def _finish(self) -> None:
        """Stops the upload and gives the connection back or cuts it (rule 1)."""
        if self._upload is not None:
            self._upload.stop()
            self._pool.upload_peak = max(self._pool.upload_peak, self._upload.peak)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        parser = self._parser
        clean = self._whole and parser.complete and not parser.stray and self._error is None
        idle = not (self._paused or self._stuck or connection.transport.get_write_buffer_size())
        self._pool.release(connection, reusable=clean and idle and parser.keep_alive)
