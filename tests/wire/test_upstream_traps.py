"""Each trap of reading what a backend answers, shown on real sockets with raw bytes."""

import asyncio
import socket
import struct
from typing import Any

import pytest

from backends import LOOPS, OK, Visit, answering, once
from gateway.upstream import (
    Outbound,
    Upstream,
    UpstreamBrokenError,
    UpstreamDownError,
    UpstreamError,
    UpstreamTruncatedError,
)
from upstreams import backend_of

pytestmark = pytest.mark.anyio

HOST = [(b"host", b"media.example")]
SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def get(method: str = "GET") -> Outbound:
    """A request without a body."""
    return Outbound(method, b"/a", HOST)


async def ask(upstream: Upstream, request: Outbound | None = None) -> tuple[int, bytes]:
    """Asks and returns status and whole body."""
    async with asyncio.timeout(10), upstream.exchange(request or get()) as answer:
        return answer.status, b"".join([piece async for piece in answer])


@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X: y"])
async def test_head_has_no_body_whatever_the_length_says(framing: bytes) -> None:
    """An answer to HEAD ends with its head, and the next answer on the connection is not taken for its body."""
    head = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"
    async with backend_of(answering(head, OK)) as (backend, upstream):
        assert await ask(upstream, get("HEAD")) == (200, b"")
        assert await ask(upstream) == (200, b"ok")
    assert len(backend.visits) == 1


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_204_and_304_have_no_body_whatever_the_length_says(status: bytes) -> None:
    """These answers end with their head, and the connection is used again."""
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    async with backend_of(answering(head, OK)) as (backend, upstream):
        assert await ask(upstream) == (int(status[:3]), b"")
        assert await ask(upstream) == (200, b"ok")
    assert len(backend.visits) == 1


async def test_204_loses_the_length_it_must_not_have() -> None:
    """The length of a 204 does not reach a client that would wait for it (RFC 9110 8.6)."""
    async with (
        backend_of(answering(b"HTTP/1.1 204 N\r\nContent-Length: 5\r\nA: b\r\n\r\n")) as (_, upstream),
        upstream.exchange(get()) as answer,
    ):
        assert answer.headers == ((b"a", b"b"),)


