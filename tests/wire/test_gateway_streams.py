"""What takes its time, through the whole running gateway: events, long polls and slow uploads pass piece by piece, held back by nobody."""

import threading
from collections.abc import Iterator
from typing import Final

import pytest

from backends import OK, Visit
from e2e.behind import eventually, told
from e2e.house import House
from e2e.raw import line
from e2e.wires import head, wired

FIRST, SECOND = b"id: 1\ndata: one\n\n", b"id: 2\ndata: two\n\n"
EVENTS: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with rows for every path."""
    with wired(tmp_path_factory.mktemp("house")) as found:
        yield found


def chunk(data: bytes) -> bytes:
    """Returns one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("chunked", [True, False])
def test_an_event_arrives_before_the_next_is_sent(home: House, *, chunked: bool) -> None:
    """Each server-sent event reaches the client by itself: the backend sends the second one only after the first was read."""
    go = threading.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        framed = chunk if chunked else bytes
        await visit.send(
            EVENTS + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Connection: close\r\n\r\n")
        )
        await visit.send(framed(FIRST))
        await told(go)
        await visit.send(framed(SECOND) + (b"0\r\n\r\n" if chunked else b""))

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", b"accept: text/event-stream", b"last-event-id: 0"))
        status, headers = client.head()
        assert client.read(len(chunk(FIRST))) == chunk(FIRST)
        go.set()
        assert client.read(len(chunk(SECOND))) == chunk(SECOND)
    (received,) = home.backend.requests
    known = {name.lower(): value for name, value in headers}

    assert status == 200
    assert (known["content-type"], known["x-accel-buffering"]) == ("text/event-stream", "no")
    assert "content-length" not in known
    assert received.values(b"last-event-id") == [b"0"]


def test_the_head_of_a_stream_arrives_before_its_first_event(home: House) -> None:
    """A client learns that its stream has begun although nothing has happened yet."""
    go = threading.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n")
        await told(go)

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a"))
        assert client.head()[0] == 200
        go.set()


def test_a_client_that_leaves_ends_its_stream(home: House) -> None:
    """Whoever closes a stream ends the backend's work on it, though the backend sends nothing that could fail."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(FIRST))
        await visit.left()

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a"))
        assert client.head()[0] == 200

    assert eventually(home.backend.visits[0].over.is_set)


def test_a_long_poll_waits_without_holding_others_up(home: House) -> None:
    """A request whose answer takes long stays open, gets its answer when there is one, and others are served meanwhile."""
    go = threading.Event()

    async def script(visit: Visit) -> None:
        while True:
            if (await visit.request()).line.startswith(b"GET /poll"):
                await told(go)
            await visit.send(OK)

    home.backend.use(script)
    with line(home.gateway.url) as waiting:
        waiting.send(head(home, b"/poll"))
        assert eventually(lambda: home.backend.requests)
        assert [home.get(f"/{number}", "ada").status_code for number in range(5)] == [200] * 5
        waiting.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            waiting.socket.recv(1)
        go.set()
        waiting.socket.settimeout(20)
        assert waiting.answer().body == b"ok"


def test_an_upload_arrives_as_it_is_sent(home: House) -> None:
    """The first piece of an upload of unknown length is at the backend before the client sends the second."""
    arrived = threading.Event()

    async def script(visit: Visit) -> None:
        await visit.head()
        while b"first" not in (seen := await visit.reader.readuntil(b"\r\n")):
            assert seen
        arrived.set()
        await visit.reader.readuntil(b"\r\n0\r\n\r\n")
        await visit.send(OK)

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", b"transfer-encoding: chunked", method=b"PUT") + chunk(b"first"))
        assert arrived.wait(10)
        client.send(chunk(b"second") + b"0\r\n\r\n")
        assert client.answer().status == 200


def test_a_client_that_asks_whether_to_go_on_is_told_here(home: House) -> None:
    """`Expect: 100-continue` is answered by the gateway and does not reach the backend; the backend's own interim answers go no further."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
            + OK
        )

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", b"expect: 100-continue", b"content-length: 4", method=b"PUT"))
        assert client.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"film")
        raw = client.socket.recv(4096)
    (received,) = home.backend.requests

    assert raw.startswith(b"HTTP/1.1 200 OK")
    assert raw.count(b"HTTP/1.1") == 1
    assert received.values(b"expect") == []
    assert received.body == b"film"
