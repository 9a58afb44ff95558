"""Each trap of writing HTTP to a backend, and of asking twice, shown on real sockets with raw bytes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backends import LOOPS, OK, Script, Visit, answering
from gateway.errors import GatewayError
from gateway.headers import Credential, Forwarding, request_headers
from gateway.upstream import (
    Outbound,
    UploadBrokenError,
    Upstream,
    UpstreamBrokenError,
    UpstreamDownError,
    UpstreamError,
)
from upstreams import backend_of

pytestmark = pytest.mark.anyio

HOST = [(b"host", b"media.example")]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


def get(method: str = "GET") -> Outbound:
    """A request without a body."""
    return Outbound(method, b"/a", HOST)


def put(body: AsyncIterator[bytes], length: int | None = None) -> Outbound:
    """A request whose body streams."""
    return Outbound("PUT", b"/a", HOST, body, length)


async def ask(upstream: Upstream, request: Outbound | None = None) -> tuple[int, bytes]:
    """Asks and returns status and whole body."""
    async with asyncio.timeout(10), upstream.exchange(request or get()) as answer:
        return answer.status, b"".join([piece async for piece in answer])


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """A body in pieces."""
    for part in parts:
        yield part


async def stalling(*parts: bytes) -> AsyncIterator[bytes]:
    """A body whose client sends some pieces and then nothing more."""
    for part in parts:
        yield part
    await asyncio.Event().wait()


@pytest.mark.parametrize("length", [None, 1000])
async def test_an_early_answer_stops_the_upload_then_closes(length: int | None) -> None:
    """A backend that answers before it has the body gets no more of it, its answer is carried, the connection cut."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        rest = await visit.reader.read()
        assert b"0\r\n\r\n" not in rest

    async with backend_of(script) as (backend, upstream):
        assert await ask(upstream, put(stalling(b"first"), length)) == (413, b"big")
        assert upstream.pool.idle == 0
        await backend.visits[0].ended()


async def test_nothing_is_uploaded_beside_an_early_answer() -> None:
    """While an early answer is carried, the rest of the body goes nowhere."""
    answered = asyncio.Event()
    seen = []

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await answered.wait()
        while True:
            yield b"more"
            await asyncio.sleep(0)

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\n")
        await answered.wait()
        await asyncio.sleep(0.02)
        await visit.send(b"big")
        seen.append(await visit.reader.read())

    async with backend_of(script) as (backend, upstream):
        async with upstream.exchange(put(body())) as answer:
            answered.set()
            assert await answer.read(3) == b"big"
        await backend.visits[0].ended()
    assert seen == [b"5\r\nfirst\r\n"]


async def test_an_answer_to_a_whole_body_is_not_early() -> None:
    """Once all bytes of a stated length are written the request is whole, even if its source has not said so yet."""
    async with backend_of(answering(OK)) as (_, upstream):
        assert await ask(upstream, put(stalling(b"abc"), 3)) == (200, b"ok")
        assert upstream.pool.idle == 1


async def test_bodies_are_framed_by_what_is_known() -> None:
    """A stated length is said and kept to; otherwise chunks are sent, and empty pieces do not end them."""
    async with backend_of(answering(OK)) as (backend, upstream):
        await ask(upstream, put(pieces(b"abc", b"", b"de"), 5))
        await ask(upstream, put(pieces(b"abc", b"", b"de")))
        await ask(upstream, put(pieces(), 0))
        await ask(upstream, put(pieces()))
        await ask(upstream, Outbound("POST", b"/", HOST, b"xyz"))
        await ask(upstream, Outbound("POST", b"/", HOST, length=0))
        await ask(upstream, Outbound("POST", b"/", HOST))
    assert [request.body for request in backend.requests] == [b"abcde", b"abcde", b"", b"", b"xyz", b"", b""]
    lengths = [request.values(b"content-length") for request in backend.requests]
    assert lengths == [[b"5"], [], [b"0"], [], [b"3"], [b"0"], []]
    chunked = [request.values(b"transfer-encoding") for request in backend.requests]
    assert chunked == [[], [b"chunked"], [], [b"chunked"], [], [], []]
    assert len(backend.visits) == 1


@pytest.mark.parametrize(("length", "body"), [(10, b"short"), (3, b"too long")])
async def test_a_body_of_another_length_is_never_whole(length: int, body: bytes) -> None:
    """A body that is not as long as it said cuts the connection, and the backend never has a complete request of it."""
    async with backend_of(answering(OK)) as (backend, upstream):
        with pytest.raises(UploadBrokenError):
            await ask(upstream, put(pieces(body), length))
        await backend.visits[0].ended()
    assert backend.requests[0].body == b""


