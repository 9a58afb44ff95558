"""What callers are told when they are refused, and what happens when something that a decision needs is not there."""

import base64
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
import requests

from backends import Script, Visit, once
from e2e.behind import Puppet, eventually, told
from e2e.house import NORAS_ADDRESS, SECRET, House, house
from e2e.raw import request
from gateways import free_port

OPEN, CLIP, FILE = "/open/logo.png", "/assets/clip", "/files/a.mp4"
ROWS: Final = """
  - GET /open/{path...}: {anonymous: true}
  - GET /files/{path...}: {action: read, object: file, id: "/files/{path}", role: can_read_files}
  - PUT /files/{path...}: {action: create, object: file, id: "/files/{path}", role: can_write_files, creates: file}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - POST /assets/{asset_id}/comments: {action: comment, object: asset, role: can_read_assets}
"""
MORE_ROWS: Final = """
  - GET /passed/{asset_id}: {upstream: passed, action: read, object: asset, role: none}
  - GET /down/{asset_id}: {upstream: down, action: read, object: asset, role: none}
  - GET /slow/{asset_id}: {upstream: slow, action: read, object: asset, role: none}
  - GET /busy/{asset_id}: {upstream: busy, action: read, object: asset, role: none}
"""
UPSTREAMS: Final = """
[upstreams.passed]
url = "{backend}"
credential = {kind = "pass"}
[upstreams.down]
url = "http://127.0.0.1:%d"
[upstreams.slow]
url = "{backend}"
read_timeout = "300ms"
[upstreams.busy]
url = "{backend}"
max_connections = 1
queue_limit = 0
"""
BROKEN_POLICY: Final = """
permit(_subject, "comment", resource, _request, "zz-broken") if
    resource.no_such_question();
"""


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway in its ordinary state."""
    with house(tmp_path_factory.mktemp("house"), UPSTREAMS % free_port(), ROWS + MORE_ROWS) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    home.backend.clear()


def is_refusal(answer: requests.Response, status: int, reason: str) -> None:
    """Asserts that an answer is a refusal in its one form."""
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert answer.json().keys() == {"errors", "reason", "request_id"}
    assert len(answer.json()["errors"]) == 1
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    challenge = 'Basic realm="mediagate", charset="UTF-8", Bearer'
    assert answer.headers.get("www-authenticate") == (challenge if status == 401 else None)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


@pytest.mark.parametrize("path", ["/nowhere", "/assets/absent", "/assets/theirs", CLIP, "/files/x", "/"])
def test_an_anonymous_caller_learns_nothing(home: House, path: str) -> None:
    """An unknown route, an unknown object, another domain's and a known one give the same 401, word for word."""
    answer = home.get(path)

    is_refusal(answer, 401, "signed-in")
    assert answer.json()["errors"] == home.get("/elsewhere").json()["errors"]
    assert home.audited(answer)["verdict"] == "refused"
    assert home.backend.requests == []


@pytest.mark.parametrize(("method", "path", "who", "reason", "precise"), [
    ("GET", "/nowhere", "stan", "no-route", "no-route"),
    ("DELETE", CLIP, "stan", "no-route", "no-route"),
    ("GET", "/nowhere", "ada", "no-route", "no-route"),
    ("GET", "/assets/absent", "stan", "no-grant", "unknown-object"),
    ("GET", "/assets/absent", "ada", "no-grant", "unknown-object"),
    ("GET", "/assets/theirs", "stan", "no-grant", "foreign-object"),
    ("GET", "/assets/theirs", "ada", "no-grant", "foreign-object"),
    ("GET", CLIP, "zoe", "no-grant", "foreign-object"),
    ("GET", "/assets/secret", "stan", "no-grant", "no-grant"),
    ("GET", CLIP, "bob", "user-status", "user-status"),
    ("GET", CLIP, "ina", "user-status", "user-status"),
    ("GET", CLIP, "otto", "role", "role"),
    ("PUT", FILE, "vera", "role", "role"),
    ("PUT", FILE, "bea", "role", "role"),
    ("GET", CLIP, "nora", "network", "network"),
    ("GET", CLIP, "abe", "network", "network"),
])  # fmt: skip
def test_a_caller_who_signed_in_is_told_one_coarse_reason(
    home: House, method: str, path: str, who: str, reason: str, precise: str
) -> None:
    """Each case of the table is a 403 with its public reason; the audit names the precise one and who it was."""
    answer = home.ask(method, path, who)
    audited = home.audited(answer)

    is_refusal(answer, 403, reason)
    assert (audited["verdict"], audited["reason"], audited["user"]) == ("refused", precise, who)
    assert (audited["method"], audited["path"], audited["client"]) == (method, path, "127.0.0.1")
    assert home.backend.requests == []


