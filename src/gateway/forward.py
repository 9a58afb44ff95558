"""Stage forward: the bytes, both ways, and what happens when one side leaves.

Rules:

1. Nothing is held: pieces go on as they come. Only a body of known, small length is gathered first, so that a slow client
   does not take a backend's connection meanwhile.
2. The client hears nothing before the backend's head is there and, where there is one, `on_answer` has settled what it makes true; where
   there is none, the answer goes from connection to connection as it comes (`gateway.upstream.relay`).
3. A client that leaves ends the backend's work; but `on_answer`, once begun, is finished first, since it may be writing.
   `detached` defers that from the start: what a success makes true must not depend on who still listens. A body
   that the client breaks off ends the work in any case.
4. An answer that breaks off raises and is never ended with an empty last message, which would be its end.
5. A client that leaves while its body is read is heard of by whoever reads; at any other time it says so itself (`Client.on_gone`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec
from starlette.types import Message, Receive, Send

from gateway.caching import for_caches
from gateway.errors import ClientGoneError, GatewayError
from gateway.headers import Pair, response_headers
from gateway.heads import MAX_LENGTH_DIGITS
from gateway.reasons import Reason
from gateway.upstream import Answer, Outbound, Receiver, RelayBrokenError, UploadBrokenError, Upstream

SMALL_BODY: Final = 65536
"""Bodies up to this length are gathered before a backend's connection is taken (rule 1)."""

FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))

OnAnswer = Callable[[Answer], Awaitable[Answer]]


class Caller(Protocol):
    """Who asked, and may leave.

    Attributes:
        on_gone: called if the client leaves while nobody waits for its body.
        gone: whether it has left.
    """

    on_gone: Callable[[], None] | None
    gone: bool

    async def receive(self) -> Message:
        """Returns the next piece of its body."""

    async def send(self, message: Message) -> None:
        """Gives it a message of the answer."""


class Client(Receiver, Caller, Protocol):
    """Who asked, as far as an answer is carried to it; `gateway.downstream.Turn` is one."""


