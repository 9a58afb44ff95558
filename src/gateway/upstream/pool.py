"""The connections to one backend: how many, who waits for one, and when they are given up.

Rules:

1. Whoever came first is served first: nobody passes a queue that is not empty.
2. A place belongs to exactly one connection or one attempt to make one; it is given back on every way out, cancellation
   included, and then goes to the first who waits.
3. The connection used last is taken first, so that the others can grow idle.
4. There are no timers for single requests: one sweep looks at all deadlines, so a deadline is met a little late, by at most a
   quarter of the shortest.
"""

import asyncio
import math
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from gateway.outbox import Outbox
from gateway.upstream.connection import Connection
from gateway.upstream.errors import UpstreamBusyError, UpstreamDownError, UpstreamSlowError
from gateway.upstream.settings import UpstreamSettings

_P = TypeVar("_P", bound=asyncio.BaseProtocol)

MAX_SWEEP: Final = 1.0
MIN_SWEEP: Final = 0.01


class Pool:
    """The connections of one worker to one upstream.

    Attributes:
        answer_peak: the most bytes of one answer that ever waited in the process for a client.
        refused: requests that found the queue full or waited in it too long.
        upload_peak: the most bytes of one request that ever waited in the process for the backend.
    """

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._endpoint = settings.endpoint
        self._tls = _tls(settings) if self._endpoint.tls else None
        self._outbox = Outbox(asyncio.get_running_loop())
        self._taken = 0
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty: asyncio.Event | None = None
        self.answer_peak = 0
        self.upload_peak = 0
        self.refused = 0
        shortest = min(settings.read_timeout, settings.write_timeout, settings.idle_timeout)
        self._interval = max(MIN_SWEEP, min(MAX_SWEEP, shortest / 4))

    @property
    def open(self) -> int:
        """Places taken now: connections in use, idle, or being made."""
        return self._taken

    @property
    def idle(self) -> int:
        """Connections open and unused now."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests waiting for a connection now."""
        return len(self._waiting)

    async def acquire(self) -> Connection:
        """Returns a connection that is the caller's until `release`.

        Raises:
            UpstreamBusyError: the queue is full or did not move in time.
            UpstreamDownError: no connection could be made.
            UpstreamSlowError: making one took too long.
        """
        if self._closed:
            raise UpstreamDownError("the gateway is stopping", sent=False)
        if not self._waiting:
            connection = self._take_idle()
            if connection is not None:
                return connection
            if self._taken < self._settings.max_connections:
                self._taken += 1
                return await self._connect()
        connection = await self._queue()
        if connection is not None and connection.usable():
            return connection
        if connection is not None:
            connection.cut()
        return await self._connect()

    async def replace(self, connection: Connection) -> Connection:
        """Cuts a connection and returns a new one in its place; raises as `acquire`, the place then given back."""
        connection.traffic = None
        connection.cut()
        return await self._connect()

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Takes a connection back; one that is not reusable is cut."""
        connection.traffic = None
        connection.deadline = math.inf
        connection.used = True
        if not reusable or self._closed or connection.closed:
            connection.cut()
            self._pass_on(None)
        else:
            self._pass_on(connection)

    async def close(self) -> None:
        """Cuts every connection and refuses whoever waits; exchanges under way fail with `UpstreamDownError`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(UpstreamDownError("the gateway is stopping", sent=False))
        self._idle.clear()
        for connection in self._all:
            connection.cut()
        if self._all:  # the event loop tells of each in its next rounds
            self._empty = asyncio.Event()
            await self._empty.wait()

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                connection.deadline = math.inf
                return connection
            connection.cut()
            self._taken -= 1
        return None

    def _pass_on(self, connection: Connection | None) -> None:
        """Gives a place, with its connection if there is one, to the first who waits, or back."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._taken -= 1
        else:
            connection.deadline = asyncio.get_running_loop().time() + self._settings.idle_timeout
            self._idle.append(connection)

    async def _queue(self) -> Connection | None:
        """Waits for a place; returns the connection that comes with it, if one does."""
        if len(self._waiting) >= self._settings.queue_limit:
            self.refused += 1
            raise UpstreamBusyError(f"{len(self._waiting)} requests wait for `{self._settings.name}`")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Connection | None] = loop.create_future()
        self._waiting.append(waiter)
        timer = loop.call_later(self._settings.queue_timeout, self._expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on(waiter.result())
            raise
        finally:
            timer.cancel()
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _expire(self, waiter: asyncio.Future[Connection | None]) -> None:
        if not waiter.done():
            self.refused += 1
            waited = f"waited {self._settings.queue_timeout:g} s for `{self._settings.name}`"
            waiter.set_exception(UpstreamBusyError(waited))

    async def _connect(self) -> Connection:
        """Makes a connection in a place that is taken already; gives the place back if it cannot."""
        connection = Connection(self._lost, self._outbox)
        try:
            await self.dial(lambda: connection)
        except BaseException:
            connection.cut()
            self._pass_on(None)
            raise
        if self._closed:
            connection.cut()
        if not connection.closed:
            self._all.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._sweep)
        return connection

    async def dial(self, make: Callable[[], _P]) -> _P:
        """Opens a connection that takes no place here, and returns what `make` gave for it.

        Raises:
            UpstreamDownError: no connection could be made.
            UpstreamSlowError: making one took too long.
        """
        name = self._settings.name
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                return await self._dialled(make)
        except TimeoutError as error:
            raise UpstreamSlowError(f"connecting to `{name}` took too long", sent=False) from error
        except OSError as error:  # ssl.SSLError is one
            raise UpstreamDownError(f"cannot connect to `{name}`: {error}", sent=False) from error

    async def _dialled(self, make: Callable[[], _P]) -> _P:
        loop, endpoint = asyncio.get_running_loop(), self._endpoint
        if endpoint.path is not None:
            return (await loop.create_unix_connection(make, endpoint.path))[1]
        name = endpoint.host if self._tls is not None else None
        dialled = loop.create_connection(
            make, endpoint.host, endpoint.port, ssl=self._tls, server_hostname=name
        )
        return (await dialled)[1]

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
            self._taken -= 1
        if self._empty is not None and not self._all:
            self._empty.set()

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self._all):
            if connection.deadline <= now:
                connection.deadline = math.inf
                connection.expire()
        self._timer = (
            asyncio.get_running_loop().call_later(self._interval, self._sweep) if self._all else None
        )


def _tls(settings: UpstreamSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
