"""One connection to a backend: bytes out, bytes in, and whom they belong to; it knows nothing of HTTP."""

import asyncio
import math
import select
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

from gateway.outbox import Outbox

UPLOAD_BUFFER: Final = 65536
"""Bytes of a request that may wait in the process for the backend to take them, beside the chunk being written."""


class Traffic(Protocol):
    """What a connection tells the exchange that holds it."""

    def received(self, data: bytes) -> None:
        """Bytes came."""

    def finished(self) -> None:
        """The backend will send no more."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone, by an error or by our own doing."""

    def expired(self) -> None:
        """The deadline has passed."""

    def write_paused(self) -> None:
        """The backend does not take what is written."""

    def write_resumed(self) -> None:
        """It does again."""


class Connection(asyncio.Protocol):
    """A transport with at most one exchange at a time.

    INVARIANT: without an exchange every byte that comes is stray, and cuts the connection.

    Attributes:
        traffic: the exchange that holds the connection; None while it is idle.
        deadline: the loop's time after which `expire` is to be called; infinity for none.
        used: whether an earlier exchange went over it.
        closed: nothing will come any more.
    """

    __slots__ = (
        "_on_lost",
        "_outbox",
        "_poll",
        "_soon",
        "_transport",
        "closed",
        "deadline",
        "traffic",
        "used",
    )

    def __init__(self, on_lost: Callable[["Connection"], None], outbox: Outbox) -> None:
        self._on_lost = on_lost
        self._outbox = outbox
        self._soon = b""
        self._transport: asyncio.Transport | None = None
        self.traffic: Traffic | None = None
        self.deadline = math.inf
        self.used = False
        self.closed = False

    @property
    def transport(self) -> asyncio.Transport:
        """What carries the bytes; there from `connection_made` on."""
        if self._transport is None:
            raise RuntimeError("no connection was made yet")
        return self._transport

    def usable(self) -> bool:
        """Whether a new exchange may begin: open, and nothing came unasked that the event loop has not read yet.

        Looking at the socket itself finds the backend's close, or an answer nobody asked for, before it can be taken for
        the next request's.
        """
        return not (self.closed or self.transport.is_closing() or self._poll.poll(0))

    def cut(self) -> None:
        """Closes at once, without a clean end of what was being written."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        """Writes a whole request at the end of this round of the event loop."""
        self._soon = data
        self._outbox.add(self)

    def flush(self) -> None:
        """Called by the outbox."""
        data, self._soon = self._soon, b""
        if not self.closed:
            self.transport.write(data)

    def expire(self) -> None:
        """Called when the deadline has passed."""
        if self.traffic is None:
            self.cut()
        else:
            self.traffic.expired()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, before anything else."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=UPLOAD_BUFFER)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self.traffic is None:
            self.cut()
        else:
            self.traffic.received(data)

    def eof_received(self) -> None:
        """Called by the event loop, which closes the transport next."""
        self.closed = True
        if self.traffic is None:
            return
        if self._torn():
            self.traffic.lost(ConnectionAbortedError("tls was not closed"))
        else:
            self.traffic.finished()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop, after everything else."""
        self.closed = True
        if self.traffic is not None:
            self.traffic.lost(exc)
        self._on_lost(self)

    def pause_writing(self) -> None:
        """Called by the event loop."""
        if self.traffic is not None:
            self.traffic.write_paused()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        if self.traffic is not None:
            self.traffic.write_resumed()

    def _torn(self) -> bool:
        """Whether the stream ended without the end of TLS: asyncio's own loop takes both for an end (RFC 9112 9.8)."""
        tls = self.transport.get_extra_info("ssl_object")
        if tls is None:
            return False
        try:
            return bool(tls.read(1))
        except ssl.SSLError:
            return True