def test_what_does_not_exist_and_what_is_not_granted_look_alike(home: House) -> None:
    """An absent object, a foreign one and one without a grant differ in nothing but the request id."""
    answers = [home.get(f"/assets/{name}", "stan") for name in ("absent", "theirs", "secret")]
    seen = {answer.text.replace(answer.headers["x-request-id"], "ID") for answer in answers}
    names = {tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}

    assert len(seen) == len(names) == 1


@pytest.mark.parametrize(("path", "who", "source"), [
    (OPEN, "", ""), (OPEN, "bob", ""), (OPEN, "nora", ""), (CLIP, "vera", ""), ("/files/x", "bea", ""), (CLIP, "nora", NORAS_ADDRESS),
    ("/assets/secret", "ada", ""), ("/assets/secret", "abe", NORAS_ADDRESS), ("/assets/theirs", "zoe", ""),
])  # fmt: skip
def test_who_may_is_let_through(home: House, path: str, who: str, source: str) -> None:
    """Routes open to all, granted objects, allowed addresses and admins reach the backend."""
    answer = home.get(path, who, source=source)

    assert (answer.status_code, answer.text) == (200, "ok")
    assert home.audited(answer)["verdict"] == "allowed"
    assert home.backend.lines == [b"GET " + path.encode()]


@pytest.mark.parametrize(
    ("path", "who", "status"), [(CLIP, "", 401), (CLIP, "otto", 403), ("/a//b", "ada", 400)]
)
def test_a_refusal_of_head_has_no_body(home: House, path: str, who: str, status: int) -> None:
    """HEAD is refused with the headers of GET and nothing after them; the connection goes on."""
    with home.line() as client:
        without = client.ask("HEAD", path, home.bearer(who))
        whole = client.ask("GET", path, home.bearer(who))

    assert (without.status, whole.status) == (status, status)
    assert [name for name, _ in without.headers] == [name for name, _ in whole.headers]
    assert whole.reason


@pytest.mark.parametrize(("method", "path", "status", "reason"), [
    ("GET", "/files/../x", 400, "bad-target"), ("GET", "/files/%2e%2e/x", 400, "bad-target"), ("BREW", CLIP, 405, "bad-method"),
])  # fmt: skip
def test_a_request_with_two_readings_is_refused_whoever_sends_it(
    home: House, method: str, path: str, status: int, reason: str
) -> None:
    """What the request itself does wrong is said before anything else, to admins and to anonymous callers alike."""
    for who in ("", "ada"):
        with home.line() as client:
            answer = client.ask(method, path, home.bearer(who))
        assert (answer.status, answer.reason) == (status, reason)
    assert home.backend.requests == []


def _basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer two words"},
    {"Authorization": "Bearer mg_unknown"}, {"Authorization": "Bearer " + "x" * 600}, {"Authorization": "Digest username=x"},
    {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": _basic("nocolon")},
    {"Authorization": _basic("user:")}, {"Authorization": _basic("user:mg_unknown")}, {"Authorization": ""},
    {"Auth-Token": "mg_unknown"}, {"App-ID": "main-app"}, {"App-ID": "main-app", "Auth-Token": ""},
    {"App-ID": "main-app", "Auth-Token": "mg_unknown"}, {"App-ID": "a b", "Auth-Token": "mg_unknown"},
])  # fmt: skip
@pytest.mark.parametrize("path", [CLIP, OPEN])
def test_a_credential_that_is_not_valid_is_never_anonymous(
    home: House, headers: dict[str, str], path: str
) -> None:
    """Malformed and unknown credentials are 401 on every route, also on those that are open to all."""
    answer = home.get(path, headers=headers)

    is_refusal(answer, 401, "credential-unknown")
    assert home.audited(answer)["reason"] in ("credential-malformed", "credential-unknown")
    assert home.backend.requests == []


