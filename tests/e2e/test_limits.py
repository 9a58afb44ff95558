"""What a gateway that runs does with those who ask too often, too much at once, too large or too slowly."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import pytest

from backends import OK, Visit, answering
from e2e.behind import eventually, told
from e2e.house import House, house
from e2e.processes import sockets, workers
from e2e.raw import line, request

ROWS: Final = """
  - GET /open/{path...}: {anonymous: true}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - GET, PUT /files/{path...}: {action: write, object: file, id: "/files/{path}", role: can_write_files}
"""
RATES: Final = """
[rates]
address = "6/h"
address_burst = 6
user = "6/h"
user_burst = 4
token = "6/h"
token_burst = 3
guesses = "6/h"
guesses_burst = 2
"""
BOUNDS: Final = """
[server]
header_timeout = "1s"
[limits]
in_flight = 4
headers = 30
head = "8KiB"
body = "1MiB"
body_timeout = "400ms"
answer_timeout = "500ms"
"""
CLIP: Final = "/assets/clip"
MIB: Final = 1 << 20


@pytest.fixture(scope="module", name="rated")
def house_with_rates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with all rates; each test asks from addresses of its own."""
    with house(tmp_path_factory.mktemp("rated"), RATES, ROWS) as found:
        yield found


@pytest.fixture(scope="module", name="bounded")
def house_with_bounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with small bounds and short times."""
    with house(tmp_path_factory.mktemp("bounded"), BOUNDS, ROWS) as found:
        yield found


@pytest.fixture(name="home")
def clean_house(bounded: House) -> House:
    """The gateway with bounds, with a backend that has seen nothing and nothing under way."""
    bounded.backend.clear()
    return bounded


# ---------------------------------------------------------------------------------------------------- how often


def test_an_address_that_asks_too_often_is_refused_and_others_are_served(rated: House) -> None:
    """The request beyond the burst is 429 with the usual headers, is audited, and reaches no backend."""
    rated.backend.clear()
    answers = [rated.get("/open/a", source="127.0.1.1") for _ in range(7)]
    other = rated.get("/open/a", source="127.0.1.2")

    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert [answer.headers["ratelimit"] for answer in answers[:2]] == [
        '"address";r=5;t=600',
        '"address";r=4;t=1200',
    ]
    assert other.status_code == 200
    last = answers[-1]
    assert last.json()["reason"] == "address-rate"
    assert (last.headers["ratelimit-policy"], last.headers["ratelimit"]) == (
        '"address";q=6;w=3600',
        '"address";r=0;t=3600',
    )
    assert 500 < int(last.headers["retry-after"]) <= 600
    assert last.headers["cache-control"] == "no-store"
    assert rated.audited(last)["reason"] == "address-rate"
    assert len(rated.backend.requests) == 7


def test_an_address_is_refused_before_its_credential_is_looked_at(rated: House) -> None:
    """Beyond its rate an address gets 429 for a good and for a bad credential, and none of them counts as a guess."""
    for _ in range(6):
        rated.get("/open/a", source="127.0.2.1")

    assert rated.get(CLIP, "stan", source="127.0.2.1").json()["reason"] == "address-rate"
    bad = rated.get(CLIP, headers={"Authorization": "Bearer x"}, source="127.0.2.1")
    assert bad.json()["reason"] == "address-rate"


def test_a_token_and_all_tokens_of_a_user_have_rates_of_their_own(rated: House) -> None:
    """From ever new addresses one token gets three requests, a second token of the same user only what the user has left."""
    rated.backend.clear()
    sources = iter(f"127.0.3.{number}" for number in range(1, 20))
    first = [rated.get(CLIP, "vera", source=next(sources)) for _ in range(4)]
    second = rated.run("token", "create", "vera@example.org", "--app", "Player")["token"]
    rest = [
        rated.get(CLIP, headers={"Authorization": f"Bearer {second}"}, source=next(sources)) for _ in range(2)
    ]
    other = rated.get(CLIP, "stan", source=next(sources))

    assert [answer.status_code for answer in first] == [200, 200, 200, 429]
    assert first[3].json()["reason"] == "token-rate"
    assert rated.audited(first[3])["user"] == "vera"
    assert [answer.status_code for answer in rest] == [200, 429]
    assert rest[1].json()["reason"] == "user-rate"
    assert (
        first[0].headers["ratelimit-policy"] == '"address";q=6;w=3600, "token";q=3;w=1800, "user";q=4;w=2400'
    )
    assert other.status_code == 200
    assert len(rated.backend.requests) == 5


def test_an_address_that_guesses_is_refused_even_when_it_guesses_right(rated: House) -> None:
    """After two wrong credentials no credential of the address is looked at; others, and those without one, are served."""
    here = "127.0.4.1"
    wrong = [
        rated.get(CLIP, headers={"Authorization": credential}, source=here)
        for credential in ("Bearer wrong", "Digest malformed")
    ]
    right = rated.get(CLIP, "kim", source=here)

    assert [answer.json()["reason"] for answer in wrong] == ["credential-unknown"] * 2
    assert (right.status_code, right.json()["reason"]) == (429, "guess-rate")
    assert int(right.headers["retry-after"]) > 500
    assert rated.get("/open/a", source=here).status_code == 200
    assert rated.get(CLIP, "kim", source="127.0.4.2").status_code == 200


def test_without_rates_nothing_is_told(home: House) -> None:
    """A gateway that limits no rate adds no headers and never refuses for one."""
    answers = [home.get("/open/a") for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}
    assert not any(name.lower().startswith("ratelimit") for name in answers[0].headers)


# ------------------------------------------------------------------------------------------------ how much at once


def test_a_flood_is_shed_at_once_and_leaves_nothing_behind(home: House) -> None:
    """With four requests under way all others are 503 at once, liveness answers, and afterwards everything is served again."""
    go = threading.Event()

    async def slow(visit: Visit) -> None:
        await visit.request()
        await told(go)
        await visit.send(OK)
        await answering(OK)(visit)

    home.backend.use(slow)
    with ExitStack() as stack:
        stack.callback(go.set)
        clients = [stack.enter_context(home.line()) for _ in range(4)]
        for client in clients:
            client.send(request("GET", CLIP, home.bearer("vera")))
        assert eventually(lambda: len(home.backend.requests) == 4)
        with ThreadPoolExecutor(10) as pool:
            shed = list(pool.map(lambda _: home.get(CLIP, "vera"), range(60)))
        alive = home.get("/-/livez").status_code
        go.set()
        served = [client.answer().status for client in clients]
    after = [home.get(CLIP, "vera").status_code for _ in range(20)]

    assert {(answer.status_code, answer.json()["reason"]) for answer in shed} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in shed} == {"1"}
    assert home.audited(shed[0])["reason"] == "overloaded"
    assert alive == 200
    assert served == [200] * 4
    assert after == [200] * 20


# --------------------------------------------------------------------------------------------------- how large


@pytest.mark.parametrize("lines", [
    [f"x-{number}: y" for number in range(30)], ["x: " + "y" * 8192], [f"x-{number}: " + "y" * 800 for number in range(11)],
    [f"x-{number}: y" for number in range(200)], ["x: " + "y" * 600_000],
], ids=["count", "one", "sum", "far more", "far longer"])  # fmt: skip
def test_a_head_that_is_too_large_is_431_and_the_connections_last(home: House, lines: list[str]) -> None:
    """Too many headers, or too long ones, are refused with their reason, however far beyond the bound they are."""
    with home.line() as client:
        client.send(request("GET", CLIP, home.bearer("vera"), *lines))
        answer = client.answer()
        over = client.is_over()

    assert (answer.status, answer.reason) == (431, "head-too-large")
    assert over
    assert home.backend.requests == []


def test_a_length_that_is_too_large_is_refused_before_anything_is_read(home: House) -> None:
    """A head that announces more than the bound is 413 while not one byte of the body was sent; the bound itself passes."""
    with home.line() as client:
        client.send(request("PUT", "/files/a", home.bearer("stan"), f"content-length: {MIB + 1}"))
        answer = client.answer()
        over = client.is_over()
    seen = list(home.backend.requests)
    whole = home.ask("PUT", "/files/a", "stan", data=bytes(MIB))

    assert (answer.status, answer.reason) == (413, "body-too-large")
    assert over
    assert seen == []
    assert whole.status_code == 200
    assert len(home.backend.requests[0].body) == MIB


def test_a_body_without_a_length_is_refused_as_soon_as_it_is_too_large(home: House) -> None:
    """Chunks beyond the bound are 413, and the backend's request ends unfinished."""
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    with home.line() as client:
        client.send(request("PUT", "/files/a", home.bearer("stan"), "transfer-encoding: chunked"))
        for _ in range(16):
            client.send(chunk)
        client.send(b"1\r\nx\r\n")
        answer = client.answer()

    assert (answer.status, answer.reason) == (413, "body-too-large")
    (visit,) = home.backend.visits
    assert eventually(visit.over.is_set)
    assert [each.body for each in visit.requests] == [b""]


