"""A WebSocket to a backend (RFC 6455), by the library `websockets`, of which this is the only importer.

Rules:

1. The handshake is the judged request: its target byte for byte, the headers that were made for it, and beside these only what
   the library writes for the protocol itself. It is never repeated elsewhere: no redirect is followed, no proxy of the
   surroundings asked.
2. Only 101 with the right accept key opens a socket (CVE-2024-23326). Any other final answer is the backend's refusal and is
   handed over as it is; its body is bounded by the library (1 MiB).
3. No extension is offered: a compressed message has no bound that could be known before it is unpacked.
4. What waits in the process for a client is bounded (`QUEUE` frames of at most `websocket_message` bytes together per message);
   beyond that the backend is not read from.
5. Keep-alive pings are not ours to send: while rule 4 holds a backend back, its pong could not be read either.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from gateway.headers import Pair
from gateway.upstream.errors import (
    UpstreamBrokenError,
    UpstreamBusyError,
    UpstreamDownError,
    UpstreamError,
    UpstreamSlowError,
)
from gateway.upstream.outbound import Outbound
from gateway.upstream.pool import Pool
from gateway.upstream.settings import UpstreamSettings

QUEUE: Final = 4
"""Frames of a backend that may wait in the process for a client (rule 4)."""
WRITE_BUFFER: Final = 65536
"""Bytes that may wait in the process for a backend, beside the message being written."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds that the other side has to answer a close; then the connection is cut."""
NORMAL, INTERNAL, NO_STATUS, BAD_GATEWAY = 1000, 1011, 1005, 1014
"""Close codes (RFC 6455 7.4.1 and its registry)."""

_NOWHERE: Final = parse_uri("ws://backend/")
_QUIET: Final = logging.getLogger("gateway.upstream.websocket.wire")
_QUIET.setLevel(logging.WARNING)  # at DEBUG the library writes headers, credentials among them
_FINAL: Final = 200


class SocketRefusedError(Exception):
    """The backend answered the handshake with something else than a WebSocket.

    Attributes:
        status: of the answer, final.
        headers: of the answer; lower-case names.
        body: of the answer, whole, freed of its framing.
    """

    def __init__(self, status: int, headers: Sequence[Pair], body: bytes) -> None:
        super().__init__(f"the backend answered the handshake with {status}")
        self.status, self.headers, self.body = status, headers, body


