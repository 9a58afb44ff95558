"""What a request may take of a worker, asked with a server's two callables that do what a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from backends import LOOPS
from gateway.errors import GatewayError
from gateway.forward import ClientGoneError
from gateway.limits import Buckets
from gateway.reasons import Reason
from gateway.settings.sections import LimitsSection
from gateway.visits import BodyBoundError, Visit, Visits
from upstreams import until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


class Server:
    """The two callables of a server whose client sends `pieces` and then nothing, and takes messages while `taking`."""

    def __init__(self, *pieces: bytes, whole: bool = False) -> None:
        self._messages = [{"type": "http.request", "body": piece, "more_body": not whole} for piece in pieces]
        self.taking = asyncio.Event()
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        """What the client sends next."""
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Any) -> None:
        """Takes a message when the client does."""
        await self.taking.wait()
        self.sent.append(message)


def scope(*headers: tuple[bytes, bytes], method: str = "PUT", kind: str = "http") -> dict[str, Any]:
    """A request's scope."""
    return {"type": kind, "method": method, "headers": list(headers)}


@asynccontextmanager
async def sweeping(**limits: Any) -> AsyncIterator[Visits]:
    """The requests of a worker, swept."""
    visits = Visits(LimitsSection(**limits))
    visits.start()
    try:
        yield visits
    finally:
        visits.stop()


def begun(visits: Visits, server: Server, *headers: tuple[bytes, bytes], **more: str) -> Visit:
    """Begins a visit."""
    return visits.begin(scope(*headers, **more), server.receive, server.send)


def refused(visit: Visit) -> Reason | None:
    """Why a visit is refused at once; None if it is not."""
    try:
        visit.check()
    except GatewayError as error:
        return error.reason
    return None


async def test_what_is_beyond_the_bound_is_refused_until_something_ends() -> None:
    """The third of two is refused, and taken when one of the others has ended."""
    visits, server = Visits(LimitsSection(in_flight=2)), Server()
    first, second, third = (begun(visits, server) for _ in range(3))

    assert refused(third) is Reason.OVERLOADED
    visits.end(first)
    assert refused(third) is None
    for visit in (second, third, third):
        visits.end(visit)
    assert len(visits) == 0


@pytest.mark.parametrize(("headers", "reason"), [
    ([(b"x", b"y")] * 4, None), ([(b"x", b"y")] * 5, Reason.HEAD_TOO_LARGE),
    ([(b"x", b"y" * 39)], None), ([(b"x", b"y" * 40)], Reason.HEAD_TOO_LARGE), ([(b"x" * 20, b"y" * 10), (b"z" * 11, b"")], Reason.HEAD_TOO_LARGE),
    ([(b"content-length", b"10")], None), ([(b"content-length", b"11")], Reason.BODY_TOO_LARGE),
    ([(b"content-length", b"five")], None), ([(b"content-length", b"9" * 19)], None),
], ids=repr)  # fmt: skip
async def test_heads_and_stated_lengths_are_bounded(
    headers: list[tuple[bytes, bytes]], reason: Reason | None
) -> None:
    """Count, bytes and stated length each have a last value that passes; a length of another form is not judged here."""
    visits = Visits(LimitsSection(headers=4, head=40, body=10))

    assert refused(begun(visits, Server(), *headers)) is reason


@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_a_body_is_counted_as_it_comes(method: str) -> None:
    """A body that states no length, of whatever method, ends with the piece that is too much."""
    visits = Visits(LimitsSection(body=10))
    visit = begun(visits, Server(b"12345", b"67890", b"1"), method=method)
    got = [(await visit.receive())["body"] for _ in range(2)]
    with pytest.raises(BodyBoundError) as error:
        await visit.receive()

    assert got == [b"12345", b"67890"]
    assert (error.value.reason, error.value.sent) == (Reason.BODY_TOO_LARGE, True)


async def test_a_body_that_stands_still_ends() -> None:
    """Who waits for it is told why, and goes on as if nobody had been cancelled."""
    async with sweeping(body_timeout=0.05) as visits:
        visit = begun(visits, Server(b"12"))
        await visit.receive()
        with pytest.raises(BodyBoundError) as error:
            await asyncio.wait_for(visit.receive(), 5)
        await asyncio.sleep(0)

    assert error.value.reason is Reason.BODY_SLOW


async def test_a_client_that_takes_nothing_is_gone() -> None:
    """A send that does not end counts as the client's leaving; one that ends in time does not."""
    async with sweeping(answer_timeout=0.05) as visits:
        server = Server()
        visit = begun(visits, server)
        with pytest.raises(ClientGoneError) as gone:
            await asyncio.wait_for(visit.send({"type": "http.response.start"}), 5)
        server.taking.set()
        await visit.send({"type": "http.response.body"})

    assert gone.value.sent
    assert visit.answering
    assert [message["type"] for message in server.sent] == ["http.response.body"]


async def test_waiting_for_a_client_to_leave_has_no_limit() -> None:
    """Once the answer has begun, or where there is no body to come, nothing is expected from the client."""
    async with sweeping(body_timeout=0.02) as visits:
        answering, over, socket = Server(), Server(b"", whole=True), Server()
        answering.taking.set()
        first = begun(visits, answering)
        await first.send({"type": "http.response.start", "headers": []})
        second = begun(visits, over)
        await second.receive()
        third = begun(visits, socket, kind="websocket")
        waiting = [asyncio.create_task(each.receive()) for each in (first, second, third)]
        await asyncio.sleep(0.1)
        done = [task.done() for task in waiting]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert done == [False, False, False]


@pytest.mark.parametrize("way", ["receive", "send"])
async def test_a_cancellation_by_others_stays_one(way: str) -> None:
    """Who is cancelled by somebody else, even while the sweep does the same, is cancelled."""
    async with sweeping(body_timeout=0.05, answer_timeout=0.05) as visits:
        visit = begun(visits, Server())
        wait = visit.receive() if way == "receive" else visit.send({"type": "http.response.start"})
        alone = asyncio.ensure_future(wait)
        await asyncio.sleep(0)
        alone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await alone
        both = asyncio.ensure_future(
            visit.receive() if way == "receive" else visit.send({"type": "http.response.start"})
        )
        visit.answering = False
        await until(lambda: min(visit.receiving, visit.sending) < 1e12)
        if way == "receive":
            visit.expire_body()
        else:
            visit.expire_answer()
        both.cancel()
        with pytest.raises(asyncio.CancelledError):
            await both


async def test_the_head_of_an_answer_tells_how_the_buckets_stand() -> None:
    """The headers are added once, to a head of whoever answers; without buckets nothing is."""
    visits, server = Visits(LimitsSection()), Server()
    server.taking.set()
    told, plain = begun(visits, server), begun(visits, server)
    Buckets("user", Reason.USER_RATE, 1.0, 5, 10).take("vera", told.told)
    head = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
    await told.send(head)
    await told.send({"type": "http.response.body"})
    await plain.send(head)

    names = [[name for name, _ in message.get("headers", ())] for message in server.sent]
    assert names == [[b"x", b"ratelimit-policy", b"ratelimit"], [], [b"x"]]
    assert head["headers"] == [(b"x", b"y")]
