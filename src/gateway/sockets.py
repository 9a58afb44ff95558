"""WebSockets: a client's and a backend's, joined after the handshake was judged as the GET that it is.

Rules:

1. A handshake is a GET of its target (RFC 6455 4.1): judged by the same stages, audited by the same line. What offers to switch
   with another method is no handshake, and is served as what it is (`gateway.downstream.socket`).
2. A row must say `websocket: true`; who may not read its object learns that first.
3. Where the credential is one that browsers send by themselves (Basic), a handshake from another origin is refused: any page could
   open it (CVE-2026-22689, CVE-2026-44985). Beyond that `Origin` is the backend's to judge, and passes.
4. The client's side is opened only after the backend's is: what a client sends early waits unread (CVE-2026-2833), and a backend that
   refuses is heard with its own status.
5. One message at a time is in flight each way, and none is read before the last one was taken: memory stays bounded however slow
   a side is. A message beyond the bound ends the socket.
6. Messages sent before a close arrive before it. Close codes and their texts pass; a close without a code is 1000 to the other side, and
   1001 where there was no close at all.
7. Whatever ends one side ends the other.

RFC 6455 7.4 has the close codes.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Final, NamedTuple

from starlette.types import Receive, Scope, Send

from gateway.caching import for_caches
from gateway.carry import Passage, headers_for, links_for
from gateway.errors import ClientGoneError, GatewayError
from gateway.forward import Caller, Watch
from gateway.headers import Pair, response_headers
from gateway.identity import Identity, Proof
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes import Row
from gateway.upstream import (
    BackendSocket,
    Outbound,
    SocketEndedError,
    SocketRefusedError,
    Upstream,
    UpstreamError,
    UpstreamSettings,
)

LOG = logging.getLogger(__name__)
NORMAL, GONE, POLICY, TOO_BIG, INTERNAL = 1000, 1001, 1008, 1009, 1011
"""Close codes that the gateway itself uses: no more to say, the other side left, the right is gone, a message is too large, a side failed."""
NO_CODE: Final = 1005
"""What a close without a code is told as (RFC 6455 7.1.5)."""
CLOSE_TIMEOUT: Final = 2.0
"""Seconds that a client has to take a close; one that takes nothing is left to the listener."""
OF_THE_PROTOCOL: Final = frozenset(
    b"sec-websocket-" + each for each in (b"key", b"version", b"protocol", b"extensions", b"accept")
)
"""Headers that each side's library writes and reads for its own connection (RFC 6455 11.3)."""

_DENIAL: Final = "websocket.http.response"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")  # RFC 6455 4.1: sixteen bytes
_SUBPROTOCOL: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 6455 4.1: a token
_ORIGIN: Final = re.compile(rb"https?://([^/?#@]+)")
_PASSABLE: Final = frozenset((*range(1000, 1004), *range(1007, 1014), *range(3000, 5000)))
_BODILESS: Final = (204, 304)


Running = Callable[[Callable[[GatewayError], None]], AbstractContextManager[object]]
"""Makes the context of an open pair from what cuts it."""


class End(NamedTuple):
    """How a joined pair ends; a code of None means that this side ended by itself."""

    to_client: int | None
    to_backend: int | None
    why: str = ""


IDLE: Final = End(GONE, GONE, "no message for too long")
CUT: Final = End(POLICY, GONE, "the right to this connection is gone")


def is_socket(scope: Scope) -> bool:
    """Tells whether a scope is the handshake of a WebSocket."""
    return bool(scope["type"] == "websocket")


def as_get(scope: Scope) -> Scope:
    """Returns the GET that a handshake is, as the scope of a request (rule 1)."""
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return {**scope, "method": "GET", "scheme": scheme}


def check_handshake(inbound: Inbound, scope: Scope) -> None:
    """Refuses a handshake with two readings, before anybody is asked who sends it (RFC 6455 4.2.1).

    Raises:
        GatewayError: its version is not 13, or its key or subprotocols are malformed.
    """
    if inbound.header(b"sec-websocket-version") != b"13":
        raise GatewayError(Reason.BAD_HEADERS, "the version of the WebSocket is not 13")
    if not _KEY.fullmatch(inbound.header(b"sec-websocket-key") or b""):
        raise GatewayError(Reason.BAD_HEADERS, "the key of the handshake is malformed")
    if not all(_SUBPROTOCOL.fullmatch(each) for each in scope["subprotocols"]):
        raise GatewayError(Reason.BAD_HEADERS, "a subprotocol's name is malformed")


def admit(inbound: Inbound, identity: Identity, row: Row) -> None:
    """Refuses a socket whose GET is allowed (rules 2 and 3).

    Raises:
        GatewayError: the row takes none, or not from this origin.
    """
    if not row.websocket:
        raise GatewayError(Reason.WEBSOCKET, f"{row.place} does not say `websocket: true`")
    origin = inbound.header(b"origin")
    if identity.proof is Proof.BASIC and origin is not None:
        known = _ORIGIN.fullmatch(origin)
        if known is None or known[1].lower() != inbound.host.lower():
            raise GatewayError(Reason.WEBSOCKET, "a browser's own credential, from another origin")


async def deny(send: Send, status: int, headers: Sequence[Pair], body: bytes) -> None:
    """Answers a handshake with HTTP."""
    await send({"type": f"{_DENIAL}.start", "status": status, "headers": headers})
    await send({"type": f"{_DENIAL}.body", "body": body})


