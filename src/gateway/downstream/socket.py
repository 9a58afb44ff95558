"""A WebSocket on a client's connection (RFC 6455), as ASGI has it; frames are read and written by the library `websockets`.

Rules:

1. The handshake is a turn like any other until it is accepted; refused, it is answered with HTTP, and the connection goes on.
2. What a client sends before it is accepted waits unread (CVE-2026-2833).
3. No extension is agreed on: a compressed message has no bound that could be known before it is unpacked.
4. A message is bounded before it is held (`max_message` of the acceptance), fragments together: beyond it the socket ends with 1009.
   Frames that RFC 6455 5 forbids, and texts that are not UTF-8, end it as it says (7.4.1).
5. Pings are answered here. A client that takes nothing is not read from, so that pongs do not pile up. Frames are read in small
   portions, each only while there is room: a message costs more than its bytes, and a client may send empty ones.
6. A gateway that stops closes with 1001.
"""

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from starlette.types import Message
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.utils import accept_key

from gateway.downstream.errors import ClientGoneError
from gateway.downstream.reading import Head
from gateway.downstream.turn import READ_BUFFER, Turn
from gateway.heads import Pair

if TYPE_CHECKING:
    from gateway.downstream.connection import ClientConnection

MAX_MESSAGE: Final = 1 << 20
"""Bytes of a message where the acceptance states no bound."""
PORTION: Final = 4096
"""Bytes of frames that are read before it is looked whether there is room for more."""
MESSAGE_COST: Final = 256
"""Bytes that a message takes beside its content, about."""
ABNORMAL: Final = 1006
"""What a client that is gone without a close is told as (RFC 6455 7.1.5)."""

_QUIET: Final = logging.getLogger("gateway.downstream.socket.wire")
_QUIET.setLevel(logging.WARNING)  # at DEBUG the library writes messages
_MESSAGES: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_DENIAL: Final = "websocket.http.response"


def is_handshake(head: Head) -> bool:
    """Tells whether a head offers to go on as a WebSocket; a method other than GET does not (RFC 6455 4.1)."""
    protocols = [each.strip() for each in head.upgrade.split(b",")] if head.upgrade else []
    return b"websocket" in protocols and head.method == "GET"


