"""A client's connection: whose turn it is, what may wait, and how it ends.

Rules:

1. One request at a time: what a client sends behind one waits, `READ_BUFFER` bytes of it at most, and is read when that one is
   answered (RFC 9112 9.3.2).
2. A connection that is not used again is closed after its answer: said so by either side, a body that has not come whole, a head that
   was no head, or the gateway is stopping. Where the client may still be sending, the answer must not be lost to a reset: we stop
   writing, read on for `LINGER` seconds and throw away what comes (RFC 9112 9.6).
3. A head must be whole `header_timeout` after the connection was made or the last answer was taken; otherwise it ends without an answer.
4. A client that takes nothing of what waits for it for `answer_timeout` is cut, and one that sends nothing of its body for `body_timeout`
   is told so. There are no timers for single connections: the listener's sweep looks at all of them, so a limit is met late by
   at most a quarter.
5. An application that raises before it has answered is a fault of ours; the connection is cut, as is one whose answer is not ended.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from gateway.downstream.errors import ClientGoneError
from gateway.downstream.reading import Head, read_head
from gateway.downstream.socket import SocketTurn, is_handshake
from gateway.downstream.turn import READ_BUFFER, Turn
from gateway.errors import GatewayError
from gateway.heads import END
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.downstream.listener import Listener

LOG = logging.getLogger(__name__)
WRITE_BUFFER: Final = 131072
"""Bytes of an answer that may wait in the process for the client."""
SOON: Final = 16384
"""Bytes of an answer that wait for the end of the round."""
LINGER: Final = 1.0
"""Seconds for which what a client still sends is read and thrown away (rule 2)."""
HEAD_SLACK: Final = 8192 + 1024
"""Bytes of a request line beside the headers: the longest target that is read, and some."""

NEVER: Final = float("inf")
_UNREAD: Final = Head("", b"", b"", newer=True, headers=[], persistent=False)


class ClientConnection(asyncio.Protocol):
    """One connection.

    Attributes:
        client: the address of its other end.
        server: the address of this end.
        closes: whether it ends with this answer (rule 2).
        stuck: whether as much waits for the client as may.
    """

    __slots__ = (
        "_deadline", "_drained", "_lingers", "_listener", "_paused", "_pending", "_since", "_soon", "_task", "_transport", "_turn",
        "_unsent", "_waiting", "client", "closes", "limits", "loop", "server", "stuck",
    )  # fmt: skip

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self.limits = listener.limits
        self.loop = listener.loop
        self._turn: Turn | None = None
        self._task: asyncio.Task[None] | None = None
        self._pending = b""
        self._drained: asyncio.Future[None] | None = None
        self._soon: list[bytes] = []
        self._waiting = 0
        self._unsent = 0
        self._since = 0.0
        self._deadline = self.loop.time() + listener.header_timeout
        self.closes = self.stuck = self._paused = self._lingers = False

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self._turn is None

    @property
    def date(self) -> bytes:
        """The time, as answers tell it."""
        return self._listener.date

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop, before anything else."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self.client: Any = transport.get_extra_info("peername")
        self.server: Any = transport.get_extra_info("sockname")
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by the event loop, after everything else."""
        self._listener.lost(self)
        self._gone()

    def eof_received(self) -> bool:
        """Called by the event loop: a client that will send no more is one that has left."""
        self._gone()
        return False

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        turn = self._turn
        if turn is None:
            self._read(self._pending + data if self._pending else data)
        elif self._lingers:
            return
        elif turn.whole:
            self._pending += data
            if len(self._pending) >= READ_BUFFER:
                self.hold_back()
        else:
            self._pending = turn.feed(self._pending + data if self._pending else data)
            if turn.full:
                self.hold_back()

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self.stuck = True

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self.stuck = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self.read_on()

    def write(self, data: bytes) -> None:
        """Sends bytes of an answer: a few at the end of this round of the event loop, many at once."""
        soon = self._soon
        if not soon:
            self._listener.outbox.add(self)
        soon.append(data)
        self._waiting += len(data)
        if self._waiting > SOON:
            self.flush()

    def flush(self) -> None:
        """Called by the outbox."""
        soon = self._soon
        if soon:
            self._soon, self._waiting = [], 0
            if len(soon) == 1:
                self._transport.write(soon[0])
            else:
                self._transport.writelines(soon)

    async def drained(self) -> None:
        """Returns when less waits for the client than may.

        Raises:
            ClientGoneError: it has left, or was cut.
        """
        while self.stuck:
            self._drained = self.loop.create_future()
            await self._drained
        if self._turn is None or self._turn.gone:
            raise ClientGoneError(sent=True)

    def hold_back(self) -> None:
        """Reads nothing until `read_on`."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def read_on(self) -> None:
        """Is called when something that waited has been taken: goes on as far as there is room now (rule 1)."""
        if not (self._paused or self._pending):
            return
        turn = self._turn
        if turn is not None and self._pending and not turn.whole:
            self._feed_pending(turn)
        full = turn is not None and (turn.full or len(self._pending) >= READ_BUFFER)
        if self._paused and (self._lingers or not full):
            self._paused = False
            self._transport.resume_reading()

    def close_after(self) -> None:
        """Lets this answer be the connection's last."""
        self.closes = True

    def abort(self) -> None:
        """Ends the connection at once, without a clean end of what was being written."""
        self._transport.abort()

    def drain(self) -> None:
        """Lets the connection end as soon as nothing is under way on it."""
        self.closes = True
        if self._turn is None:
            self._close()
        elif isinstance(self._turn, SocketTurn):
            self._turn.go_away()

    def cancel(self) -> None:
        """Ends what is under way on it, now."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Looks at the limits of time (rules 3 and 4)."""
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            if unsent != self._unsent:
                self._unsent, self._since = unsent, now
            elif now - self._since > self.limits.answer_timeout:
                limit = self.limits.answer_timeout
                LOG.warning("a client took nothing of its answer for %g s and is cut: %s", limit, self.client)
                self._transport.abort()
            wait = LINGER if self._lingers else self._listener.header_timeout
            self._deadline = max(self._deadline, now + wait)  # counts from when the answer was taken
            return
        self._unsent = 0
        turn = self._turn
        if now >= self._deadline:
            self._transport.abort()
        elif turn is not None and now - turn.receiving > self.limits.body_timeout:
            turn.stand_still(self.limits.body_timeout)

    def _read(self, data: bytes) -> None:
        """Reads a head, and begins its turn when it is whole."""
        end = data.find(END)
        limit = self._listener.max_head
        if end < 0 or end > limit:
            if data[:2] == b"\r\n":
                self._read(data[2:])
                return
            self._pending = data
            if len(data) > limit:
                self._begin(
                    _UNREAD, GatewayError(Reason.HEAD_TOO_LARGE, f"a head of more than {limit} bytes")
                )
            return
        end += len(END)
        raw, self._pending = (data, b"") if len(data) == end else (data[:end], data[end:])
        fault = None
        try:
            head = read_head(raw.removeprefix(b"\r\n"))
        except GatewayError as error:
            head, fault = _UNREAD, error
        self._begin(head, fault)

    def _begin(self, head: Head, fault: GatewayError | None) -> None:
        self._deadline = NEVER
        self.closes = self.closes or not head.persistent or self._listener.stopping
        turn: Turn
        if not (head.upgrade and is_handshake(head)):
            turn = Turn(self, head, fault)
        elif head.length == 0:
            turn = SocketTurn(self, head)
        else:
            turn = Turn(
                self, head, GatewayError(Reason.BAD_HEADERS, "the handshake of a WebSocket has no body")
            )
        self._turn = turn
        if self._pending and not turn.whole:
            self._feed_pending(turn)
        self._task = asyncio.Task(self._run(turn), loop=self.loop)

    def _feed_pending(self, turn: Turn) -> None:
        """Gives a turn what came before it took anything."""
        pending, self._pending = self._pending, b""
        self._pending = turn.feed(pending)
        if turn.full:
            self.hold_back()

    async def _run(self, turn: Turn) -> None:
        """Lets the application answer, then passes the connection on to the next request (rule 5)."""
        try:
            await self._listener.app(turn)
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except ClientGoneError:
            pass
        except Exception as error:  # noqa: BLE001 - the application has told of it; what is left is the connection
            LOG.info("an answer broke off: %s", error)
        finally:
            self._over(turn)

    def _over(self, turn: Turn) -> None:
        self._task = None
        if turn.gone:
            self._turn = None
            self._close()
        elif not turn.ended:
            self._turn = None
            self._transport.abort()
        elif self.closes or not turn.whole:
            self._last(turn)
        else:
            self._turn = None
            self._deadline = self.loop.time() + self._listener.header_timeout
            if self._pending:
                pending, self._pending = self._pending, b""
                self._read(pending)
            self.read_on()

    def _last(self, turn: Turn) -> None:
        """Closes behind the last answer (rule 2)."""
        self._pending = b""
        if turn.whole and turn.fault is None:
            self._close()
            return
        self._lingers = True
        self._deadline = self.loop.time() + LINGER
        self.read_on()
        self.flush()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _close(self) -> None:
        """Ends the connection when all is written."""
        self.flush()
        self._transport.close()

    def _gone(self) -> None:
        turn = self._turn
        if turn is not None and not turn.gone:
            turn.leave()
        if self._drained is not None and not self._drained.done():
            self.stuck = False
            self._drained.set_result(None)
