"""Headers through the whole running gateway, both ways: what is the connection's, what only the gateway may say, and the rest."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from e2e.house import House
from e2e.raw import request
from e2e.wires import OURS, REFUSED, head, says_what_is_true, sent, wired

OF_THE_CONNECTION: Final = [
    "connection: keep-alive, X-Named", "keep-alive: timeout=5", "proxy-connection: keep-alive", "te: trailers, deflate",
    "trailer: x-mediagate-user", "proxy-authorization: Basic c3Bvb2ZlZA==", "proxy-authenticate: Basic", "x-named: spoofed", "http2-settings: AAMA",
]  # fmt: skip


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


def test_headers_of_the_connection_stay_on_it(home: House) -> None:
    """Hop-by-hop headers, and those that `Connection` names in any letter case, do not reach the backend."""
    answer = sent(home, request("GET", "/a", home.bearer("ada"), *OF_THE_CONNECTION))
    (received,) = home.backend.requests

    assert answer is not None
    assert {name for name, _ in received.headers} == OURS | {b"host"}


def test_nobody_can_name_our_headers_away(home: House) -> None:
    """What the gateway says itself arrives, whatever a client's `Connection` lists."""
    named = ", ".join(
        name.decode() for name in sorted(OURS | {b"host", b"content-length", b"transfer-encoding", b"close"})
    )
    answer = sent(
        home,
        request(
            "PUT", "/a", home.bearer("ada"), f"connection: {named}", f"Connection: {named}", body=b"film"
        ),
    )
    (received,) = home.backend.requests

    assert answer is not None
    assert answer.status == 200
    assert {name for name, _ in received.headers} == OURS | {b"host", b"content-length"}
    assert received.body == b"film"


SPOOFED: Final = [
    "X-Mediagate-User", "X-Mediagate-Domain", "X-Mediagate-Anything", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
    "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Prefix", "X-Forwarded-Client-Cert", "X-Forwarded", "Forwarded", "X-Real-IP", "X-Client-IP",
    "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL",
    "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-User", "X-User-Id", "X-Username", "X-Remote-User", "Remote-User", "X-Auth-User",
    "X-Auth-Request-User", "X-Authenticated-User", "X-WebAuth-User", "X-Request-Id", "X-Host", "X-Scheme", "X-Backend-Key", "Via", "Proxy",
    "X-Middleware-Subrequest", "X-JWT-Assertion", "X-Goog-Authenticated-User-Email", "X-MS-Client-Principal", "SSL-Client-Cert", "X-SSL-Client-DN",
]  # fmt: skip


def variants(name: str) -> set[str]:
    """Returns the spellings of a header's name that some backend takes for it."""
    folded = (name, name.replace("-", "_"), name.replace("-", "."), name.replace("-", "_", 1))
    return {
        each
        for spelling in folded
        for each in (spelling, spelling.lower(), spelling.upper(), spelling.swapcase())
    }


@pytest.mark.parametrize("name", SPOOFED)
def test_a_clients_word_about_itself_never_arrives(home: House, name: str) -> None:
    """Identity and forwarding headers of a client are gone in every spelling; ours are there once and say what is true."""
    spoofs = [f"{each}: spoofed" for each in sorted(variants(name))]
    with home.line() as client:
        answers = [client.ask("GET", "/a", home.bearer("ada"), each) for each in spoofs]
        answers.append(client.ask("GET", "/a", home.bearer("ada"), *spoofs))

    assert {answer.status for answer in answers} <= {200, REFUSED}
    assert any(answer.status == 200 for answer in answers)
    for received in home.backend.requests:
        assert b"spoofed" not in received.head
    told = [each.values(b"x-request-id") for each in home.backend.requests]
    assert told == [[answer.value("x-request-id").encode()] for answer in answers if answer.status == 200]
    assert says_what_is_true(home)


