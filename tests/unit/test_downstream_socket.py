"""WebSockets of clients: messages, what may wait, and every way in which one ends, by a real client and by raw frames."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from backends import LOOPS
from gateway.downstream import Listener, Turn
from gateway.downstream.reading import Head
from gateway.downstream.socket import is_handshake
from gateway.downstream.turn import READ_BUFFER
from gateway.errors import ClientGoneError
from listening import GET, PATIENCE, Peer, answer, connected, listening, peer
from upstreams import MIB, until

pytestmark = pytest.mark.anyio
SHAKE: Final = (
    b"GET /live HTTP/1.1\r\nhost: gw.example\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
LARGEST: Final = 1000


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    """A frame as a client sends it."""
    return Frame(Opcode(opcode), data, fin).serialize(mask=mask)


async def read_frame(client: Peer) -> tuple[int, bytes]:
    """Reads a short frame of the server's; returns its opcode and content."""
    first, length = await client.read(2)
    assert first & 0xF0 == 0x80
    return first & 0x0F, await client.read(length)


class Room:
    """An application that accepts a socket, says every message back, and writes down what it heard."""

    def __init__(self, limit: int = LARGEST, subprotocol: str | None = None) -> None:
        self.limit, self.subprotocol = limit, subprotocol
        self.heard: list[Any] = []
        self.scope: Any = None
        self.end: Any = None
        self.accepting = asyncio.Event()
        self.accepting.set()
        self.taking = asyncio.Event()
        self.taking.set()

    async def __call__(self, turn: Turn) -> None:
        """Serves one socket."""
        self.scope = turn.scope
        assert (await turn.receive())["type"] == "websocket.connect"
        await self.accepting.wait()
        await turn.send(
            {"type": "websocket.accept", "subprotocol": self.subprotocol, "max_message": self.limit}
        )
        while True:
            await self.taking.wait()
            message = await turn.receive()
            if message["type"] == "websocket.disconnect":
                self.end = (message["code"], message["reason"])
                return
            kind = "bytes" if message.get("text") is None else "text"
            self.heard.append(message[kind])
            with contextlib.suppress(ClientGoneError):
                await turn.send({"type": "websocket.send", kind: message[kind]})


@asynccontextmanager
async def opened(app: Any, **options: Any) -> AsyncIterator[ClientConnection]:
    """A socket of the library's client."""
    async with listening(app) as listener, connect(url(listener), proxy=None, compression="deflate", **options) as client:  # fmt: skip
        yield client


@asynccontextmanager
async def raw(app: Any, early: bytes = b"", **settings: Any) -> AsyncIterator[Peer]:
    """An accepted socket of raw bytes; `early` is sent with the handshake."""
    async with peer(app, **settings) as client:
        await client.send(SHAKE + early)
        assert await client.read(len(ACCEPTED)) == ACCEPTED
        yield client


def url(listener: Listener) -> str:
    """Where it listens."""
    return "ws://{}:{}/live?a=b".format(*listener.address)


@pytest.mark.parametrize(("method", "upgrade", "is_one"), [
    ("GET", b"websocket", True), ("GET", b"h2c, websocket", True), ("GET", b"websocket,h2c", True), ("GET", b"", False), ("GET", b"h2c", False),
    ("GET", b"websocket-not", False), ("GET", b"websocket/13", False), ("POST", b"websocket", False), ("HEAD", b"websocket", False),
])  # fmt: skip
async def test_what_is_a_handshake(method: str, upgrade: bytes, *, is_one: bool) -> None:
    """A GET that offers to go on as a WebSocket, and nothing else."""
    head = Head(method, b"/", b"", newer=True, headers=[], upgrade=upgrade)

    assert is_handshake(head) is is_one


