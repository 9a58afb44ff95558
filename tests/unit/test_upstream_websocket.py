"""A WebSocket to a backend: what is asked, over which connection, and what every other answer than a socket is."""

import asyncio
import ssl
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve, unix_serve

from backends import LOOPS, Backend, Visit, once
from gateway.upstream import (
    Outbound,
    SocketEndedError,
    SocketRefusedError,
    UpstreamBrokenError,
    UpstreamBusyError,
    UpstreamDownError,
    UpstreamError,
    UpstreamSlowError,
)
from upstreams import asking, backend_of, silent, until

pytestmark = pytest.mark.anyio

CERTIFICATE: Final = Path(__file__).parents[1] / "wire" / "loopback.pem"
HANDSHAKE: Final = Outbound("GET", b"/a%2fb?c=%20", [(b"x-latin", b"caf\xe9"), (b"host", b"media.example")])


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


async def echo(connection: ServerConnection) -> None:
    """Sends everything back."""
    async for message in connection:
        await connection.send(message)


async def test_the_handshake_is_what_was_made_for_it() -> None:
    """Target and headers arrive byte for byte; beside them only what the protocol needs."""
    async with backend_of(once(b"HTTP/1.1 403 No\r\nX-A: b\r\nContent-Length: 2\r\n\r\nno")) as (
        backend,
        upstream,
    ):
        with pytest.raises(SocketRefusedError) as caught:
            async with upstream.websockets.socket(HANDSHAKE, ["chat", "video"]):
                pass
        (received,) = backend.requests

    assert received.line == b"GET /a%2fb?c=%20 HTTP/1.1"
    told = {name.lower(): value for name, value in received.headers if name.lower() != b"sec-websocket-key"}
    assert told == {
        b"upgrade": b"websocket", b"connection": b"Upgrade", b"sec-websocket-version": b"13", b"sec-websocket-protocol": b"chat, video",
        b"x-latin": b"caf\xe9", b"host": b"media.example",
    }  # fmt: skip
    assert len(received.headers) == len(told) + 1
    refused = caught.value
    assert (refused.status, refused.body, dict(refused.headers)[b"x-a"]) == (403, b"no", b"b")


@pytest.mark.parametrize("known", [True, False])
async def test_tls_is_verified(*, known: bool) -> None:
    """Over TLS a backend is spoken to if its certificate holds, by the upstream's own authority, and not at all otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with asking(f"https://localhost:{port}", ca_file=CERTIFICATE if known else None) as upstream:
            if not known:
                with pytest.raises(UpstreamDownError):
                    async with upstream.websockets.socket(HANDSHAKE, []):
                        pass
                return
            async with upstream.websockets.socket(HANDSHAKE, []) as socket:
                await socket.send("höllo".encode(), text=True)
                assert await socket.receive() == "höllo"


async def test_a_unix_socket(tmp_path: Path) -> None:
    """A backend may listen on a Unix socket."""
    async with (
        unix_serve(echo, str(tmp_path / "s")),
        asking(f"unix:{tmp_path / 's'}") as upstream,
        upstream.websockets.socket(HANDSHAKE, []) as socket,
    ):
        await socket.send(b"\x00", text=False)
        assert await socket.receive() == b"\x00"


async def _leaves(visit: Visit) -> None:
    await visit.head()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (_leaves, UpstreamDownError),
        (silent, UpstreamSlowError),
        (once(b"SSH-2.0\r\n\r\n"), UpstreamBrokenError),
        (once(b"HTTP/1.1 100 Continue\r\n\r\n"), UpstreamBrokenError),
        (once(b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), UpstreamBrokenError),
        (once(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 9000 + b"\r\n\r\n"), UpstreamBrokenError),
        (once(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"), UpstreamBrokenError),
    ],
)
async def test_what_is_no_answer_to_a_handshake(script: Any, error: type[UpstreamError]) -> None:
    """Silence, the end, and what is not HTTP or too much of it each have their reason; the place is free again."""
    async with backend_of(script, read_timeout=0.2) as (_, upstream):
        with pytest.raises(error):
            async with upstream.websockets.socket(HANDSHAKE, []):
                pass
        assert upstream.websockets.open == 0


async def test_a_place_is_taken_while_a_socket_is_opened() -> None:
    """Handshakes under way count: beyond the bound nothing is sent."""
    async with backend_of(silent, max_websockets=1) as (backend, upstream):

        async def ask() -> None:
            async with upstream.websockets.socket(HANDSHAKE, []):
                pass

        first = asyncio.create_task(ask())
        await until(lambda: bool(backend.requests))
        with pytest.raises(UpstreamBusyError):
            await ask()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        assert upstream.websockets.open == 0
        assert len(backend.requests) == 1


async def test_a_worker_that_stops_cuts_its_sockets() -> None:
    """Closing an upstream ends the sockets that are open."""
    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with (
            asking(f"http://127.0.0.1:{port}") as upstream,
            upstream.websockets.socket(HANDSHAKE, []) as socket,
        ):
            await upstream.close()
            with pytest.raises(SocketEndedError) as caught:
                await asyncio.wait_for(socket.receive(), 5)

    assert caught.value.code == 1011


async def test_no_credential_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Even where everything is logged, the library's own lines about headers are not."""
    caplog.set_level("DEBUG")
    secret = Outbound("GET", b"/a", [(b"host", b"x"), (b"x-backend-key", b"hush")])
    async with (
        Backend(once(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as backend,
        asking(backend.url) as upstream,
    ):
        with pytest.raises(SocketRefusedError):
            async with upstream.websockets.socket(secret, []):
                pass

    assert "hush" not in caplog.text
