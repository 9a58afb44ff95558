"""Tests of gateway.inbound: what is refused, what passes, and that nothing is repaired."""

from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.inbound import NAMING, Bounds, Inbound
from gateway.reasons import Reason
from models.networks import NetworkSet

PROXIES = NetworkSet.of(["127.0.0.1/32", "10.0.0.0/8"])


def scope(path: bytes = b"/a", *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    """Returns an ASGI scope for GET http://media.example with the given raw path."""
    base = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "headers": [(b"host", b"media.example"), *headers],
        "client": ("192.0.2.1", 1234),
    }
    return {**base, **more}


def inbound(*args: Any, **more: Any) -> Inbound:
    """Returns the Inbound of such a scope, trusting no proxy."""
    return Inbound.of(scope(*args, **more), NetworkSet(), "request-1")


AMBIGUOUS = [
    b"/a/../b", b"/a/./b", b"/..", b"/.", b"/a//b", b"//a", b"///", b"/a/%2e%2e/b", b"/a/.%2E/b", b"/%2e", b"/a%2f",
    b"/a%2F%2Fb", b"/%2fa", b"/a%2f..%2Fb", b"/a/..;/b", b"/a/;x/b", b"/a/%2e%2E;x/b", b"/a%2f..;x", b"/..%2fa", b"/a%5cb", b"/a%5Cb", b"/a\\b", b"/\\evil.example", b"/a%00b", b"/a%0ab", b"/a%7f", b"/a%c2%85", b"/a\x00b",
    b"/a\nb", b"/a b", b"/\xc3\xa9", b"/a%ff", b"/a%c0%af", b"/a%e0%80%af", b"/a%ed%a0%80", b"/a#b", b"/a%252fb", b"/a%252e%252e",
    b"/a%255cb", b"/a%25252f", b"/a%2500", b"/a%2", b"/a%", b"/a%zz", b"a", b"", b"*", b"http://other/a", b'/a"b', b"/a<b>",
]  # fmt: skip


@pytest.mark.parametrize("path", AMBIGUOUS)
def test_a_target_with_two_readings_is_refused(path: bytes) -> None:
    """A path that two parsers could read differently is 400, never repaired."""
    with pytest.raises(GatewayError) as caught:
        inbound(path)

    assert caught.value.reason is Reason.BAD_TARGET


PLAIN = {
    b"/": ("",),
    b"/a": ("a",),
    b"/a/": ("a", ""),
    b"/a/b%20c.mp4": ("a", "b c.mp4"),
    b"/%E2%82%AC/%C3%A9.mp4": ("€", "é.mp4"),
    b"/100%25.mp4": ("100%.mp4",),
    b"/a...b/..c/d.": ("a...b", "..c", "d."),
    b"/what%3F%23.mp4": ("what?#.mp4",),
    b"/a+b,c&d=(e)!'*~@:$": ("a+b,c&d=(e)!'*~@:$",),
    b"/[1080p]|x^": ("[1080p]|x^",),
}


@pytest.mark.parametrize(("path", "segments"), PLAIN.items())
def test_a_plain_path_is_decoded_once(path: bytes, segments: tuple[str, ...]) -> None:
    """Each segment is percent-decoded exactly once, and the target stays the bytes that came."""
    seen = inbound(path)

    assert (seen.segments, seen.target) == (segments, path)


def test_the_query_is_no_part_of_the_path() -> None:
    """Path and query stay apart, and the target is both as they came (CVE-2025-54576)."""
    seen = inbound(b"/a", query_string=b"x=/../b%2F")

    assert (seen.segments, seen.target, seen.query_pairs()) == (("a",), b"/a?x=/../b%2F", (("x", "/../b/"),))


@pytest.mark.parametrize("query", [b"a=\x00", b"a b", b"a=%zz", b"a=#", b"\xff"])
def test_a_query_with_raw_bytes_is_refused(query: bytes) -> None:
    """Bytes that must be percent-encoded refuse the request in the query too."""
    with pytest.raises(GatewayError):
        inbound(query_string=query)


@pytest.mark.parametrize("query", [b"a=%ff", b"a=%00"])
def test_a_query_that_is_not_text_cannot_be_read(query: bytes) -> None:
    """A parameter that is not UTF-8, or holds NUL, is refused when someone reads it."""
    with pytest.raises(GatewayError):
        inbound(query_string=query).query_pairs()


