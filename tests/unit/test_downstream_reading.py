"""Reading heads: what is one of HTTP/1.1 is read as everybody reads it, everything else is refused."""

from typing import Final

import pytest
from httptools import HttpRequestParser
from hypothesis import given
from hypothesis import strategies as st

from gateway.downstream.reading import Head, read_head
from gateway.errors import GatewayError
from gateway.reasons import Reason

HEADERS, TARGET, METHOD, BODY = Reason.BAD_HEADERS, Reason.BAD_TARGET, Reason.BAD_METHOD, Reason.BAD_BODY


def head(*lines: bytes, first: bytes = b"GET /a?b=c HTTP/1.1") -> bytes:
    """Returns a head of these lines."""
    return b"\r\n".join((first, *lines, b"", b""))


def refused(raw: bytes) -> Reason | None:
    """Why a head is refused; None if it is not."""
    try:
        read_head(raw)
    except GatewayError as error:
        return error.reason
    return None


def test_a_head_is_what_it_says() -> None:
    """Method, path, query and headers come out as they went in, names in lower case, the white space around values gone."""
    lines = (b"Host: gw.example", b"X-A:\t a  b \t", b"x-a:", b"Y: \xe4")
    read = read_head(head(*lines, first=b"PROPFIND /%2F//x;y?a=?%20 HTTP/1.1"))

    assert read == Head(
        "PROPFIND", b"/%2F//x;y", b"a=?%20", newer=True,
        headers=[(b"host", b"gw.example"), (b"x-a", b"a  b"), (b"x-a", b""), (b"y", b"\xe4")],
    )  # fmt: skip