class SocketTurn(Turn):
    """The handshake of a WebSocket and, once it is accepted, its messages; `scope` has the type `websocket`."""

    __slots__ = ("_closed", "_connected", "_key", "_messages", "_partial", "_protocol", "_text")

    def __init__(self, connection: "ClientConnection", head: Head) -> None:
        super().__init__(connection, head)
        offered = _values(head.headers, b"sec-websocket-protocol")
        self._key = b"".join(_values(head.headers, b"sec-websocket-key")).decode("latin-1")
        self._protocol: Protocol | None = None
        self._messages: deque[tuple[Message, int]] = deque()
        self._partial = bytearray()
        self._text = False
        self._connected = self._closed = False
        self.scope["type"], self.scope["scheme"] = "websocket", "ws"
        self.scope["extensions"] = {_DENIAL: {}}
        self.scope["subprotocols"] = [
            each.strip().decode("latin-1") for value in offered for each in value.split(b",")
        ]

    @property
    def whole(self) -> bool:
        """Whether what comes is not for this turn: the handshake is not accepted (rule 2), or the socket is over."""
        return self._protocol is None

    @property
    def full(self) -> bool:
        """Whether as much waits for the application as may, or too much for the client (rule 5)."""
        return self.held >= READ_BUFFER or self._connection.stuck

    async def receive(self) -> Message:
        """Returns the next event: `websocket.connect`, messages, and at last `websocket.disconnect`."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        while not self._messages:
            if self.gone or self._closed:
                return {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
            await self._wait()
        message, cost = self._messages.popleft()
        self.held -= cost
        self._connection.read_on()
        return message

    async def send(self, message: Message) -> None:
        """Takes an event of the application; returns when the client has taken enough of what came before.

        Raises:
            ClientGoneError: it has left, or its socket is over.
        """
        kind = message["type"]
        if kind.startswith(_DENIAL):
            await super().send({**message, "type": kind.removeprefix("websocket.")})
        elif kind == "websocket.accept":
            self._accept(message)
        elif self._protocol is None:
            headers = [(b"content-length", b"0")]
            await super().send({"type": "http.response.start", "status": 403, "headers": headers})
            await super().send({"type": "http.response.body"})
        else:
            await self._say(self._protocol, message)

    def feed(self, data: bytes) -> bytes:
        """Takes bytes of frames and returns those that there is no room for yet (rule 5)."""
        protocol = self._protocol
        if protocol is None:
            return data
        at = 0
        while at < len(data) and not (self._closed or self.full):
            protocol.receive_data(data[at : at + PORTION])
            at += PORTION
            self._take_events(protocol)
        self._wake()
        return b"" if self._closed else data[at:]

    def go_away(self) -> None:
        """Closes, since the gateway stops (rule 6)."""
        if self._protocol is not None and self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY)
            self._flush(self._protocol)
            self._disconnected(self._protocol)
            self._wake()

    def _accept(self, message: Message) -> None:
        if self.gone:
            raise ClientGoneError(sent=True)
        lines = [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"]
        lines.append(b"sec-websocket-accept: %b\r\n" % accept_key(self._key).encode())
        if message.get("subprotocol"):
            lines.append(b"sec-websocket-protocol: %b\r\n" % message["subprotocol"].encode("latin-1"))
        lines += [b"%b: %b\r\n" % pair for pair in (*message.get("headers", ()), *self.more_headers)]
        self._connection.write(b"".join((*lines, b"\r\n")))
        self.answering = True
        self._connection.close_after()
        limit = message.get("max_message", MAX_MESSAGE)
        self._protocol = Protocol(Side.SERVER, state=State.OPEN, max_size=limit, logger=_QUIET)
        self._connection.read_on()

    async def _say(self, protocol: Protocol, message: Message) -> None:
        if self.gone or self._closed or protocol.state is not State.OPEN:
            raise ClientGoneError(sent=True)
        if message["type"] == "websocket.close":
            protocol.send_close(message.get("code", 1000), message.get("reason") or "")
            self._flush(protocol)
            self._ended = self._closed = True
            return
        text = message.get("text")
        if text is None:
            protocol.send_binary(message["bytes"])
        else:
            protocol.send_text(text.encode())
        self._flush(protocol)
        if self._connection.stuck:
            await self._connection.drained()

    def _take_events(self, protocol: Protocol) -> None:
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _MESSAGES:
                self._gather(protocol, event)
        self._flush(protocol)
        if protocol.state is not State.OPEN and not self._closed:
            self._disconnected(protocol)

    def _gather(self, protocol: Protocol, frame: Frame) -> None:
        """Puts the frames of a message together (rule 4)."""
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._partial += frame.data
        if not frame.fin:
            return
        data = bytes(self._partial)
        self._partial.clear()
        message: Message = {"type": "websocket.receive", "bytes": data}
        if self._text:
            try:
                message = {"type": "websocket.receive", "text": data.decode("utf-8")}
            except UnicodeDecodeError:
                protocol.fail(CloseCode.INVALID_DATA, "a text that is not UTF-8")
                return
        self._messages.append((message, len(data) + MESSAGE_COST))
        self.held += len(data) + MESSAGE_COST

    def _disconnected(self, protocol: Protocol) -> None:
        """Tells the application of the end, after what came before it."""
        self._closed = self._ended = True
        said = protocol.close_rcvd or protocol.close_sent
        code, reason = (int(said.code), said.reason) if said else (ABNORMAL, "")
        self._messages.append(({"type": "websocket.disconnect", "code": code, "reason": reason}, 0))

    def _flush(self, protocol: Protocol) -> None:
        data = b"".join(protocol.data_to_send())
        if data:
            self._connection.write(data)


def _values(headers: list[Pair], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key == name]
