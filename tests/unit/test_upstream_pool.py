"""Who gets which connection, who waits, and when connections are given up."""

import asyncio
from typing import Any

import pytest

from backends import LOOPS, OK, Backend, Visit, answering, once
from gateway.reasons import Reason
from gateway.upstream import (
    Outbound,
    Upstream,
    UpstreamBusyError,
    UpstreamDownError,
    UpstreamSettings,
)
from upstreams import GET, ask, asking, cancelled, silent, until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


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