async def test_interim_answers_are_consumed() -> None:
    """1xx answers, in one piece or several, are not the answer."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 10"
        )
        await asyncio.sleep(0.02)
        await visit.send(b"2 Processing\r\n\r\n" + OK)
        await visit.request()
        await visit.send(OK)

    async with backend_of(script) as (backend, upstream):
        async with upstream.exchange(get()) as answer:
            assert (answer.status, answer.headers) == (200, ((b"content-length", b"2"),))
            assert await answer.chunk() == b"ok"
        assert await ask(upstream) == (200, b"ok")
    assert len(backend.visits) == 1


async def test_endless_interim_answers_are_bounded() -> None:
    """A backend that never gets to its answer is broken, not slow."""
    async with backend_of(answering(b"HTTP/1.1 102 Processing\r\n\r\n" * 17)) as (_, upstream):
        with pytest.raises(UpstreamBrokenError, match="16 interim"):
            await ask(upstream)


@pytest.mark.parametrize("headers", [b"", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"])
async def test_101_switches_nothing(headers: bytes) -> None:
    """A switch of protocols that nobody asked for breaks the exchange and cuts the connection."""
    answer = b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n"
    async with backend_of(answering(answer + b"tunnel")) as (backend, upstream):
        with pytest.raises(UpstreamBrokenError):
            await ask(upstream)
        await backend.visits[0].ended()


async def test_upgrade_on_another_status_switches_nothing() -> None:
    """An answer that offers an upgrade is still an answer with its own framing (CVE-2024-23326)."""
    offer = b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok"
    async with backend_of(answering(offer)) as (backend, upstream):
        assert await ask(upstream) == (200, b"ok")
        assert await ask(upstream) == (200, b"ok")
    assert len(backend.visits) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "stray", [SECOND, b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"\n", b"H", b"\0", b"0\r\n\r\n"]
)
@pytest.mark.parametrize(
    ("method", "first", "body"),
    [
        ("GET", OK, b"ok"),
        ("GET", CHUNKED, b"ok"),
        ("HEAD", OK[:-2], b""),
        ("GET", b"HTTP/1.1 304 N\r\n\r\n", b""),
    ],
)
async def test_an_unasked_second_answer_reaches_nobody(
    method: str, first: bytes, body: bytes, stray: bytes
) -> None:
    """A byte after the end of an answer cuts the connection; the next request gets another one and its own answer."""
    turns = iter([first + stray, OK])

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(next(turns))
        await visit.left()

    async with backend_of(script) as (backend, upstream):
        assert (await ask(upstream, get(method)))[1] == body
        assert await ask(upstream) == (200, b"ok")
        assert len(backend.visits) == 2
        await backend.visits[0].ended()


@pytest.mark.parametrize("noticed", [True, False])
async def test_an_answer_to_nobody_cuts_an_idle_connection(*, noticed: bool) -> None:
    """Bytes that come between two requests are never the answer to the second, read by the event loop or not yet."""
    late = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        await late.wait()
        await visit.send(SECOND)
        late.clear()
        await visit.request()
        await visit.send(OK)

    async with backend_of(script) as (backend, upstream):
        assert await ask(upstream) == (200, b"ok")
        late.set()
        while late.is_set():  # noqa: ASYNC110 - the script shares this loop
            await asyncio.sleep(0)
        if noticed:
            await asyncio.sleep(0.02)
        late.set()
        assert await ask(upstream, Outbound("POST", b"/a", HOST)) == (200, b"ok")
    assert len(backend.visits) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 20_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 201 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"b" * 2_000_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;" + b"e" * 2_000_000,
    ],
    ids=["one header", "bytes", "count", "trailers", "one trailer", "chunk extension"],
)
async def test_heads_and_trailers_are_bounded(answer: bytes) -> None:
    """A backend cannot fill the process with what is not a body."""
    async with backend_of(once(answer)) as (_, upstream):
        with pytest.raises(UpstreamBrokenError, match=r"larger than|more than"):
            await ask(upstream)
        assert upstream.pool.answer_peak == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", UpstreamDownError),
        (b"HTTP/1.1 2", UpstreamBrokenError),
        (b"HTTP/1.1 100 Continue\r\n\r\n", UpstreamBrokenError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", UpstreamTruncatedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", UpstreamTruncatedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", UpstreamTruncatedError),
    ],
)
async def test_truncation_is_an_error(answer: bytes, error: type[UpstreamError]) -> None:
    """The end of the stream ends no answer that promised more, and the error says that the request was sent."""
    async with backend_of(once(answer)) as (_, upstream):
        with pytest.raises(UpstreamError) as caught:
            await ask(upstream)
    assert type(caught.value) is error
    assert caught.value.sent


async def test_an_answer_may_last_until_the_connection_closes() -> None:
    """An answer without a length is whole when its connection ends."""
    async with backend_of(once(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as (_, upstream):
        assert await ask(upstream) == (200, b"all of it")
        assert (upstream.pool.open, upstream.pool.idle) == (0, 0)


async def test_a_reset_does_not_end_an_answer() -> None:
    """An answer that lasts until the close is truncated when the connection is torn down instead."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await asyncio.sleep(0.02)
        reset(visit)

    async with backend_of(script) as (_, upstream):
        with pytest.raises(UpstreamTruncatedError):
            await ask(upstream)


def reset(visit: Visit) -> None:
    """Ends a connection with RST."""
    sock = visit.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visit.writer.transport.abort()


async def test_trailers_are_dropped() -> None:
    """What follows the last chunk becomes neither body nor header, and the connection is used again."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-User: admin\r\nT:\r\n\r\n"
    async with backend_of(answering(answer)) as (backend, upstream):
        async with upstream.exchange(get()) as got:
            assert [piece async for piece in got] == [b"ok"]
            assert got.headers == ((b"transfer-encoding", b"chunked"),)
        assert await ask(upstream) == (200, b"ok")
    assert len(backend.visits) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\r\n" + OK,
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 099 x\r\n\r\n",
        b"HTTP/1.1 1000 x\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ],
)
async def test_what_has_two_readings_is_broken(answer: bytes) -> None:
    """An answer that another reader might frame otherwise is refused, and its connection cut."""
    async with backend_of(answering(answer)) as (backend, upstream):
        with pytest.raises(UpstreamBrokenError) as caught:
            await ask(upstream)
        assert not isinstance(caught.value, UpstreamTruncatedError)
        await backend.visits[0].ended()
        assert upstream.pool.open == 0


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", 1),
    ],
)
async def test_the_backend_says_whether_a_connection_lives_on(answer: bytes, connections: int) -> None:
    """Version and `Connection` decide whether the next request takes the same connection (RFC 9112 9.3)."""
    async with backend_of(answering(answer)) as (backend, upstream):
        await ask(upstream)
        await ask(upstream)
    assert len(backend.visits) == connections
