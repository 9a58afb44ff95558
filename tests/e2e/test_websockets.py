"""WebSockets through a running gateway, from a real client to a real backend, and every way in which they are refused or end."""

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from e2e.behind import eventually
from e2e.house import SECRET, House, house
from e2e.passages import change, cuts, person
from e2e.processes import MIB, growth, is_over, workers
from e2e.talking import PIECE, Talk, opened, talking
from gateways import free_port
from models import changes
from models.records import ObjectKey

ROWS: Final = """
  - GET /talk/{path...}: {upstream: talk, websocket: true, action: read, object: file, id: "/files/{path}", role: can_read_files}
  - GET /open/{path...}: {upstream: talk, websocket: true, anonymous: true}
  - GET /rooms/{asset_id}: {upstream: talk, websocket: true, action: read, object: asset, role: can_read_assets}
  - GET /plain/{path...}: {upstream: talk, action: read, object: file, id: "/files/{path}", role: can_read_files}
  - GET /down/{path...}: {upstream: down, websocket: true, anonymous: true}
  - GET /http/{path...}: {websocket: true, anonymous: true}
  - GET /hasty/{path...}: {upstream: hasty, websocket: true, anonymous: true}
  - GET /one/{path...}: {upstream: one, websocket: true, anonymous: true}
"""
UPSTREAMS: Final = """
[limits]
rejudge_within = "400ms"
answer_timeout = "3s"
[upstreams.talk]
url = "%(talk)s"
credential = {kind = "header", name = "x-backend-key", secret_file = "secret"}
[upstreams.down]
url = "http://127.0.0.1:%(nobody)d"
[upstreams.hasty]
url = "%(talk)s"
host = "inside.example"
websocket_idle = "600ms"
websocket_message = "64KiB"
write_timeout = "500ms"
[upstreams.one]
url = "%(talk)s"
max_websockets = 1
"""
HANDSHAKE: Final = (
    b"GET %b HTTP/1.1\r\nhost: gw.example\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
FILES: Final = ObjectKey("file", "/files")
BOUND: Final = MIB
"""The largest message unless an upstream states another."""


@pytest.fixture(scope="module", name="talk")
def running_talk() -> Iterator[Talk]:
    """The backend."""
    with talking() as found:
        yield found


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory, talk: Talk) -> Iterator[House]:
    """A gateway in front of it."""
    toml = UPSTREAMS % {"talk": talk.url, "nobody": free_port()}
    with house(tmp_path_factory.mktemp("house"), toml, ROWS) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(talk: Talk, home: House) -> None:
    """Lets each test begin with backends that have seen nothing."""
    talk.clear()
    if home.backend.visits:
        home.backend.clear()


def refused(home: House, path: str, who: str = "", **options: Any) -> tuple[int, str]:
    """Returns status and reason of a handshake that must be refused, in the one form of refusals."""
    with pytest.raises(InvalidStatus) as caught:
        opened(home, path, who, **options)
    answer = caught.value.response
    document = json.loads(answer.body)
    assert answer.headers["x-request-id"] == document["request_id"]
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, str(document["reason"])


def ended(client: ClientConnection) -> tuple[int | None, str | None]:
    """Reads until the gateway closes; returns code and text of its close."""
    with suppress(ConnectionClosed):  # the iterator itself stops at a good end only
        for _ in client:
            pass
    return client.close_code, client.close_reason


def test_messages_of_both_kinds_pass_whole(home: House, talk: Talk) -> None:
    """Texts in any script, bytes, empty messages, large and fragmented ones come back as they were sent, in order."""
    sent: list[str | bytes] = ["höllo", b"\x00\xff", "", b"", "日本" * 9, b"y" * BOUND, *map(str, range(50))]
    with opened(home, "/talk/echo?a=b%2f&c=%20d", "vera") as client:
        for message in sent:
            client.send(message)
        client.send(["in ", "three ", "pieces"])
        received = [client.recv(timeout=10) for _ in (*sent, "")]

    assert received == [*sent, "in three pieces"]
    assert talk.messages == received
    assert talk.targets == ["/talk/echo?a=b%2f&c=%20d"]


