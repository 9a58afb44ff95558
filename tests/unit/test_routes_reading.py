"""Sources: what names an object in a request is read in one way or refused."""

import pytest

from gateway.errors import GatewayError
from gateway.reasons import Reason
from gateway.routes.bodies import Pointer
from gateway.routes.forms import IdError, ObjectForm
from gateway.routes.reading import (
    AnswerBody,
    AnswerHeader,
    BodySource,
    HeaderSource,
    PathSource,
    QuerySource,
    Reading,
    SegmentSource,
    Source,
)
from gateway.routes.templates import Template
from routing import Header, inbound

ASSET = ObjectForm("asset")
FILE = ObjectForm("file", is_path=True)
SLASHED = ObjectForm("file", is_path=True, keeps_slash=True)
TEMPLATE = Template.of("/{volume}/{path...}")
JSON: Header = (b"content-type", b"application/json")


def read(
    source: Source,
    form: ObjectForm,
    request: str,
    *headers: Header,
    body: bytes | None = None,
    allow: str = "",
) -> list[str] | Reason:
    """Returns the ids that a source reads from a request, or the reason for which it is refused."""
    allowed = frozenset((allow,)) if allow else frozenset()
    reading = Reading(inbound(request, *headers), body, body_limit=100, allow=allowed)
    try:
        return [key.id for key in source.keys(reading, form)]
    except IdError:
        return source.fault
    except GatewayError as error:
        return error.reason


def test_segment() -> None:
    """A segment is the id, decoded once."""
    source = SegmentSource(TEMPLATE.opaque_id("{volume}"))

    assert read(source, ASSET, "GET /%C3%A9%20x/b") == ["é x"]


@pytest.mark.parametrize(
    ("id_text", "request_line", "form", "id_"),
    [
        ("/{path}", "GET /v/a%20b/c.mp4", FILE, "/a b/c.mp4"),
        ("/{path}", "GET /v/", FILE, "/"),
        ("/{path}", "GET /v/a/", FILE, "/a"),
        ("/{path}", "GET /v/a/", SLASHED, "/a/"),
        ("/disk/{volume}/{path}", "GET /v/a/b", FILE, "/disk/v/a/b"),
        ("/disk/{path}", "GET /v/", FILE, "/disk"),
        ("/inbox", "GET /v/a", FILE, "/inbox"),
    ],
)
def test_path(id_text: str, request_line: str, form: ObjectForm, id_: str) -> None:
    """A path id is put together from literals and decoded segments, the rest with all its parts."""
    assert read(PathSource(TEMPLATE.path_id(id_text)), form, request_line) == [id_]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("id=42", ["42"]),
        ("x=1&id=a%20b", ["a b"]),
        ("%69d=42", Reason.BAD_TARGET),
        ("x=1", []),
        ("", []),
        ("id=", Reason.BAD_TARGET),
        ("id", Reason.BAD_TARGET),
        ("id=1&id=1", Reason.BAD_TARGET),
        ("id=1&ID=2", Reason.BAD_TARGET),
        ("ID=2", Reason.BAD_TARGET),
        ("id=1&%49d=2", Reason.BAD_TARGET),
        ("id=a+b", Reason.BAD_TARGET),
        ("id=1;id=2", Reason.BAD_TARGET),
        ("x;id=2", Reason.BAD_TARGET),
        ("id=1&x=a+b", Reason.BAD_TARGET),
        ("id=%ff", Reason.BAD_TARGET),
        ("id=%2Fa", Reason.BAD_TARGET),
        ("id=%252e%252e", Reason.BAD_TARGET),
    ],
)
def test_query(query: str, expected: list[str] | Reason) -> None:
    """A query parameter that a row reads comes once, in its own spelling, without `+` and `;` anywhere."""
    assert read(QuerySource("id"), ASSET, f"GET /a?{query}") == expected