async def test_messages_of_both_kinds_come_back() -> None:
    """Texts in any script, bytes, empty and fragmented messages, the largest too, arrive whole and in order."""
    room = Room()
    sent: list[str | bytes] = ["höllo", b"\x00\xff", "", b"", "日" * (LARGEST // 3), b"y" * LARGEST]
    async with opened(room) as client:
        for message in (*sent, ["in ", "", "pieces"]):
            await client.send(message)
        received = [await client.recv() for _ in range(len(sent) + 1)]
        assert client.protocol.extensions == []
        await client.close(3001, "goodbye, ä")

    assert received == room.heard == [*sent, "in pieces"]
    assert room.end == (3001, "goodbye, ä")


async def test_a_handshake_is_a_scope() -> None:
    """The application has the target, headers and subprotocols, and its choice is told, with what belongs to the answer's head."""
    room = Room(subprotocol="video")

    async def app(turn: Turn) -> None:
        turn.more_headers = [(b"x-more", b"1")]
        await room(turn)

    async with opened(app, subprotocols=["chat", "video"]) as client:
        assert client.subprotocol == "video"
        assert client.response is not None
        assert client.response.headers["x-more"] == "1"

    assert (room.scope["type"], room.scope["scheme"], room.scope["method"]) == ("websocket", "ws", "GET")
    assert (room.scope["raw_path"], room.scope["query_string"]) == (b"/live", b"a=b")
    assert room.scope["subprotocols"] == ["chat", "video"]


async def test_a_refusal_is_an_answer_and_the_connection_goes_on() -> None:
    """Refused, a handshake is any other request: what was sent behind it is the next one, and frames are none."""

    async def app(turn: Turn) -> None:
        if turn.scope["type"] == "http":
            await answer(turn, b"plain" if turn.fault is None else turn.fault.reason.value.encode())
            return
        await turn.receive()
        headers = [(b"content-length", b"2"), (b"x", b"a"), (b"x", b"b")]
        await turn.send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
        await turn.send({"type": "websocket.http.response.body", "body": b"no"})

    async with peer(app) as client:
        await client.send(SHAKE + GET + SHAKE + frame(1, b"hi") + b"\r\n\r\n")
        head = await client.head()
        assert head == b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nx: a\r\nx: b\r\n\r\n"
        assert await client.read(2) == b"no"
        assert await client.answer() == (200, b"plain")
        assert await client.answer() == (403, b"no")
        assert await client.answer() == (200, b"bad-headers")


async def test_a_close_before_the_acceptance_is_403() -> None:
    """An application that only closes has refused."""

    async def app(turn: Turn) -> None:
        await turn.send({"type": "websocket.close", "code": 1008})

    with pytest.raises(InvalidStatus, match="403"):
        async with opened(app):
            pass


@pytest.mark.parametrize("size", [10, 200_000])
async def test_what_comes_before_the_acceptance_waits(size: int) -> None:
    """Frames behind the handshake are unread until it is accepted, then read, also if there is more of them than may wait."""
    room = Room(limit=MIB)
    room.accepting.clear()
    async with peer(room) as client:
        await client.send(SHAKE)
        sending = asyncio.create_task(client.send(frame(2, b"x" * size) + frame(1, b"end")))
        await asyncio.sleep(0.1)
        assert room.heard == []
        room.accepting.set()
        assert await client.read(len(ACCEPTED)) == ACCEPTED
        await until(lambda: len(room.heard) == 2)
        await sending

    assert room.heard == [b"x" * size, "end"]


@pytest.mark.parametrize(("sent", "code"), [
    (frame(1, b"hi", mask=False), 1002), (frame(2, b"hi", mask=False), 1002), (b"\x83\x80\x00\x00\x00\x00", 1002), (b"\xf1\x80\x00\x00\x00\x00", 1002), (b"\xc1\x80\x00\x00\x00\x00", 1002),
    (b"\x89\xfe\x00\x80\x00\x00\x00\x00" + b"x" * 128, 1002), (b"\x09\x80\x00\x00\x00\x00", 1002), (frame(0, b"x"), 1002), (frame(1, b"a", fin=False) + frame(2, b"b"), 1002),
    (frame(8, b"\x03"), 1002), (frame(8, struct.pack("!H", 1005)), 1002), (frame(8, struct.pack("!H", 1000) + b"\xff"), 1007),
    (frame(1, b"\xff\xfe"), 1007), (frame(1, b"\xc3", fin=False) + frame(0, b"("), 1007), (frame(1, b"\xed\xa0\x80"), 1007),
    (frame(2, b"x" * (LARGEST + 1)), 1009), (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009),
    (frame(2, b"x" * LARGEST, fin=False) + frame(0, b"y"), 1009), (frame(1, "ä".encode() * (LARGEST // 2 + 1)), 1009),
], ids=map(str, range(19)))  # fmt: skip
async def test_what_is_no_message_ends_the_socket(sent: bytes, code: int) -> None:
    """A frame that RFC 6455 forbids, a text that is none, too large a message: the client is told why, the application of the end, of no message."""
    room = Room()
    async with raw(room, frame(1, b"first")) as client:
        assert await read_frame(client) == (1, b"first")
        await client.send(sent + frame(1, b"later"))
        opcode, told = await read_frame(client)
        assert (opcode, struct.unpack("!H", told[:2])[0]) == (8, code)
        assert await client.is_over()
        await until(lambda: room.end is not None)

    assert room.heard == ["first"]
    assert room.end[0] == code


async def test_a_character_cut_by_fragments_is_one() -> None:
    """A text is judged as a whole, not piece by piece."""
    room = Room()
    async with raw(room, frame(1, b"\xc3", fin=False) + frame(9, b"?") + frame(0, b"\xa4")) as client:
        assert await read_frame(client) == (10, b"?")
        assert await read_frame(client) == (1, "ä".encode())


@pytest.mark.parametrize(("sent", "told"), [
    (frame(8), (1005, "")), (frame(8, struct.pack("!H", 1000)), (1000, "")), (frame(8, struct.pack("!H", 4999) + "ä".encode()), (4999, "ä")),
    (None, (1006, "")),
])  # fmt: skip
async def test_an_application_hears_how_its_client_ended(sent: bytes | None, told: tuple[int, str]) -> None:
    """Code and text of a close, 1005 where there is no code, 1006 where there is no close; after everything that came before it."""
    room = Room()
    async with raw(room, frame(1, b"first")) as client:
        assert await read_frame(client) == (1, b"first")
        if sent is None:
            client.leave()
        else:
            await client.send(sent)
            assert await read_frame(client) == (8, _content(sent))
        await until(lambda: room.end is not None)

    assert room.heard == ["first"]
    assert room.end == told


def _content(sent: bytes) -> bytes:
    """What a short frame of a client says."""
    mask, data = sent[2:6], sent[6:]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


async def test_an_application_that_closes_is_answered_and_the_connection_ends() -> None:
    """Code and text reach the client behind all messages, and its own close is waited for before the end, which is clean."""

    async def app(turn: Turn) -> None:
        await turn.receive()
        await turn.send({"type": "websocket.accept"})
        await turn.send({"type": "websocket.send", "text": "last words"})
        await turn.send({"type": "websocket.close", "code": 4000, "reason": "that is äll"})
        with pytest.raises(ClientGoneError):
            await turn.send({"type": "websocket.send", "text": "more"})

    async with opened(app) as client:
        assert await client.recv() == "last words"
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == (4000, "that is äll")
        assert client.protocol.close_rcvd_then_sent


async def test_an_application_that_fails_cuts_the_socket() -> None:
    """There is no close: nobody has decided that this is the end."""

    async def app(turn: Turn) -> None:
        await turn.send({"type": "websocket.accept"})
        await turn.send({"type": "websocket.send", "text": "x"})
        raise ZeroDivisionError

    async with opened(app) as client:
        with pytest.raises(ConnectionClosed):
            async for _ in client:
                pass
        assert client.close_code == 1006


async def test_a_gateway_that_stops_says_so() -> None:
    """Open sockets are closed with 1001, the application hears the same, and stopping waits for neither."""
    room = Room()
    async with listening(room) as listener, connect(url(listener), proxy=None) as client:
        await client.send("x")
        assert await client.recv() == "x"
        async with asyncio.timeout(PATIENCE):
            await listener.stop(PATIENCE)
        with pytest.raises(ConnectionClosed):
            await client.recv()

    assert client.close_code == 1001
    assert room.end == (1001, "")


# ------------------------------------------------------------------------------------------------ what may wait


@pytest.mark.parametrize(
    "piece", [frame(1), frame(2, b"x"), frame(1, "ä".encode() * 200), frame(2, b"x" * LARGEST)], ids=len
)
async def test_messages_wait_for_the_application_in_a_bounded_space(piece: bytes) -> None:
    """However small they are, and however often one is taken, no more wait than may; all arrive in the end."""
    count = 0
    held: list[int] = []
    go = asyncio.Event()
    many = 8 * MIB // len(piece)

    async def app(turn: Turn) -> None:
        nonlocal count
        await turn.receive()
        await turn.send({"type": "websocket.accept", "max_message": LARGEST})
        await go.wait()
        while (await turn.receive())["type"] == "websocket.receive":
            count += 1
            held.append(turn.held)
            if count < 200:
                await asyncio.sleep(0.001)

    many = min(many, 60_000)
    async with raw(app) as client:
        sending = asyncio.create_task(_send_all(client, piece, many))
        await asyncio.sleep(0.2)
        go.set()
        await asyncio.wait_for(sending, PATIENCE)
        await until(lambda: count == many)

    assert max(held) < 4 * READ_BUFFER  # beyond the bound there is the portion of frames that passed it
    assert held[-1] == 0


async def _send_all(client: Peer, piece: bytes, count: int) -> None:
    step = max(1, 65536 // len(piece))
    for start in range(0, count, step):
        client.writer.write(piece * min(step, count - start))
        await client.writer.drain()


async def test_a_client_that_pings_and_takes_nothing_is_held_back_and_cut() -> None:
    """Pongs do not pile up: beyond the buffers its pings are not read, and after the limit it is cut."""
    room = Room()
    pings = frame(9, b"x" * 120) * 500
    sent = 0
    async with listening(room, answer_timeout=0.5) as listener, connected(listener) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(SHAKE)
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012
            while sent < 256 * MIB:
                client.writer.write(pings)
                async with asyncio.timeout(5):
                    await client.writer.drain()
                sent += len(pings)
        await until(lambda: len(listener) == 0)

    assert sent < 48 * MIB  # the kernel's buffers on both ways
    assert room.end is not None


async def test_a_message_waits_for_its_client() -> None:
    """An application that sends to a client that takes nothing is held back, and hears of it when the client is cut."""
    sent = 0
    over = asyncio.Event()

    async def app(turn: Turn) -> None:
        nonlocal sent
        await turn.receive()
        await turn.send({"type": "websocket.accept"})
        try:
            while True:
                await turn.send({"type": "websocket.send", "bytes": bytes(65536)})
                sent += 65536
        except ClientGoneError:
            over.set()

    async with peer(app, answer_timeout=0.4) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(SHAKE)
        await asyncio.wait_for(over.wait(), PATIENCE)

    assert 0 < sent < 24 * MIB