def test_each_way_to_show_a_token_signs_in(home: House) -> None:
    """The header pair, Bearer and Basic with any user name are the same person; a token of another application is nobody."""
    token = home.tokens["vera"]
    pair = {"App-ID": "main-app", "Auth-Token": token}
    shown = [pair, {"Authorization": f"bearer {token}"}, {"Authorization": _basic(f"anybody:{token}")}]
    answers = [home.get(CLIP, headers=headers) for headers in shown]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [home.audited(answer)["proof"] for answer in answers] == ["app-token", "bearer", "basic"]
    assert {home.audited(answer)["user"] for answer in answers} == {"vera"}
    is_refusal(home.get(CLIP, headers=pair | {"App-ID": "other-app"}), 401, "credential-unknown")


def test_a_revoked_token_is_refused_from_the_next_request_on(home: House) -> None:
    """After `mediagate token revoke` has returned, the token is 401 and says that it was revoked."""
    issued = home.run("token", "create", "vera@example.org")
    headers = {"Authorization": f"Bearer {issued['token']}"}
    before = home.get(CLIP, headers=headers)
    home.run("token", "revoke", issued["id"])
    after = home.get(CLIP, headers=headers)

    assert before.status_code == 200
    is_refusal(after, 401, "credential-revoked")
    assert len(home.backend.requests) == 1


def test_an_expired_token_is_refused(home: House) -> None:
    """A token whose time is over is 401 and says so, without anybody changing anything."""
    issued = home.run("token", "create", "vera@example.org", "--expires", "2s")
    headers = {"Authorization": f"Bearer {issued['token']}"}

    assert eventually(lambda: home.get(CLIP, headers=headers).status_code == 401)
    is_refusal(home.get(CLIP, headers=headers), 401, "credential-expired")


def test_changes_hold_from_the_next_request_on(home: House) -> None:
    """Blocking and unblocking a user, granting and revoking hold as soon as the command has returned."""
    seen = []

    def note(who: str, path: str) -> None:
        answer = home.get(path, who)
        seen.append("ok" if answer.status_code == 200 else answer.json()["reason"])

    note("kim", CLIP)
    home.run("user", "set", "kim@example.org", "--status", "BLOCKED")
    note("kim", CLIP)
    home.run("user", "set", "kim@example.org", "--status", "ACTIVE")
    note("kim", CLIP)
    note("kim", "/assets/secret")
    home.run("grant", "kim@example.org", "read", "asset:secret")
    note("kim", "/assets/secret")
    home.run("revoke", "kim@example.org", "read", "asset:secret")
    note("kim", "/assets/secret")
    note("nora", CLIP)
    home.run("allow-ip", "add", "127.0.0.1", "--group", "office")
    note("nora", CLIP)
    home.run("allow-ip", "remove", "127.0.0.1", "--group", "office")
    note("nora", CLIP)

    assert seen == ["ok", "user-status", "ok", "no-grant", "ok", "no-grant", "network", "ok", "network"]


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
    assert eventually(lambda: home.backend.visits[0].reader.at_eof())
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
])  # fmt: skip
def test_a_backend_that_breaks_the_protocol_is_a_bad_gateway(home: House, said: bytes) -> None:
    """An answer that is not HTTP, has two readings or is too large in its head is 502, and nothing of it is shown."""
    home.backend.use(once(said))

    is_refusal(home.get(CLIP, "ada"), 502, "backend-broken")


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
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
    store.rename(away)
    try:
        change = home.ask("PUT", FILE, "stan", data=b"x")
        assert eventually(lambda: home.get("/-/readyz").status_code == 503)
        answers = [
            home.get(CLIP, "vera"),
            home.get("/assets/secret", "ada"),
            home.get("/assets/absent", "zoe"),
        ]
        ready, alive = home.get("/-/readyz"), home.get("/-/livez")
    finally:
        away.rename(store)

    is_refusal(change, 503, "store-unavailable")
    for answer in answers:
        is_refusal(answer, 503, "store-unavailable")
    assert (ready.json()["ready"], alive.status_code) == (False, 200)
    assert home.backend.requests == []
    assert eventually(lambda: home.get("/-/readyz").status_code == 200)
    assert home.get(CLIP, "vera").status_code == 200


