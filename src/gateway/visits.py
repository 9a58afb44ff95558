"""The requests under way in one worker: how many, how large, and how long one may stand still.

Rules:

1. Beyond `limits.in_flight` a request is refused at once (503): what cannot be served soon must not wait with what can. Nothing
   is remembered, so that this ends with the flood. The gateway's own pages are not counted.
2. A head has a bounded number of headers and of bytes, a body a bounded length; a length that says more is refused before
   anything is read, a body of unknown length as soon as it is more.
3. A client that sends nothing of its body for `limits.body_timeout` is told so (408) and loses the backend's connection, then its
   own: the server does not always close a connection whose body has not ended, whatever the answer said (Granian 2.8).
4. A client that takes nothing of its answer for `limits.answer_timeout` is cut, and with it the backend's connection. Ending
   the answer is not enough: the server would wait, for ever, to write out what it holds (Granian 2.8; measured).
5. There are no timers for single requests: one sweep looks at all of them, so a limit is met late by at most a quarter.
"""

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.forward import MAX_LENGTH_DIGITS, ClientGoneError
from gateway.limits import Told, rate_headers
from gateway.reasons import Reason
from gateway.settings.sections import LimitsSection
from gateway.upstream import UploadBrokenError

LOG = logging.getLogger(__name__)
LINGER: Final = 0.5
"""Seconds that the server has to write an answer out before the connection is cut (rule 3)."""
MAX_SWEEP: Final = 1.0
"""Seconds between sweeps, at most (rule 5)."""
_BODILESS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods whose length is not looked for in advance; what they do send is counted all the same."""
_NOT_WAITING: Final = math.inf

Address = tuple[str, str]


class BodyBoundError(UploadBrokenError):
    """The client's body is longer or slower than the bounds allow."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Visits:
    """The requests of one worker."""

    def __init__(self, limits: LimitsSection) -> None:
        """Takes the bounds; `start` begins to look at them."""
        self.limits = limits
        self._under_way: set[Visit] = set()
        self._interval = min(MAX_SWEEP, limits.body_timeout / 4, limits.answer_timeout / 4)
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self) -> None:
        """Begins to sweep."""
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._sweep)

    def stop(self) -> None:
        """Sweeps no more."""
        if self._timer is not None:
            self._timer.cancel()

    def begin(self, scope: Scope, receive: Receive, send: Send) -> "Visit":
        """Returns the visit of a request, which counts until `end`."""
        visit = Visit(self, scope, receive, send)
        self._under_way.add(visit)
        return visit

    def end(self, visit: "Visit") -> None:
        """Counts it no more; one whose body stood still loses its connection once it was told (rule 3)."""
        self._under_way.discard(visit)
        if visit.stood_still and visit.client:
            loop = asyncio.get_running_loop()
            loop.call_later(LINGER, loop.run_in_executor, None, _cut, {visit.client})

    def _sweep(self) -> None:
        loop, now = asyncio.get_running_loop(), time.monotonic()
        body, answer = now - self.limits.body_timeout, now - self.limits.answer_timeout
        stuck = [visit for visit in self._under_way if visit.sending < answer]
        for visit in self._under_way:
            if visit.receiving < body and not visit.answering:
                visit.expire_body()
        for visit in stuck:
            visit.expire_answer()
        if stuck:
            loop.run_in_executor(None, _cut, {visit.client for visit in stuck if visit.client})
        self._timer = loop.call_later(self._interval, self._sweep)


