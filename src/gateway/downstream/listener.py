"""Listening: the clients' connections of one worker, how many there may be, and how they end.

Rules:

1. Beyond `max_connections` nobody is accepted: who comes waits in the kernel's queue until one of the others has ended.
2. Each worker has a listening socket of its own on the same port (SO_REUSEPORT), and the kernel spreads connections over them.
3. Stopping takes no new connections, closes idle ones at once, lets what is under way end, and cuts what is left after a time.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from time import time
from typing import Final

from gateway.downstream.connection import HEAD_SLACK, ClientConnection
from gateway.downstream.turn import Turn
from gateway.outbox import Outbox
from gateway.settings.sections import LimitsSection, ServerSection

MAX_SWEEP: Final = 1.0
"""Seconds between sweeps, at most."""

App = Callable[[Turn], Awaitable[None]]


class Listener:
    """The connections of one worker.

    Attributes:
        app: answers each request.
        limits: of bodies and time.
        outbox: writes what answers have to say.
        date: the time as answers tell it.
        stopping: whether no more requests are taken.
    """

    def __init__(self, app: App, server: ServerSection, limits: LimitsSection) -> None:
        """Takes who answers, where to listen, and the bounds; `start` begins."""
        self.app, self.limits = app, limits
        self.header_timeout = server.header_timeout
        self.max_head = limits.head + HEAD_SLACK + 4 * limits.headers
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
        self.date = _date()
        self.stopping = False
        self._settings = server
        self._connections: set[ClientConnection] = set()
        shortest = min(server.header_timeout, limits.body_timeout, limits.answer_timeout)
        self._interval = min(MAX_SWEEP, shortest / 4)
        self._timer: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._accepting = asyncio.Event()
        self._empty = asyncio.Event()
        self._gate: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._socket is None:
            raise RuntimeError("it does not listen")
        host, port = self._socket.getsockname()[:2]
        return host, port

    async def start(self) -> None:
        """Begins to accept connections.

        Raises:
            OSError: nobody can listen there.
        """
        self._socket = listening(self._settings)
        self._accepting.set()
        self._gate = asyncio.create_task(self._accept(self._socket))
        self._timer = self.loop.call_later(self._interval, self._sweep)

    async def stop(self, patience: float) -> None:
        """Ends as rule 3 says, `patience` seconds at most."""
        self.stopping = True
        if self._gate is not None:
            self._gate.cancel()
        if self._server is not None:
            self._server.close()
        if self._socket is not None:
            self._socket.close()
        for connection in tuple(self._connections):
            connection.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._emptied()
        for connection in tuple(self._connections):
            connection.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_SWEEP):
                await self._emptied()
        if self._timer is not None:
            self._timer.cancel()

    def opened(self, connection: ClientConnection) -> None:
        """Called by a connection that was made."""
        self._connections.add(connection)
        if len(self._connections) >= self._settings.max_connections:
            self._accepting.clear()
            if self._server is not None:
                self._server.close()
                self._server = None

    def lost(self, connection: ClientConnection) -> None:
        """Called by a connection that is gone."""
        self._connections.discard(connection)
        if len(self._connections) < self._settings.max_connections:
            self._accepting.set()
        if not self._connections:
            self._empty.set()

    async def _accept(self, on: socket.socket) -> None:
        """Listens whenever there is room (rule 1)."""
        while True:
            await self._accepting.wait()
            if self._server is None:
                self._server = await self.loop.create_server(lambda: ClientConnection(self), sock=on.dup())
            await asyncio.sleep(self._interval)

    async def _emptied(self) -> None:
        while self._connections:
            self._empty.clear()
            await self._empty.wait()

    def _sweep(self) -> None:
        self.date = _date()
        now = self.loop.time()
        for connection in tuple(self._connections):
            connection.sweep(now)
        self._timer = self.loop.call_later(self._interval, self._sweep)


def listening(settings: ServerSection) -> socket.socket:
    """Returns a socket that listens as the settings say, beside those of other workers (rule 2).

    Raises:
        OSError: nobody can listen there.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.listen(settings.backlog)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


def _date() -> bytes:
    """Returns the time as an IMF-fixdate (RFC 9110 5.6.7)."""
    return formatdate(int(time()), usegmt=True).encode()