def test_the_backend_learns_who_asks_and_nothing_spoofed(home: House, talk: Talk) -> None:
    """A handshake carries our word about the client once, the backend's credential, `Origin` and ordinary headers; not ours, not spoofed ones."""
    spoofed = ("X-Mediagate-User", "X_Mediagate_User", "X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Backend-Key", "X-User", "X-Hop", "TE", "Proxy-Authorization", "Sec-WebSocket-Accept")  # fmt: skip
    headers = dict.fromkeys(spoofed, "spoofed") | {
        "X-Request-Id": "mine",
        "Cookie": "a=b",
        "X-Custom": "kept",
        "Connection": "X-Hop",
    }
    with opened(home, "/talk/echo", "vera", headers=headers, origin="https://app.example", user_agent_header="Player/1"):  # fmt: skip
        pass
    (told,) = talk.headers

    assert "spoofed" not in str(told)
    assert home.tokens["vera"] not in str(told)
    wanted = {
        "x-mediagate-user": "vera", "x-mediagate-domain": "main", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
        "x-backend-key": SECRET, "origin": "https://app.example", "cookie": "a=b", "x-custom": "kept", "user-agent": "Player/1",
        "host": home.gateway.url.removeprefix("http://"), "upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13",
    }  # fmt: skip
    assert {name: talk.values(name) for name in wanted} == {name: [value] for name, value in wanted.items()}
    assert {name for name, _ in told} == wanted.keys() | {"x-forwarded-host", "forwarded", "x-request-id", "sec-websocket-key"}  # fmt: skip
    assert talk.values("x-request-id") != ["mine"]


def test_the_host_is_the_upstreams_rule(home: House, talk: Talk) -> None:
    """A backend with a `Host` of its own gets it in handshakes too."""
    with opened(home, "/hasty/echo"):
        pass

    assert talk.values("host") == ["inside.example"]
    assert talk.values("x-mediagate-user") == []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["x", "video", "chat"], "video"), (["x"], None), (["chat"], "chat"), ([], None)],
)
def test_the_backend_chooses_among_the_clients_subprotocols(
    home: House, talk: Talk, offered: list[str], chosen: str | None
) -> None:
    """Subprotocols reach the backend in the client's order, and the client hears its choice, if it made one."""
    with opened(home, "/open/echo", subprotocols=[Subprotocol(each) for each in offered] or None) as client:
        assert client.subprotocol == chosen

    assert talk.values("sec-websocket-protocol") == ([", ".join(offered)] if offered else [])
    assert talk.values("sec-websocket-extensions") == []


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999]
)
def test_a_close_has_its_code_on_both_sides(home: House, talk: Talk, code: int) -> None:
    """What one side closes with the other hears, code and text, after everything that was sent before it."""
    with opened(home, f"/open/ends/{code}") as client:
        assert client.recv(timeout=10) == "last words"
        assert ended(client) == (code, "that is äll")
    with opened(home, "/open/echo") as client:
        client.send("before")
        client.close(code, "göne")

    assert eventually(lambda: len(talk.closes) == 2)
    assert talk.closes[1] == (code, "göne")
    assert talk.messages == ["before"]


def test_a_side_that_breaks_off_ends_the_other(home: House, talk: Talk) -> None:
    """A backend that is gone is 1011 to the client; a client that is gone 1001 to the backend, one that closes without a code 1000."""
    with opened(home, "/open/breaks") as client:
        assert ended(client)[0] == 1011
    talk.clear()
    client = opened(home, "/open/echo")
    client.socket.close()
    assert eventually(lambda: talk.closes)
    with opened(home, "/open/echo") as client, client.send_context():
        client.protocol.send_frame(Frame(Opcode.CLOSE, b""))
    assert eventually(lambda: len(talk.closes) == 2)

    assert [code for code, _ in talk.closes] == [1001, 1000]


@pytest.mark.parametrize(
    ("path", "who", "told"),
    [
        ("/talk/echo", "", (401, "signed-in")),
        ("/talk/echo", "otto", (403, "role")),
        ("/talk/echo", "bob", (403, "user-status")),
        ("/talk/echo", "nora", (403, "network")),
        ("/rooms/secret", "vera", (403, "no-grant")),
        ("/rooms/absent", "vera", (403, "no-grant")),
        ("/rooms/theirs", "ada", (403, "no-grant")),
        ("/nowhere", "ada", (403, "no-route")),
        ("/plain/echo", "vera", (403, "websocket")),
        ("/plain/echo", "otto", (403, "role")),
        ("/plain/echo", "", (401, "signed-in")),
        ("/-/livez", "ada", (403, "no-route")),
        ("/talk//echo", "vera", (400, "bad-target")),
        ("/talk/%2e%2e/echo", "vera", (400, "bad-target")),
    ],
)
def test_a_handshake_is_judged_as_a_get(
    home: House, talk: Talk, path: str, who: str, told: tuple[int, str]
) -> None:
    """Whoever may not GET the target gets the same refusal; whoever may, but whose row takes no WebSocket, is told that; no backend hears of it."""
    assert refused(home, path, who) == told
    line = json.loads(home.gateway.audit.read_text().splitlines()[-1])
    assert (line["verdict"], line["method"]) == ("refused", "GET")
    plain = home.get(path, who)
    if told[1] != "websocket" and not path.startswith("/-/"):
        assert (plain.status_code, plain.json()["reason"]) == told
    assert not any(("upgrade", "websocket") in each for each in talk.headers)