class BrokenOffError(Exception):
    """The answer broke off after the client had its head: only the connection's end can still tell."""


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What the client got."""

    status: int
    octets: int


class ClientBody:
    """The body of the client's request, in pieces as they come; read once."""

    __slots__ = ("_more", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> "ClientBody":
        return self

    async def __anext__(self) -> bytes:
        """Returns the next piece; may be empty.

        Raises:
            ClientGoneError: the client left before the end.
        """
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError(sent=True)
        self._more = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece


def body_of(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> tuple[ClientBody | None, int | None]:
    """Returns `body` and `length` of an `Outbound` as the client's own framing says (RFC 9112 6.3).

    Raises:
        GatewayError: the framing has two readings.
    """
    said = [pair for pair in headers if pair[0] in FRAMING]
    if not said:
        return None, None
    lengths = [value for name, value in said if name == b"content-length"]
    if codings := [value.strip().lower() for name, value in said if name == b"transfer-encoding"]:
        if codings != [b"chunked"]:
            raise GatewayError(Reason.BAD_HEADERS, "a transfer coding other than chunked alone")
        if lengths:
            raise GatewayError(Reason.BAD_HEADERS, "both a length and a transfer coding")
        return ClientBody(receive), None
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > MAX_LENGTH_DIGITS:
        raise GatewayError(Reason.BAD_HEADERS, "not one length that is a number")
    length = int(lengths[0])
    return ClientBody(receive) if length else None, length


async def forward(
    outbound: Outbound,
    upstream: Upstream,
    client: Client,
    on_answer: OnAnswer | None = None,
    *,
    detached: bool = False,
    shared: bool = False,
) -> Carried:
    """Asks the backend and carries its answer to the client; returns what the client got.

    Args:
        outbound: what is asked; a `ClientBody` in it must read from the same client.
        upstream: who is asked.
        client: who gets the answer; nothing was sent yet.
        on_answer: is given the answer before the client hears of it, may `read` its body, and returns what the client
            gets; what it raises is raised from here, and the client gets nothing.
        detached: rule 3. The caller runs this as a task that the end of the client's request does not cancel.
        shared: whether caches may give the answer to others; see `gateway.caching`.

    Raises:
        UpstreamError: no usable answer, or one that ends with its head; the client heard nothing, and its `sent` says what the backend may have seen.
        UploadBrokenError: the client's body is not as long as it said; the client heard nothing.
        ClientGoneError: the client left; with `detached` either before its body was whole, or after `on_answer`.
        BrokenOffError: rule 4; the caller lets it reach the listener.
    """
    if outbound.body is not None:
        outbound = await _gathered(outbound)
    if on_answer is None:
        return await _relay(outbound, upstream, client, shared=shared)
    watch = Watch(client, held=detached)
    try:
        async with upstream.exchange(outbound) as answer:
            watch.hold()
            answer = await on_answer(answer)  # noqa: PLW2901 - the one that the client gets
            watch.let_go()
            return await _carry(answer, outbound, client.send, shared=shared)
    except asyncio.CancelledError:
        watch.name_our_own()
        raise
    finally:
        watch.end()


async def _relay(outbound: Outbound, upstream: Upstream, client: Client, *, shared: bool) -> Carried:
    """Lets the answer go to the client as it comes."""
    links, request_id = outbound.links, outbound.request_id

    def told(headers: Sequence[Pair]) -> list[Pair]:
        return for_caches(response_headers(headers, request_id, links), shared=shared)

    relay = upstream.relay(outbound, client, told)
    try:
        return Carried(await relay.run(), relay.octets)
    except RelayBrokenError as error:
        raise BrokenOffError(str(error)) from error.__cause__


async def _gathered(outbound: Outbound) -> Outbound:
    """Reads a small body whole (rule 1)."""
    body, length = outbound.body, outbound.length
    if not isinstance(body, ClientBody) or length is None or length > SMALL_BODY:
        return outbound
    pieces = bytearray()
    try:
        async for piece in body:
            pieces += piece
            if len(pieces) > length:
                break
    except ClientGoneError:
        raise ClientGoneError(sent=False) from None
    except UploadBrokenError as error:
        error.sent = False
        raise
    if len(pieces) != length:
        raise UploadBrokenError(f"the body is not the {length} bytes that it said", sent=False)
    return msgspec.structs.replace(outbound, body=bytes(pieces), length=None)


async def _carry(answer: Answer, asked: Outbound, send: Send, *, shared: bool) -> Carried:
    told = response_headers(answer.headers, asked.request_id, asked.links)
    headers = for_caches(told, shared=shared)
    piece, more = answer.at_hand()
    if not piece and more and b"content-length" in answer.fields:
        piece, more = await answer.chunk(), not answer.ended  # one that breaks off here can still be refused
    octets = 0
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        while True:  # the first piece is empty where an endless answer has not begun: its head must not wait
            octets += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": more})
            if not more:
                return Carried(answer.status, octets)
            piece, more = await answer.chunk(), not answer.ended
    except GatewayError as error:
        raise BrokenOffError(str(error)) from error


class Watch:
    """Cancels the task that made it when the client leaves, at once or when it is let go (rules 3 and 5)."""

    __slots__ = ("_cancelling", "_client", "_gone", "_held", "_task")

    def __init__(self, client: Caller, *, held: bool) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("forwarding runs in a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._client = client
        self._held = held
        self._gone = False
        client.on_gone = self._left
        if client.gone:
            self._left()

    def hold(self) -> None:
        """Lets nothing be cancelled until `let_go`."""
        self._held = True

    def let_go(self) -> None:
        """Cancels again from now on; raises `ClientGoneError` if the client left meanwhile."""
        self._held = False
        if self._gone:
            raise ClientGoneError(sent=True)

    def end(self) -> None:
        """Watches no more."""
        self._client.on_gone = None

    def name_our_own(self) -> None:
        """Turns a cancellation by this watch into `ClientGoneError`; leaves others be."""
        if self._gone and self._task.uncancel() <= self._cancelling:
            raise ClientGoneError(sent=True) from None

    def _left(self) -> None:
        self._gone = True
        if not self._held:
            self._task.cancel()