def test_an_anonymous_request_carries_no_identity(home: House) -> None:
    """On a route that is open to all nothing names a user, not even what the client sent."""
    spoofs = (*variants("X-Mediagate-User"), *variants("X-Mediagate-Domain"), "Cookie")
    answer = sent(home, request("GET", "/open/a", *(f"{name}: spoofed" for name in spoofs)))
    (received,) = home.backend.requests

    assert answer is not None
    assert received.values(b"cookie") == [b"spoofed"]
    assert received.head.count(b"spoofed") == 1
    assert b"mediagate" not in received.head


def test_all_other_headers_arrive_as_they_came(home: House) -> None:
    """Ordinary headers keep their values, repeats and order, bytes beyond ASCII included."""
    lines = [
        b"user-agent: Player/1.0 (x; y)", b"accept: video/*;q=0.8, */*", b"accept-language: sv", b"range: bytes=0-1", b'if-range: "x"', b"cookie: a=b; c=d",
        b"x-custom: one", b"x-custom: two", b"x-empty:", b"x-latin: caf\xe9", b"x-utf: caf\xc3\xa9", b"x-tab: a\tb", b"referer: http://evil.example/?a=b",
        b"x-amz-meta-some_name.x: kept", b"depth: 1", b"if: (<opaquelocktoken:1>)", b"authorization-info: x", b"x-long: " + b"y" * 5000,
    ]  # fmt: skip
    answer = sent(home, head(home, b"/a", *lines))
    (received,) = home.backend.requests
    arrived = [b": ".join(pair) for pair in received.headers]

    assert answer is not None
    assert answer.status == 200
    wanted = [each if each != b"x-empty:" else b"x-empty: " for each in lines]
    assert [each for each in arrived if each in wanted] == wanted
    assert {name for name, _ in received.headers} == OURS | {b"host"} | {
        each.partition(b":")[0] for each in lines
    }


@pytest.mark.parametrize("lines", [
    [b"authorization: Bearer x"], [b"host: other.example"], [b"Host: gw.example"], [b"app-id: a", b"app-id: b", b"auth-token: c"],
    [b"content-type: text/plain", b"content-type: application/json"], [b"destination: /a", b"destination: /b"], [b"Authorization:"],
], ids=repr)  # fmt: skip
def test_a_header_that_decides_comes_once(home: House, lines: list[bytes]) -> None:
    """Repeated `Host`, `Authorization` and the like are 400: a backend could read the other one."""
    answer = sent(home, head(home, b"/a", *lines))

    assert answer is not None
    assert answer.status == REFUSED
    assert home.backend.requests == []


@pytest.mark.parametrize("host", [
    b"", b"host:", b"host: ", b"host: a b", b"host: a/b", b"host: a?b", b"host: a#b", b"host: a@b", b"host: a,b", b"host: a\\b", b"host: a:b", b"host: a:80:80",
    b"host: [::1", b"host: \xe9", b"host: a\tb", b"host: gw.example/secret?x=", b"host: http://a", b"host: a:999999", b"host: ;a", b"host: a\x00",
], ids=repr)  # fmt: skip
def test_a_host_that_is_not_one_is_refused(home: House, host: bytes) -> None:
    """A missing or malformed `Host` is 400: it must not move what the path means."""
    lines = (
        [b"GET /a HTTP/1.1", host, home.bearer("ada").encode(), b"", b""]
        if host
        else [b"GET /a HTTP/1.1", home.bearer("ada").encode(), b"", b""]
    )
    answer = sent(home, b"\r\n".join(lines))

    assert answer is not None
    assert answer.status == REFUSED
    assert home.backend.requests == []


