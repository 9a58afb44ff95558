"""Creations and deletions while they are under way, and when nobody knows what the backend did."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
import requests

from backends import Script, Visit, once
from e2e import effects
from e2e.behind import eventually, puppet
from e2e.effects import (
    CREATED,
    GONE,
    JSON,
    ROWS,
    UPSTREAMS,
    Waiting,
    in_flight,
    made,
    saying,
    shown,
    statuses,
    unsettled,
)
from e2e.house import House, furnish
from e2e.processes import workers
from e2e.raw import request
from gateways import free_port, running

_house, _clean = effects.running_house, effects.clean  # the fixtures `home` and `clean`


@pytest.mark.parametrize("said", [202, 207, 302, 500, 502, 504])
def test_a_creation_of_unknown_outcome_gives_nothing_and_locks_nothing(home: House, said: int) -> None:
    """An answer that neither says yes nor no registers nothing, is kept on record, and lets the next try through."""
    name = f"file:/drop/unclear-{said}"
    home.backend.answers(saying(said, b"perhaps"), CREATED)
    unclear = home.ask("PUT", f"/drop/unclear-{said}", "stan", data=b"film")
    registered, states = (
        shown(home, name)["registered"],
        [each["state"] for each in home.run("object", "unsettled")],
    )
    again = home.ask("PUT", f"/drop/unclear-{said}", "stan", data=b"film")

    assert unclear.status_code == said
    assert not registered
    assert "UNKNOWN" in [state.upper() for state in states]
    assert again.status_code == 201
    assert shown(home, name)["owner"] == "stan@example.org"


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"{}", b'{"id": null}', b'{"id": ["a"]}', b'{"id": "a", "ID": "b"}', b'{"id": 1.5}'],
)
def test_an_answer_that_names_no_object_is_an_unknown_outcome(home: House, body: bytes) -> None:
    """A success whose body does not say what was made is not shown as one."""
    home.backend.answers(saying(201, body, JSON))
    answer = home.ask("POST", "/assets", "stan", json={})

    assert (answer.status_code, answer.json()["reason"]) == (502, "outcome-unknown")


def test_an_answer_that_is_too_large_to_read_is_an_unknown_outcome(home: House) -> None:
    """An answer beyond the bound is not searched for an id, nor shown."""
    home.backend.answers(saying(201, b'{"id": "huge", "filling": "' + b"x" * 100_000 + b'"}', JSON))
    answer = home.ask("POST", "/assets", "stan", json={})

    assert answer.status_code == 502
    assert not shown(home, "asset:huge")["registered"]


def test_of_two_creations_of_one_path_one_is_busy(home: House) -> None:
    """While one request makes a path, another one for it is 409 and does not reach the backend."""
    with in_flight(home, CREATED, "PUT", "/drop/twice"):
        second = home.ask("PUT", "/drop/twice", "kim", data=b"other")
        seen = home.backend.lines

    assert (second.status_code, second.json()["reason"]) == (409, "object-busy")
    assert seen == [b"PUT /drop/twice"]
    assert shown(home, "file:/drop/twice")["owner"] == "stan@example.org"


def test_many_creations_of_one_path_at_once_make_one_owner(home: House) -> None:
    """Of requests that race, each succeeds or is busy; the object has the owner of one that succeeded."""
    home.backend.answers(CREATED)
    people = ("stan", "kim") * 6
    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(lambda who: home.ask("PUT", "/drop/raced", who, data=b"x"), people))
    won = {
        f"{who}@example.org" for who, answer in zip(people, answers, strict=True) if answer.status_code == 201
    }

    assert {answer.status_code for answer in answers} <= {201, 409, 403}
    assert shown(home, "file:/drop/raced")["owner"] in won
    assert unsettled(home, "file:/drop/raced") == []


@pytest.mark.parametrize(
    "framing", ["content-length: 1000", "content-length: 1000000", "transfer-encoding: chunked"]
)
def test_an_upload_that_the_client_breaks_off_leaves_no_lock(home: House, framing: str) -> None:
    """After a client left in the middle of its body nothing is registered, the backend saw no whole request, and a retry succeeds."""
    home.backend.answers(CREATED)
    path = f"/drop/broken-{framing[-7:].strip()}"
    with home.line() as client:
        client.send(request("PUT", path, home.bearer("stan"), framing))
        client.send(b"64\r\n" + b"x" * 100 + b"\r\n" if "chunked" in framing else b"x" * 100)
        assert framing == "content-length: 1000" or eventually(lambda: home.backend.visits)
    assert eventually(lambda: all(visit.over.is_set() for visit in home.backend.visits))
    registered = shown(home, f"file:{path}")["registered"]

    assert not registered
    assert eventually(lambda: home.ask("PUT", path, "stan", data=b"whole").status_code == 201)
    assert [each.body for each in home.backend.requests if each.body] == [b"whole"]
    assert shown(home, f"file:{path}")["owner"] == "stan@example.org"


def test_an_upload_that_cannot_be_forwarded_leaves_no_lock(home: House) -> None:
    """A creation that is refused for its framing, after its intent was written, can be tried again at once."""
    with home.line() as client:
        client.send(
            request("PUT", "/drop/coded", home.bearer("stan"), "transfer-encoding: gzip, chunked")
            + b"0\r\n\r\n"
        )
        refused = client.answer()
    reached = home.backend.requests
    again = home.ask("PUT", "/drop/coded", "stan", data=b"film")

    assert (refused.status, refused.reason) == (400, "bad-headers")
    assert reached == []
    assert again.status_code == 200
    assert unsettled(home, "file:/drop/coded") == []


def test_a_client_that_leaves_before_the_answer_can_try_again(home: House) -> None:
    """A creation whose client left while the backend was at work leaves no lock."""
    waiting = Waiting(home, CREATED)
    with home.line() as client:
        client.send(request("PUT", "/drop/left", home.bearer("stan"), body=b"film"))
        waiting.arrived()
    waiting.go()

    assert eventually(lambda: home.ask("PUT", "/drop/left", "stan", data=b"film").status_code == 201)


def test_what_is_being_deleted_is_closed(home: House) -> None:
    """While a deletion is under way the object is 409 to who may see it and 403 to who may not, and nothing reaches the backend."""
    path = made(home, "closing", vera="read")
    with in_flight(home, GONE, "DELETE", path):
        seen = {who: home.get(path, who) for who in ("stan", "vera", "ada", "kim", "otto", "zoe")}
        again = home.ask("DELETE", path, "stan")
        reached = home.backend.lines

    told_them = {who: (answer.status_code, answer.json()["reason"]) for who, answer in seen.items()}
    held = (409, "object-held")
    assert told_them == {
        "stan": held, "vera": held, "ada": held, "kim": (403, "no-grant"), "otto": (403, "role"), "zoe": (403, "no-grant"),
    }  # fmt: skip
    assert (again.status_code, again.json()["reason"]) == held
    assert reached == [b"DELETE /assets/closing"]


def test_what_stands_in_a_folder_that_is_being_deleted_is_closed(home: House) -> None:
    """While a folder's deletion is under way nothing below it can be read or made; its neighbours can."""
    home.backend.answers(CREATED)
    for path in ("/files/going", "/files/going/deep/a"):
        home.ask("PUT", path, "stan", data=b"x")
    waiting = Waiting(home, GONE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask, "DELETE", "/files/going", "stan")
        waiting.arrived()
        below = [home.ask(method, path, "kim", data=b"x") for method, path in (
            ("GET", "/files/going/deep/a"), ("GET", "/files/going/never-seen"), ("PUT", "/files/going/new"), ("PUT", "/files/going/deep/a"),
            ("DELETE", "/files/going/deep/a"), ("DELETE", "/files/going"),
        )]  # fmt: skip
        beside = pool.submit(home.get, "/files/going-not", "kim")
        waiting.arrived(2)
        waiting.go()
        outcome = asked.result(), beside.result()

    assert [answer.status_code for answer in below] == [409] * 6
    assert [answer.status_code for answer in outcome] == [204, 204]
    assert home.backend.lines == [b"DELETE /files/going", b"GET /files/going-not"]


