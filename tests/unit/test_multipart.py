"""Multipart bodies as clients make them pass whole; whatever some parser could take for a part named `_method` does not."""

import os
import uuid
from typing import Final

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway.multipart import MAX_HEAD, Multipart, MultipartError

TYPE: Final = b"multipart/form-data; boundary=XX"
FIELD: Final = b'Content-Disposition: form-data; name="a"'
HIDDEN: Final = b'Content-Disposition: form-data; name="_method"'
END: Final = b"--XX--\r\n"


def part(*lines: bytes, content: bytes = b"v") -> bytes:
    """Returns one part with its delimiter."""
    return b"\r\n".join([b"--XX", *lines, b"", content, b""])


def look(body: bytes, content_type: bytes = TYPE, step: int = 1 << 20) -> None:
    """Looks through a body in pieces of `step` bytes."""
    search = Multipart(content_type)
    for at in range(0, len(body), step):
        search.feed(body[at : at + step])
    search.end()


def refuses(body: bytes, content_type: bytes = TYPE, step: int = 1 << 20) -> bool:
    """Tells whether a body is refused."""
    try:
        look(body, content_type, step)
    except MultipartError:
        return True
    return False


@pytest.mark.parametrize("lines", [
    (FIELD,),
    (b"content-disposition:form-data;name=a",),
    (b'Content-Disposition: form-data; name="f"; filename="_method.mp4"', b"Content-Type: video/mp4"),
    (b'Content-Disposition: form-data; name="f"; filename="C:\\new\\a.mp4"', b"Content-Type: video/mp4"),
    ('Content-Disposition: form-data; name="größe"; filename="фильм.mp4"'.encode(),),
    (b"Content-Disposition: form-data; name=file; filename=a.mp4; filename*=utf-8''a%20b.mp4",),
    (b"Content-Type: text/plain; charset=utf-8", b"Content-Disposition: form-data; name=note"),
    (b'Content-Disposition: form-data; name="f"; filename="a%22b.mp4"', b"Content-Length: 1", b"Content-Transfer-Encoding: binary"),
    (b'Content-Disposition: form-data; name="a[b][]"',),
    (b'Content-Disposition: form-data; name="method"',),
    (),
])  # fmt: skip
@pytest.mark.parametrize("step", [1, 2, 7, 1 << 20])
def test_what_clients_send_passes(lines: tuple[bytes, ...], step: int) -> None:
    """Fields and files as browsers, curl, Python, .NET and Java write them, however they are cut into pieces."""
    look(part(FIELD) + part(*lines) + END, step=step)
    look(b"\r\n" + part(*lines) + END, step=step)


@pytest.mark.parametrize("content_type", [
    b"multipart/form-data; boundary=XX", b"Multipart/Form-Data;boundary=XX", b'multipart/form-data; boundary="XX"',
    b"multipart/form-data; charset=UTF-8; boundary=XX", b'multipart/related; boundary=XX; type="application/json"; start="<a>"',
])  # fmt: skip
def test_content_types_as_clients_write_them_pass(content_type: bytes) -> None:
    """A boundary plain or quoted, beside other parameters."""
    look(part(FIELD) + END, content_type)


def test_what_the_library_requests_makes_passes() -> None:
    """Fields and a file of random bytes, as one widespread client writes them."""
    files = {"f": ("ä b.mp4", os.urandom(100_000), "video/mp4")}
    made = requests.Request("POST", "http://h/", data={"act": "bput"}, files=files).prepare()
    assert isinstance(made.body, bytes)

    look(made.body, made.headers["content-type"].encode(), step=4096)


