"""Asking a backend the short way: what the tests of `gateway.upstream` share."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from backends import Backend, Script, Visit
from gateway.upstream import (
    Outbound,
    Upstream,
    UpstreamSettings,
)

GET = Outbound("GET", b"/a", [(b"host", b"media.example")])
"""The plainest request."""
MIB = 1 << 20


@asynccontextmanager
async def asking(url: str, **settings: Any) -> AsyncIterator[Upstream]:
    """An upstream that is closed afterwards."""
    upstream = Upstream(UpstreamSettings("media", url, **settings))
    try:
        yield upstream
    finally:
        await upstream.close()


@asynccontextmanager
async def backend_of(script: Script, **settings: Any) -> AsyncIterator[tuple[Backend, Upstream]]:
    """A backend and the upstream that asks it."""
    async with Backend(script) as backend, asking(backend.url, **settings) as upstream:
        yield backend, upstream


async def ask(upstream: Upstream, request: Outbound = GET) -> bytes:
    """Asks and returns the body."""
    async with asyncio.timeout(10), upstream.exchange(request) as answer:
        return b"".join([piece async for piece in answer])


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something is so; fails when that takes unreasonably long."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for are sockets in this loop
            await asyncio.sleep(0.002)


async def silent(visit: Visit) -> None:
    """A script that reads a request and never answers."""
    await visit.head()
    await visit.left()


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks and sees that they end by it."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {asyncio.CancelledError}
