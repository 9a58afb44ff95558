"""Reaching a backend by each kind of url, and the settings that say how."""

import asyncio
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends import LOOPS, OK, Backend, Visit, answering
from gateway.reasons import Reason
from gateway.upstream import (
    Credential,
    UpstreamDownError,
    UpstreamSettings,
    UpstreamSlowError,
    UpstreamTruncatedError,
)
from upstreams import ask, asking

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parent.parent / "wire" / "loopback.pem"


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


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