def test_an_invalid_token_is_refused(home: House, talk: Talk) -> None:
    """A credential that is not valid is 401, on a row that is open to all too, with both challenges."""
    bad = {"Authorization": "Bearer nonsense"}
    for path in ("/talk/echo", "/open/echo"):
        with pytest.raises(InvalidStatus) as caught:
            opened(home, path, headers=bad)
        assert caught.value.response.status_code == 401
        challenges = caught.value.response.headers.get_all("www-authenticate")
        assert challenges == ['Basic realm="mediagate", charset="UTF-8"', "Bearer"]

    assert talk.targets == []


def test_an_allowed_socket_has_one_audit_line(home: House) -> None:
    """A socket is audited like the GET of its target, before the backend hears of it; and without its query."""
    before = len(home.gateway.audit.read_text().splitlines())
    with opened(home, "/talk/echo?key=hidden", "vera") as client:
        client.send("x")
        client.recv(timeout=10)
        lines = home.gateway.audit.read_text().splitlines()[before:]
    (line,) = map(json.loads, lines)

    assert (line["verdict"], line["method"], line["path"], line["user"]) == (
        "allowed",
        "GET",
        "/talk/echo",
        "vera",
    )
    assert line["objects"] == ["read file:/files/echo"]
    assert "hidden" not in str(lines)


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        (None, True), ("http://{host}", True), ("https://{host}", True), ("http://evil.example", False), ("null", False),
        ("http://{host}.evil.example", False), ("http://evil.example/{host}", False), ("http://{host}@evil.example", False),
    ],
)  # fmt: skip
def test_a_page_of_another_origin_cannot_use_what_a_browser_sends_by_itself(
    home: House, origin: str | None, *, passes: bool
) -> None:
    """With a Basic credential the origin must be the gateway's own host; with a token that only a script can send any origin passes."""
    host = home.gateway.url.removeprefix("http://")
    headers = {"Origin": origin.format(host=host)} if origin else {}
    basic = base64.b64encode(f"x:{home.tokens['vera']}".encode()).decode()
    signed = headers | {"Authorization": f"Basic {basic}"}

    with opened(home, "/talk/echo", "vera", headers=headers):
        pass
    if passes:
        with opened(home, "/talk/echo", headers=signed):
            pass
    else:
        assert refused(home, "/talk/echo", headers=signed) == (403, "websocket")


def test_a_backends_refusal_is_the_clients(home: House, talk: Talk) -> None:
    """Another answer than a WebSocket reaches the client as it is: status, headers without those of the connection, body."""
    with pytest.raises(InvalidStatus) as caught:
        opened(home, "/open/refuses")
    answer = caught.value.response

    assert (answer.status_code, bytes(answer.body)) == (418, b"no tea\n")
    assert answer.headers["x-why"] == "kettle"
    assert "x-hop" not in answer.headers
    assert "h2c" not in str(answer.headers)
    assert answer.headers["cache-control"].startswith("private")
    assert len(talk.targets) == 1


def test_repeated_headers_of_a_refusal_pass(home: House) -> None:
    """A backend's refusal reaches the client with all its headers, and the worker lives on."""
    before = workers(home.gateway.pid)
    lines = b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-A: 1\r\nX-A: 2\r\nTransfer-Encoding: chunked"
    home.backend.answers(b"HTTP/1.1 403 Forbidden\r\n" + lines + b"\r\n\r\n3\r\nno\n\r\n0\r\n\r\n")
    for _ in range(3):
        with pytest.raises(InvalidStatus) as caught:
            opened(home, "/http/a")
        answer = caught.value.response
        assert (answer.status_code, bytes(answer.body)) == (403, b"no\n")
        assert answer.headers.get_all("set-cookie") == ["a=b", "c=d"]
        assert answer.headers.get_all("x-a") == ["1", "2"]

    assert workers(home.gateway.pid) == before


