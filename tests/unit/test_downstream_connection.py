"""Connections of clients on real sockets: whose turn it is, what may wait, time limits, and how each of them ends."""

import asyncio
from typing import Any, Final

import pytest

from backends import LOOPS
from gateway.downstream import Turn
from gateway.errors import ClientGoneError
from gateway.reasons import Reason
from listening import GET, PATIENCE, Peer, answer, body_of, connected, echo, listening, peer
from upstreams import MIB, until

pytestmark = pytest.mark.anyio
PUT: Final = b"PUT /up HTTP/1.1\r\nhost: gw.example\r\ncontent-length: %d\r\n\r\n"


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def get(path: str, *lines: str) -> bytes:
    """A request of a target."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: gw.example", *lines, "", ""]).encode()


async def refusing(turn: Turn) -> None:
    """Answers what is no request with the reason why, and anything else with 401."""
    await answer(turn, turn.fault.reason.value.encode() if turn.fault else b"no", 400 if turn.fault else 401)


async def test_a_connection_serves_one_request_after_the_other() -> None:
    """Requests with and without bodies, sent one by one or cut in two, are answered on the same connection."""
    async with peer(echo) as client:
        for turn in range(3):
            assert await client.ask(get(f"/{turn}")) == (200, f"GET /{turn} ".encode())
            await client.send(PUT % 4 + b"bo")
            await client.send(b"dy" + GET[:9])
            assert await client.answer() == (200, b"PUT /up body")
            assert await client.ask(GET[9:]) == (200, b"GET / ")


async def test_requests_sent_ahead_are_answered_in_order_one_at_a_time() -> None:
    """What is sent behind a request waits for its answer, bodies included."""
    under_way: list[int] = []

    async def app(turn: Turn) -> None:
        under_way.append(1)
        assert sum(under_way) == 1
        await asyncio.sleep(0.01)
        await echo(turn)
        under_way.append(-1)

    async with peer(app) as client:
        await client.send(b"".join(get(f"/{turn}") + PUT % 2 + b"%02d" % turn for turn in range(20)))
        for turn in range(20):
            assert await client.answer() == (200, f"GET /{turn} ".encode())
            assert await client.answer() == (200, b"PUT /up %02d" % turn)


async def flood(client: Peer, octets: int, patience: float = 0.3) -> int:
    """Sends requests until nobody takes them for so long; returns how many bytes were taken."""
    piece, transport = get("/ahead", "x: " + "y" * 900) * 64, client.writer.transport
    waiting, sent = transport.get_write_buffer_size(), 0
    try:
        while sent < octets:
            client.writer.write(piece)
            sent += len(piece)
            async with asyncio.timeout(patience):
                await client.writer.drain()
    except TimeoutError:
        pass
    return sent + waiting - transport.get_write_buffer_size()


async def test_what_is_sent_ahead_is_bounded() -> None:
    """A client that sends requests without end while one is answered is held back, and every one is answered later."""
    go = asyncio.Event()
    served = 0

    async def app(turn: Turn) -> None:
        nonlocal served
        await go.wait()
        served += 1
        await answer(turn, b"")

    async with peer(app) as client:
        taken = await flood(client, 64 * MIB)
        assert taken < 24 * MIB  # the kernel's buffers, mostly
        go.set()
        reading = asyncio.create_task(client.rest())
        await until(lambda: served > 1000)
        client.writer.write_eof()
        await asyncio.wait_for(reading, PATIENCE)


async def test_a_slow_download_lets_no_more_be_sent_ahead() -> None:
    """Each time that a client takes some of its answer it could send some more behind: it cannot."""
    size = 48 * MIB

    async def app(turn: Turn) -> None:
        if turn.scope["raw_path"] != b"/":
            await answer(turn, b"")
            return
        head = [(b"content-length", b"%d" % size)]
        await turn.send({"type": "http.response.start", "status": 200, "headers": head})
        for left in range(size // 65536 - 1, -1, -1):
            await turn.send({"type": "http.response.body", "body": bytes(65536), "more_body": left > 0})

    async with peer(app) as client:
        await client.send(GET)
        await client.head()
        await flood(client, 64 * MIB)  # until the kernel's buffers are full
        more = 0
        for _ in range(size // MIB // 2):
            await client.read(MIB)
            more += await flood(client, 64 * MIB, 0.02)
        client.leave()

    assert more < MIB


@pytest.mark.parametrize("path", ["/", "/1.0"])
async def test_a_client_that_says_so_is_closed_after_its_answer(path: str) -> None:
    """`Connection: close` and HTTP/1.0 end the connection, cleanly, and what was sent behind is nothing."""
    asked = get(path, "connection: close") if path == "/" else get(path).replace(b"HTTP/1.1", b"HTTP/1.0")
    async with peer(echo) as client:
        assert await client.ask(asked + GET) == (200, f"GET {path} ".encode())
        assert await client.rest() == b""


@pytest.mark.parametrize("raw", [
    b"GET / HTTP/1.1\nhost: x\r\n\r\n", b"\n" + GET, b"\r" + GET, b"\r\n\r\n" + GET, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET /\r\n\r\n", GET[:-4] + b"\r\n folded\r\n\r\n",
], ids=repr)  # fmt: skip
async def test_what_is_no_request_is_the_applications_to_refuse(raw: bytes) -> None:
    """It is given one without target and headers, with the reason; after its answer nothing of that connection is read."""
    async with peer(refusing) as client:
        status, body = await client.ask(raw + GET)
        assert (status, body) == (400, b"bad-headers")
        assert await client.rest() == b""


async def test_an_empty_line_before_a_request_is_passed_over() -> None:
    """Old clients send one behind a body (RFC 9112 2.2)."""
    async with peer(echo) as client:
        assert await client.ask(b"\r\n" + GET) == (200, b"GET / ")
        await client.send(b"\r\n")
        await asyncio.sleep(0.02)
        assert await client.ask(GET) == (200, b"GET / ")


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("cut", [1000, 1_000_000])
async def test_heads_are_bounded(cut: int, *, ended: bool) -> None:
    """A head beyond the bound is told to be one, without waiting for its end; one within it is read."""
    line = b"x: " + b"y" * 5000
    fits = GET.replace(b"/ ", b"/" + b"a" * 20_000 + b" ")[:-2] + line + b"\r\n\r\n"
    beyond = GET[:-2] + line * 8 + (b"\r\n\r\n" if ended else b"")
    async with peer(refusing, head=8192, headers=10, target=20_001) as client:
        assert await client.ask(fits) == (401, b"no")
        for start in range(0, len(beyond), cut):
            await client.send(beyond[start : start + cut])
            await asyncio.sleep(0)
        assert await client.answer() == (400, b"head-too-large")
        assert await client.rest() == b""


@pytest.mark.parametrize("octets", [100_000, 4 * MIB])
async def test_an_early_answer_is_not_lost_to_a_reset(octets: int) -> None:
    """A client that sends all of its body before it reads finds the whole answer, told to be the last, and a clean end."""
    async with peer(refusing) as client:
        await client.send(PUT % (2 * octets))
        sending = asyncio.create_task(client.send(bytes(octets)))
        await asyncio.sleep(0.2)
        await sending
        head = await client.head()
        assert head == b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
        assert await client.rest() == b"no"


async def test_nothing_that_follows_an_early_answer_is_a_request() -> None:
    """What comes behind it is thrown away, whatever it looks like; who goes on sending is cut."""
    served = 0

    async def app(turn: Turn) -> None:
        nonlocal served
        served += 1
        await answer(turn, b"no", 401)

    async with peer(app) as client:
        assert await client.ask(PUT % 1_000_000) == (401, b"no")
        with pytest.raises(ConnectionError):
            await _send_until_cut(client)

    assert served == 1


async def _send_until_cut(client: Peer) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            await client.send(GET)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("sent", [b"", GET[:10], GET, GET + GET[:10], GET + b"\r\n"])
async def test_a_head_that_does_not_come_whole_in_time_ends_the_connection(sent: bytes) -> None:
    """From the beginning, and from each answer on: no answer, just the end, however the head trickles."""
    async with peer(echo, header_timeout=0.2) as client:
        await client.send(sent)
        if sent.startswith(GET):
            assert await client.answer() == (200, b"GET / ")
        begun = asyncio.get_running_loop().time()
        trickle = asyncio.create_task(_trickle(client))
        assert await client.is_over()
        assert asyncio.get_running_loop().time() - begun < 2
        trickle.cancel()


async def _trickle(client: Peer) -> None:
    for _ in range(1000):
        await asyncio.sleep(0.05)
        client.writer.write(b"x")


async def test_an_answer_under_way_has_no_time_limit_of_heads() -> None:
    """A request may take longer than the time for a head."""

    async def app(turn: Turn) -> None:
        await asyncio.sleep(0.4)
        await answer(turn)

    async with peer(app, header_timeout=0.1) as client:
        assert await client.ask() == (200, b"ok")


async def stalled(client: Peer, seconds: float) -> None:
    """Takes nothing for a while."""
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(seconds)
    client.writer.transport.resume_reading()  # type: ignore[attr-defined]


async def test_a_client_that_takes_nothing_is_cut() -> None:
    """After the limit its application hears that it has left, and the answer does not end as a whole one."""
    over: list[object] = []

    async def app(turn: Turn) -> None:
        turn.on_gone = lambda: over.append("called")
        try:
            await turn.send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await turn.send({"type": "http.response.body", "body": bytes(MIB), "more_body": True})
        except ClientGoneError as error:
            over.append(error.sent)
            raise

    async with peer(app, answer_timeout=0.2) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(GET)
        await until(lambda: len(over) == 2)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        try:
            got = await client.rest()
        except ConnectionError:
            got = b""

    assert over == ["called", True]
    assert not got.endswith(b"0\r\n\r\n")


async def test_a_client_that_takes_an_answer_slowly_is_not_cut() -> None:
    """One that takes some of it within each limit gets the whole, however long it takes, and may ask again."""
    size = 40 * MIB

    async def app(turn: Turn) -> None:
        await answer(turn, bytes(size))

    async with peer(app, answer_timeout=0.4, header_timeout=0.2) as client:
        await client.send(GET)
        await client.head()
        for _ in range(4):
            await stalled(client, 0.15)
            await client.read(6 * MIB)
        await client.read(16 * MIB)
        assert (await client.ask())[0] == 200


@pytest.mark.parametrize("more", [False, True])
async def test_an_application_that_fails_cuts_the_connection(*, more: bool) -> None:
    """Before the answer or within it: the end comes without an answer, or without the end of one."""

    async def app(turn: Turn) -> None:
        if more:
            await turn.send({"type": "http.response.start", "status": 200, "headers": []})
            await turn.send({"type": "http.response.body", "body": b"part", "more_body": True})
            await asyncio.sleep(0.02)
        raise ZeroDivisionError

    async with listening(app) as listener, connected(listener) as client:
        await client.send(GET + GET)
        try:
            got = await client.rest()
        except ConnectionError:
            got = b""
        assert got.endswith(b"4\r\npart\r\n") if more else got == b""
        await until(lambda: len(listener) == 0)


@pytest.mark.parametrize("length", [b"9", None])
async def test_an_answer_that_is_not_ended_is_cut(length: bytes | None) -> None:
    """An application that returns within its answer has not ended it, and nobody ends it for it."""

    async def app(turn: Turn) -> None:
        headers = [(b"content-length", length)] if length else []
        await turn.send({"type": "http.response.start", "status": 200, "headers": headers})
        await turn.send({"type": "http.response.body", "body": b"part", "more_body": True})

    async with peer(app) as client:
        await client.send(GET)
        head = await client.head()
        try:
            got = await client.rest()
        except ConnectionError:
            got = b""

    assert head.startswith(b"HTTP/1.1 200 ")
    assert got in (b"", b"part" if length else b"4\r\npart\r\n")


async def test_an_application_that_returns_without_an_answer_cuts_the_connection() -> None:
    """There is nothing to say, and nothing of what was sent behind is served."""
    served: list[Turn] = []

    async def app(turn: Turn) -> None:
        served.append(turn)

    async with peer(app) as client:
        await client.send(GET + GET)
        assert await client.is_over()

    assert len(served) == 1


async def test_a_client_that_leaves_leaves_nothing_behind() -> None:
    """Whether idle, in a head, in a body, in its answer or sending ahead: the connection is forgotten and its task over."""

    async def app(turn: Turn) -> None:
        await body_of(turn)
        if turn.scope["raw_path"] == b"/endless":
            await turn.send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await turn.send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0.001)
        await answer(turn)

    before = len(asyncio.all_tasks())
    async with listening(app) as listener:
        for sent in (b"", GET[:5], PUT % 9, PUT % 9 + b"x", get("/endless"), get("/endless") + GET * 10):
            async with connected(listener) as client:
                await client.send(sent)
                await asyncio.sleep(0.03)
                assert len(listener) == 1
                client.leave()
                await until(lambda: len(listener) == 0)
    await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_a_client_that_stops_sending_has_left() -> None:
    """A half-closed connection is a closed one: what is under way on it hears of it."""
    gone = asyncio.Event()

    async def app(turn: Turn) -> None:
        turn.on_gone = gone.set
        await asyncio.Event().wait()

    async with peer(app) as client:
        await client.send(GET)
        await asyncio.sleep(0.02)
        client.writer.write_eof()
        await asyncio.wait_for(gone.wait(), 5)


async def test_the_reason_of_a_refusal_is_a_fault_of_the_request() -> None:
    """A handshake of a WebSocket with a body is one: the body would have two readings."""
    reasons: list[Reason | None] = []

    async def app(turn: Turn) -> None:
        reasons.append(turn.fault.reason if turn.fault else None)
        await answer(turn, b"no", 400)

    async with peer(app) as client:
        asked = get("/", "upgrade: websocket", "connection: upgrade", "content-length: 2")
        assert await client.ask(asked + b"ok") == (400, b"no")
        assert await client.rest() == b""

    assert reasons == [Reason.BAD_HEADERS]