async def join(passage: Passage, upstream: Upstream, scope: Scope, client: Caller, running: Running) -> None:
    """Opens the backend's side of an allowed handshake, then the client's, and carries messages until one of them ends.

    Args:
        passage: what was allowed.
        upstream: who is asked.
        scope: of the handshake.
        client: whose handshake it is; one that leaves before the backend has answered ends that, too.
        running: makes the context in which both sides are open, and what cuts them may be called.

    Raises:
        UpstreamError: the backend gave no usable answer to the handshake; the client heard nothing.
        ClientGoneError: the client left meanwhile.
    """
    inbound = passage.inbound
    headers = headers_for(passage, upstream.settings, OF_THE_PROTOCOL)
    links = links_for(inbound, upstream.settings)
    handshake = Outbound("GET", inbound.target, headers, request_id=inbound.request_id, links=links)
    await client.receive()  # `websocket.connect`: there is nothing in it
    try:
        async with AsyncExitStack() as stack:
            opening = upstream.websockets.socket(handshake, scope["subprotocols"])
            backend = await _while_there(client, stack.enter_async_context(opening))
            limit = upstream.settings.websocket_message
            accept = {"type": "websocket.accept", "subprotocol": backend.subprotocol, "max_message": limit}
            await client.send(accept)
            joined = Joined(backend, upstream.settings, client.receive, client.send)
            with running(joined.cut):
                end = await joined.carry()
            LOG.info("request %s: the WebSocket ended: %s", inbound.request_id, end)
    except SocketRefusedError as refused:
        await deny(client.send, *_heard(refused, handshake))


async def _while_there(client: Caller, opening: Coroutine[Any, Any, BackendSocket]) -> BackendSocket:
    """Returns what `opening` does, unless the client leaves first."""
    watch = Watch(client, held=False)
    try:
        return await opening
    except asyncio.CancelledError:
        watch.name_our_own()
        raise
    finally:
        watch.end()


def _heard(refused: SocketRefusedError, asked: Outbound) -> tuple[int, list[Pair], bytes]:
    """Returns the backend's refusal as the client gets it: by the table of headers, in our own framing."""
    told = [pair for pair in refused.headers if pair[0] != b"content-length"]
    headers = for_caches(response_headers(told, asked.request_id, asked.links), shared=False)
    if refused.status not in _BODILESS:
        headers = [*headers, (b"content-length", str(len(refused.body)).encode())]
    return refused.status, headers, refused.body


class Joined:
    """A client's and a backend's socket, both open."""

    def __init__(
        self, backend: BackendSocket, settings: UpstreamSettings, receive: Receive, send: Send
    ) -> None:
        loop = asyncio.get_running_loop()
        self._backend, self._receive, self._send = backend, receive, send
        self._limit, self._patience = settings.websocket_message, settings.websocket_idle
        self._now = loop.time
        self._moved = loop.time()
        self._end: asyncio.Future[End] = loop.create_future()

    def cut(self, _error: GatewayError) -> None:
        """Ends both sides, the client's with 1008: the right that carried them is gone. May be called at any time, again too."""
        self._finish(CUT)

    async def carry(self) -> End:
        """Carries messages both ways until a side ends, then ends the other; returns how it came."""
        ways = [asyncio.create_task(each) for each in (self._up(), self._down(), self._watch())]
        for way in ways:
            way.add_done_callback(self._over)
        try:
            end = await self._end
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await asyncio.gather(self._close_client(end), self._close_backend(end))
        return end

    async def _up(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                code = {NO_CODE: NORMAL}.get(message["code"], message["code"])
                self._finish(End(None, code if code in _PASSABLE else GONE, message["reason"]))
                return
            data, text = _content(message)
            if len(data) > self._limit:
                self._finish(End(TOO_BIG, GONE, f"more than {self._limit} bytes in a message"))
                return
            try:
                await self._backend.send(data, text=text)
            except SocketEndedError:
                return  # `_down` first hands over what came before the end (rule 6)
            except UpstreamError as error:
                LOG.info("a WebSocket failed: %s", error)
                self._finish(End(INTERNAL, GONE, "the media service took too long"))
                return
            self._moved = self._now()

    async def _down(self) -> None:
        while True:
            try:
                message = await self._backend.receive()
            except SocketEndedError as ended:
                self._finish(End(ended.code, None, ended.reason))
                return
            kind = "text" if isinstance(message, str) else "bytes"
            await self._send({"type": "websocket.send", kind: message})
            self._moved = self._now()

    async def _watch(self) -> None:
        while (left := self._moved + self._patience - self._now()) > 0:  # noqa: ASYNC110 - a limit, not a poll
            await asyncio.sleep(left)
        self._finish(IDLE)

    def _finish(self, end: End) -> None:
        if not self._end.done():
            self._end.set_result(end)

    def _over(self, way: "asyncio.Task[None]") -> None:
        """Called when a way has ended, by an error too: `send` fails once the client is gone."""
        if not way.cancelled() and (error := way.exception()) is not None:
            LOG.info("a WebSocket failed: %s: %s", type(error).__name__, error)
            self._finish(End(INTERNAL, GONE, "the gateway could not carry a message"))

    async def _close_client(self, end: End) -> None:
        if end.to_client is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._send({"type": "websocket.close", "code": end.to_client, "reason": end.why})
        except (TimeoutError, ClientGoneError):
            LOG.info("a client did not take the close of its WebSocket")

    async def _close_backend(self, end: End) -> None:
        if end.to_backend is not None:
            await self._backend.close(end.to_backend, end.why if end.to_client is None else "")


def _content(message: Mapping[str, Any]) -> tuple[bytes, bool]:
    """Returns a client's message as bytes, and whether it is a text."""
    text = message.get("text")
    return (message["bytes"], False) if text is None else (text.encode(), True)