def test_a_folder_in_which_something_is_being_made_cannot_be_deleted(home: House) -> None:
    """A deletion that would pass over a creation under way below it is busy."""
    with in_flight(home, CREATED, "PUT", "/files/parent/child"):
        answer = home.ask("DELETE", "/files/parent", "stan")

    assert (answer.status_code, answer.json()["reason"]) == (409, "object-busy")


def test_a_deletion_is_settled_though_its_client_left(home: House) -> None:
    """A client that goes away during a deletion changes nothing of it: the backend finishes, and the facts go."""
    path = made(home, "abandoned", vera="read")
    waiting = Waiting(home, GONE)
    with home.line() as client:
        client.send(request("DELETE", path, home.bearer("stan")))
        waiting.arrived()
    (visit,) = home.backend.visits
    cut_off = eventually(visit.reader.at_eof, 0.5)
    held = home.get(path, "vera").status_code
    waiting.go()

    assert (cut_off, held) == (False, 409)
    assert eventually(lambda: not shown(home, "asset:abandoned")["registered"])
    assert unsettled(home, "asset:abandoned") == []


def dying(visit: Visit) -> Any:
    """A backend that takes a request and ends."""
    return once(b"")(visit)


async def dying_in_its_head(visit: Visit) -> None:
    """A backend that ends in the middle of its answer's head."""
    await visit.request()
    await visit.send(b"HTTP/1.1 204 No Con")


