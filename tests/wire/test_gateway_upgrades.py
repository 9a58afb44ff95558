"""Changes of protocol, as raw bytes through the whole running gateway: what is switched to, and that nothing travels in its shadow."""

import asyncio
import re
from collections.abc import Iterator
from typing import Final

import pytest

from backends import Visit
from e2e.behind import eventually
from e2e.house import House, house
from e2e.processes import workers
from e2e.raw import line, request
from e2e.talking import Talk, talking
from e2e.wires import REFUSED, all_statuses, says_what_is_true
from e2e.wires import ROWS as PLAIN

ROWS: Final = f"""{PLAIN}
  - GET /live/{{path...}}: {{websocket: true, action: read, object: file, id: "/{{path}}", role: can_read_files}}
  - GET /talk/{{path...}}: {{upstream: talk, websocket: true, anonymous: true}}
"""
KEY: Final = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
SHAKE: Final = ("upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13", KEY)
SMUGGLED: Final = request("GET", "/smuggled")
"""Another request, by nobody: judged by itself it is 401."""


@pytest.fixture(scope="module", name="talk")
def running_talk() -> Iterator[Talk]:
    """A backend that speaks WebSocket."""
    with talking() as found:
        yield found


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory, talk: Talk) -> Iterator[House]:
    """A gateway with rows for every path, of which some take WebSockets."""
    toml = f'[upstreams.talk]\nurl = "{talk.url}"\n'
    with house(tmp_path_factory.mktemp("house"), toml, ROWS) as found:
        found.run("object", "add", "file:/", "--domain", "main")
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House, talk: Talk) -> None:
    """Lets each test begin with backends that have seen nothing."""
    talk.clear()
    if home.backend.visits:
        home.backend.clear()


def statuses(home: House, data: bytes) -> list[int]:
    """Sends bytes over a connection of their own; returns all statuses that come back."""
    with line(home.gateway.url) as client:
        client.send(data)
        return all_statuses(client)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("lines", [
    ["upgrade: h2c", "connection: Upgrade, HTTP2-Settings", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA"], ["upgrade: TLS/1.0", "connection: upgrade"],
    ["upgrade: HTTP/2.0", "connection: Upgrade"], ["upgrade: websocket-not", "connection: Upgrade"], ["upgrade: h2c", "upgrade: TLS/1.0", "connection: Upgrade"],
    ["upgrade: websocket", KEY], ["connection: Upgrade", KEY], ["upgrade: connect-udp", "connection: Upgrade", "capsule-protocol: ?1"],
], ids=repr)  # fmt: skip
def test_another_protocol_is_not_switched_to(home: House, method: str, lines: list[str]) -> None:
    """The request is served as what it is without its `Upgrade`, and what was sent behind it is another request, judged by itself."""
    found = statuses(home, request(method, "/live/a" if method == "GET" else "/a", home.bearer("ada"), *lines) + SMUGGLED)  # fmt: skip

    assert found == [200, 401]
    assert [each.line.split()[0].decode() for each in home.backend.requests] == [method]
    assert not re.search(rb"upgrade|http2-settings", home.backend.requests[0].head, re.IGNORECASE)
    assert says_what_is_true(home)


def test_a_tunnel_of_h2c_is_not_opened(home: House) -> None:
    """The preface and frames of HTTP/2 behind an upgrade to h2c are no request that anybody carries out."""
    upgrade = request("GET", "/a", home.bearer("ada"), "upgrade: h2c", "connection: Upgrade, HTTP2-Settings", "http2-settings: AAMAAABkAARAAAAAAAIAAAAA")  # fmt: skip
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    found = statuses(home, upgrade + preface)

    assert found[0] == 200
    assert all(each >= REFUSED for each in found[1:])
    assert [each.line for each in home.backend.requests] == [b"GET /a HTTP/1.1"]


@pytest.mark.parametrize("who", ["", "otto", "ada"])
def test_what_follows_a_refused_handshake_is_another_request(home: House, who: str) -> None:
    """Behind a handshake that is refused nothing becomes a tunnel: the next request is judged by itself."""
    found = statuses(home, request("GET", "/a", home.bearer(who), *SHAKE) + SMUGGLED)

    assert found == [401 if not who else 403, 401]
    assert home.backend.requests == []


def hidden(home: House, method: str, framing: str) -> tuple[list[int], bytes]:
    """Sends a handshake whose body is another request, and a request behind it; returns all statuses, and that body."""
    inner = request("GET", "/hidden", home.bearer("ada"))
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner) if "chunked" in framing else inner
    lines = (*SHAKE, framing.replace("%d", str(len(inner))))
    return statuses(home, request(method, "/live/a", home.bearer("ada"), *lines) + body + SMUGGLED), inner


