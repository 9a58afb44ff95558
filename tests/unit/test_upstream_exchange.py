"""What an exchange bounds in time and memory, and every way out of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backends import LOOPS, OK, Backend, Script, Visit, answering
from gateway.upstream import (
    Answer,
    AnswerTooLargeError,
    Outbound,
    UpstreamSlowError,
)
from gateway.upstream.connection import UPLOAD_BUFFER
from gateway.upstream.exchange import ANSWER_BUFFER
from upstreams import GET, MIB, ask, asking, cancelled, silent, until

pytestmark = pytest.mark.anyio

ONE_READ = 262144
"""The most bytes that an event loop hands over at once."""


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"])
async def test_an_answer_that_does_not_come_is_slow(begun: bytes) -> None:
    """A backend that is silent for the set time, before its answer or within, is given up and cut."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(begun)
        await visit.left()

    async with Backend(script) as backend, asking(backend.url, read_timeout=0.05) as upstream:
        with pytest.raises(UpstreamSlowError, match="sent nothing") as caught:
            await ask(upstream)
        assert caught.value.sent
        await backend.visits[0].ended()


async def test_a_request_may_bring_more_patience() -> None:
    """A row's own time limit takes the place of the upstream's."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await asyncio.sleep(0.15)
        await visit.send(OK)

    async with Backend(script) as backend, asking(backend.url, read_timeout=0.04) as upstream:
        assert await ask(upstream, Outbound("GET", b"/", [], read_timeout=5)) == b"ok"


async def test_a_backend_that_takes_nothing_is_slow() -> None:
    """A backend that does not read what is sent to it is given up after the set time."""
    stuck = asyncio.Event()

    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await stuck.wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)

    async with Backend(script) as backend, asking(backend.url, write_timeout=0.05) as upstream:
        with pytest.raises(UpstreamSlowError, match="took nothing"):
            await ask(upstream, Outbound("PUT", b"/", [], endless()))
        assert upstream.pool.upload_peak <= UPLOAD_BUFFER + 65536 + 16


async def test_a_slow_client_is_not_the_backends_fault() -> None:
    """No time limit of the backend runs while the client holds up its body or takes no more of the answer."""

    async def hesitant() -> AsyncIterator[bytes]:
        yield b"ab"
        await asyncio.sleep(0.15)
        yield b"cd"

    body = bytes(8 * MIB)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with (
        Backend(answering(answer)) as backend,
        asking(backend.url, read_timeout=0.05, write_timeout=0.05) as upstream,
        upstream.exchange(Outbound("PUT", b"/", [], hesitant(), 4)) as got,
    ):
        await asyncio.sleep(0.15)
        assert len(await got.read(len(body))) == len(body)


async def test_a_download_of_64_mib_is_never_held() -> None:
    """A client that takes an answer slowly slows the backend down; hardly more than one read waits in the process."""
    block = bytes(MIB)

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64):
            await visit.send(block)

    async with Backend(script) as backend, asking(backend.url) as upstream:
        size = 0
        async with upstream.exchange(GET) as answer:
            async for piece in answer:
                size += len(piece)
                await asyncio.sleep(0)
        assert size == 64 * MIB
        assert 0 < upstream.pool.answer_peak < ANSWER_BUFFER + ONE_READ


@pytest.mark.parametrize("length", [None, 64 * MIB])
async def test_an_upload_of_64_mib_is_never_held(length: int | None) -> None:
    """A backend that takes a body slowly slows the client down; hardly more than one piece waits in the process."""
    block = bytes(MIB // 4)
    took = 0

    async def body() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield block

    async def script(visit: Visit) -> None:
        nonlocal took
        await visit.head()
        while took < 64 * MIB:
            took += len(await visit.reader.read(MIB))
        await visit.send(OK)

    async with Backend(script) as backend, asking(backend.url) as upstream:
        assert await ask(upstream, Outbound("PUT", b"/", [], body(), length)) == b"ok"
        assert took >= 64 * MIB
        assert upstream.pool.upload_peak <= UPLOAD_BUFFER + len(block) + 16


async def stalled_body(visit: Visit) -> None:
    """A script whose answer never ends."""
    await visit.head()
    await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
    await visit.left()


async def endless_client() -> AsyncIterator[bytes]:
    """A body that begins and then waits for ever."""
    yield b"begin"
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("script", "request_"),
    [
        (silent, GET),
        (stalled_body, GET),
        (silent, Outbound("PUT", b"/", [], b"held body")),
    ],
    ids=["before the answer", "within the answer", "with a body"],
)
async def test_cancelling_cuts_the_connection(script: Script, request_: Outbound) -> None:
    """Whoever stops waiting, at whatever point, leaves the backend a closed connection and the pool a free place."""
    async with Backend(script) as backend, asking(backend.url, max_connections=1) as upstream:
        for turn in range(3):
            task = asyncio.create_task(ask(upstream, request_))
            await until(lambda: len(backend.requests) == turn + 1)  # noqa: B023 - awaited within the turn
            await asyncio.sleep(0.01)
            await cancelled(task)
            await backend.visits[turn].ended()
            assert upstream.pool.open == 0


async def test_cancelling_an_upload_never_ends_it_cleanly() -> None:
    """An upload whose request is cancelled reaches the backend without a last chunk."""
    seen = []

    async def script(visit: Visit) -> None:
        await visit.head()
        seen.append(await visit.reader.read())

    async with Backend(script) as backend, asking(backend.url) as upstream:
        task = asyncio.create_task(ask(upstream, Outbound("PUT", b"/", [], endless_client())))
        await until(lambda: bool(backend.requests))
        await asyncio.sleep(0.01)
        await cancelled(task)
        await backend.visits[0].ended()
    assert seen == [b"5\r\nbegin\r\n"]


async def test_cancelling_while_waiting_loses_no_place() -> None:
    """Those who leave the queue, or leave in the moment they are served, give their turn to the next."""
    async with Backend(answering(OK)) as backend, asking(backend.url, max_connections=1) as upstream:
        for served_first in (False, True):
            async with upstream.exchange(GET) as answer:
                await answer.read(10)
                leaving = [asyncio.create_task(ask(upstream)) for _ in range(3)]
                staying = asyncio.create_task(ask(upstream))
                await until(lambda: upstream.pool.waiting == 4)
                if not served_first:
                    await cancelled(*leaving)
            if served_first:
                await cancelled(*leaving)
            assert await staying == b"ok"
            assert (upstream.pool.open, upstream.pool.waiting) == (1, 0)


async def test_cancelling_while_connecting_loses_no_place() -> None:
    """Whoever leaves while a connection is being made gives its place back."""

    async def script(visit: Visit) -> None:
        await visit.left()

    async with (
        Backend(script) as backend,
        asking(f"https://localhost:{backend.port}", max_connections=1) as upstream,
    ):
        task = asyncio.create_task(ask(upstream))
        await until(lambda: bool(backend.visits))
        await cancelled(task)
        assert upstream.pool.open == 0
        await backend.visits[0].ended()


async def test_leaving_an_answer_unread_cuts_the_connection() -> None:
    """An answer that nobody read to its end leaves no connection to be used again."""
    async with Backend(stalled_body) as backend, asking(backend.url) as upstream:
        async with upstream.exchange(GET) as answer:
            assert answer.status == 200
        await backend.visits[0].ended()
        assert upstream.pool.open == 0


async def test_an_answer_is_read_and_then_carried_as_it_was() -> None:
    """What was read of an answer is handed over again, once."""
    async with (
        Backend(answering(OK)) as backend,
        asking(backend.url) as upstream,
        upstream.exchange(GET) as answer,
    ):
        assert [await answer.read(2), await answer.read(2)] == [b"ok", b"ok"]
        before = answer.ended
        assert [piece async for piece in answer] == [b"ok"]
        assert (before, answer.ended, await answer.chunk()) == (False, True, b"")


async def test_an_answer_too_large_to_hold_can_still_be_carried() -> None:
    """Reading stops beyond its limit, says so, and loses nothing."""
    body = bytes(range(256)) * 4096
    answered = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with (
        Backend(answering(answered)) as backend,
        asking(backend.url) as upstream,
        upstream.exchange(GET) as answer,
    ):
        with pytest.raises(AnswerTooLargeError):
            await answer.read(1000)
        assert b"".join([piece async for piece in answer]) == body


async def test_an_answer_of_our_own() -> None:
    """An answer made here behaves as one from a backend."""
    answer = Answer.of(200, ((b"a", b"b"),), b"body")
    assert (answer.header(b"a"), answer.header(b"c"), answer.ended) == (b"b", None, False)
    assert await answer.read(4) == b"body"
    assert [piece async for piece in answer] == [b"body"]
    assert Answer.of(200, (), b"body").at_hand() == (b"body", False)