@pytest.mark.parametrize(
    "dies", [dying, dying_in_its_head, once(saying(500)), once(saying(202)), once(b"nonsense\r\n\r\n")]
)
def test_a_deletion_of_unknown_outcome_stays_closed_until_it_is_settled(
    home: House, dies: Script, request: pytest.FixtureRequest
) -> None:
    """When a backend dies or says nothing clear, the object is closed to all until somebody has looked: then it is as before."""
    name = f"unclear-{request.node.callspec.indices['dies']}"
    path = made(home, name, vera="read")
    home.backend.use(dies)
    answer = home.ask("DELETE", path, "stan")
    home.backend.clear()
    while_unknown = statuses(home, path, "stan", "vera", "kim")
    states = unsettled(home, f"asset:{name}")
    home.run("object", "settle", f"asset:{name}", "--did-not")

    assert answer.status_code in (202, 500, 502)
    assert while_unknown == [409, 409, 403]
    assert states == ["UNKNOWN"]
    assert statuses(home, path, "stan", "vera", "kim") == [200, 200, 403]


def test_a_deletion_that_happened_after_all_is_settled_so(home: House) -> None:
    """An administrator who has seen that the object is gone says so, and its facts go."""
    path = made(home, "went", vera="read")
    home.backend.use(dying)
    answer = home.ask("DELETE", path, "stan")
    home.backend.clear()
    home.run("object", "settle", "asset:went", "--happened")

    assert (answer.status_code, answer.json()["reason"]) == (502, "backend-down")
    assert statuses(home, path, "stan", "vera") == [403, 403]
    assert not shown(home, "asset:went")["registered"]


def test_a_deletion_that_takes_too_long_is_of_unknown_outcome(home: House) -> None:
    """After a time-out the object stays closed: the backend may still do it."""
    path = made(home, "late")
    waiting = Waiting(home, GONE)
    answer = home.ask("DELETE", "/slow/late", "stan")
    waiting.go()

    assert (answer.status_code, answer.json()["reason"]) == (504, "backend-slow")
    assert statuses(home, path, "stan") == [409]
    assert unsettled(home, "asset:late") == ["UNKNOWN"]