class Visit:
    """One request: its `receive` and `send`, watched.

    Attributes:
        answering: whether the client may have got a part of an answer.
        stood_still: whether nothing of the body came for too long.
        status: of the answer; 0 while there is none, and for a WebSocket.
        told: the buckets that it was measured by; the head of the answer tells of them.
        receiving: since when a piece of the body is waited for; infinite while none is.
        sending: since when the client is to take a message; infinite while it is not.
    """

    # not slots but defaults of the class: most requests set few of these, and one is made for each
    answering = False
    stood_still = False
    status = 0
    receiving = _NOT_WAITING
    sending = _NOT_WAITING
    _octets = 0
    _receiver: asyncio.Task[Any] | None = None
    _sender: asyncio.Task[Any] | None = None
    _expired: asyncio.Task[Any] | None = None
    _before = 0

    def __init__(self, visits: Visits, scope: Scope, receive: Receive, send: Send) -> None:
        self._visits = visits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._more = scope["type"] == "http"  # a socket has no body, and may be silent as long as it likes
        self.told: Told = []

    @property
    def client(self) -> Address | None:
        """The other end of the connection."""
        address = self._scope.get("client")
        return _name(address) if address else None

    def check(self) -> None:
        """Is called once, before anything else is done for the request.

        Raises:
            GatewayError: rules 1 and 2.
        """
        limits = self._visits.limits
        if len(self._visits) > limits.in_flight:
            raise GatewayError(Reason.OVERLOADED, f"more than {limits.in_flight} requests under way")
        headers = self._scope["headers"]
        if len(headers) > limits.headers:
            raise GatewayError(Reason.HEAD_TOO_LARGE, f"more than {limits.headers} headers")
        if sum(map(len, chain.from_iterable(headers))) > limits.head:
            raise GatewayError(Reason.HEAD_TOO_LARGE, f"headers of more than {limits.head} bytes")
        if self._more and self._scope["method"] not in _BODILESS and _declared(self._scope) > limits.body:
            raise GatewayError(Reason.BODY_TOO_LARGE, f"says that it is longer than {limits.body} bytes")

    async def receive(self) -> Message:
        """Returns what the client sends next.

        Raises:
            BodyBoundError: rules 2 and 3.
        """
        if not self._more:  # then it is its leaving that is waited for
            return await self._receive()
        self._receiver = asyncio.current_task()
        self.receiving = time.monotonic()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self._is_ours(self._receiver):
                limit = self._visits.limits.body_timeout
                raise BodyBoundError(Reason.BODY_SLOW, f"nothing came for {limit:g} s") from None
            raise
        finally:
            self.receiving = _NOT_WAITING
        self._more = bool(message.get("more_body", False))
        self._octets += len(message.get("body", b""))
        if self._octets > self._visits.limits.body:
            raise BodyBoundError(Reason.BODY_TOO_LARGE, f"more than {self._visits.limits.body} bytes")
        return message

    async def send(self, message: Message) -> None:
        """Gives the client a message.

        Raises:
            ClientGoneError: rule 4.
        """
        if not self.answering:
            self.answering = True
            self.status = message.get("status", 0)
            if self.told:
                headers = [*message.get("headers", ()), *rate_headers(self.told)]
                message = {**message, "headers": headers}
        self._sender = asyncio.current_task()
        self.sending = time.monotonic()
        try:
            await self._send(message)
        except asyncio.CancelledError:
            if self._is_ours(self._sender):
                raise ClientGoneError(sent=True) from None
            raise
        finally:
            self.sending = _NOT_WAITING

    def expire_body(self) -> None:
        """Ends the wait for the body."""
        self.receiving = _NOT_WAITING
        self.stood_still = True
        self._expire(self._receiver)

    def expire_answer(self) -> None:
        """Ends the wait for the client to take its answer."""
        self.sending = _NOT_WAITING
        limit = self._visits.limits.answer_timeout
        LOG.warning("a client took nothing of its answer for %g s and is cut: %s", limit, self.client)
        self._expire(self._sender)

    def _expire(self, task: "asyncio.Task[Any] | None") -> None:
        if task is not None:
            self._expired, self._before = task, task.cancelling()
            task.cancel()

    def _is_ours(self, task: "asyncio.Task[Any] | None") -> bool:
        """Takes back a cancellation that the sweep asked for; False if somebody else asked as well."""
        if task is None or self._expired is not task:
            return False
        self._expired = None
        return task.uncancel() <= self._before


def _declared(scope: Mapping[str, Any]) -> int:
    """Returns the length that a head states; 0 for none, or for one that is refused later for its form."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) <= MAX_LENGTH_DIGITS:
            return int(value)
    return 0


def _name(address: Sequence[Any]) -> Address:
    """Returns host and port of an address; the port as text, which Granian makes of it."""
    return str(address[0]), str(address[1])


def _cut(clients: set[Address]) -> None:
    """Shuts the sockets of this process whose other ends are `clients` (rule 4); the server then lets them go.

    The server hands out no sockets, so they are looked for; one pass for all, in a thread, since there may be thousands.
    """
    for entry in Path("/dev/fd").iterdir():  # Linux and macOS
        try:
            with socket.socket(fileno=os.dup(int(entry.name))) as found:
                peer = found.getpeername()
                if isinstance(peer, tuple) and _name(peer) in clients:
                    found.shutdown(socket.SHUT_RDWR)
        except OSError:  # no socket, not connected, or closed meanwhile
            continue