class SocketEndedError(Exception):
    """The backend's side is over; everything that it sent before has been handed over.

    Attributes:
        code: what its own close said, in a form that may be sent on; 1011 if it did not end well.
        reason: the text that came with it.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class BackendSocket:
    """An open WebSocket to a backend."""

    __slots__ = ("_connection", "_patience")

    def __init__(self, connection: ClientConnection, patience: float) -> None:
        self._connection, self._patience = connection, patience

    @property
    def subprotocol(self) -> str | None:
        """The one that the backend chose of those offered."""
        return self._connection.subprotocol

    async def receive(self) -> str | bytes:
        """Returns the next message: a text, or bytes.

        Raises:
            SocketEndedError: there is none any more.
        """
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _ended(error) from error

    async def send(self, data: bytes, *, text: bool) -> None:
        """Sends a message; `text` says which kind. Returns when the backend has taken enough of it.

        Raises:
            SocketEndedError: the backend's side is over.
            UpstreamSlowError: it took nothing for `write_timeout`.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._connection.send(data, text=text)
        except ConnectionClosed as error:
            raise _ended(error) from error
        except TimeoutError as error:
            raise UpstreamSlowError(f"took nothing of a message for {self._patience:g} s") from error

    async def close(self, code: int, reason: str = "") -> None:
        """Closes and waits for the backend's own close, but not for long."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.close(code, reason)
        except TimeoutError:
            self.cut()

    def cut(self) -> None:
        """Ends the connection at once."""
        self._connection.transport.abort()


class WebSockets:
    """The WebSockets of one worker to one upstream; they stand beside its pool and have a bound of their own."""

    __slots__ = ("_open", "_opening", "_pool", "_settings")

    def __init__(self, pool: Pool, settings: UpstreamSettings) -> None:
        self._pool, self._settings = pool, settings
        self._open: set[BackendSocket] = set()
        self._opening = 0

    @property
    def open(self) -> int:
        """Places taken now: sockets open or being opened."""
        return len(self._open) + self._opening

    @asynccontextmanager
    async def socket(self, request: Outbound, subprotocols: Sequence[str]) -> AsyncIterator[BackendSocket]:
        """Opens a socket for the block; what is still open at its end is cut.

        Args:
            request: the handshake: its target and headers, no body.
            subprotocols: those that the client offers, in its order.

        Raises:
            SocketRefusedError: the backend answered with something else.
            UpstreamBusyError: there are `max_websockets` already.
            UpstreamError: no connection, no answer, or not the answer to a handshake.
        """
        if self.open >= self._settings.max_websockets:
            raise UpstreamBusyError(f"{self.open} WebSockets to `{self._settings.name}` are open")
        self._opening += 1
        try:
            connection = await self._shaken(request, subprotocols)
        finally:
            self._opening -= 1
        socket = BackendSocket(connection, self._settings.write_timeout)
        self._open.add(socket)
        try:
            yield socket
        finally:
            self._open.discard(socket)
            socket.cut()

    def close(self) -> None:
        """Cuts all of them."""
        for socket in tuple(self._open):
            socket.cut()

    async def _shaken(self, request: Outbound, subprotocols: Sequence[str]) -> ClientConnection:
        """Returns a connection whose handshake is done (rules 1 to 3)."""
        settings = self._settings

        def made() -> ClientConnection:
            protocol = _Handshake(request, subprotocols, settings.websocket_message)
            return ClientConnection(
                protocol,
                ping_interval=None,  # rule 5
                close_timeout=CLOSE_TIMEOUT,
                max_queue=QUEUE,
                write_limit=WRITE_BUFFER,
            )

        connection = await self._pool.dial(made)
        try:
            async with asyncio.timeout(settings.read_timeout):
                await connection.handshake(None, None)
        except BaseException as error:
            connection.transport.abort()
            if isinstance(error, TimeoutError):
                raise UpstreamSlowError(
                    f"did not answer the handshake for {settings.read_timeout:g} s"
                ) from error
            if isinstance(error, InvalidStatus) and error.response.status_code >= _FINAL:
                raise _refused(error.response) from error
            if isinstance(error, (InvalidHandshake, ConnectionClosed, OSError)):
                raise _failed(error) from error
            raise
        return connection


class _Handshake(ClientProtocol):
    """The library's side of the protocol, asking for what we say (rule 1)."""

    def __init__(self, outbound: Outbound, subprotocols: Sequence[str], max_size: int) -> None:
        offered = [Subprotocol(each) for each in subprotocols] or None
        super().__init__(_NOWHERE, subprotocols=offered, max_size=max_size, logger=_QUIET)
        self._outbound = outbound

    def connect(self) -> Request:
        """Returns the request for the handshake."""
        request = super().connect()
        del request.headers["Host"]
        for name, value in self._outbound.headers:
            request.headers[name.decode("latin-1")] = value.decode("latin-1")
        request.path = self._outbound.target.decode("ascii")
        return request


def _refused(response: Response) -> SocketRefusedError:
    pairs = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers.raw_items()
    ]
    return SocketRefusedError(response.status_code, pairs, bytes(response.body))


def _failed(error: Exception) -> UpstreamError:
    if isinstance(error, InvalidHandshake) and not isinstance(error.__cause__, EOFError):
        return UpstreamBrokenError(f"the answer to the handshake is none: {error.__cause__ or error}")
    return UpstreamDownError("the connection was lost before an answer to the handshake")


def _ended(error: ConnectionClosed) -> SocketEndedError:
    """What the client is to hear of the backend's end (RFC 6455 7.1.5): its own close, unless it ended by our doing or badly."""
    said, ours = error.rcvd, error.sent
    if said is None or (ours is not None and not error.rcvd_then_sent):
        what = f"the backend sent what cannot be passed on ({ours.code})" if ours else "the backend is gone"
        return SocketEndedError(INTERNAL, what)
    code = {NO_STATUS: NORMAL, BAD_GATEWAY: INTERNAL}.get(int(said.code), int(said.code))
    return SocketEndedError(code, said.reason)
