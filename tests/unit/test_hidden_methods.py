"""Which bodies of a POST may name another method, and what is found in them."""

import pytest

from gateway.body_names import FormNames, JsonTexts
from gateway.errors import GatewayError
from gateway.hidden_methods import Kind, check_head, check_whole, kind_of, search_for
from gateway.multipart import Multipart
from gateway.reasons import Reason


@pytest.mark.parametrize(("content_type", "kind"), [
    (b"application/x-www-form-urlencoded", Kind.FORM), (b" Application/X-WWW-Form-Urlencoded ; charset=utf-8", Kind.FORM),
    (b"application/x-www-form-urlencoded,text/plain", Kind.FORM), (b"text/plain; application/x-www-form-urlencoded", Kind.FORM),
    (None, Kind.FORM), (b"", Kind.FORM), (b" ", Kind.FORM),
    (b"multipart/form-data; boundary=x", Kind.MULTIPART), (b"Multipart/Related", Kind.MULTIPART), (b"text/plain;multipart/mixed", Kind.MULTIPART),
    (b"application/json", Kind.JSON), (b"application/vnd.api+JSON", Kind.JSON), (b"text/json", Kind.JSON),
    (b"application/octet-stream", None), (b"text/plain", None), (b"video/mp4", None), (b"application/xml", None),
])  # fmt: skip
def test_how_a_body_may_hold_parameters(content_type: bytes | None, kind: Kind | None) -> None:
    """The kind is told as the loosest backend tells it; a body without a type is a form to Rack."""
    assert kind_of(content_type) is kind


@pytest.mark.parametrize(
    ("content_type", "coding"),
    [
        (b"application/json", b"gzip"),
        (b"application/x-www-form-urlencoded", b"gzip"),
        (None, b"br"),
        (b"multipart/form-data; boundary=x", b"deflate"),
        (b"application/json; charset=utf-16", None),
        (b"application/json; charset=utf-8; charset = 'UTF-7'", None),
        (b"application/x-www-form-urlencoded; charset=ibm037", None),
        (b"multipart/form-data; boundary=x; charset=utf-7", None),
        (b"multipart/form-data", None),
        (b"application/x-www-form-urlencoded; a=/json", None),
        (b"multipart/form-data; boundary=x; a=x-www-form-urlencoded", None),
    ],
)
def test_headers_that_hide_what_a_body_says_are_refused(
    content_type: bytes | None, coding: bytes | None
) -> None:
    """A coding, a charset that is not based on ASCII, and a content type of two kinds would show the backend another body."""
    kind = kind_of(content_type)
    assert kind is not None
    with pytest.raises(GatewayError) as caught:
        check_head(kind, content_type, coding)
    assert caught.value.reason is Reason.BAD_BODY


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b'application/json; charset="UTF-8"',
        b"application/x-www-form-urlencoded;charset=iso-8859-1",
        b"multipart/form-data; charset=utf-8; boundary=x",
        b"multipart/form-data; boundary=json",
    ],
)
@pytest.mark.parametrize("coding", [None, b"identity"])
def test_plain_headers_pass(content_type: bytes, coding: bytes | None) -> None:
    """What ordinary clients say of their bodies is taken."""
    kind = kind_of(content_type)
    assert kind is not None
    check_head(kind, content_type, coding)


def test_a_body_in_hand_is_looked_through_whole() -> None:
    """Each kind is refused as a body of the wrong form, and passes where it names no method."""
    multipart = b"--x\r\nContent-Disposition: form-data; name=%s\r\n\r\nv\r\n--x--\r\n"
    told = {
        Kind.FORM: (b"a=_method", b"a=1&_method=PUT", None),
        Kind.JSON: (b'{"a":1}', b'{"_method":1}', b"application/json"),
        Kind.MULTIPART: (multipart % b"a", multipart % b"_method", b"multipart/form-data; boundary=x"),
    }
    for kind, (good, bad, content_type) in told.items():
        check_whole(kind, content_type, good)
        with pytest.raises(GatewayError) as caught:
            check_whole(kind, content_type, bad)
        assert caught.value.reason is Reason.BAD_BODY


def test_what_streams_has_a_search_of_its_own() -> None:
    """A multipart body is read by its boundary, a form and JSON as they come."""
    assert isinstance(search_for(Kind.MULTIPART, b"multipart/form-data; boundary=x"), Multipart)
    assert isinstance(search_for(Kind.JSON, b"application/json"), JsonTexts)
    assert isinstance(search_for(Kind.FORM, b""), FormNames)