@pytest.mark.parametrize("framing", ["content-length: %d", "transfer-encoding: chunked"])
def test_a_handshake_with_a_body_is_refused(home: House, framing: str) -> None:
    """A body would have two readings, content or frames: 400, the connection ends, and no byte of it is carried out."""
    found, _ = hidden(home, "GET", framing)

    assert found == [REFUSED]
    assert home.backend.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("framing", ["content-length: %d", "transfer-encoding: chunked"])
def test_what_offers_a_socket_with_another_method_keeps_its_body(
    home: House, method: str, framing: str
) -> None:
    """It is the request that it says it is: its body has one end, and what follows is judged by itself."""
    found, inner = hidden(home, method, framing)

    assert found == [200, 401]
    assert [each.body for each in home.backend.requests] == [inner]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_a_get_is_a_handshake(home: House, method: str) -> None:
    """An offer to switch with another method is not taken (RFC 6455 4.1): judged by its own row, it reaches the backend without the offer."""
    found = statuses(home, request(method, "/live/a", home.bearer("ada"), *SHAKE))

    assert found == [403 if method == "DELETE" else 200]  # no row for it
    assert [each.line.split()[0].decode() for each in home.backend.requests] == [method] * (found == [200])
    assert not any(re.search(rb"upgrade|sec-websocket-accept", each.head, re.IGNORECASE) for each in home.backend.requests)  # fmt: skip


@pytest.mark.parametrize("lines", [
    SHAKE[:3], (*SHAKE, KEY), (*SHAKE[:3], "sec-websocket-key: short"), (*SHAKE[:3], "sec-websocket-key: " + "A" * 200), (*SHAKE[:2], "sec-websocket-version: 12", KEY),
    (*SHAKE[:2], KEY), (*SHAKE, "sec-websocket-protocol: a b"), (*SHAKE, "sec-websocket-protocol: a;b"), (*SHAKE, "host: other.example"), (*SHAKE, "authorization: Bearer x"),
    (*SHAKE, "content-length: 5"), (*SHAKE, "transfer-encoding: gzip"),
], ids=repr)  # fmt: skip
def test_a_malformed_handshake_is_refused(home: House, lines: tuple[str, ...]) -> None:
    """A key, version or subprotocol that is none, and headers with two readings, are 400 and reach no backend."""
    assert statuses(home, request("GET", "/live/a", home.bearer("ada"), *lines)) == [REFUSED]
    assert home.backend.requests == []


def test_there_is_no_upgrade_in_http_1_0(home: House) -> None:
    """A handshake in HTTP/1.0 is a GET without one, and its connection's last request (RFC 9110 7.8)."""
    data = request("GET", "/live/a", home.bearer("ada"), *SHAKE).replace(b"HTTP/1.1", b"HTTP/1.0")

    assert statuses(home, data + SMUGGLED) == [200]
    (got,) = home.backend.requests
    assert not re.search(rb"upgrade", got.head, re.IGNORECASE)


def test_nothing_is_passed_on_before_the_backend_agrees(home: House) -> None:
    """What a client sends behind its handshake waits: the backend sees the handshake alone, and if it refuses, the rest is another request."""
    early: list[bytes] = []

    async def script(visit: Visit) -> None:
        await visit.head()
        try:
            early.append(await asyncio.wait_for(visit.reader.read(1), 0.3))
        except TimeoutError:
            await visit.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    home.backend.use(script)
    found = statuses(home, request("GET", "/live/a", home.bearer("ada"), *SHAKE) + SMUGGLED)

    assert found == [403, 401]
    assert early == []
    assert len(home.backend.requests) == 1


@pytest.mark.parametrize("behind", [
    SMUGGLED, b"\x81\x02hi", b"\x83\x80\x00\x00\x00\x00", b"\xf1\x80\x00\x00\x00\x00", b"\x89\xfe\x00\x80\x00\x00\x00\x00" + b"x" * 128,
    b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"\x80\x81\x00\x00\x00\x00x", b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
], ids=["http", "unmasked", "opcode", "reserved-bits", "long-ping", "not-utf-8", "continuation-of-nothing", "endless"])  # fmt: skip
def test_frames_that_are_none_end_the_socket(home: House, talk: Talk, behind: bytes) -> None:
    """Behind an accepted handshake there are frames or the end: another request, or a frame that RFC 6455 5 forbids, reaches no backend."""
    before = workers(home.gateway.pid)
    with line(home.gateway.url) as client:
        client.send(request("GET", "/talk/echo", *SHAKE) + behind)
        assert b"101 Switching" in client.socket.recv(12_000)
        assert eventually(lambda: talk.closes)

    assert talk.messages == []
    assert talk.targets == ["/talk/echo"]
    assert workers(home.gateway.pid) == before