def test_query_may_name_a_path() -> None:
    """A path in a query is decoded once and held to the rules of paths."""
    source = QuerySource("dir")

    assert read(source, FILE, "GET /?dir=/a%2Fb%20c/") == ["/a/b c"]
    assert read(source, FILE, "GET /?dir=/a/../b") is Reason.BAD_TARGET
    assert read(source, FILE, "GET /?dir=a/b") is Reason.BAD_TARGET


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"/b/c%20d.mp4", ["/b/c d.mp4"]),
        (b"/b/", ["/b"]),
        (b"/", ["/"]),
        (b"/%C3%A9", ["/é"]),
        (b"http://media.test/b", ["/b"]),
        (b"https://media.test/b", ["/b"]),
        (b"HTTP://Media.TEST/b", ["/b"]),
        (b"http://media.test:80/b", ["/b"]),
        (b"http://other.test/b", Reason.BAD_HEADERS),
        (b"http://media.test:8080/b", Reason.BAD_HEADERS),
        (b"http://media.test:443/b", Reason.BAD_HEADERS),
        (b"http://user@media.test/b", Reason.BAD_HEADERS),
        (b"http://media.test@evil.test/b", Reason.BAD_HEADERS),
        (b"http://media.test.evil.test/b", Reason.BAD_HEADERS),
        (b"http:///b", Reason.BAD_HEADERS),
        (b"http://media.test", Reason.BAD_HEADERS),
        (b"ftp://media.test/b", Reason.BAD_HEADERS),
        (b"//media.test/b", Reason.BAD_HEADERS),
        (b"http:/b", Reason.BAD_HEADERS),
        (b"b/c", Reason.BAD_HEADERS),
        (b"../b", Reason.BAD_HEADERS),
        (b"", Reason.BAD_HEADERS),
        (b"/b?x", Reason.BAD_HEADERS),
        (b"/b#x", Reason.BAD_HEADERS),
        (b"/a/../b", Reason.BAD_HEADERS),
        (b"/a/%2e%2e/b", Reason.BAD_HEADERS),
        (b"/a/.%2E/b", Reason.BAD_HEADERS),
        (b"/a%2fb", Reason.BAD_HEADERS),
        (b"/a%5Cb", Reason.BAD_HEADERS),
        (b"/a\\b", Reason.BAD_HEADERS),
        (b"/a//b", Reason.BAD_HEADERS),
        (b"/%252e%252e/b", Reason.BAD_HEADERS),
        (b"/a%00", Reason.BAD_HEADERS),
        (b"/a b", Reason.BAD_HEADERS),
        (b"/\xc3\xa9", Reason.BAD_HEADERS),
        (b"/%ff", Reason.BAD_HEADERS),
        (b" /b", Reason.BAD_HEADERS),
        (b"/a;b", Reason.BAD_HEADERS),
        (b"/" + b"a" * 9000, Reason.BAD_HEADERS),
    ],
)
def test_destination(value: bytes, expected: list[str] | Reason) -> None:
    """A Destination is an absolute path or a URL of this host, written as a target is, and canonical; or refused."""
    assert read(HeaderSource("destination"), FILE, "MOVE /a", (b"destination", value)) == expected


def test_destination_is_held_to_the_oddities_of_the_row() -> None:
    """A `;` in a Destination passes only where the row lets it pass in the path."""
    header: Header = (b"destination", b"/a;b")

    assert read(HeaderSource("destination"), FILE, "MOVE /a", header, allow="semicolon") == ["/a;b"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], []),
        ([(b"x-object-id", b"42")], ["42"]),
        ([(b"x-object-id", b"a b")], ["a b"]),
        ([(b"x-object-id", b"")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b"a%20b")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b"caf\xc3\xa9")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b" 42")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b"/42")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b"1"), (b"x-object-id", b"1")], Reason.BAD_HEADERS),
        ([(b"x-object-id", b"1"), (b"x_object_id", b"2")], Reason.BAD_HEADERS),
        ([(b"x.object-id", b"2")], Reason.BAD_HEADERS),
    ],
)
def test_header(headers: list[Header], expected: list[str] | Reason) -> None:
    """An opaque id in a header is plain ASCII, comes once, and has no twin with `_` or `.`."""
    assert read(HeaderSource("x-object-id"), ASSET, "GET /a", *headers) == expected


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"id": "42"}', [JSON], ["42"]),
        (b'{"id": 42}', [JSON], ["42"]),
        (b"{}", [JSON], []),
        (b'{"id": null}', [JSON], []),
        (b'{"id": ""}', [JSON], Reason.BAD_BODY),
        (b'{"id": "/x"}', [JSON], Reason.BAD_BODY),
        (b'{"id": "\\ud800"}', [JSON], Reason.BAD_BODY),
        (b'{"id": "a\\u0000"}', [JSON], Reason.BAD_BODY),
        (b'{"ID": "42"}', [JSON], Reason.BAD_BODY),
        (b'{"id": "42", "id": "43"}', [JSON], Reason.BAD_BODY),
        (b"id=42", [JSON], Reason.BAD_BODY),
        (b'{"id": "42"}', [], Reason.BAD_BODY),
        (b'{"id": "42"}', [JSON, (b"content-encoding", b"gzip")], Reason.BAD_BODY),
        (b"", [JSON], Reason.BAD_BODY),
        (None, [JSON], Reason.BAD_BODY),
        (b'{"id": "42"}' + b" " * 100, [JSON], Reason.BODY_TOO_LARGE),
    ],
)
def test_body(body: bytes | None, headers: list[Header], expected: list[str] | Reason) -> None:
    """An id in a body is read from strict JSON within the bound, or refused."""
    assert read(BodySource(Pointer.of("/id")), ASSET, "POST /a", *headers, body=body) == expected


