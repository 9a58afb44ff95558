"""Raw request lines into the whole running gateway: whatever is sent is refused, or what was judged is what the backend received.

Each test sends bytes that an ordinary client would tidy up, and looks at what a recording backend was sent, byte for byte.
Headers and framing: `test_gateway_headers`, `test_gateway_framing`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import pytest

from e2e.house import House
from e2e.raw import Answer, request
from e2e.wires import REFUSED, head, sent, wired

NAMES: Final = (Path(__file__).parents[1] / "corpus" / "media_names.txt").read_text("utf-8").split("\n")[:-1]

# fmt: off
AMBIGUOUS: Final = [
    b"/..", b"/.", b"/a/..", b"/a/.", b"/a/../b", b"/a/./b", b"/../../etc/passwd", b"/a/b/../../../c", b"/a/%2e%2e/b",
    b"/a/%2E%2E/b", b"/a/.%2e/b", b"/a/%2e./b", b"/a/%2e/b", b"/%2e%2e", b"/a%2e%2e/b", b"/a%2emp4", b"/a%2fb",
    b"/a%2Fb", b"/%2f", b"/a%5cb", b"/a%5Cb", b"/a\\b", b"/\\evil.example", b"/..%5c", b"/..%2f", b"//", b"//a",
    b"///a", b"/a//b", b"/a//", b"//evil.example/a", b"/%00", b"/a%00.mp4", b"/a%0a", b"/a%0D%0Ab", b"/a%09b",
    b"/a%1fb", b"/a%7f", b"/a%C2%85b", b"/a%C2%9Fb", b"/%80", b"/%ff", b"/a%c3", b"/a%c3%28", b"/%c0%af",
    b"/%c0%ae%c0%ae/b", b"/%e0%80%af", b"/%ed%a0%80", b"/%f4%90%80%80", b"/a%252fb", b"/a%252Fb", b"/%252e%252e/b",
    b"/a%255cb", b"/a%25252fb", b"/a%2500b", b"/a%250ab", b"/a/..;/b", b"/a;x=1/b", b"/a/;/b", b"/a;.mp4", b"/a%",
    b"/a%2", b"/a%zz", b"/a%u002f", b"/%%32%66", b"/a%2 fb", "/café".encode(), "/a\u2215b".encode(), b"/a\xffb",
    b"/\xc0\xaf", b"/a\x01b", b"/a\x7fb", b"/a\tb", b"/a\x0bb", b"/a b", b"/a\x00b", b"/a\rb", b'/a"b', b"/a<b",
    b"/a>b", b"/a{b", b"/a}b", b"/a`b", b"/a?x=\x01", b"/a?x=\xe9", b"/a?x=%", b"/a?x=%zz", b"/a?x=a b", b"/a?\x7f",
    b"/a?x=%0", b'/a?x="', b"/a?<", b"*", b"a", b"?a", b"", b"gw.example/a", b"gw.example:80", b"file:/a", b"http:/a",
    b"http:a",
]
"""Targets that have two readings, or none."""
PLAIN: Final = [
    b"/", b"/a", b"/a/", b"/a/b/c.mp4", b"/A/b", b"/a.b.c", b"/a..b", b"/a...", b"/...", b"/.hidden", b"/a/.b/..c",
    b"/~a", b"/-a", b"/%61", b"/%41/%62", b"/a%20b", b"/a+b", b"/a%2Bb", b"/a%3Fb", b"/a%3fb?c", b"/a%23b", b"/a%3Bb",
    b"/a%26b", b"/a%40b", b"/a%7eb", b"/a!$&'()*,=:@b", b"/a|b^c", b"/a[1]", b"/100%25", b"/50%25-off",
    b"/a%22b%3Cc%3E", b"/a%7Bb%7D", b"/--/a", b"/-a/b", b"/%E2%84%AA", b"/%EF%BC%8E%EF%BC%8E/b", b"/a%E2%80%AEb",
    b"/caf%C3%A9", b"/cafe%CC%81", b"/%F0%9F%8E%AC.mov", b"/%C4%B0%C4%B1", b"/a?b", b"/a?b=c&d=e", b"/a??", b"/a?b?c",
    b"/a?../..", b"/a?x=%2e%2e%2f", b"/a?x=//b", b"/a?%00", b"/a?x=;y", b"/a?x=%E9", b"/a?x=http://evil.example/",
    b"/a?x='{}|^`!$()*,", b"/" + b"a" * 1000, b"/a?" + b"b" * 7000, b"/a" * 250,
]
"""Targets with one reading, however odd they look."""
REWRITTEN: Final = [
    (b"/a?", b"/a"), (b"http://gw.example/a", b"/a"), (b"HTTPS://GW.example/a", b"/a"), (b"http://gw.example", b"/"), (b"http://gw.example?b", b"/?b"),
    (b"/a#b", b""), (b"/a#/../b", b""), (b"/a?b#c", b""), (b"/#", b""), (b"/a%23#b", b""), (b"/a##", b""), (b"http://gw.example/a#b", b""),
    (b"http://evil.example/a", b""), (b"http://evil.example:8080/a?b", b""), (b"http://u:p@evil.example/a", b""), (b"http://gw.example@evil.example/a", b""),
    (b"HTTP://X/a", b""), (b"http://gw.example:8080/a", b""), (b"ftp://gw.example/a", b""), (b"http://gw.example//a", b""), (b"http://gw.example/a/../b", b""),
    (b"http://gw.example/a%2fb", b""), (b"http:///a", b""), (b"http://[::1]/a", b""), (b"http://a\\b/c", b""),
]
"""Targets of which a part is dropped, with what is left; nothing where they are refused."""
# fmt: on


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with rows for every path."""
    with wired(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    if home.backend.visits:
        home.backend.clear()


def judged(home: House, answer: Answer) -> dict[str, Any]:
    """Returns the audit line of a request."""
    lines = [json.loads(each) for each in home.gateway.audit.read_text().splitlines()]
    (found,) = [each for each in lines if each["request_id"] == answer.value("x-request-id")]
    return dict(found)


@pytest.mark.parametrize("target", AMBIGUOUS, ids=repr)
def test_a_target_with_two_readings_is_refused(home: House, target: bytes) -> None:
    """Dot segments, encoded separators, double encoding, control and raw bytes are 400 and reach no backend."""
    answer = sent(home, head(home, target))

    assert answer is not None
    assert answer.status == REFUSED
    assert home.backend.requests == []


@pytest.mark.parametrize("target", [each for each in AMBIGUOUS if each.startswith(b"/")], ids=repr)
def test_a_target_with_two_readings_is_refused_where_no_object_is_judged(home: House, target: bytes) -> None:
    """On a route that is open to all, and so names no object, the same targets are 400."""
    answer = sent(home, head(home, b"/open" + target))

    assert answer is not None
    assert answer.status == REFUSED
    assert home.backend.requests == []


@pytest.mark.parametrize("target", PLAIN, ids=lambda target: repr(target[:40]))
def test_a_target_with_one_reading_arrives_as_it_came(home: House, target: bytes) -> None:
    """What is properly written reaches the backend byte for byte, and is what was judged."""
    answer = sent(home, head(home, target))

    assert answer is not None
    assert answer.status == 200
    is_what_was_judged(home, answer, target)


@pytest.mark.parametrize(("target", "left"), REWRITTEN, ids=repr)
def test_a_target_of_which_a_part_is_dropped_is_judged_as_what_is_left(
    home: House, target: bytes, left: bytes
) -> None:
    """The authority of an absolute target is the `Host`, or the request is refused; so is a fragment. What arrives is what was judged."""
    answer = sent(home, head(home, target))
    assert answer is not None
    if not left:
        assert answer.status == REFUSED
        assert home.backend.requests == []
        return

    assert answer.status == 200
    (received,) = home.backend.requests
    assert received.values(b"host") == received.values(b"x-forwarded-host") == [b"gw.example"]
    is_what_was_judged(home, answer, left)


def is_what_was_judged(home: House, answer: Answer, target: bytes) -> None:
    """Asserts that the one request the backend got has this target, and that its path is the object that was judged."""
    (received,) = home.backend.requests
    path = target.partition(b"?")[0]
    name = unquote_to_bytes(path).decode()
    assert received.line == b"GET " + target + b" HTTP/1.1"
    assert judged(home, answer)["objects"] == [f"read file:{name if name == '/' else name.removesuffix('/')}"]


def test_names_in_any_script_arrive_as_they_came(home: House) -> None:
    """Two hundred real media names, properly encoded, pass the whole gateway and reach the backend byte for byte."""
    targets = [f"/{quote('Ünsortiert 2024')}/{quote(name, safe='')}" for name in NAMES]
    with home.line() as client:
        statuses = {client.ask("GET", target, home.bearer("ada")).status for target in targets}
    objects = [
        json.loads(each)["objects"] for each in home.gateway.audit.read_text().splitlines()[-len(NAMES) :]
    ]

    assert statuses == {200}
    assert home.backend.lines == [f"GET {target}".encode() for target in targets]
    assert objects == [[f"read file:/Ünsortiert 2024/{name}"] for name in NAMES]


def test_a_long_target_is_refused_and_a_shorter_one_passes(home: House) -> None:
    """A target passes up to its bound; beyond it, and beyond the server's own, it is refused."""
    fits, beyond, far = (sent(home, head(home, b"/a?" + b"b" * size)) for size in (8190, 8191, 900_000))

    assert fits is not None
    assert beyond is not None
    assert (fits.status, beyond.status) == (200, REFUSED)
    assert far is not None
    assert far.status == 431
    assert len(home.backend.requests) == 1


@pytest.mark.parametrize(
    "spelling",
    ["/-%2flivez", "/-%2Freadyz", "/%2e/-/livez", "//-/livez", "/-/./livez", "/-/../-/livez", "/-//livez"],
)
def test_the_gateways_own_pages_have_one_spelling(home: House, spelling: str) -> None:
    """What is refused in any other path is refused in the gateway's own."""
    with home.line() as client:
        assert client.ask("GET", spelling).status == REFUSED


@pytest.mark.parametrize("spelling", ["/-/a", "/%2d/a", "/%2D/livezz", "/-/%61"])
def test_no_row_reaches_below_the_gateways_own_prefix(home: House, spelling: str) -> None:
    """However the prefix is spelled, a row for every path does not cover it, not even for an admin."""
    with home.line() as client:
        answer = client.ask("GET", spelling, home.bearer("ada"))

    assert (answer.status, answer.reason) == (403, "no-route")
    assert home.backend.requests == []


@pytest.mark.parametrize(
    "method", ["TRACE", "CONNECT", "BREW", "get", "Get", "PRI", "GETT", "PROPFIND2", "X" * 500]
)
def test_a_method_that_is_not_known_is_refused(home: House, method: str) -> None:
    """Unknown methods, those that change what the connection is, and other letter cases reach no backend."""
    answer = sent(home, request(method, "/a", home.bearer("ada")))

    assert answer is not None
    assert answer.status in (400, 405)
    assert home.backend.requests == []


@pytest.mark.parametrize("first", [
    b"CONNECT gw.example:443 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"PRI * HTTP/2.0", b"GET /a HTTP/2.0", b"GET /a HTTP/0.9", b"GET /a",
    b"GET  /a HTTP/1.1", b"GET /a  HTTP/1.1", b"GET /a HTTP/1.1 x", b"GET /a http/1.1", b"GET\t/a\tHTTP/1.1", b" GET /a HTTP/1.1",
    b"GET /a HTTP/1.10", b"GET /a HTTP/1,1", b"\x16\x03\x01\x02\x00\x01",
])  # fmt: skip
def test_a_request_line_that_is_not_one_is_refused(home: House, first: bytes) -> None:
    """Other forms of a request line, other protocols and versions reach no backend."""
    answer = sent(home, b"\r\n".join([first, b"host: gw.example", home.bearer("ada").encode(), b"", b""]))

    assert answer is not None
    assert answer.status in (400, 405)
    assert home.backend.requests == []


def test_a_websocket_is_refused(home: House) -> None:
    """An upgrade to WebSocket is 403 for anybody; nothing after it is carried anywhere."""
    lines = (
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    with home.line() as client:
        client.send(
            request("GET", "/a", home.bearer("ada"), *lines) + request("GET", "/smuggled", home.bearer("ada"))
        )
        status, _ = client.head()

    assert status == 403
    assert home.backend.requests == []


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "foo, websocket-not", "HTTP/2.0"])
def test_no_other_protocol_is_switched_to(home: House, protocol: str) -> None:
    """Another `Upgrade` is not passed on: the request is served as what it is, or refused."""
    lines = (
        f"upgrade: {protocol}",
        "connection: Upgrade, HTTP2-Settings",
        "http2-settings: AAMAAABkAARAAAAAAAIAAAAA",
    )
    answer = sent(home, request("GET", "/a", home.bearer("ada"), *lines))

    assert answer is not None
    assert answer.status in (200, 400, 403)
    for received in home.backend.requests:
        assert not re.search(rb"upgrade|http2-settings", received.head, re.IGNORECASE)