@pytest.mark.parametrize("head", [
    HIDDEN, HIDDEN.lower(), HIDDEN.upper(), b"Content-Disposition:form-data;name=_method", b"Content-Disposition: form-data; name='_method'",
    b'Content-Disposition: form-data; name="_method[]"', b'Content-Disposition: form-data; name=" .method"',
    b'Content-Disposition: form-data; name="%5Fmethod"', b'Content-Disposition: form-data; name="x-http-method-override"',
    b'Content-Disposition: form-data; name="_m\\ethod"', b'Content-Disposition: form-data; name="=?utf-8?B?X21ldGhvZA==?="',
    b'Content-Disposition: form-data; name="a"; name="_method"', b'Content-Disposition: form-data; name="_method"; name="a"',
    b"Content-Disposition: form-data; name*=utf-8''_method", b'Content-Disposition: form-data; name*0="_met"; name*1="hod"',
    b'Content-Disposition: form-data;\r\n name="_method"', b'Content-Disposition: form-data; name="a"\r\n ; name="_method"',
    b'Content-Disposition : form-data; name="_method"', b' Content-Disposition: form-data; name="_method"',
    b'Content-Disposition: form-data; filename="a\\"; name="_method"', b"Content-Disposition: form-data; filename='; name=\"_method\"'",
    b'Content-Disposition: form-data; filename="a\\\\"; name="_method"', b'Content-Disposition: form-data; filename="_method"',
    FIELD + b"\r\n" + HIDDEN, FIELD + b"\n" + HIDDEN, FIELD + b"\r" + HIDDEN, FIELD + b"\0" + HIDDEN, b"X: a\tb\r\n" + HIDDEN, b"Content-ID: <_method>",
    b'Content-Disposition: attachment; name="_method"', b'Content-Disposition: form-data; name="_method', b"Content-Disposition: form-data, name=_method",
    b"Content-Type: multipart/mixed; boundary=YY", FIELD + b"; size=3", "Content\u2010Disposition: form-data".encode(), b"X" * MAX_HEAD,
])  # fmt: skip
@pytest.mark.parametrize("step", [1, 5, 1 << 20])
def test_a_part_that_some_parser_calls_a_method_is_refused(head: bytes, step: int) -> None:
    """Named plainly, in a spelling that only some parsers undo, or in a head of which they read different lines."""
    assert refuses(part(FIELD) + part(head) + END, step=step)


@pytest.mark.parametrize("body", [
    b"", b"a", END, b"a\r\n" + part(FIELD) + END, part(FIELD), part(FIELD) + b"--XX", part(FIELD) + b"--XX-", part(FIELD) + b"--XX\r\nX: y\r\n",
    part(FIELD) + END + part(HIDDEN) + END, part(FIELD) + END + b"--XX", part(FIELD, content=b"a\n--XX\r\n" + HIDDEN + b"\r\n\r\nv") + END,
    part(FIELD, content=b"a--XX") + END, part(FIELD, content=b"\r\n--XXX") + END, part(FIELD, content=b"\r\n--XX \r\n" + HIDDEN) + END,
    part(FIELD).replace(b"\r\n", b"\n") + END, b"--YY\r\n" + HIDDEN + b"\r\n\r\nDELETE\r\n--YY--\r\n", b"--XX\n" + HIDDEN + b"\n\nv\n--XX--\n",
    b"\r\n\r\n" + part(FIELD) + END, b'{"_method": "DELETE"}\r\n' + part(FIELD) + END,
])  # fmt: skip
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_boundary_stands_in_delimiters_only(body: bytes, step: int) -> None:
    """Where parsers differ in what delimits, or the body does not end as it must, it is refused; `END` alone has no part."""
    assert refuses(body, step=step) == (body != END)


@pytest.mark.parametrize("content_type", [
    b"", b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=YY", b"multipart/form-data; boundary=XX; boundary=YY",
    b"multipart/form-data; xboundary=YY; boundary=XX", b'multipart/form-data; a="; boundary=YY"; boundary=XX', b"multipart/form-data, boundary=XX",
    b"multipart/form-data; boundary=XX,YY", b'multipart/form-data; boundary="XX', b'multipart/form-data; boundary="X\\X"', b"multipart/form-data boundary=XX",
    b'multipart/form-data; boundary="XX YY"', b"multipart/form-data; boundary=" + b"X" * 71, b"text/plain; multipart/form-data; boundary=XX",
    b"multipart/form-data; boundary*=XX", b"multipart/form-data; BOUNDARY=YY; boundary=XX",
])  # fmt: skip
def test_a_content_type_states_one_boundary(content_type: bytes) -> None:
    """A boundary that parsers cut out differently, or take from another place, is none."""
    assert refuses(part(FIELD) + END, content_type)


@given(content=st.binary(max_size=300), step=st.integers(1, 9), hidden=st.booleans())
def test_any_content_passes_and_hides_nothing(*, content: bytes, step: int, hidden: bool) -> None:
    """Whatever a file holds passes, and the part behind it is found, however the body is cut into pieces."""
    boundary = uuid.uuid4().hex.encode()
    content_type = b"multipart/form-data; boundary=" + boundary
    body = part(FIELD, content=content) + part(HIDDEN if hidden else FIELD) + END

    assert refuses(body.replace(b"--XX", b"--" + boundary), content_type, step) == hidden


def test_what_names_a_method_is_found_before_its_piece_is_passed_on() -> None:
    """The piece in which such a head ends is the one that is refused, though the body goes on."""
    search = Multipart(TYPE)
    search.feed(part(FIELD, content=b"x" * 1_000_000))
    search.feed(b"--XX\r\n" + HIDDEN + b"\r\n\r")

    with pytest.raises(MultipartError, match="names another method"):
        search.feed(b"\nDELETE")