@pytest.mark.parametrize("injected", [
    b"x-a: b\nx-mediagate-user: zoe", b"x-a: b\rx-mediagate-user: zoe", b"x-a: b\r\n x-mediagate-user: zoe", b"x-a: b\x00c", b"x-a: b\x01c", b"x-a: b\x7fc",
    b"x-mediagate-user : zoe", b" x-mediagate-user: zoe", b"x-mediagate-user\t: zoe", b"x mediagate-user: zoe", b": zoe", b"x-mediagate-user", b"x\x00y: zoe",
    b"x-mediagate-us\xc3\xa9r: zoe", b"x(y): zoe", b"x\xe9: zoe",
], ids=repr)  # fmt: skip
def test_a_malformed_header_adds_nothing(home: House, injected: bytes) -> None:
    """Bare line ends, folded lines and malformed names are refused, or at least say nothing about who asks."""
    answer = sent(home, head(home, b"/a", injected))

    assert answer is not None
    assert answer.status in (200, REFUSED)
    for received in home.backend.requests:
        assert b"zoe" not in b"".join(received.values(b"x-mediagate-user"))
        assert not re.search(rb"\r[^\n]|[^\r]\n|\x00|\x01|\x7f", received.head)
    assert says_what_is_true(home)


def test_many_and_large_headers(home: House) -> None:
    """Heads of a size that browsers send pass whole; one of megabytes does not, and reaches no backend."""
    many = [f"x-number-{number}: {'y' * 100}".encode() for number in range(80)]
    usual = sent(home, head(home, b"/a", *many, b"cookie: " + b"c" * 16_000))
    (received,) = home.backend.requests
    huge = sent(home, head(home, b"/a", b"cookie: " + b"c" * 3_000_000))

    assert usual is not None
    assert usual.status == 200
    assert all(each in received.head for each in many)
    assert received.values(b"cookie") == [b"c" * 16_000]
    assert huge is not None
    assert huge.status == 431
    assert len(home.backend.requests) == 1


def test_headers_of_an_answers_connection_stay_on_it(home: House) -> None:
    """Hop-by-hop headers of an answer, and those that its `Connection` names, do not reach the client; all others do."""
    lines = [
        b"Connection: X-Named, close", b"X-Named: 1", b"Keep-Alive: timeout=5", b"Proxy-Authenticate: Basic", b"Upgrade: h2c", b"TE: x", b"Trailer: x-y",
        b"Proxy-Connection: close", b"X-Request-Id: theirs", b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"X-Latin: caf\xe9", b"WWW-Authenticate: Basic",
        b"Cache-Control: private", b'ETag: "x"', b"Content-Type: video/mp4", b"X-Accel-Redirect: /secret", b"Server: theirs", b"Content-Length: 2",
    ]  # fmt: skip
    home.backend.answers(b"\r\n".join([b"HTTP/1.1 200 Fine", *lines, b"", b"ok"]))
    answer = sent(home, head(home, b"/a"))

    assert answer is not None
    names = {name.lower() for name, _ in answer.headers}
    assert names.isdisjoint(
        {"x-named", "keep-alive", "proxy-authenticate", "upgrade", "te", "trailer", "proxy-connection"}
    )
    assert answer.values("set-cookie") == ["a=b", "c=d"]
    assert answer.value("x-latin") == "caf\xe9"
    assert re.fullmatch("[0-9a-f]{24}", answer.value("x-request-id"))
    passed = (
        "www-authenticate",
        "cache-control",
        "etag",
        "content-type",
        "x-accel-redirect",
        "content-length",
    )
    assert [answer.value(name) for name in passed] == ["Basic", "private", '"x"', "video/mp4", "", "2"]
    assert (answer.status, answer.body) == (200, b"ok")


def test_a_large_head_of_an_answer_passes(home: House) -> None:
    """An answer with many and long headers reaches the client whole."""
    many = [b"x-number-%d: %b" % (number, b"y" * 200) for number in range(180)]
    home.backend.answers(b"\r\n".join([b"HTTP/1.1 200 OK", *many, b"content-length: 2", b"", b"ok"]))
    answer = sent(home, head(home, b"/a"))

    assert answer is not None
    assert answer.status == 200
    assert sum(name.startswith("x-number-") for name, _ in answer.headers) == 180