def test_a_backend_that_saw_nothing_leaves_everything_as_it_was(home: House) -> None:
    """Where no connection could be made nothing can have happened, and nothing stays closed."""
    path = made(home, "spared")
    answer = home.ask("DELETE", "/down/spared", "stan")

    assert (answer.status_code, answer.json()["reason"]) == (502, "backend-down")
    assert statuses(home, path, "stan") == [200]
    assert unsettled(home, "asset:spared") == []


@contextmanager
def locked(home: House) -> Iterator[None]:
    """Holds the store as another program in the middle of a change would."""
    with closing(sqlite3.connect(home.gateway.folder / "mediagate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_deletion_that_cannot_be_recorded_is_not_shown_as_done(home: House) -> None:
    """If the store is locked when the backend answers, the client is told that the outcome is unknown, and the object stays closed."""
    path = made(home, "unrecorded", vera="read")
    waiting = Waiting(home, GONE)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask, "DELETE", path, "stan")
        waiting.arrived()
        with locked(home):
            waiting.go()
            answer = asked.result()
    closed = statuses(home, path, "stan", "vera")
    home.run("object", "settle", "asset:unrecorded", "--happened", "--force")

    assert (answer.status_code, answer.json()["reason"]) == (502, "outcome-unknown")
    assert closed == [409, 409]
    assert statuses(home, path, "stan", "vera") == [403, 403]


def test_a_creation_that_cannot_be_recorded_is_not_shown_as_done(home: House) -> None:
    """If the store is locked when the backend answers, nobody is told of a success, and an administrator can make it true."""
    waiting = Waiting(home, CREATED)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask, "PUT", "/drop/unrecorded", "stan", data=b"x")
        waiting.arrived()
        with locked(home):
            waiting.go()
            answer = asked.result()
    registered = shown(home, "file:/drop/unrecorded")["registered"]
    home.run("object", "settle", "file:/drop/unrecorded", "--happened", "--force")

    assert (answer.status_code, answer.json()["reason"]) == (502, "outcome-unknown")
    assert not registered
    assert shown(home, "file:/drop/unrecorded")["owner"] == "stan@example.org"


def test_a_killed_gateway_leaves_what_it_deleted_closed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a worker is killed in the middle of a deletion, the one in its place and a gateway started anew keep the object closed."""
    folder = tmp_path_factory.mktemp("killed")
    with puppet() as backend:
        tokens = furnish(folder, UPSTREAMS % free_port(), ROWS, backend)
        with running(folder) as gateway:
            home = House(gateway, backend, tokens)
            kill_during_deletion(home)
            respawned = statuses(home, "/assets/clip", "vera", "zoe")
        with running(folder) as gateway:
            home = House(gateway, backend, tokens)
            restarted = statuses(home, "/assets/clip", "vera", "zoe")
            open_ = unsettled(home, "asset:clip")
            home.run("object", "settle", "asset:clip", "--did-not", "--force")
            backend.clear()
            settled = statuses(home, "/assets/clip", "vera", "zoe")

    assert respawned == restarted == [409, 403]
    assert open_ == ["OPEN"]
    assert settled == [200, 403]


def kill_during_deletion(home: House) -> None:
    """Kills the one worker while it waits for the backend's answer to a deletion, and waits for the worker in its place."""
    waiting = Waiting(home, GONE)
    (worker,) = workers(home.gateway.pid)
    with home.line() as client:
        client.send(request("DELETE", "/assets/clip", home.bearer("stan")))
        waiting.arrived()
        os.kill(worker, signal.SIGKILL)
        assert client.is_over()
    waiting.go()
    assert eventually(lambda: workers(home.gateway.pid) not in ([], [worker]))
    assert eventually(lambda: _ready(home))


def _ready(home: House) -> bool:
    try:
        return home.get("/-/readyz").status_code == 200
    except requests.ConnectionError:
        return False
