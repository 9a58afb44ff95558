"""Bodies: JSON with one reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes.bodies import MAX_DEPTH, MAX_IDS, BodyError, Pointer, check_coding, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_plain_json_is_read_as_it_is(value: object) -> None:
    """JSON without two readings gives the value that was written."""
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1} {}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1, "a": 2}',
        b'{"a": 1, "A": 2}',
        b'{"id": 1, "\\u0069d": 2}',
        '{"k": 1, "\u212a": 2}'.encode(),
        '{"\u00e9": 1, "e\u0301": 2}'.encode(),
        b'{"x": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b"[Infinity, -Infinity]",
        b"{'a': 1}",
        b'{"a": "\n"}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
    ],
)
def test_two_readings_are_refused(body: bytes) -> None:
    """Duplicate keys in any letter case or Unicode form, other encodings, constants and deep nesting are refused."""
    with pytest.raises(BodyError):
        parse(body)


def test_brackets_in_strings_are_no_depth() -> None:
    """Only real nesting counts against the bound."""
    assert parse(b'["' + b"[" * 500 + b'\\"[["]') == ["[" * 500 + '"[[']
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json;charset=utf-8",
        b'application/json; charset="UTF-8"',
    ],
)
def test_json_in_utf_8_is_taken(content_type: bytes) -> None:
    """The usual ways to state JSON in UTF-8 pass."""
    check_coding(content_type, None)


@pytest.mark.parametrize(
    ("content_type", "coding"),
    [
        (None, None),
        (b"", None),
        (b"text/plain", None),
        (b"application/json-patch+json", None),
        (b"application/json; charset=utf-16", None),
        (b"application/json; charset=utf-8; charset=latin1", None),
        (b"application/json, text/plain", None),
        (b"application/json", b"gzip"),
        (b"application/json", b"identity"),
    ],
)
def test_another_coding_is_refused(content_type: bytes | None, coding: bytes | None) -> None:
    """A body in another type, charset or coding than rows read is refused."""
    with pytest.raises(BodyError):
        check_coding(content_type, coding)


DOCUMENT = parse(
    b'{"id": "x", "n": 7, "none": null, "in": {"id": "y", "a/b": "z", "m~n": "t"}, "": "e",'
    b' "list": ["p", "q", "p"], "deep": [{"id": "r"}, {"id": 8}], "empty": []}'
)


@pytest.mark.parametrize(
    ("pointer", "ids"),
    [
        ("/id", ("x",)),
        ("/n", ("7",)),
        ("/none", ()),
        ("/missing", ()),
        ("/missing/id", ()),
        ("/in/id", ("y",)),
        ("/in/a~1b", ("z",)),
        ("/in/m~0n", ("t",)),
        ("/list/*", ("p", "q")),
        ("/deep/*/id", ("r", "8")),
        ("/empty/*", ()),
        ("/missing/*", ()),
    ],
)
def test_pointer_finds_ids(pointer: str, ids: tuple[str, ...]) -> None:
    """A pointer gives the ids that stand at its place, each once, and none where nothing or null stands."""
    assert Pointer.of(pointer).ids(DOCUMENT) == ids


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/id", b'{"Id": "x"}'),
        ("/id", b'{"ID": null}'),
        ("/a/id", b'{"a": {"iD": "x"}}'),
        ("/id", b'{"id": 1.0}'),
        ("/id", b'{"id": 1e3}'),
        ("/id", b'{"id": true}'),
        ("/id", b'{"id": 9007199254740993}'),
        ("/id", b'{"id": ["x"]}'),
        ("/id", b'{"id": {}}'),
        ("/id", b'["id"]'),
        ("/id", b"null"),
        ("/a/id", b'{"a": "text"}'),
        ("/ids/*", b'{"ids": "x"}'),
        ("/ids/*", b'{"ids": {"0": "x"}}'),
        ("/ids/*", b'{"ids": ["x", null]}'),
        ("/ids/*", b'{"ids": ["x", ["y"]]}'),
        ("/ids/*/id", b'{"ids": [{"id": "x"}, {}]}'),
        ("/ids/*/id", b'{"ids": [{"id": "x"}, {"Id": "y"}]}'),
        ("/a/*/b/*", b'{"a": [{"b": []}]}'),
    ],
)
def test_what_is_no_id_is_refused(pointer: str, body: bytes) -> None:
    """A key in another letter case, a value that is no id, and an item without one are refused, not left out."""
    with pytest.raises(BodyError):
        Pointer.of(pointer).ids(parse(body))


def test_ids_are_bounded() -> None:
    """A list names at most so many ids."""
    ids = [str(number) for number in range(MAX_IDS + 1)]

    assert len(Pointer.of("/*").ids(ids[:-1])) == MAX_IDS
    with pytest.raises(BodyError):
        Pointer.of("/*").ids(ids)


@pytest.mark.parametrize("text", ["", "/", "id", "/a~", "/a~2"])
def test_what_is_no_pointer_is_refused(text: str) -> None:
    """A pointer starts with a slash, names something and escapes as RFC 6901 says."""
    with pytest.raises(ValueError, match="JSON pointer"):
        Pointer.of(text)


def test_only_a_star_makes_a_list() -> None:
    """A pointer says by its star whether it may name several."""
    assert Pointer.of("/a/*").is_list
    assert not Pointer.of("/a/b*").is_list