def test_a_redirect_is_not_followed(home: House, talk: Talk) -> None:
    """A backend that redirects a handshake is not asked again: where to go is for the client, and is judged anew."""
    with home.line() as line:
        line.send(HANDSHAKE % b"/open/redirects")
        answer = line.answer()

    assert (answer.status, answer.value("location")) == (302, "/talk/echo")
    assert talk.targets == ["/open/redirects"]


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
])  # fmt: skip
def test_only_101_opens_a_socket(home: House, said: bytes) -> None:
    """A success that is not a switch of protocols is an answer, and opens no tunnel."""
    home.backend.answers(said)
    with pytest.raises(InvalidStatus) as caught:
        opened(home, "/http/a")

    assert caught.value.response.status_code in (200, 204)


@pytest.mark.parametrize("said", [
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"SSH-2.0-x\r\n\r\n",
], ids=repr)  # fmt: skip
def test_an_answer_that_is_none_to_a_handshake(home: House, said: bytes) -> None:
    """A wrong accept key, another protocol, an interim answer or no HTTP at all is 502."""
    home.backend.answers(said)

    assert refused(home, "/http/a") == (502, "backend-broken")


def test_a_backend_that_is_down(home: House) -> None:
    """Where nobody listens the handshake is 502."""
    assert refused(home, "/down/a") == (502, "backend-down")


def test_sockets_have_a_bound_of_their_own(home: House) -> None:
    """Beyond `max_websockets` a handshake is 503, until one of them has ended."""
    with opened(home, "/one/echo"):
        assert refused(home, "/one/echo") == (503, "backend-busy")

    def passes() -> bool:
        try:
            opened(home, "/one/echo").close()
        except InvalidStatus:
            return False
        return True

    assert eventually(passes)


