"""What happens when something that a request needs is not there: a backend, the store, the audit."""

import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from backends import Script, Visit, once
from e2e.behind import eventually, told
from e2e.house import House, house
from e2e.raw import request
from e2e.refusals import CLIP, FILE, OPEN, ROWS, is_refusal, refusing


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway in its ordinary state."""
    with refusing(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    home.backend.clear()


def silent(until: threading.Event) -> Script:
    """A backend that takes a request and says nothing until told."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await told(until)

    return script


def test_a_backend_that_is_down_is_a_bad_gateway(home: House) -> None:
    """Where nobody listens the answer is 502; the decision was made and audited all the same."""
    answer = home.get("/down/clip", "ada")

    is_refusal(answer, 502, "backend-down")
    assert home.audited(answer)["verdict"] == "allowed"


def test_a_backend_that_closes_is_a_bad_gateway(home: House) -> None:
    """A connection that ends without an answer is 502."""
    home.backend.use(once(b""))

    is_refusal(home.get(CLIP, "ada"), 502, "backend-down")


def test_a_backend_that_is_slow_is_a_time_out(home: House) -> None:
    """A backend that says nothing within its time is 504, and its connection is given up."""
    over = threading.Event()
    home.backend.use(silent(over))
    answer = home.get("/slow/clip", "ada")

    is_refusal(answer, 504, "backend-slow")
    assert eventually(home.backend.visits[0].reader.at_eof)
    over.set()


def test_a_backend_that_is_busy_is_unavailable(home: House) -> None:
    """A request that finds all places taken is 503 and asks to come again; the one before it is served."""
    over = threading.Event()

    async def waiting(visit: Visit) -> None:
        await visit.head()
        await told(over)
        await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    home.backend.use(waiting)
    with home.line() as first:
        first.send(request("GET", "/busy/clip", home.bearer("ada")))
        assert eventually(lambda: home.backend.requests)
        second = home.get("/busy/clip", "ada")
        over.set()
        assert first.answer().status == 204

    is_refusal(second, 503, "backend-busy")


@pytest.mark.parametrize("said", [
    b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy", b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"SSH-2.0-server\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
])  # fmt: skip
def test_a_backend_that_breaks_the_protocol_is_a_bad_gateway(home: House, said: bytes) -> None:
    """An answer that is not HTTP, has two readings, is too large in its head or broken where it begins is 502, and nothing of it is shown."""
    home.backend.use(once(said))

    is_refusal(home.get(CLIP, "ada"), 502, "backend-broken")


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + b"x" * 300_000 + b"\r\nzz\r\n",
])  # fmt: skip
def test_an_answer_that_breaks_off_never_looks_whole(home: House, said: bytes) -> None:
    """A client cannot take the beginning of an answer for all of it."""
    home.backend.use(once(said))
    with home.line() as client:
        client.send(request("GET", CLIP, home.bearer("ada")))
        with pytest.raises((EOFError, ConnectionError)):
            client.answer()


@contextmanager
def locked_by_statement(folder: Path) -> Iterator[None]:
    """Holds the store as another program in the middle of a change would."""
    with closing(sqlite3.connect(folder / "mediagate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def locked_by_turn(folder: Path) -> Iterator[None]:
    """Holds the store as another of our own processes in the middle of a change would."""
    with (folder / "mediagate.db-lock").open("rb+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("locked", [locked_by_statement, locked_by_turn])
def test_a_locked_store_serves_reads_and_refuses_effects(
    home: House, locked: Callable[[Path], AbstractContextManager[None]]
) -> None:
    """While another process holds the store, reads go on, also of facts not yet at hand; a change is 503 before the backend."""
    with locked(home.gateway.folder):
        reads = [home.get(path, "vera").status_code for path in (CLIP, f"/files/{locked.__name__}")]
        seen = len(home.backend.requests)
        change = home.ask("PUT", FILE, "stan", data=b"x")
        untouched = len(home.backend.requests) == seen
    after = home.ask("PUT", FILE, "stan", data=b"x")

    assert reads == [200, 200]
    is_refusal(change, 503, "store-unavailable")
    assert untouched
    assert after.status_code == 200


def test_a_store_that_is_gone_closes_the_gateway_until_it_is_back(home: House) -> None:
    """Without its store the gateway refuses effects at once and everything once its facts are old; it comes back by itself."""
    store = home.gateway.folder / "mediagate.db"
    away = store.with_name("away.db")
    asked = [(CLIP, "vera"), ("/assets/secret", "ada"), ("/assets/absent", "zoe")]
    before = [home.get(*each).status_code for each in asked]
    home.backend.clear()
    store.rename(away)
    try:
        change = home.ask("PUT", FILE, "stan", data=b"x")
        assert eventually(lambda: home.get("/-/readyz").status_code == 503)
        answers = [home.get(*each) for each in asked]
        ready, alive = home.get("/-/readyz"), home.get("/-/livez")
    finally:
        away.rename(store)

    assert before == [200, 200, 403]
    is_refusal(change, 503, "store-unavailable")
    for answer in answers:
        is_refusal(answer, 503, "store-unavailable")
    assert (ready.status_code, ready.text, alive.status_code) == (503, "not ready\n", 200)
    assert home.backend.requests == []
    assert eventually(lambda: home.get("/-/readyz").status_code == 200)
    assert home.get(CLIP, "vera").status_code == 200


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway whose audit is on a full disk."""
    folder = tmp_path_factory.mktemp("full")
    (folder / "audit.jsonl").symlink_to("/dev/full")
    with house(folder, "", ROWS) as found:
        yield found


@pytest.mark.parametrize(("method", "path", "who"), [
    ("GET", CLIP, "ada"), ("GET", OPEN, ""), ("PUT", FILE, "stan"), ("GET", CLIP, "bob"), ("GET", CLIP, ""), ("GET", "/nowhere", "ada"),
])  # fmt: skip
def test_what_cannot_be_audited_does_not_happen(full: House, method: str, path: str, who: str) -> None:
    """With the audit on a full disk every request is 503 and the backend is not touched; the gateway still lives."""
    is_refusal(full.ask(method, path, who), 503, "audit-unavailable")
    assert full.backend.requests == []
    assert full.get("/-/livez").status_code == 200
