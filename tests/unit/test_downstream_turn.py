"""Requests and answers as an application has them, on real sockets: framing, bodies, and a client that leaves."""

import asyncio
from typing import Any, Final

import pytest

from backends import LOOPS
from gateway.downstream import BodyBoundError, ClientGoneError, Turn
from gateway.reasons import Reason
from listening import GET, answer, body_of, connected, echo, listening, peer
from upstreams import MIB, until

pytestmark = pytest.mark.anyio
PUT: Final = b"PUT /up HTTP/1.1\r\nhost: gw.example\r\n%b\r\n\r\n"
LENGTH: Final = (b"content-length", b"2")


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def put(length: int) -> bytes:
    """The head of an upload."""
    return PUT % (b"content-length: %d" % length)


@pytest.mark.parametrize(("first", "status", "headers", "pieces", "got"), [
    (b"GET / HTTP/1.1", 200, [], [b"ok"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    (b"GET / HTTP/1.1", 200, [LENGTH, (b"x", b"y"), (b"x", b"z")], [b"o", b"k"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: y\r\nx: z\r\n\r\nok"),
    (b"GET / HTTP/1.1", 200, [], [b"", b"one", b"", b"two"], b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"),
    (b"GET / HTTP/1.1", 200, [], [b"a" * 17, b""], b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11\r\naaaaaaaaaaaaaaaaa\r\n0\r\n\r\n"),
    (b"GET / HTTP/1.1", 404, [], [b""], b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), (b"GET / HTTP/1.1", 299, [LENGTH], [b"ok"], b"HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nok"),
    (b"HEAD / HTTP/1.1", 200, [LENGTH], [b"ok"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"), (b"HEAD / HTTP/1.1", 200, [], [b"", b"ok"], b"HTTP/1.1 200 OK\r\n\r\n"),
    (b"GET / HTTP/1.1", 204, [], [b""], b"HTTP/1.1 204 No Content\r\n\r\n"), (b"GET / HTTP/1.1", 304, [LENGTH], [b"ok"], b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n"),
    (b"GET / HTTP/1.1", 304, [], [b"o", b"k"], b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    (b"GET / HTTP/1.0", 200, [LENGTH], [b"ok"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"),
    (b"GET / HTTP/1.0\r\nconnection: keep-alive", 200, [], [b"ok"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok"),
    (b"GET / HTTP/1.0\r\nconnection: keep-alive", 200, [], [b"o", b"k"], b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok"),
    (b"GET / HTTP/1.1\r\nconnection: close", 200, [], [b"ok"], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"),
    (b"GET / HTTP/1.1", 400, [LENGTH, (b"connection", b"close")], [b"no"], b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"),
], ids=repr)  # fmt: skip
async def test_an_answer_is_framed_for_who_gets_it(
    first: bytes, status: int, headers: list[tuple[bytes, bytes]], pieces: list[bytes], got: bytes
) -> None:
    """With a length where one is known, else in chunks, to HTTP/1.0 until the end; bodiless where HTTP says so; exactly these bytes."""

    async def app(turn: Turn) -> None:
        if turn.scope["raw_path"] == b"/end":
            raise ConnectionAbortedError
        await turn.send({"type": "http.response.start", "status": status, "headers": headers})
        for place, piece in enumerate(pieces, 1):
            await turn.send({"type": "http.response.body", "body": piece, "more_body": place < len(pieces)})

    async with peer(app) as client:
        await client.send(first + b"\r\nhost: gw.example\r\n\r\n")
        head = await client.head()
        goes_on = b"connection: close" not in head and b"close" not in first
        if goes_on:
            await client.send(GET.replace(b"/ ", b"/end "))
        assert head + await client.rest() == got


async def test_the_time_is_told_unless_the_answer_tells_it() -> None:
    """Each answer has one `Date` (RFC 9110 6.6.1), the backend's if it said one."""

    async def app(turn: Turn) -> None:
        own = [(b"date", b"then")] if turn.scope["raw_path"] == b"/own" else []
        await answer(turn, b"", 200, *own)

    async with peer(app) as client:
        await client.send(GET + GET.replace(b"/ ", b"/own "))
        ours = await client.reader.readuntil(b"\r\n\r\n")
        own = await client.reader.readuntil(b"\r\n\r\n")

    assert ours.count(b"date: ") == own.count(b"date: ") == 1
    assert b" GMT\r\n" in ours
    assert b"date: then\r\n" in own


async def test_a_head_waits_for_its_first_piece() -> None:
    """Nothing is written before there is a piece, be it empty, so that a refusal can still take the head's place."""
    go, begun = asyncio.Event(), asyncio.Event()
    answering: list[bool] = []

    async def app(turn: Turn) -> None:
        turn.more_headers = [(b"x-more", b"1")]
        await turn.send({"type": "http.response.start", "status": 200, "headers": []})
        answering.append(turn.answering)
        begun.set()
        await go.wait()
        await turn.send({"type": "http.response.start", "status": 502, "headers": []})
        await turn.send({"type": "http.response.body", "body": b"", "more_body": True})
        answering.append(turn.answering)
        await asyncio.Event().wait()

    async with peer(app) as client:
        await client.send(GET)
        await begun.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.1)
        go.set()
        head = await client.head()

    assert head == b"HTTP/1.1 502 Bad Gateway\r\nx-more: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    assert answering == [False, True]


async def test_a_body_before_its_head_is_a_fault_of_the_application() -> None:
    """The connection is cut: there is nothing to say."""

    async def app(turn: Turn) -> None:
        await turn.send({"type": "http.response.body", "body": b"x"})

    async with peer(app) as client:
        await client.send(GET)
        assert await client.is_over()


async def test_what_a_request_says() -> None:
    """The scope has the raw path and query, the headers in order, and both ends of the connection; `asgi` adds the decoded path."""
    scopes: list[Any] = []

    async def app(turn: Turn) -> None:
        scopes.extend((turn.scope, turn.asgi))
        await answer(turn)

    async with peer(app) as client:
        await client.ask(b"GET /a%2Fb%ff?c=%20 HTTP/1.1\r\nHost: gw.example\r\nX: 1\r\nx: 2\r\n\r\n")
        ends = client.writer.get_extra_info("sockname"), client.writer.get_extra_info("peername")
    scope, asgi = scopes

    assert (scope["type"], scope["method"], scope["scheme"], scope["http_version"]) == ("http", "GET", "http", "1.1")  # fmt: skip
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%2Fb%ff", b"c=%20")
    assert scope["headers"] == [(b"host", b"gw.example"), (b"x", b"1"), (b"x", b"2")]
    assert (tuple(scope["client"]), tuple(scope["server"])) == ends
    assert asgi["path"] == "/a/b\ufffd"


@pytest.mark.parametrize("cut", [1, 7, 1000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_is_the_same_however_it_comes(cut: int, *, chunked: bool) -> None:
    """A body with a length or in chunks arrives whole, cut anywhere, and what follows it is the next request."""
    body = b"5\r\nhello\r\n6;x\r\n world\r\n0\r\nT: u\r\n\r\n" if chunked else b"hello world"
    sent = (PUT % b"transfer-encoding: chunked" if chunked else put(11)) + body + GET
    async with peer(echo) as client:
        for start in range(0, len(sent), cut):
            await client.send(sent[start : start + cut])
            await asyncio.sleep(0)
        assert await client.answer() == (200, b"PUT /up hello world")
        assert await client.answer() == (200, b"GET / ")


@pytest.mark.parametrize("framing", [b"content-length: 20", b"transfer-encoding: chunked"])
async def test_a_body_beyond_the_bound_is_told_to_its_reader(framing: bytes) -> None:
    """Whatever its framing, it is counted as it comes; what fitted in is not handed over after the error, and more does not follow."""
    errors: list[Any] = []

    async def app(turn: Turn) -> None:
        try:
            await body_of(turn)
        except BodyBoundError as error:
            errors.append(error)
            await answer(turn, b"no", 413)
        with pytest.raises(BodyBoundError):
            await turn.receive()

    async with peer(app, body=10) as client:
        await client.send(
            PUT % framing + (b"a\r\n0123456789\r\n" if b"chunked" in framing else b"0123456789")
        )
        await asyncio.sleep(0.02)
        assert errors == []
        await client.send(b"a\r\n0123456789\r\n0\r\n\r\n" if b"chunked" in framing else b"0123456789")
        assert await client.answer() == (413, b"no")
        assert await client.rest() == b""

    assert [(error.reason, error.sent) for error in errors] == [(Reason.BODY_TOO_LARGE, True)]


async def test_chunks_that_are_none_are_told_to_their_reader() -> None:
    """The reader hears that the body is none, and nothing that follows is a body or a request."""
    reasons: list[Reason] = []

    async def app(turn: Turn) -> None:
        try:
            await body_of(turn)
        except BodyBoundError as error:
            reasons.append(error.reason)
            await asyncio.sleep(0.05)
            await answer(turn, b"no", 400)

    async with peer(app) as client:
        await client.send(PUT % b"transfer-encoding: chunked" + b"zz\r\n")
        await client.send(b"2\r\nok\r\n0\r\n\r\n" + GET)
        assert await client.answer() == (400, b"no")
        assert await client.rest() == b""

    assert reasons == [Reason.BAD_BODY]


async def test_a_body_that_stands_still_is_told_to_its_reader() -> None:
    """One that trickles is waited for; one that stands still for the limit is an error, and the connection ends with its answer."""
    reasons: list[Reason] = []

    async def app(turn: Turn) -> None:
        try:
            await body_of(turn)
        except BodyBoundError as error:
            reasons.append(error.reason)
            await answer(turn, b"slow", 408)

    async with peer(app, body_timeout=0.2) as client:
        await client.send(put(100))
        for _ in range(5):
            await client.send(b"x")
            await asyncio.sleep(0.1)
        assert reasons == []
        assert await client.answer() == (408, b"slow")
        assert await client.rest() == b""

    assert reasons == [Reason.BODY_SLOW]


async def test_only_a_body_that_is_waited_for_can_stand_still() -> None:
    """An application that takes its time, or waits for the client to leave, is not its client's fault."""

    async def app(turn: Turn) -> None:
        await asyncio.sleep(0.3)
        await body_of(turn)
        leaving = asyncio.create_task(turn.receive())
        await asyncio.sleep(0.3)
        assert not leaving.done()
        leaving.cancel()
        await answer(turn)

    async with peer(app, body_timeout=0.1) as client:
        assert await client.ask(put(2) + b"ok") == (200, b"ok")


async def test_a_client_that_asks_whether_to_go_on_is_told_when_its_body_is_wanted() -> None:
    """100 comes once, and only after the application has asked for the body."""
    wanted = asyncio.Event()

    async def app(turn: Turn) -> None:
        await wanted.wait()
        await echo(turn)

    async with peer(app) as client:
        await client.send(PUT % b"content-length: 4\r\nexpect: 100-continue")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.1)
        wanted.set()
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"bo")
        await asyncio.sleep(0.02)
        await client.send(b"dy")
        assert await client.answer() == (200, b"PUT /up body")


@pytest.mark.parametrize("first", [b"PUT /up HTTP/1.1", b"PUT /up HTTP/1.0"])
async def test_a_client_that_does_not_wait_is_not_told(first: bytes) -> None:
    """Where a part of the body is there already, or in HTTP/1.0, 100 would only disturb (RFC 9110 10.1.1)."""
    async with peer(echo) as client:
        await client.send(
            PUT.replace(b"PUT /up HTTP/1.1", first) % b"content-length: 4\r\nexpect: 100-continue" + b"bo"
        )
        await asyncio.sleep(0.05)
        await client.send(b"dy")
        assert await client.answer() == (200, b"PUT /up body")


async def test_a_client_whose_body_is_not_wanted_is_not_told_to_send_it() -> None:
    """A refusal comes instead of 100 and says that the connection ends: a body that might still come could be taken for a request."""

    async def app(turn: Turn) -> None:
        await answer(turn, b"no", 401)

    async with peer(app) as client:
        await client.send(PUT % b"content-length: 4\r\nexpect: 100-continue")
        head = await client.head()
        assert head == b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\nconnection: close\r\n\r\n"
        assert await client.rest() == b"no"


@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_a_client_that_leaves_is_told_to_whoever_waits_for_its_body(body: bytes) -> None:
    """The reader hears of it after what came before; nobody else is called, and what is sent then fails."""
    heard: list[Any] = []

    async def app(turn: Turn) -> None:
        turn.on_gone = lambda: heard.append("called")
        message = await turn.receive()
        while message["type"] == "http.request":
            heard.append(message["body"])
            message = await turn.receive()
        heard.append(message)
        with pytest.raises(ClientGoneError):
            await answer(turn)
        heard.append(turn.gone)

    async with peer(app) as client:
        await client.send(put(9) + body)
        await asyncio.sleep(0.05)
        client.leave()
        await until(lambda: len(heard) == 2 + bool(body))

    assert heard == [*([body] if body else []), {"type": "http.disconnect"}, True]


async def test_a_client_that_leaves_is_told_to_on_gone() -> None:
    """Where nobody waits for its body it is called, once, while the application does something else."""
    called, sleeping = asyncio.Event(), asyncio.Event()
    count: list[bool] = []

    async def app(turn: Turn) -> None:
        def gone() -> None:
            count.append(turn.gone)
            called.set()

        turn.on_gone = gone
        sleeping.set()
        await called.wait()
        assert (await turn.receive())["type"] == "http.request"  # the empty body came before it left
        assert (await turn.receive())["type"] == "http.disconnect"

    async with peer(app) as client:
        await client.send(GET)
        await sleeping.wait()
        client.leave()
        await asyncio.wait_for(called.wait(), 5)
        await asyncio.sleep(0.05)

    assert count == [True]


async def test_an_answer_waits_for_its_client() -> None:
    """An endless answer to a client that takes nothing stands still after the buffers on the way, and goes on when it is taken."""
    sent = 0

    async def app(turn: Turn) -> None:
        nonlocal sent
        await turn.send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (64 * MIB))]})  # fmt: skip
        for place in range(64):
            await turn.send({"type": "http.response.body", "body": bytes(MIB), "more_body": place < 63})
            sent += MIB

    async with listening(app) as listener, connected(listener) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await client.send(GET)
        await until(lambda: sent > 0)
        await asyncio.sleep(0.3)
        stalled = sent
        await asyncio.sleep(0.1)
        assert sent == stalled < 24 * MIB  # the kernel's buffers, mostly
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await client.head()
        for _ in range(64):
            await client.read(MIB)
    assert sent == 64 * MIB


async def test_a_body_waits_for_the_application() -> None:
    """A client that sends faster than its body is taken is held back; everything arrives in the end."""
    go, held = asyncio.Event(), []

    async def app(turn: Turn) -> None:
        await go.wait()
        octets = 0
        while octets < 64 * MIB:
            held.append(turn.held)
            octets += len((await turn.receive())["body"])
        await answer(turn)

    async with peer(app) as client:
        await client.send(put(64 * MIB))
        sending = asyncio.create_task(_send_all(client.writer, 64 * MIB))
        await asyncio.sleep(0.3)
        assert not sending.done()
        go.set()
        await asyncio.wait_for(sending, 10)
        assert await client.answer() == (200, b"ok")

    assert max(held) < MIB


async def _send_all(writer: asyncio.StreamWriter, octets: int) -> None:
    for _ in range(octets // MIB):
        writer.write(bytes(MIB))
        await writer.drain()