@pytest.mark.parametrize(("raw", "reason"), [
    # rule 1: as many line ends as lines, each CRLF
    (head(b"x: y").replace(b"\r\n", b"\n"), HEADERS), (head(b"x: y\nz: w"), HEADERS), (head(b"x: y\rz: w"), HEADERS), (head(b"x: y\n"), HEADERS),
    (head(b"x: y\r"), HEADERS), (head(b"x: y", b" folded"), HEADERS), (head(b"x: y", b"\tfolded"), HEADERS), (head(b"x:", b" y"), HEADERS),
    (head(b" x: y"), HEADERS), (b"\r\n" + head(b"x: y"), HEADERS), (b"\n" + head(b"x: y"), HEADERS), (head(b"x: y")[:-2], HEADERS),
    (head(b"x: y") + b"\r\n", HEADERS), (head(b"x: y") + head(), HEADERS), (b"", HEADERS), (b"\r\n\r\n", HEADERS),
    # rule 1: llhttp in its strict mode
    (head(b"x : y"), HEADERS), (head(b"x\t: y"), HEADERS), (head(b"x"), HEADERS), (head(b": y"), HEADERS), (head(b"x y: z"), HEADERS), (head(b"x\x00: y"), HEADERS),
    (head(b"x: y\x00z"), HEADERS), (head(b"x: y\x7fz"), HEADERS), (head(b"x: y\x01"), HEADERS), (head(b"\xe4: y"), HEADERS), (head(b"x(: y"), HEADERS),
    # the request line: one space, a known method, a version of HTTP/1
    (head(first=b"GET  / HTTP/1.1"), HEADERS), (head(first=b"GET /  HTTP/1.1"), HEADERS), (head(first=b"GET\t/ HTTP/1.1"), HEADERS), (head(first=b"GET / HTTP/1.1 "), HEADERS),
    (head(first=b" GET / HTTP/1.1"), HEADERS), (head(first=b"GET / "), HEADERS), (head(first=b"GET /"), HEADERS), (head(first=b"GET HTTP/1.1"), HEADERS),
    (head(first=b"GET /a b HTTP/1.1"), HEADERS), (head(first=b"GET / HTTP/1.1\x0b"), HEADERS), (head(first=b"GET /\x00 HTTP/1.1"), HEADERS),
    (head(first=b"GET /a\tb HTTP/1.1"), HEADERS), (head(first=b"\x16\x03\x01 / HTTP/1.1"), HEADERS), (head(first=b"GE(T / HTTP/1.1"), HEADERS),
    (head(first=b"BREW / HTTP/1.1"), METHOD), (head(first=b"get / HTTP/1.1"), METHOD), (head(first=b"GETS / HTTP/1.1"), METHOD), (head(first=b"X" * 500 + b" / HTTP/1.1"), METHOD),
    # rule 2: versions, and other protocols that look alike
    (head(first=b"GET / HTTP/1.2"), HEADERS), (head(first=b"GET / HTTP/2.0"), HEADERS), (head(first=b"GET / HTTP/0.9"), HEADERS), (head(first=b"GET / http/1.1"), HEADERS),
    (head(first=b"GET / HTTP/1,1"), HEADERS), (head(first=b"GET / HTTP/11"), HEADERS), (head(first=b"GET / HTTP/1.10"), HEADERS), (head(first=b"GET / HTTP/01.1"), HEADERS),
    (head(first=b"DESCRIBE / RTSP/1.0"), HEADERS), (head(first=b"OPTIONS / RTSP/1.0"), HEADERS), (head(first=b"DESCRIBE / HTTP/1.1"), HEADERS),
    (head(first=b"SOURCE / ICE/1.0"), HEADERS), (head(first=b"SOURCE / HTTP/1.1"), None), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HEADERS), (b"PRI * HTTP/2.0\r\n\r\n", HEADERS),
    # rule 3: targets
    (head(first=b"GET /a#b HTTP/1.1"), TARGET), (head(first=b"GET /a?b#c HTTP/1.1"), TARGET), (head(b"host: h", first=b"GET http://h/a#b HTTP/1.1"), TARGET),
    (head(b"host: h", first=b"GET http://other/a HTTP/1.1"), TARGET), (head(first=b"GET http://h/a HTTP/1.1"), TARGET),
    (head(b"host: h", b"host: h", first=b"GET http://h/a HTTP/1.1"), TARGET), (head(b"host: h", first=b"GET http://h:80/a HTTP/1.1"), TARGET),
    (head(b"host: h", first=b"GET http://user@h/a HTTP/1.1"), TARGET), (head(b"host: h", first=b"GET http:///a HTTP/1.1"), TARGET),
    (head(b"host: h", first=b"GET http://h.evil/a HTTP/1.1"), TARGET),
    # rule 4: framing
    (head(b"content-length: 1", b"content-length: 1"), HEADERS), (head(b"content-length: 1", b"content-length: 2"), HEADERS), (head(b"content-length: 1, 1"), HEADERS),
    (head(b"content-length: +1"), HEADERS), (head(b"content-length: -1"), HEADERS), (head(b"content-length: 1.0"), HEADERS), (head(b"content-length: 0x1"), HEADERS),
    (head(b"content-length: 1_0"), HEADERS), (head(b"content-length: \xb2"), HEADERS), (head(b"content-length:"), HEADERS), (head(b"content-length: 1 1"), HEADERS),
    (head(b"content-length: " + b"9" * 19), HEADERS), (head(b"content-length: 1", b"transfer-encoding: chunked"), HEADERS),
    (head(b"transfer-encoding: chunked", b"content-length: 0"), HEADERS), (head(b"transfer-encoding: gzip"), HEADERS), (head(b"transfer-encoding: gzip, chunked"), HEADERS),
    (head(b"transfer-encoding: chunked, gzip"), HEADERS), (head(b"transfer-encoding: chunked", b"transfer-encoding: chunked"), HEADERS),
    (head(b"transfer-encoding: identity"), HEADERS), (head(b"transfer-encoding: chunked;x=y"), HEADERS), (head(b"transfer-encoding:"), HEADERS),
    (head(b'transfer-encoding: "chunked"'), HEADERS), (head(b"transfer-encoding: xchunked"), HEADERS), (head(b"transfer-encoding: chunked,"), HEADERS),
    (head(b"transfer-encoding: chunked", first=b"GET / HTTP/1.0"), HEADERS),
], ids=lambda value: value.decode("latin-1")[:60] if isinstance(value, bytes) else None)  # fmt: skip
def test_heads_that_are_none(raw: bytes, reason: Reason | None) -> None:
    """What has two readings, or another protocol's, is refused for the part that has it."""
    assert refused(raw) is reason


@pytest.mark.parametrize(("first", "lines", "path", "query"), [
    (b"GET / HTTP/1.1", [], b"/", b""), (b"GET /a? HTTP/1.1", [], b"/a", b""), (b"GET //a/../b HTTP/1.1", [], b"//a/../b", b""),
    (b"GET http://h/a?b HTTP/1.1", [b"host: h"], b"/a", b"b"), (b"GET HTTPS://H:8/ HTTP/1.1", [b"host: h:8"], b"/", b""),
    (b"GET http://h HTTP/1.1", [b"host: h"], b"/", b""), (b"GET http://h?b HTTP/1.1", [b"host: H"], b"/", b"b"),
    (b"OPTIONS * HTTP/1.1", [], b"*", b""), (b"GET ftp://h/a HTTP/1.1", [b"host: h"], b"ftp://h/a", b""), (b"CONNECT h:80 HTTP/1.1", [], b"h:80", b""),
])  # fmt: skip
def test_targets(first: bytes, lines: list[bytes], path: bytes, query: bytes) -> None:
    """A target in absolute form is its path once its host is the one of the head; what is no path is left as it came."""
    read = read_head(head(*lines, first=first))

    assert (read.path, read.query) == (path, query)