def test_a_semicolon_is_an_oddity_for_the_row_to_allow() -> None:
    """A raw `;` is marked; an encoded one is data."""
    assert inbound(b"/a;b").oddities == frozenset(("semicolon",))
    assert inbound(b"/a%3Bb").oddities == frozenset()


ODD = {
    b"/group%2Fname": ("group/name", "encoded-slash"),
    b"/group%2fname": ("group/name", "encoded-slash"),
    b"/a%2emp4": ("a.mp4", "encoded-dot"),
    b"/a%2E%2e": ("a..", "encoded-dot"),
}


@pytest.mark.parametrize(("path", "seen"), ODD.items())
def test_an_encoded_slash_or_dot_is_an_oddity_for_the_row_to_allow(
    path: bytes, seen: tuple[str, str]
) -> None:
    """An encoded separator within a name is one segment and marked; a row may take it, nobody else does."""
    found = inbound(path)

    assert found.segments == (seen[0],)
    assert found.oddities == {seen[1]}


@pytest.mark.parametrize(("method", "headers", "oddities"), [
    ("GET", ((b"destination", b"/b"),), {"unread-destination"}),
    ("MOVE", ((b"destination", b"/b"),), set()),
    ("PUT", ((b"x-amz-copy-source", b"/b"),), {"unread-x-amz-copy-source"}),
    ("COPY", ((b"destination", b"/b"), (b"x-copy-from", b"/c")), {"unread-x-copy-from"}),
    ("PUT", ((b"if", b"</a> (<opaquelocktoken:1>)"),), set()),
    ("PUT", ((b"if", b"</b> (<opaquelocktoken:1>)"),), {"tagged-if"}),
    ("COPY", ((b"destination", b"/b"), (b"if", b"</b> (<opaquelocktoken:1>)")), set()),
    ("PUT", ((b"destination", b"/b"), (b"if", b"</b> (<opaquelocktoken:1>)")), {"tagged-if", "unread-destination"}),
])  # fmt: skip
def test_headers_that_name_other_resources_are_oddities(
    method: str, headers: tuple[tuple[bytes, bytes], ...], oddities: set[str]
) -> None:
    """A `Destination` that no COPY or MOVE reads, an object store's source of a copy, and an `If` about another resource are for a row to take."""
    assert inbound(b"/a", *headers, method=method).oddities == oddities


def test_a_parameter_that_names_another_method_is_an_oddity() -> None:
    """What some frameworks carry out as DELETE is marked, not removed: the target is forwarded as it came."""
    seen = inbound(b"/a", query_string=b"x=1&_method=DELETE")

    assert seen.oddities == {"method-parameter"}
    assert seen.target == b"/a?x=1&_method=DELETE"


@pytest.mark.parametrize("more", [b"", b"%20"])
def test_targets_are_bounded(more: bytes) -> None:
    """A target is as long, and has as many segments, as the bounds say; one more is refused, plain or not."""
    bounds = Bounds(target=30, segments=4)

    def read(path: bytes, query: bytes = b"") -> Inbound:
        return Inbound.of(scope(path, query_string=query), NetworkSet(), "r", bounds)

    assert read(b"/a/b/c/d" + more).path == b"/a/b/c/d" + more
    assert read(b"/" + more + b"a" * (29 - len(more))).segments
    for path, query in (
        (b"/a/b/c/d/" + more, b""),
        (b"/" + more + b"a" * 30, b""),
        (b"/a" + more, b"a" * 29),
    ):
        with pytest.raises(GatewayError, match="bad-target"):
            read(path, query)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "FOO", "GET "])
def test_unknown_methods_are_refused(method: str) -> None:
    """Only the known set of methods passes, in upper case."""
    with pytest.raises(GatewayError) as caught:
        inbound(method=method)

    assert caught.value.reason is Reason.BAD_METHOD