# -------------------------------------------------------------------------------------------------- how slowly


@pytest.mark.parametrize(("framing", "part", "asked"), [
    ("content-length: 100", b"abc", 0), (f"content-length: {MIB}", bytes(1000), 1), ("transfer-encoding: chunked", b"3\r\nabc\r\n", 1),
    ("transfer-encoding: chunked", b"", 1),
], ids=["small", "large", "chunked", "none"])  # fmt: skip
def test_a_body_that_stands_still_is_408_and_frees_the_backend(
    home: House, framing: str, part: bytes, asked: int
) -> None:
    """A client that stops in its body is told so; a connection to the backend, where there was one, is cut."""
    with home.line() as client:
        client.send(request("PUT", "/files/a", home.bearer("stan"), framing) + part)
        answer = client.answer()
        over = client.is_over()

    assert (answer.status, answer.reason) == (408, "body-slow")
    assert over
    assert len(home.backend.visits) == asked
    assert eventually(lambda: all(visit.over.is_set() for visit in home.backend.visits))


def test_a_slow_body_that_moves_is_carried(home: House) -> None:
    """Little by little, for longer than the limit in all, a body arrives whole."""
    with home.line() as client:
        client.send(request("PUT", "/files/a", home.bearer("stan"), "transfer-encoding: chunked"))
        for _ in range(6):
            time.sleep(0.15)
            client.send(b"1\r\nx\r\n")
        client.send(b"0\r\n\r\n")
        status = client.answer().status

    assert status == 200
    assert home.backend.requests[0].body == b"xxxxxx"


