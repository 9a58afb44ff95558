"""The connections of a worker: how many there may be, who else listens on the port, and how everything ends."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from backends import LOOPS
from gateway.downstream import Listener, Turn
from gateway.downstream.listener import listening as socket_of
from gateway.settings.sections import LimitsSection, ServerSection
from listening import GET, PATIENCE, Peer, answer, connected, echo, listening
from upstreams import until

pytestmark = pytest.mark.anyio
OF_WORKERS = LOOPS[:1]
"""The event loop of workers: where accepting stops in the middle of a burst."""


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.under_way = 0

    async def __call__(self, turn: Turn) -> None:
        """Answers a request."""
        self.under_way += 1
        await self.go.wait()
        await echo(turn)


async def silent(client: Peer) -> bool:
    """Whether nothing comes for a moment."""
    try:
        await asyncio.wait_for(client.reader.read(1), 0.2)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("anyio_backend", OF_WORKERS)
async def test_beyond_the_bound_others_wait_until_somebody_leaves() -> None:
    """The third of two is connected by the kernel but not served; it is when one of the others ends, idle or not."""
    async with listening(echo, max_connections=2, header_timeout=5.0) as listener, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(listener)) for _ in range(2)]
        for client in clients:
            assert (await client.ask())[0] == 200
        third, fourth = [await stack.enter_async_context(connected(listener)) for _ in range(2)]
        await third.send(GET)
        await fourth.send(GET)
        assert await silent(third)
        assert len(listener) == 2
        assert (await clients[0].ask())[0] == 200
        clients[0].leave()
        assert (await third.answer())[0] == 200
        assert await silent(fourth)
        clients[1].leave()
        assert (await fourth.answer())[0] == 200


@pytest.mark.parametrize("anyio_backend", OF_WORKERS)
async def test_a_burst_does_not_pass_the_bound() -> None:
    """Clients that come at the same moment, more than there may be, are not accepted together."""
    most = 0
    slow = Slow()
    async with listening(slow, max_connections=3) as listener, AsyncExitStack() as stack:
        clients = [stack.enter_async_context(connected(listener)) for _ in range(30)]
        for client in await asyncio.gather(*clients):
            client.writer.write(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        for _ in range(50):
            await asyncio.sleep(0.005)
            most = max(most, len(listener), slow.under_way)
        assert most == 3
        slow.go.set()
        await until(lambda: slow.under_way == 30)


async def test_so_many_wait_as_may() -> None:
    """The kernel's queue is as long as the setting says, also after the bound was met."""
    async with listening(echo, max_connections=1, backlog=300) as listener, AsyncExitStack() as stack:
        served = await stack.enter_async_context(connected(listener))
        assert (await served.ask())[0] == 200
        waiting = [stack.enter_async_context(connected(listener)) for _ in range(250)]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*waiting)


async def test_workers_share_a_port() -> None:
    """Two listeners on one port both get connections; a third program that does not share it gets none of it."""
    counts = [0, 0]

    def app(number: int) -> Any:
        async def count(turn: Turn) -> None:
            counts[number] += 1
            await answer(turn)

        return count

    async with listening(app(0)) as first:
        settings = ServerSection(port=first.address[1])
        second = Listener(app(1), settings, LimitsSection())
        await second.start()
        for _ in range(64):
            async with connected(first) as client:
                assert (await client.ask())[0] == 200
        await second.stop(0.0)

    assert sum(counts) == 64
    assert min(counts) > 0


async def test_where_nobody_can_listen_is_told() -> None:
    """An address that is none of this machine's is an error at once, and a listener that does not listen has no address."""
    listener = Listener(echo, ServerSection(host="192.0.2.1", port=0), LimitsSection())
    with pytest.raises(OSError, match="assign"):
        await listener.start()
    with pytest.raises(RuntimeError):
        _ = listener.address


async def test_ipv6_is_listened_on() -> None:
    """An address of IPv6 is one like any other."""
    with socket_of(ServerSection(host="::1", port=0)) as made:
        assert made.getsockname()[0] == "::1"


async def test_stopping_lets_what_is_under_way_end() -> None:
    """Told to stop, nobody else is accepted, idle connections end at once, and a request gets its answer, told to be the last."""
    slow = Slow()
    async with listening(slow) as listener, connected(listener) as idle, connected(listener) as busy:
        address = listener.address
        await busy.send(GET + GET)
        await until(lambda: slow.under_way == 1)
        stopping = asyncio.create_task(listener.stop(PATIENCE))
        assert await idle.is_over()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        assert not stopping.done()
        slow.go.set()
        assert b"connection: close\r\n" in await busy.head()
        assert await busy.rest() == b"GET / "
        await asyncio.wait_for(stopping, PATIENCE)

    assert slow.under_way == 1
    assert len(listener) == 0


async def test_stopping_cuts_what_does_not_end() -> None:
    """After its patience the rest is cancelled and cut; whoever was answered sees no whole answer."""
    ended: list[str] = []

    async def app(turn: Turn) -> None:
        try:
            await turn.send({"type": "http.response.start", "status": 200, "headers": []})
            await turn.send({"type": "http.response.body", "body": b"part", "more_body": True})
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async with listening(app) as listener, connected(listener) as client:
        await client.send(GET)
        await client.head()
        assert await client.read(9) == b"4\r\npart\r\n"
        await asyncio.wait_for(listener.stop(0.1), PATIENCE)
        assert await client.is_over()
        await until(lambda: ended == ["cancelled"])


async def test_a_request_that_was_begun_when_the_gateway_stops_is_not_served() -> None:
    """Half a head is nothing under way."""
    async with listening(echo) as listener, connected(listener) as client:
        await client.send(GET[:10])
        await until(lambda: len(listener) == 1)
        await asyncio.wait_for(listener.stop(PATIENCE), PATIENCE)
        assert await client.is_over()


async def test_the_time_goes_on() -> None:
    """Answers tell the time of their second or the one before."""
    async with listening(echo, header_timeout=0.2) as listener:
        before = listener.date
        await until(lambda: listener.date != before)