@pytest.mark.parametrize(("lines", "length"), [
    ([], 0), ([b"content-length: 0"], 0), ([b"Content-Length:  5 "], 5), ([b"content-length: 007"], 7), ([b"content-length: " + b"9" * 18], 10**18 - 1),
    ([b"transfer-encoding: chunked"], None), ([b"Transfer-Encoding:CHUNKED"], None), ([b"x-content-length: 5"], 0), ([b"content_length: 5"], 0),
])  # fmt: skip
def test_lengths(lines: list[bytes], length: int | None) -> None:
    """A body is as long as the one number says, comes in chunks, or is none."""
    assert read_head(head(*lines)).length == length


@pytest.mark.parametrize(("version", "lines", "persistent"), [
    (b"1.1", [], True), (b"1.1", [b"connection: close"], False), (b"1.1", [b"connection: x, Close"], False), (b"1.1", [b"connection: x", b"connection: close"], False),
    (b"1.1", [b"connection: closed"], True), (b"1.0", [], False), (b"1.0", [b"connection: Keep-Alive"], True), (b"1.0", [b"connection: x"], False),
])  # fmt: skip
def test_whether_a_connection_goes_on(version: bytes, lines: list[bytes], *, persistent: bool) -> None:
    """HTTP/1.1 goes on unless it says otherwise, HTTP/1.0 only if it says so (RFC 9112 9.3)."""
    read = read_head(head(*lines, first=b"GET / HTTP/" + version))

    assert (read.persistent, read.newer) == (persistent, version == b"1.1")


@pytest.mark.parametrize(("version", "lines", "offer", "expects"), [
    (b"1.1", [b"upgrade: WebSocket", b"connection: Upgrade"], b"websocket", False), (b"1.1", [b"upgrade: websocket"], b"", False), (b"1.1", [b"connection: upgrade"], b"", False),
    (b"1.1", [b"upgrade: h2c", b"upgrade: websocket", b"connection: x, upgrade"], b"h2c,websocket", False), (b"1.0", [b"upgrade: websocket", b"connection: upgrade"], b"", False),
    (b"1.1", [b"Expect: 100-Continue"], b"", True), (b"1.1", [b"expect: other"], b"", False), (b"1.1", [b"expect: 100-continue", b"expect: x"], b"", False), (b"1.0", [b"expect: 100-continue"], b"", False),
])  # fmt: skip
def test_offers_and_expectations(version: bytes, lines: list[bytes], offer: bytes, *, expects: bool) -> None:
    """Both count in HTTP/1.1 only, an offer where `Connection` names it (RFC 9110 7.8, 10.1.1)."""
    read = read_head(head(*lines, first=b"GET / HTTP/" + version))

    assert (read.upgrade, read.expects) == (offer, expects)


NAMES: Final = st.text("abcdefghijklmnopqrstuvwxyz-_!#$%&'*+.^`|~09", min_size=1, max_size=12).map(
    "x-".__add__
)
VALUES: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20)  # fmt: skip
PATHS: Final = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=20)  # fmt: skip


class Other:
    """What llhttp makes of a head by itself."""

    def __init__(self, raw: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.url = b""
        parser = HttpRequestParser(self)
        parser.feed_data(raw)
        self.method = parser.get_method().decode()

    def on_url(self, url: bytes) -> None:
        """Takes a part of the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header."""
        self.headers.append((name.lower(), value.strip(b" \t")))


@given(st.sampled_from(["GET", "PUT", "MOVE"]), PATHS, st.lists(st.tuples(NAMES, VALUES), max_size=5))
def test_well_formed_heads_read_as_others_read_them(
    method: str, path: str, pairs: list[tuple[str, str]]
) -> None:
    """A head of RFC 9112 is taken, and says what was written and what an independent parser reads."""
    lines = [f"{name}: {value}".encode("latin-1") for name, value in pairs]
    raw = head(*lines, first=f"{method} /{path} HTTP/1.1".encode())
    read, other = read_head(raw), Other(raw)

    assert read.headers == [(name.encode(), value.strip(" \t").encode("latin-1")) for name, value in pairs]
    assert (read.method, read.headers) == (other.method, other.headers)
    assert (read.path, read.query) == other.url.partition(b"?")[::2]


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b":", b"GET", b"/", b"HTTP/1.1", b"host", b"chunked", b"transfer-encoding", b"content-length", b"1", b"\x00"]), max_size=20), st.integers(0, 90))  # fmt: skip
def test_nothing_but_a_head_is_one(parts: list[bytes], place: int) -> None:
    """Garbage anywhere in a head is read or is one kind of error; what is read has one line end for each line."""
    whole = head(b"host: gw.example", b"content-length: 5", b"x: y")
    raw = whole[:place] + b"".join(parts) + whole[place:]
    try:
        read = read_head(raw)
    except GatewayError:
        return
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r") == len(read.headers) + 2