async def endless(visit: Visit) -> None:
    """A backend whose answer never ends."""
    await visit.request()
    await visit.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await visit.send(b"10000\r\n" + bytes(65_536) + b"\r\n")


def test_a_client_that_takes_nothing_is_cut_on_both_sides(home: House) -> None:
    """Client and backend both lose their connections while the client still reads nothing, and the answer has no end."""
    (worker,) = workers(home.gateway.pid)
    assert eventually(lambda: sockets(worker) > 0)
    home.backend.use(endless)
    before = sockets(worker)
    with home.line() as client:
        client.send(request("GET", CLIP, home.bearer("vera")))
        assert eventually(lambda: home.backend.visits)
        (visit,) = home.backend.visits
        assert eventually(visit.over.is_set)
        assert eventually(lambda: sockets(worker) <= before)
        with pytest.raises((EOFError, ConnectionError)):
            client.answer()

    assert "took nothing of its answer" in home.gateway.log


def test_a_client_that_takes_little_by_little_is_served(home: House) -> None:
    """A client that reads slowly, for longer than the limit in all, gets its answer whole."""
    size = 24 * MIB
    home.backend.answers(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
    with home.line() as client:
        client.send(request("GET", CLIP, home.bearer("vera")))
        client.head()
        left = size
        for _ in range(12):
            time.sleep(0.1)
            client.read(MIB)
            left -= MIB
        client.read(left)
        status = client.ask("GET", CLIP, home.bearer("vera"))

    assert status.status == 200


def test_a_client_that_waits_for_events_is_not_slow(home: House) -> None:
    """An answer that is silent for longer than either limit goes on."""

    async def events(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await told(go)
        await visit.send(b"3\r\ntwo\r\n0\r\n\r\n")

    go = threading.Event()
    home.backend.use(events)
    timer = threading.Timer(1.0, go.set)
    timer.start()
    with home.line() as client:
        answer = client.ask("GET", CLIP, home.bearer("vera"))
    timer.join()

    assert (answer.status, answer.body) == (200, b"onetwo")


@pytest.mark.parametrize(
    "start", [b"", b"GET /assets/clip HTTP/1.1\r\nhost: gw.example\r\n"], ids=["line", "headers"]
)
def test_a_head_that_trickles_is_not_waited_for(home: House, start: bytes) -> None:
    """A client that sends a byte of its head every now and then is cut after the time for the whole head."""
    with line(home.gateway.url) as client:
        client.send(start)
        client.socket.settimeout(0.2)
        over, begun = False, time.monotonic()
        while not over and time.monotonic() - begun < 10:
            try:
                client.send(b"x")
                over = client.socket.recv(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                over = True

    assert over
    assert home.backend.requests == []
