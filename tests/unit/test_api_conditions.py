"""Conditional changes: two people who read the same state cannot both overwrite it."""

import pytest

from gateway.api.conditions import may_change, tag_of
from gateway.errors import GatewayError
from gateway.reasons import Reason

NOW = b'"now"'


def test_a_tag_follows_from_the_document_and_not_from_the_order_of_its_keys() -> None:
    """The same state has one tag, another state another, and the tag is a strong one that `If-Match` takes."""
    tag = tag_of({"name": "news", "roles": ["a", "b"], "more": {"x": 1, "y": 2}})
    assert tag == tag_of({"more": {"y": 2, "x": 1}, "roles": ["a", "b"], "name": "news"})
    assert tag != tag_of({"name": "news", "roles": ["b", "a"], "more": {"x": 1, "y": 2}})
    assert may_change([tag], tag)


def test_who_has_read_an_older_state_does_not_overwrite() -> None:
    """Of two who read the same state, the second finds that his tag holds no longer."""
    read = tag_of({"name": "news"})
    assert may_change([read], read)
    assert not may_change([read], tag_of({"name": "sport"}))


@pytest.mark.parametrize(("said", "current", "goes_on"), [
    ((), NOW, True),
    ((), None, True),
    ((b'"now"',), NOW, True),
    ((b'"now"',), None, False),
    ((b'"NOW"',), NOW, False),
    ((b'W/"now"',), NOW, False),
    ((b'W/"now", "now"',), NOW, True),
    ((b'"a" , "now"\t,"b"',), NOW, True),
    ((b'"a,now"',), NOW, False),
    ((b', ,"now",,',), NOW, True),
    ((b'"a"', b'"now"'), NOW, True),
    ((b"*",), NOW, True),
    ((b" * ",), NOW, True),
    ((b"*",), None, False),
])  # fmt: skip
def test_a_change_goes_on_where_one_strong_tag_is_the_current_one(
    said: tuple[bytes, ...],
    current: bytes | None,
    goes_on: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Tags are compared byte by byte, weak ones match nothing, and `*` asks only for existence."""
    assert may_change(said, current) is goes_on


@pytest.mark.parametrize("said", [
    b"", b",", b"now", b'"now', b'now"', b'w/"now"', b'W/ "now"', b'"a""now"', b'"a" "now"',
    b'*, "now"', b'"now", *', b'"no w"', b'"no\nw"', b'"now";',
])  # fmt: skip
def test_a_condition_that_cannot_be_read_is_refused(said: bytes) -> None:
    """It is never taken for no condition, which would overwrite."""
    with pytest.raises(GatewayError) as caught:
        may_change([said], NOW)
    assert caught.value.reason is Reason.BAD_HEADERS


def test_a_long_list_is_read_in_one_pass() -> None:
    """A header as long as `limits.head` lets it be costs no more than its length, also if it is wrong at its end."""
    assert may_change([b'"a",' * 16_000 + NOW], NOW)
    with pytest.raises(GatewayError):
        may_change([b'"a"' + b", \t" * 20_000 + b"x"], NOW)
