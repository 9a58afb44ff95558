"""The pool, its limits, and the ways in and out of an exchange; reading answers as such is in wire/test_upstream_traps.py."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import LOOPS, OK, Backend, Script, Visit, answering, once
from gateway.reasons import Reason
from gateway.upstream import (
    Answer,
    AnswerTooLargeError,
    Credential,
    Outbound,
    Upstream,
    UpstreamBusyError,
    UpstreamDownError,
    UpstreamError,
    UpstreamSettings,
    UpstreamSlowError,
    UpstreamTruncatedError,
)
from gateway.upstream.connection import UPLOAD_BUFFER
from gateway.upstream.exchange import ANSWER_BUFFER
from gateway.upstream.parser import AnswerParser

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parent.parent / "wire" / "loopback.pem"
ONE_READ = 262144
"""The most bytes that an event loop hands over at once."""
MIB = 1 << 20
GET = Outbound("GET", b"/a", [(b"host", b"media.example")])


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


@asynccontextmanager
async def asking(url: str, **settings: Any) -> AsyncIterator[Upstream]:
    """An upstream that is closed afterwards."""
    upstream = Upstream(UpstreamSettings("media", url, **settings))
    try:
        yield upstream
    finally:
        await upstream.close()


async def ask(upstream: Upstream, request: Outbound = GET) -> bytes:
    """Asks and returns the body."""
    async with asyncio.timeout(10), upstream.exchange(request) as answer:
        return b"".join([piece async for piece in answer])


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something is so; the test's own time limit is what ends it otherwise."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for are sockets in this loop
            await asyncio.sleep(0.002)


async def silent(visit: Visit) -> None:
    """A script that reads a request and never answers."""
    await visit.head()
    await visit.left()


# The pool


async def test_a_hundred_requests_through_a_pool_of_eight() -> None:
    """Every request gets its own answer over at most eight connections, and none is left behind."""

    async def script(visit: Visit) -> None:
        while True:
            target = (await visit.request()).line.split()[1]
            await asyncio.sleep(0)
            await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    async with Backend(script) as backend, asking(backend.url, max_connections=8) as upstream:
        targets = [b"/%d" % number for number in range(100)]
        answers = await asyncio.gather(*(ask(upstream, Outbound("GET", target, [])) for target in targets))
        assert answers == targets
        assert (upstream.pool.open, upstream.pool.idle, upstream.pool.waiting) == (8, 8, 0)
        assert len(backend.visits) == 8


async def test_who_came_first_is_served_first() -> None:
    """The queue for a connection is fair, also to those who wait against those who just come."""
    async with Backend(answering(OK)) as backend, asking(backend.url, max_connections=1) as upstream:
        names = [b"/%d" % number for number in range(10)]
        tasks = []
        async with upstream.exchange(GET) as answer:
            for name in names:
                tasks.append(asyncio.create_task(ask(upstream, Outbound("GET", name, []))))
                await asyncio.sleep(0)
            await answer.read(10)
        await asyncio.gather(ask(upstream, Outbound("GET", b"/late", [])), *tasks)
        targets = [request.line.split()[1] for request in backend.requests]
        assert targets == [b"/a", *names, b"/late"]


async def test_a_full_queue_is_busy() -> None:
    """A request that finds the queue full is refused at once, and nothing of it was sent."""
    async with (
        Backend(silent) as backend,
        asking(backend.url, max_connections=1, queue_limit=1) as upstream,
    ):
        tasks = [asyncio.create_task(ask(upstream)) for _ in range(2)]
        await until(lambda: upstream.pool.waiting == 1)
        with pytest.raises(UpstreamBusyError) as caught:
            await ask(upstream)
        assert (caught.value.reason, caught.value.sent) == (Reason.BACKEND_BUSY, False)
        await cancelled(*tasks)


async def test_a_queue_that_does_not_move_is_busy() -> None:
    """A request does not wait longer for a connection than the setting says."""
    async with (
        Backend(silent) as backend,
        asking(backend.url, max_connections=1, queue_timeout=0.02) as upstream,
    ):
        first = asyncio.create_task(ask(upstream))
        await asyncio.sleep(0)
        with pytest.raises(UpstreamBusyError, match="waited"):
            await ask(upstream)
        assert upstream.pool.waiting == 0
        await cancelled(first)


async def test_idle_connections_are_given_up() -> None:
    """A connection that nobody used for the set time is closed."""
    async with Backend(answering(OK)) as backend, asking(backend.url, idle_timeout=0.04) as upstream:
        await ask(upstream)
        assert upstream.pool.idle == 1
        await backend.visits[0].ended()
        assert (upstream.pool.open, upstream.pool.idle) == (0, 0)


async def test_a_connection_that_the_backend_closed_is_not_used() -> None:
    """A close that came while a connection was idle is found before a request, even one that cannot be repeated."""
    async with Backend(once(OK)) as backend, asking(backend.url) as upstream:
        for _ in range(5):
            assert await ask(upstream, Outbound("POST", b"/", [], b"x")) == b"ok"
            await backend.visits[-1].ended()
        assert len(backend.visits) == 5


async def test_closing_ends_everything() -> None:
    """After `close` exchanges under way and those who wait fail, and no new one begins."""
    async with Backend(silent) as backend:
        upstream = Upstream(UpstreamSettings("media", backend.url, max_connections=1))
        tasks = [asyncio.create_task(ask(upstream)) for _ in range(3)]
        await until(lambda: bool(backend.requests))
        await upstream.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [UpstreamDownError] * 3
        with pytest.raises(UpstreamDownError):
            await ask(upstream)
        await backend.visits[0].ended()
        assert len(backend.visits) == 1


# Reaching the backend


async def test_nobody_listening_is_down() -> None:
    """A refused connection says that nothing was sent, and gives its place back."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with asking(f"http://127.0.0.1:{unused.getsockname()[1]}", max_connections=1) as upstream:
            for _ in range(3):
                with pytest.raises(UpstreamDownError) as caught:
                    await ask(upstream)
                assert (caught.value.reason, caught.value.sent) == (Reason.BACKEND_DOWN, False)
            assert upstream.pool.open == 0