def test_a_message_that_is_too_large_ends_the_socket(home: House, talk: Talk) -> None:
    """A client's message beyond the bound is 1009 and does not arrive, whole or in fragments; a backend's is 1011."""
    for message in (b"x" * (BOUND + 1), ["y" * BOUND, "z"], "ä" * (BOUND // 2 + 1)):
        with opened(home, "/open/echo") as client:
            client.send(message)
            assert ended(client)[0] == 1009
    with opened(home, f"/open/tells/{BOUND}") as client:
        assert len(client.recv(timeout=10)) == BOUND
    with opened(home, f"/open/tells/{BOUND + 1}") as client:
        assert ended(client)[0] == 1011

    assert talk.messages == []


def test_a_socket_without_messages_ends(home: House, talk: Talk) -> None:
    """After `websocket_idle` without a message both sides hear 1001; messages keep a socket open beyond it."""
    with opened(home, "/hasty/echo") as client:
        for _ in range(5):
            client.send("x")
            client.recv(timeout=10)
            time.sleep(0.2)
        assert ended(client)[0] == 1001

    assert eventually(lambda: talk.closes)
    assert talk.closes[0][0] == 1001


def test_a_client_that_takes_nothing_holds_its_backend_back(home: House, talk: Talk) -> None:
    """A backend that floods a stalled client is not read from any more: memory stays within a few messages, and the flood stands still."""
    (worker,) = workers(home.gateway.pid)
    client = opened(home, "/open/floods", max_queue=1)
    with growth(worker) as seen:
        client.recv(timeout=10)
        assert eventually(lambda: _stands_still(talk))
        flooded = talk.flooded
    client.socket.close()

    assert PIECE < flooded < 48 * MIB  # the kernel's buffers on the way, mostly
    assert seen.octets < 16 * MIB
    assert eventually(lambda: talk.closes)


def test_a_backend_that_takes_nothing_ends_the_socket(home: House) -> None:
    """A client that floods a stalled backend is held back, memory stays bounded, and after `write_timeout` the socket ends."""
    (worker,) = workers(home.gateway.pid)
    client = opened(home, "/hasty/mute")
    sent = 0

    def flood() -> None:
        nonlocal sent
        try:
            while True:
                client.send(b"x" * 60_000)
                sent += 60_000
        except (ConnectionClosed, OSError):
            return

    with growth(worker) as seen:
        flooding = threading.Thread(target=flood)
        flooding.start()
        code = ended(client)[0]
        flooding.join()

    assert code in (1011, 1006)  # 1006 where what the client still sent met a closed connection
    assert 0 < sent < 48 * MIB
    assert seen.octets < 16 * MIB


def test_a_client_that_pings_and_takes_nothing_is_cut(home: House, talk: Talk) -> None:
    """Its pings are read no more once the pongs wait, memory stays bounded, and after `answer_timeout` it is cut and its backend hears of it."""
    (worker,) = workers(home.gateway.pid)
    pings = Frame(Opcode.PING, b"x" * 120).serialize(mask=True) * 500
    sent = 0
    with home.line() as line, growth(worker) as seen:
        line.send(HANDSHAKE % b"/open/echo")
        assert line.socket.recv(12) == b"HTTP/1.1 101"
        begun = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012
            while sent < 256 * MIB:
                line.send(pings)
                sent += len(pings)
        lasted = time.monotonic() - begun

    assert sent < 48 * MIB  # the kernel's buffers both ways, mostly
    assert seen.octets < 16 * MIB
    assert 3 <= lasted < 15
    assert eventually(lambda: [code for code, _ in talk.closes] == [1001])


def test_a_client_that_floods_small_messages_is_held_back(home: House, talk: Talk) -> None:
    """Messages that are nearly nothing cost more than their bytes: of those that a stalled backend does not take few are held."""
    (worker,) = workers(home.gateway.pid)
    piece, sent = Frame(Opcode.BINARY, b"").serialize(mask=True) * 10_000, 0
    with home.line() as line, growth(worker) as seen:
        line.send(HANDSHAKE % b"/open/mute")
        assert line.socket.recv(12) == b"HTTP/1.1 101"
        line.socket.settimeout(1.5)
        with suppress(TimeoutError, ConnectionError):
            while sent < 64 * MIB:
                line.send(piece)
                sent += len(piece)

    assert sent < 48 * MIB
    assert seen.octets < 48 * MIB  # up to 18 was seen; without a bound on what waits it is 400
    assert eventually(lambda: talk.targets == ["/open/mute"])


def test_a_gateway_that_stops_closes_its_sockets(tmp_path: Path, talk: Talk) -> None:
    """Told to stop, it says 1001 to both sides of each socket, also within a flood, and waits for neither."""
    toml = '[server]\ndrain_timeout = "60s"\n' + UPSTREAMS % {"talk": talk.url, "nobody": free_port()}
    with house(tmp_path, toml, ROWS) as own:
        idle, flooded = opened(own, "/open/echo"), opened(own, "/open/floods")
        idle.send("x")
        assert idle.recv(timeout=10) == "x"
        os.kill(own.gateway.pid, signal.SIGTERM)
        assert [ended(client)[0] for client in (idle, flooded)] == [1001, 1001]
        assert eventually(lambda: is_over(own.gateway.pid))  # sooner than the time for draining

    assert eventually(lambda: [code for code, _ in talk.closes] == [1001, 1001])
    assert "Traceback" not in own.gateway.log


def test_a_client_that_leaves_within_the_handshake(home: House) -> None:
    """Whoever leaves before the backend has answered leaves nothing behind: the gateway answers others, and says nothing of an error."""
    home.backend.use(_slow)
    with home.line() as line:
        line.send(HANDSHAKE % b"/http/a")
        assert eventually(lambda: home.backend.requests)
    assert eventually(home.backend.visits[0].over.is_set)
    with opened(home, "/open/echo") as client:
        client.send("x")
        assert client.recv(timeout=10) == "x"

    assert "Traceback" not in home.gateway.log


def test_a_client_that_leaves_a_backend_which_says_nothing(home: House) -> None:
    """A handshake that the backend does not answer ends with the client: it holds no place until the backend's time is over."""
    home.backend.use(_silent)
    with home.line() as line:
        line.send(HANDSHAKE % b"/http/b")
        assert eventually(lambda: home.backend.requests)
    assert eventually(home.backend.visits[0].over.is_set)
    assert "Traceback" not in home.gateway.log


async def _silent(visit: Any) -> None:
    """Hears a handshake and says nothing."""
    await visit.head()
    await visit.left()


def _stands_still(talk: Talk) -> bool:
    before = talk.flooded
    time.sleep(0.3)
    return before > 0 and talk.flooded == before


async def _slow(visit: Any) -> None:
    """Answers a handshake late, then waits for the end."""
    import asyncio
    import hashlib

    request = await visit.head()
    await asyncio.sleep(0.3)
    key = request.values(b"sec-websocket-key")[0] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key, usedforsecurity=False).digest())
    await visit.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        + accept
        + b"\r\n\r\n"
    )
    await visit.left()


def test_a_right_that_ends_closes_the_socket(home: House, talk: Talk) -> None:
    """Once the entry that let it open is taken away, the client is closed with 1008 and the backend hears of it; the audit says why."""
    who = person(home)
    signed = dict([who.header.split(": ", 1)])
    with opened(home, "/talk/echo", headers=signed) as client:
        change(home, lambda session: changes.revoke(session, FILES, f"user:{who.name}"))
        assert ended(client)[0] == 1008

    assert eventually(lambda: [line["reason"] for line in cuts(home, who.name)] == ["no-grant"])
    assert eventually(lambda: [code for code, _ in talk.closes] == [1001])