HEADERS = {
    "a second host": ((b"host", b"other"),),
    "a second authorization": ((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")),
    "a second length": ((b"content-length", b"1"), (b"content-length", b"2")),
    "a control character": ((b"x-any", b"a\x00b"),),
    "a line feed": ((b"x-any", b"a\nb"),),
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
def test_headers_with_two_readings_are_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """Repeated deciding headers and control characters are 400 (CVE-2026-26308)."""
    with pytest.raises(GatewayError) as caught:
        inbound(b"/a", *headers)

    assert caught.value.reason is Reason.BAD_HEADERS


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a/b", b"a?b", b"a#b", b"a@b", b"a\\b", b"a:b", b"[::1", b"a:123456"]
)
def test_cve_2026_48710_a_malformed_host_is_refused(host: bytes) -> None:
    """A Host that could move the path is 400."""
    with pytest.raises(GatewayError):
        inbound(headers=[(b"host", host)])


def test_the_peer_is_the_client_unless_it_is_a_proxy() -> None:
    """A forwarded address from anyone but a configured proxy is not believed."""
    spoofed = scope(b"/a", (b"x-forwarded-for", b"10.1.1.1"), (b"x-forwarded-proto", b"https"))

    seen = Inbound.of(spoofed, PROXIES, "r")

    assert (str(seen.client), seen.scheme) == ("192.0.2.1", "http")


FORWARDED = {
    b"203.0.113.9": "203.0.113.9",
    b"1.1.1.1, 203.0.113.9": "203.0.113.9",
    b"1.1.1.1, 203.0.113.9, 10.0.0.3": "203.0.113.9",
    b"unknown, 203.0.113.9": "203.0.113.9",
    b"::ffff:203.0.113.9": "203.0.113.9",
    b"fe80::1%eth0": "fe80::1",
    b"10.0.0.1, 10.0.0.2": "10.0.0.1",
}


@pytest.mark.parametrize(("value", "client"), FORWARDED.items())
def test_the_client_is_read_from_the_right_through_proxies(value: bytes, client: str) -> None:
    """From a proxy, the first address from the right that is no proxy is the client (CVE-2023-36456)."""
    seen = Inbound.of(scope(b"/a", (b"x-forwarded-for", value), client=("127.0.0.1", 1)), PROXIES, "r")

    assert str(seen.client) == client


@pytest.mark.parametrize(
    "value", [b"unknown", b"203.0.113.9, _hidden", b"010.0.0.1", b'"1.2.3.4"', b"1.2.3.4:80", b"a," * 40]
)
def test_cve_2026_57210_an_unparsable_address_is_refused(value: bytes) -> None:
    """Garbage where an address must be believed refuses; it never means no restriction."""
    with pytest.raises(GatewayError):
        Inbound.of(scope(b"/a", (b"x-forwarded-for", value), client=("127.0.0.1", 1)), PROXIES, "r")


def test_scheme_and_host_obey_the_same_trust() -> None:
    """A configured proxy's word on scheme and host is taken, and must be one word (CVE-2026-33495)."""
    said = ((b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"front.example"))

    seen = Inbound.of(scope(b"/a", *said, client=("127.0.0.1", 1)), PROXIES, "r")

    assert (seen.scheme, seen.host) == ("https", b"front.example")
    for header in ((b"x-forwarded-proto", b"gopher"), (b"x-forwarded-proto", b"https, http")):
        with pytest.raises(GatewayError):
            Inbound.of(scope(b"/a", header, client=("127.0.0.1", 1)), PROXIES, "r")


def test_a_server_that_gives_no_raw_path_is_refused() -> None:
    """Without the raw bytes nothing can be judged."""
    with pytest.raises(GatewayError):
        inbound(None)


@pytest.mark.parametrize("query", [b"%74ree=", b"a=1&%7e=2", b"d%65lete"])
def test_a_parameter_name_in_disguise_is_refused(query: bytes) -> None:
    """A name that encodes what needs no encoding has two readings: some backends decode names, some do not."""
    with pytest.raises(GatewayError):
        inbound(query_string=query).query_pairs()


@pytest.mark.parametrize("name", sorted(NAMING))
def test_each_header_that_names_another_object_is_known(name: bytes) -> None:
    """A request that says in a header which other object it reads or writes is not judged by its target alone."""
    assert inbound(b"/a", (name, b"/secret"), method="PUT").oddities == {f"unread-{name.decode()}"}
