"""A listener on loopback with an application that a test writes, and clients of raw bytes for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import pytest

from gateway.downstream import App, Listener, Turn
from gateway.settings.sections import LimitsSection, ServerSection

GET: Final = b"GET / HTTP/1.1\r\nhost: gw.example\r\n\r\n"
PATIENCE: Final = 10.0
"""Seconds after which silence is taken for a fault."""
LIMITS: Final = ("body", "body_timeout", "answer_timeout", "head", "headers")


class Peer:
    """One connection to the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self.writer.drain()

    async def head(self) -> bytes:
        """Reads the head of an answer, without its date."""
        async with asyncio.timeout(PATIENCE):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        lines = raw.split(b"\r\n")
        kept = [line for line in lines if not line.startswith(b"date: ")]
        assert len(kept) == len(lines) - (not raw.startswith((b"HTTP/1.1 100", b"HTTP/1.1 101")))
        return b"\r\n".join(kept)

    async def read(self, count: int) -> bytes:
        """Reads exactly so many bytes."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def answer(self) -> tuple[int, bytes]:
        """Reads an answer that has a length; returns its status and body."""
        head = await self.head()
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return int(head[9:12]), await self.read(int(length))

    async def ask(self, data: bytes = GET) -> tuple[int, bytes]:
        """Sends a request and reads its answer."""
        await self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Reads until the end of the connection, which must be a clean one."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def is_over(self) -> bool:
        """Waits for the end of the connection, clean or not; tells whether nothing came before it."""
        try:
            return not await self.rest()
        except ConnectionError:
            return True

    def leave(self) -> None:
        """Breaks the connection off."""
        self.writer.transport.abort()


@asynccontextmanager
async def listening(app: App, **settings: Any) -> AsyncIterator[Listener]:
    """Lets an application be served until the block ends; `settings` are those of the groups `server` and `limits`.

    What the application asserts in vain is raised at the end: to the listener it is an answer that broke off.
    """
    failures: list[BaseException] = []

    async def heard(turn: Turn) -> None:
        try:
            await app(turn)
        except (AssertionError, pytest.fail.Exception) as failure:
            failures.append(failure)
            raise RuntimeError("a test fails") from failure

    limits = {name: settings.pop(name) for name in LIMITS if name in settings}
    listener = Listener(heard, ServerSection(port=0, **settings), LimitsSection(**limits))
    await listener.start()
    try:
        yield listener
    finally:
        await listener.stop(0.0)
    if failures:
        raise failures[0]


@asynccontextmanager
async def connected(listener: Listener) -> AsyncIterator[Peer]:
    """A connection to a listener."""
    reader, writer = await asyncio.open_connection(*listener.address, limit=1 << 20)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def peer(app: App, **settings: Any) -> AsyncIterator[Peer]:
    """The one client of an application."""
    async with listening(app, **settings) as listener, connected(listener) as found:
        yield found


async def answer(turn: Turn, body: bytes = b"ok", status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    """Answers at once."""
    await turn.send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await turn.send({"type": "http.response.body", "body": body})


async def body_of(turn: Turn) -> bytes:
    """Reads the body of a request."""
    pieces, more = [], True
    while more:
        message = await turn.receive()
        assert message["type"] == "http.request"
        pieces.append(message["body"])
        more = message["more_body"]
    return b"".join(pieces)


async def echo(turn: Turn) -> None:
    """Answers with method, target and body of the request."""
    said = f"{turn.scope['method']} {turn.scope['raw_path'].decode('latin-1')} ".encode()
    await answer(turn, said + await body_of(turn))