def test_body_may_name_several() -> None:
    """A list in a body names each of its objects, each once in canonical form."""
    form = ObjectForm("asset", folds_case=True)
    source = BodySource(Pointer.of("/ids/*"))

    assert read(source, form, "POST /a", JSON, body=b'{"ids": ["a", "b", "A"]}') == ["a", "b"]


def test_body_is_parsed_once() -> None:
    """Several sources of one request read the same document."""
    reading = Reading(inbound("POST /a", JSON), b'{"a": 1, "b": 2}', body_limit=100, allow=frozenset())

    assert reading.document() is reading.document()


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (FILE, b"/a/b%20c.mp4", "/a/b c.mp4"),
        (FILE, b"http://127.0.0.1:3923/a/b", "/a/b"),
        (FILE, b"/a/b?k=1#top", "/a/b"),
        (ASSET, b"42", "42"),
        (FILE, b"a/b", None),
        (FILE, b"/a/../b", None),
        (FILE, b"//host/b", None),
        (FILE, b"/\xc3\xa9", None),
        (ASSET, b"/42", None),
        (ASSET, b"\xc3\xa9", None),
    ],
)
def test_answer_header(form: ObjectForm, value: bytes, expected: str | None) -> None:
    """A header of an answer names one canonical object, or the outcome is unknown."""
    source = AnswerHeader("location")
    headers = [(b"Location", value), (b"server", b"x")]

    if expected is not None:
        assert source.key(headers, None, form).id == expected
        return
    with pytest.raises(GatewayError) as caught:
        source.key(headers, None, form)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN


@pytest.mark.parametrize("headers", [[], [(b"location", b"/a"), (b"location", b"/b")]])
def test_answer_header_comes_once(headers: list[Header]) -> None:
    """An answer without the header, or with two, leaves the outcome unknown."""
    with pytest.raises(GatewayError) as caught:
        AnswerHeader("location").key(headers, None, FILE)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b'{"id": "42"}', [(b"Content-Type", b"application/json")], "42"),
        (b'{"id": "42"}', [(b"content-type", b"text/html")], None),
        (b'{"id": "42"}', [JSON, (b"content-encoding", b"br")], None),
        (b"{}", [JSON], None),
        (b'{"id": ["42"]}', [JSON], None),
        (b'{"id": "42", "id": "43"}', [JSON], None),
        (b'{"id": "/42"}', [JSON], None),
        (b"", [JSON], None),
        (None, [JSON], None),
    ],
)
def test_answer_body(body: bytes | None, headers: list[Header], expected: str | None) -> None:
    """The body of an answer names one canonical object in strict JSON, or the outcome is unknown."""
    source = AnswerBody(Pointer.of("/id"))

    if expected is not None:
        assert source.key(headers, body, ASSET).id == expected
        return
    with pytest.raises(GatewayError) as caught:
        source.key(headers, body, ASSET)
    assert caught.value.reason is Reason.OUTCOME_UNKNOWN
