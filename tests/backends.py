"""Backends made of raw bytes: they send exactly what a test says and record exactly what they were sent."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
"""The plainest answer."""
LOOPS = [
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
]
"""For a fixture `anyio_backend`: the event loop of the server, and the one of the standard library."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived: the head to its empty line, and the body freed of its framing."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> bytes:
        """The request line."""
        return self.head.partition(b"\r\n")[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names as they came, with their values, in order."""
        lines = self.head.strip().split(b"\r\n")[1:]
        pairs = (line.partition(b": ") for line in lines)
        return [(name, value) for name, _, value in pairs]

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name]


class Visit:
    """One connection to a backend, as a script sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.requests: list[Recorded] = []
        self.over = asyncio.Event()

    async def head(self) -> Recorded:
        """Reads and records the head of a request."""
        recorded = Recorded(await self.reader.readuntil(b"\r\n\r\n"))
        self.requests.append(recorded)
        return recorded

    async def request(self) -> Recorded:
        """Reads and records a whole request."""
        head = await self.head()
        recorded = Recorded(head.head, await self._body(head))
        self.requests[-1] = recorded
        return recorded

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def ended(self) -> None:
        """Waits until the script is through; fails when that takes unreasonably long."""
        await asyncio.wait_for(self.over.wait(), 5)

    async def left(self) -> bool:
        """Waits until the other side has closed; returns whether it sent nothing before."""
        try:
            return not await self.reader.read()
        except ConnectionError:
            return True

    async def _body(self, head: Recorded) -> bytes:
        if length := head.values(b"content-length"):
            return await self.reader.readexactly(int(length[0]))
        if not head.values(b"transfer-encoding"):
            return b""
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body


Script = Callable[[Visit], Awaitable[None]]


@dataclass
class Backend:
    """A server on loopback, or on a Unix socket, that runs `script` for each connection.

    A script that returns closes its connection; one whose other side leaves is ended quietly.
    """

    script: Script
    path: Path | None = None
    tls: ssl.SSLContext | None = None
    port: int = 0
    visits: list[Visit] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the gateway finds it."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Recorded]:
        """All requests, by connection and then in order."""
        return [request for visit in self.visits for request in visit.requests]

    async def __aenter__(self) -> Self:
        if self.path is not None:
            self._server = await asyncio.start_unix_server(self._visited, str(self.path), limit=1 << 20)
        else:
            self._server = await asyncio.start_server(
                self._visited, "127.0.0.1", self.port, ssl=self.tls, limit=1 << 20, backlog=512
            )
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _visited(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._visit(reader, writer))
        self._tasks.add(task)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        self.visits.append(visit)
        try:
            await self.script(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            visit.over.set()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def answering(*answers: bytes) -> Script:
    """A script that answers the requests of a connection in turn, the last answer again and again."""

    async def script(visit: Visit) -> None:
        turn = 0
        while True:
            await visit.request()
            await visit.send(answers[min(turn, len(answers) - 1)])
            turn += 1

    return script


def once(answer: bytes) -> Script:
    """A script that answers one request and closes."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    return script