async def test_an_upload_that_breaks_off_never_ends_cleanly() -> None:
    """What the client's side raises is raised, and the backend sees the connection end without a last chunk."""
    seen = []

    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(0.02)
        raise KeyError("client")

    async def script(visit: Visit) -> None:
        await visit.head()
        seen.append(await visit.reader.read())

    async with backend_of(script) as (backend, upstream):
        with pytest.raises(KeyError):
            await ask(upstream, put(broken()))
        await backend.visits[0].ended()
    assert seen == [b"3\r\nabc\r\n"]


async def test_expect_is_stripped() -> None:
    """The backend is never asked to confirm a body that is on its way already."""
    received = [(b"host", b"h"), (b"expect", b"100-continue"), (b"accept", b"*/*")]
    headers = request_headers(received, Forwarding("192.0.2.1", "http", b"h", "r1"), Credential.none())
    async with backend_of(answering(OK)) as (backend, upstream):
        await ask(upstream, Outbound("PUT", b"/a", headers, b"body"))
    assert backend.requests[0].values(b"expect") == []


@pytest.mark.parametrize(
    "request_",
    [
        Outbound("GET", b"/a HTTP/1.1\r\nX: y", HOST),
        Outbound("GET", b"/a b", HOST),
        Outbound("GET", b"http://other/", HOST),
        Outbound("GET /x", b"/a", HOST),
        Outbound("GET", b"/a", [(b"host", b"h\r\nX: y")]),
        Outbound("GET", b"/a", [(b"host", b"h\nX: y")]),
        Outbound("GET", b"/a", [(b"host", b"h\rX: y")]),
        Outbound("GET", b"/a", [(b"ho\r\nst", b"h")]),
        Outbound("GET", b"/a", [(b"host", b"h\0")]),
    ],
)
async def test_nothing_written_can_become_another_request(request_: Outbound) -> None:
    """A method, target or header with a line end, a blank or a NUL is refused before a connection is taken."""
    async with backend_of(answering(OK)) as (backend, upstream):
        with pytest.raises(GatewayError):
            await ask(upstream, request_)
    assert backend.visits == []


def hanging_up(*, say: bytes = b"") -> Script:
    """A script that answers each connection's first request, and at the second says `say` and closes."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(OK)
        await visit.request()
        await visit.send(say)

    return script


async def test_a_safe_request_is_repeated_on_a_connection_that_died() -> None:
    """A GET that meets a kept connection as the backend closes it is asked again on a new one."""
    async with backend_of(hanging_up()) as (backend, upstream):
        assert [await ask(upstream), await ask(upstream)] == [(200, b"ok")] * 2
    assert [len(visit.requests) for visit in backend.visits] == [2, 1]


@pytest.mark.parametrize(
    ("request_", "say", "error"),
    [
        (Outbound("DELETE", b"/a", HOST), b"", UpstreamDownError),
        (Outbound("POST", b"/a", HOST, b"x"), b"", UpstreamDownError),
        (Outbound("GET", b"/a", HOST, b"x"), b"", UpstreamDownError),
        (Outbound("GET", b"/a", HOST), b"H", UpstreamBrokenError),
        (Outbound("GET", b"/a", HOST), b"HTTP/1.1 100 C\r\n\r\n", UpstreamBrokenError),
    ],
)
async def test_nothing_else_is_repeated(request_: Outbound, say: bytes, error: type[UpstreamError]) -> None:
    """A request with effects or a body, or one whose answer has begun, reaches the backend at most once."""
    async with backend_of(hanging_up(say=say)) as (backend, upstream):
        await ask(upstream)
        with pytest.raises(error) as caught:
            await ask(upstream, request_)
    assert caught.value.sent
    assert [len(visit.requests) for visit in backend.visits] == [2]


async def test_a_safe_request_is_repeated_only_once() -> None:
    """A new connection that dies as well is an answer of its own: the backend is down."""

    async def script(visit: Visit) -> None:
        await visit.request()
        if visit is backend.visits[0]:
            await visit.send(OK)
            await visit.request()

    async with backend_of(script) as (backend, upstream):
        await ask(upstream)
        with pytest.raises(UpstreamDownError):
            await ask(upstream)
    assert len(backend.visits) == 2