async def test_those_who_wait_are_told_when_connecting_fails(tmp_path: Path) -> None:
    """Each of many requests to a backend that is gone gets its own error: no place is lost with a failed attempt."""
    async with asking(f"unix:{tmp_path}/none", max_connections=2) as upstream:
        results = await asyncio.gather(*(ask(upstream) for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {UpstreamDownError}
        assert (upstream.pool.open, upstream.pool.waiting) == (0, 0)


async def test_unix_sockets(tmp_path: Path) -> None:
    """A backend may listen on a Unix socket."""
    async with (
        Backend(answering(OK), path=tmp_path / "media.sock") as backend,
        asking(backend.url) as upstream,
    ):
        assert [await ask(upstream) for _ in range(2)] == [b"ok", b"ok"]
        assert len(backend.visits) == 1


def served_tls() -> ssl.SSLContext:
    """What a backend shows over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_tls_with_an_authority_of_ones_own() -> None:
    """A backend whose certificate the named authority vouches for is spoken to, over kept connections too."""
    async with (
        Backend(answering(OK), tls=served_tls()) as backend,
        asking(backend.url, ca_file=CERTIFICATE) as upstream,
    ):
        assert [await ask(upstream) for _ in range(3)] == [b"ok"] * 3


async def test_tls_is_verified() -> None:
    """An unknown authority or another host's certificate is no backend, and nothing is sent."""
    async with Backend(answering(OK), tls=served_tls()) as backend:
        for url, authority in (
            (backend.url, None),
            (f"https://127.0.0.1:{backend.port}", CERTIFICATE),
        ):
            async with asking(url, ca_file=authority) as upstream:
                with pytest.raises(UpstreamDownError, match="certificate") as caught:
                    await ask(upstream)
                assert not caught.value.sent
        assert backend.requests == []


@pytest.mark.parametrize("closed", [True, False])
async def test_an_answer_over_tls_ends_with_tls(*, closed: bool) -> None:
    """An answer that lasts until the close is whole if TLS was closed, and truncated if only the connection was."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\n\r\nwhole")
        await asyncio.sleep(0.02)
        if not closed:
            visit.writer.transport.abort()

    async with (
        Backend(script, tls=served_tls()) as backend,
        asking(backend.url, ca_file=CERTIFICATE) as upstream,
    ):
        if closed:
            assert await ask(upstream) == b"whole"
        else:
            with pytest.raises(UpstreamTruncatedError):
                await ask(upstream)


async def test_a_handshake_that_never_ends_is_slow() -> None:
    """Connecting is bounded, TLS included."""

    async def script(visit: Visit) -> None:
        await visit.left()

    async with (
        Backend(script) as backend,
        asking(f"https://localhost:{backend.port}", connect_timeout=0.05) as upstream,
    ):
        with pytest.raises(UpstreamSlowError) as caught:
            await ask(upstream)
        assert (caught.value.reason, caught.value.sent) == (Reason.BACKEND_SLOW, False)
        assert upstream.pool.open == 0


# Time


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


# Bounded memory


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


# Leaving


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks and sees that they end by it."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {asyncio.CancelledError}


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


# Answers


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
    assert (answer.header(b"a"), answer.header(b"c"), answer.ready, answer.ended) == (b"b", None, True, False)
    assert await answer.read(4) == b"body"
    assert [piece async for piece in answer] == [b"body"]


# Settings


@pytest.mark.parametrize(
    "url", ["ftp://x", "x:80", "http://", "http://u:p@h", "http://h/path", "http://h?q", "unix:relative", "http://h:99999"]
)  # fmt: skip
def test_malformed_urls_are_refused(url: str) -> None:
    """What is not exactly the place of a backend is an error when settings are read."""
    with pytest.raises(ValueError, match=r".+"):
        UpstreamSettings("media", url)


@pytest.mark.parametrize("bound", ["max_connections", "read_timeout", "idle_timeout", "max_headers"])
def test_bounds_are_positive(bound: str) -> None:
    """No bound can be switched off with a zero."""
    with pytest.raises(ValueError, match=bound):
        replace(UpstreamSettings("media", "http://h"), **{bound: 0})  # type: ignore[arg-type]


def test_settings_print_no_secret() -> None:
    """Neither an upstream's settings nor its credential tell the secret when printed."""
    for credential in (Credential.basic("gateway", "hush"), Credential.header("X-Api-Key", "hush")):
        text = repr(UpstreamSettings("media", "http://h", credential=credential))
        assert "hush" not in text
        assert credential.pair is not None
        assert credential.pair[1].decode() not in text


# The parser as such


ANSWERS = [
    OK,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
]


def parsed(*parts: bytes) -> tuple[Any, ...]:
    """Feeds parts to a parser and returns all that it makes of them; an error as its type."""
    parser = AnswerParser("GET", 4096, 50)
    body = b""
    try:
        for part in parts:
            body += parser.feed(part)
        parser.end()
    except UpstreamError as error:
        return (type(error),)
    return parser.status, parser.headers, body, parser.complete, parser.stray, parser.keep_alive


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 130)))
def test_how_an_answer_is_cut_into_reads_means_nothing(answer: bytes, cuts: list[int]) -> None:
    """An answer reads the same whole, byte by byte, or cut anywhere."""
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    parts = [answer[start:end] for start, end in pairwise(places) if end > start]
    assert parsed(*parts) == parsed(answer) == parsed(*(bytes([byte]) for byte in answer))


@given(st.sampled_from(ANSWERS), st.integers(0, 130), st.binary(max_size=8))
def test_garbage_is_read_or_is_one_kind_of_error(answer: bytes, place: int, garbage: bytes) -> None:
    """Bytes inserted anywhere are parsed or raise `UpstreamError`, the same whole and byte by byte."""
    answer = answer[:place] + garbage + answer[place:]
    assert parsed(*(bytes([byte]) for byte in answer)) == parsed(answer)


@given(st.sampled_from(ANSWERS[:-1]), st.integers(1, 100))
def test_no_part_of_an_answer_is_a_whole_one(answer: bytes, missing: int) -> None:
    """An answer that lacks its end is an error."""
    (error,) = parsed(answer[:-missing])
    assert issubclass(error, UpstreamError)
