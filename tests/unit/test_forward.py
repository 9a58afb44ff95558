"""Carrying a request and its answer between a client and a backend on a real socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from backends import LOOPS, OK, Visit, answering, once
from gateway.caching import VARY
from gateway.downstream import ClientGoneError
from gateway.errors import GatewayError
from gateway.forward import (
    SMALL_BODY,
    BrokenOffError,
    Carried,
    ClientBody,
    body_of,
    forward,
)
from gateway.reasons import Reason
from gateway.upstream import (
    Answer,
    Outbound,
    UploadBrokenError,
    UpstreamDownError,
    UpstreamTruncatedError,
)
from upstreams import backend_of

pytestmark = pytest.mark.anyio

MIB = 1 << 20


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


class Client:
    """A client as `gateway.downstream` shows it: it sends `body`, then listens until `leave`, or breaks off."""

    def __init__(self, *body: bytes, breaks_off: bool = False) -> None:
        last = len(body) - 1
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": breaks_off or turn < last}
            for turn, piece in enumerate(body or (b"",))
        ]
        self._waiter: asyncio.Future[None] | None = None
        self.on_gone: Callable[[], None] | None = None
        self.gone = False
        self.heard: list[dict[str, Any]] = []
        self.taking = asyncio.Event()
        self.taking.set()
        self._breaks_off = breaks_off

    def leave(self) -> None:
        """Closes the client's connection: whoever waits for its body hears of it, else `on_gone` is called."""
        self.gone = True
        if self._waiter is not None:
            self._waiter.set_result(None)
        elif self.on_gone is not None:
            self.on_gone()

    async def receive(self) -> dict[str, Any]:
        """The next piece of its body."""
        if self._messages:
            return self._messages.pop(0)
        self.gone = self.gone or self._breaks_off
        if not self.gone:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Takes a message."""
        await self.taking.wait()
        self.heard.append(message)

    async def hears(self, condition: Callable[[], bool]) -> None:
        """Waits until what was heard is so."""
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for are sockets in this loop
                await asyncio.sleep(0.002)

    @property
    def status(self) -> int | None:
        """The status heard."""
        return self.heard[0]["status"] if self.heard else None

    @property
    def body(self) -> bytes:
        """The body heard so far."""
        return b"".join(message["body"] for message in self.heard[1:])

    @property
    def finished(self) -> bool:
        """Whether the answer was ended as a whole one."""
        return len(self.heard) > 1 and not self.heard[-1]["more_body"]


def get() -> Outbound:
    """A request without a body."""
    return Outbound("GET", b"/a", [(b"host", b"h")], request_id="r1")


def put(client: Client, length: int | None) -> Outbound:
    """A request with the client's body."""
    return Outbound("PUT", b"/a", [(b"host", b"h")], ClientBody(client.receive), length, request_id="r1")


async def test_an_answer_is_carried_as_it_is() -> None:
    """Status, headers but for the connection's own, and body reach the client, with the request's id."""
    answer = b"HTTP/1.1 206 P\r\nConnection: x\r\nX: 1\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok"
    client = Client()
    async with backend_of(answering(answer)) as (_, upstream):
        assert await forward(get(), upstream, client) == Carried(206, 2)
    assert client.heard == [
        {
            "type": "http.response.start",
            "status": 206,
            "headers": [
                (b"content-range", b"bytes 0-1/9"),
                (b"content-length", b"2"),
                (b"x-request-id", b"r1"),
                (b"cache-control", b"private"),
                VARY,
            ],
        },
        {"type": "http.response.body", "body": b"ok", "more_body": False},
    ]