def test_no_secret_is_written_or_passed_on(home: House) -> None:
    """Neither tokens nor the backend's secret nor what came as Authorization stand in audit, log, answers or at a backend."""
    token, theirs = home.tokens["stan"], _basic("someone:theirs-alone")
    wrong = "mg_wrong-but-still-nobodys-business"
    pair = {"App-ID": "main-app", "Auth-Token": token}
    shown = [
        {"Authorization": f"Bearer {token}"}, {"Authorization": _basic(f"x:{token}")}, pair, pair | {"Authorization": theirs},
        {"Authorization": f"Bearer {wrong}"}, {"Authorization": f"Digest {wrong}"}, {"Auth-Token": wrong},
        {"Authorization": f"Bearer {token}", "X-Backend-Key": "spoofed"},
    ]  # fmt: skip
    paths = (CLIP, "/passed/clip", "/assets/absent", f"{OPEN}?token={wrong}", "/down/clip", "/nowhere")
    answers = [home.get(path, headers=headers) for headers in shown for path in paths]
    received = b"\n".join(each.head + each.body for each in home.backend.requests).decode("latin-1")
    written = home.gateway.audit.read_text() + home.gateway.log
    told_outside = "".join(str(answer.headers) + answer.text for answer in answers)
    tokens = [*home.tokens.values(), _basic(f"x:{token}").split()[1]]

    assert [
        each for each in [*tokens, wrong, theirs.split()[1], SECRET] if each in written + told_outside
    ] == []
    assert [
        each for each in [*tokens, SECRET] if each in received.replace(f"x-backend-key: {SECRET}", "")
    ] == []
    assert SECRET.encode() not in _values(home.backend, b"x-backend-key", b"/passed")
    assert _values(home.backend, b"x-backend-key", b"/assets") == {SECRET.encode()}
    assert _values(home.backend, b"authorization", b"/assets") == set()
    assert _values(home.backend, b"authorization", b"/passed") == {theirs.encode()}


def _values(backend: Puppet, name: bytes, below: bytes) -> set[bytes]:
    """Returns all values of a header that came with requests below a path."""
    return {
        value
        for each in backend.requests
        if each.line.split(b" ")[1].startswith(below)
        for value in each.values(name)
    }


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway that hides two reasons, with a rule that asks a question nobody has registered."""
    folder = tmp_path_factory.mktemp("odd")
    with house(
        folder, '[refusals]\nhide = ["no-grant", "no-route"]\n', ROWS, policy={"zz.polar": BROKEN_POLICY}
    ) as found:
        yield found


@pytest.mark.parametrize(("path", "who", "status", "reason"), [
    ("/assets/secret", "stan", 404, "no-grant"), ("/assets/absent", "stan", 404, "no-grant"), ("/assets/theirs", "ada", 404, "no-grant"),
    ("/nowhere", "stan", 404, "no-route"), (CLIP, "otto", 403, "role"), (CLIP, "bob", 403, "user-status"),
    (CLIP, "", 401, "signed-in"), ("/nowhere", "", 401, "signed-in"),
])  # fmt: skip
def test_a_reason_may_be_hidden(odd: House, path: str, who: str, status: int, reason: str) -> None:
    """The reasons that a setting names are 404 instead of 403; all others are as before."""
    is_refusal(odd.get(path, who), status, reason)


def test_a_policy_with_an_error_refuses(odd: House) -> None:
    """A rule that goes wrong refuses whom no earlier rule has let in, with a reason of its own and its cause in the audit."""
    odd.backend.clear()
    answer = odd.ask("POST", "/assets/secret/comments", "stan")
    audited = odd.audited(answer)

    is_refusal(answer, 403, "policy-error")
    assert (audited["reason"], audited["detail"]) == (
        "policy-error",
        "`Resource` has no question `no_such_question`",
    )
    assert odd.backend.requests == []


def test_a_policy_with_an_error_leaves_earlier_rules_in_force(odd: House) -> None:
    """An admin, and whoever has a grant, is let in by rules that come first; other actions never meet the broken one."""
    asked = [
        ("POST", "/assets/secret/comments", "ada"),
        ("POST", "/assets/clip/comments", "vera"),
        ("GET", CLIP, "vera"),
    ]

    assert [odd.ask(*each).status_code for each in asked] == [200, 200, 200]
    is_refusal(odd.get("/assets/secret", "stan"), 404, "no-grant")


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
