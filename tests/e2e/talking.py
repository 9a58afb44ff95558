"""A backend that speaks WebSocket, on a thread of its own, and a client for it: both are the library `websockets`.

What the backend does with a socket is the first segment after the row's: `echo` sends everything back; `ends/CODE` closes with that
code; `tells/SIZE` sends a text of that size; `floods` sends as long as somebody takes it; `mute` reads nothing; `breaks` leaves without a
close; `refuses` answers the handshake with 418; `redirects` with 302. It knows the subprotocols `chat` and `video`.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from e2e.behind import PATIENCE
from e2e.house import House

PIECE: Final = 65_536
"""Bytes of each message of a flood."""


@dataclass
class Talk:
    """What the backend saw.

    Attributes:
        url: where it listens, with the scheme of HTTP.
        targets: of each handshake, in order.
        headers: of each handshake; lower-case names.
        messages: that it received.
        closes: code and text of each end that it heard of.
        flooded: bytes that a flood got rid of.
    """

    url: str = ""
    targets: list[str] = field(default_factory=list)
    headers: list[list[tuple[str, str]]] = field(default_factory=list)
    messages: list[str | bytes] = field(default_factory=list)
    closes: list[tuple[int | None, str | None]] = field(default_factory=list)
    flooded: int = 0

    def values(self, name: str) -> list[str]:
        """Returns all values of a header of the last handshake."""
        return [value for key, value in self.headers[-1] if key == name]

    def clear(self) -> None:
        """Forgets everything."""
        for seen in (self.targets, self.headers, self.messages, self.closes):
            seen.clear()
        self.flooded = 0

    async def handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        """Records a handshake; refuses some."""
        self.targets.append(request.path)
        self.headers.append([(name.lower(), value) for name, value in request.headers.raw_items()])
        if "/redirects" in request.path:
            return Response(HTTPStatus.FOUND, "Found", Headers(Location="/talk/echo"))
        if "/refuses" not in request.path:
            return None
        answer: Response = connection.respond(HTTPStatus.IM_A_TEAPOT, "no tea\n")
        answer.headers.update({"X-Why": "kettle", "Connection": "X-Hop", "X-Hop": "1", "Upgrade": "h2c"})
        return answer

    async def serve(self, connection: ServerConnection) -> None:
        """Does what the target says."""
        assert connection.request
        what, _, number = connection.request.path.partition("?")[0].split("/", 2)[2].partition("/")
        with suppress(ConnectionClosed):
            await getattr(self, what)(connection, int(number or 0))
        await connection.wait_closed()
        self.closes.append((connection.close_code, connection.close_reason))

    async def echo(self, connection: ServerConnection, _number: int) -> None:
        """Sends everything back."""
        async for message in connection:
            self.messages.append(message)
            await connection.send(message)

    async def ends(self, connection: ServerConnection, code: int) -> None:
        """Says one thing and closes."""
        await connection.send("last words")
        await connection.close(code, "that is äll")

    async def tells(self, connection: ServerConnection, size: int) -> None:
        """Sends one text."""
        await connection.send("x" * size)

    async def floods(self, connection: ServerConnection, _number: int) -> None:
        """Sends as long as somebody takes it."""
        while True:
            await connection.send(b"x" * PIECE)
            self.flooded += PIECE

    async def mute(self, connection: ServerConnection, _number: int) -> None:
        """Takes nothing in."""
        connection.transport.pause_reading()
        await connection.wait_closed()

    async def breaks(self, connection: ServerConnection, _number: int) -> None:
        """Leaves without a close."""
        connection.transport.abort()


@contextmanager
def talking() -> Iterator[Talk]:
    """Runs the backend until the block ends."""
    talk, loop = Talk(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Any:
        return await serve(
            talk.serve,
            "127.0.0.1",
            0,
            process_request=talk.handshake,
            subprotocols=[Subprotocol("chat"), Subprotocol("video")],
            select_subprotocol=_known,
            max_size=None,
            close_timeout=1,
        )

    async def stop(server: Any) -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE)
    talk.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield talk
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def opened(home: House, path: str, who: str = "", **options: Any) -> ClientConnection:
    """Opens a WebSocket through the gateway as somebody."""
    signed = {"Authorization": f"Bearer {home.tokens[who]}"} if who else {}
    headers = signed | options.pop("headers", {})
    options = {"open_timeout": PATIENCE, "close_timeout": 3, "max_size": None, "legacy": True} | options
    url = home.gateway.url.replace("http", "ws", 1) + path
    return connect(url, additional_headers=headers, proxy=None, **options)


def _known(_connection: ServerConnection, offered: Any) -> Subprotocol | None:
    return next((each for each in offered if each in ("chat", "video")), None)