async def test_an_answer_without_a_body_keeps_its_length() -> None:
    """An answer to HEAD tells the length of what it does not carry."""
    client = Client()
    async with backend_of(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as (_, upstream):
        await forward(Outbound("HEAD", b"/", []), upstream, client)
    assert (b"content-length", b"9") in client.heard[0]["headers"]
    assert (client.body, client.finished) == (b"", True)


async def test_pieces_go_on_as_they_come() -> None:
    """The client has the head, and each event, before the backend sends the next."""
    client = Client()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.hears(
            lambda: len(client.heard) > 1
        )  # servers keep a head until there is a body, be it empty
        for event in (b"one", b"two"):
            await visit.send(b"3\r\n%s\r\n" % event)
            await client.hears(lambda: client.body.endswith(event))  # noqa: B023 - awaited within the turn
        await visit.send(b"0\r\n\r\n")

    async with backend_of(script) as (_, upstream):
        await forward(get(), upstream, client)
    assert (client.body, client.finished) == (b"onetwo", True)


@pytest.mark.parametrize("length", [6, None])
async def test_bodies_reach_the_backend(length: int | None) -> None:
    """A client's body is sent on with the framing it came with."""
    client = Client(b"abc", b"", b"def")
    async with backend_of(answering(OK)) as (backend, upstream):
        await forward(put(client, length), upstream, client)
    assert backend.requests[0].body == b"abcdef"
    assert bool(backend.requests[0].values(b"content-length")) is (length is not None)


async def test_a_large_body_streams() -> None:
    """A body beyond the small ones reaches the backend while the client still sends it."""
    first = asyncio.Event()

    class Slow(Client):
        async def receive(self) -> dict[str, Any]:
            if len(self._messages) == 1:
                await asyncio.wait_for(first.wait(), 5)
            return await super().receive()

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.reader.readexactly(SMALL_BODY)
        first.set()
        await visit.reader.readexactly(SMALL_BODY)
        await visit.send(OK)

    client = Slow(bytes(SMALL_BODY), bytes(SMALL_BODY))
    async with backend_of(script) as (_, upstream):
        assert (await forward(put(client, 2 * SMALL_BODY), upstream, client)).status == 200


async def test_a_small_body_takes_no_connection_until_it_is_there() -> None:
    """A client that breaks off a small body, or sends another length of it, never reaches the backend."""
    async with backend_of(answering(OK)) as (backend, upstream):
        client = Client(b"abc", breaks_off=True)
        with pytest.raises(ClientGoneError) as gone:
            await forward(put(client, 9), upstream, client)
        assert not gone.value.sent
        for body in (b"abc", b"abcdefghijkl"):
            client = Client(body)
            with pytest.raises(UploadBrokenError) as broken:
                await forward(put(client, 9), upstream, client)
            assert (broken.value.reason, broken.value.sent) == (Reason.BAD_BODY, False)
            assert client.heard == []
    assert backend.visits == []


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("length", [None, MIB])
async def test_a_body_that_breaks_off_is_never_whole(length: int | None, *, detached: bool) -> None:
    """The backend sees the connection end within the body, whoever else wanted to know the outcome."""
    seen = []

    async def script(visit: Visit) -> None:
        await visit.head()
        seen.append(await visit.reader.read())

    client = Client(b"abc", breaks_off=True)
    async with backend_of(script) as (backend, upstream):
        with pytest.raises(ClientGoneError) as gone:
            await forward(put(client, length), upstream, client, detached=detached)
        assert gone.value.sent
        await backend.visits[0].ended()
    assert seen == [b"abc" if length else b"3\r\nabc\r\n"]
    assert client.heard == []


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n\r\npart"], ids=["before", "within"])
@pytest.mark.parametrize("with_body", [False, True])
async def test_a_client_that_leaves_ends_the_backends_work(begun: bytes, *, with_body: bool) -> None:
    """The backend's connection is closed when the client goes, before the answer or within it."""
    client = Client(b"abc")

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(begun)
        client.leave()
        await visit.left()

    async with backend_of(script) as (backend, upstream):
        outbound = put(client, None) if with_body else get()
        with pytest.raises(ClientGoneError):
            async with asyncio.timeout(5):
                await forward(outbound, upstream, client)
        await backend.visits[0].ended()
        assert upstream.pool.open == 0
    assert not client.finished
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_client_that_takes_nothing_and_leaves_is_noticed() -> None:
    """A client is watched while the server cannot send to it."""
    client = Client()
    client.taking.clear()
    async with backend_of(answering(OK)) as (_, upstream):
        task = asyncio.create_task(forward(get(), upstream, client))
        await asyncio.sleep(0.01)
        client.leave()
        with pytest.raises(ClientGoneError):
            await asyncio.wait_for(task, 5)


async def test_a_cancellation_from_outside_stays_one() -> None:
    """Stopping the request's own task is not taken for the client's leaving."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.left()

    client = Client()
    async with backend_of(script) as (backend, upstream):
        task = asyncio.create_task(forward(get(), upstream, client))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await backend.visits[0].ended()


async def test_an_answer_is_settled_before_the_client_hears_of_it() -> None:
    """`on_answer` sees status, headers and, if it wants, the body; the client gets the whole answer afterwards."""
    client = Client()

    async def settle(answer: Answer) -> Answer:
        assert client.heard == []
        assert (answer.status, await answer.read(100)) == (200, b"ok")
        await asyncio.sleep(0)
        assert client.heard == []
        return answer

    async with backend_of(answering(OK)) as (_, upstream):
        await forward(get(), upstream, client, settle)
    assert (client.body, client.finished) == (b"ok", True)


async def test_an_answer_may_be_replaced() -> None:
    """The client gets the answer that `on_answer` returns; the backend's own is dropped."""
    client = Client()

    async def instead(_: Answer) -> Answer:
        return Answer.of(200, ((b"content-length", b"8"),), b"filtered")

    async with backend_of(answering(OK)) as (_, upstream):
        await forward(get(), upstream, client, instead)
    assert client.body == b"filtered"


async def test_what_settling_raises_is_raised() -> None:
    """An answer that cannot be settled is not seen by the client."""
    client = Client()

    async def fail(_: Answer) -> Answer:
        raise GatewayError(Reason.OUTCOME_UNKNOWN)

    async with backend_of(answering(OK)) as (_, upstream):
        with pytest.raises(GatewayError, match="outcome-unknown"):
            await forward(get(), upstream, client, fail)
    assert client.heard == []


async def test_a_detached_request_is_finished_without_the_client() -> None:
    """With `detached`, the backend's answer is awaited and settled although the client left long before."""
    client = Client()
    client.leave()
    settled = []

    async def script(visit: Visit) -> None:
        await visit.request()
        await asyncio.sleep(0.15)
        await visit.send(OK)
        await visit.left()

    async def settle(answer: Answer) -> Answer:
        settled.append(await answer.read(10))
        return answer

    async with backend_of(script) as (_, upstream):
        with pytest.raises(ClientGoneError):
            await forward(get(), upstream, client, settle, detached=True)
    assert settled == [b"ok"]


async def test_settling_that_has_begun_is_finished() -> None:
    """A client that leaves while `on_answer` writes does not interrupt it, detached or not."""
    client = Client()
    settled = []

    async def settle(answer: Answer) -> Answer:
        client.leave()
        await asyncio.sleep(0.15)
        settled.append(answer.status)
        return answer

    async with backend_of(answering(OK)) as (_, upstream):
        with pytest.raises(ClientGoneError):
            await forward(get(), upstream, client, settle)
    assert settled == [200]


async def test_an_answer_that_breaks_off_is_not_ended() -> None:
    """The client gets what came and then no last message: only so can its server tell that it was cut."""
    client = Client()
    async with backend_of(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")) as (_, upstream):
        with pytest.raises(BrokenOffError) as broken:
            await forward(get(), upstream, client)
    assert isinstance(broken.value.__cause__, UpstreamTruncatedError)
    assert (client.status, client.body, client.finished) == (200, b"part", False)


async def test_an_answer_that_ends_with_its_head_can_still_be_refused() -> None:
    """The head waits for the first piece of the body: where none comes, what failed is raised and not that something broke off."""
    client = Client()
    async with backend_of(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as (_, upstream):
        with pytest.raises(UpstreamTruncatedError):
            await forward(get(), upstream, client)
    assert client.body == b""


async def test_a_failure_before_the_head_tells_the_client_nothing() -> None:
    """What a refusal can still be made of is raised as the upstream's error."""
    client = Client()
    async with backend_of(once(b"")) as (_, upstream):
        with pytest.raises(UpstreamDownError):
            await forward(get(), upstream, client)
    assert client.heard == []


async def test_64_mib_both_ways_are_never_held() -> None:
    """A backend that echoes a body meets a client that takes it slowly: both wait, and little is held between."""

    class Sender(Client):
        async def receive(self) -> dict[str, Any]:
            await asyncio.sleep(0)
            return await super().receive()

        async def send(self, message: Any) -> None:
            await asyncio.sleep(0)
            octets.append(len(message.get("body", b"")))

    async def script(visit: Visit) -> None:
        await visit.head()
        left = 64 * MIB
        while left:
            left -= len(await visit.reader.read(MIB))
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64):
            await visit.send(block)

    octets: list[int] = []
    block = bytes(MIB)
    client = Sender(*([block[: MIB // 8]] * 512))
    async with backend_of(script) as (_, upstream):
        carried = await forward(put(client, 64 * MIB), upstream, client)
        assert carried == Carried(200, 64 * MIB)
        assert sum(octets) == 64 * MIB
        assert upstream.pool.upload_peak < MIB // 2
        assert upstream.pool.answer_peak < MIB // 2


@pytest.mark.parametrize(
    ("headers", "length", "streams"),
    [
        ([], None, False),
        ([(b"content-length", b"0")], 0, False),
        ([(b"content-length", b"12")], 12, True),
        ([(b"transfer-encoding", b"chunked")], None, True),
    ],
)
async def test_a_body_is_what_its_framing_says(
    headers: list[tuple[bytes, bytes]], length: int | None, *, streams: bool
) -> None:
    """The client's own framing decides whether there is a body and how long it is."""
    body, found = body_of(headers, Client().receive)
    assert (body is not None, found) == (streams, length)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1" * 19)],
        [(b"content-length", b"")],
    ],
)
async def test_framing_with_two_readings_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    """Two framings, or a length that is no number, are no request."""
    with pytest.raises(GatewayError, match="bad-headers"):
        body_of(headers, Client().receive)


class Bounded(Client):
    """A client whose server finds at the end of `body` that there is too much of it."""

    async def receive(self) -> dict[str, Any]:
        """What the server hands over, or finds."""
        if self._messages:
            return await super().receive()
        raise UploadBrokenError("too much")


async def test_a_small_body_beyond_its_bounds_has_reached_nobody() -> None:
    """What fails while a body is gathered says that the backend saw nothing, so that effects can be taken back."""
    async with backend_of(answering(OK)) as (backend, upstream):
        client = Bounded(b"abc", breaks_off=True)
        with pytest.raises(UploadBrokenError) as broken:
            await forward(put(client, 9), upstream, client)
    assert not broken.value.sent
    assert backend.visits == []
