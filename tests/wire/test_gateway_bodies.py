"""Bodies of a POST that name another method, through the whole running gateway: the backend never gets the end of one."""

import json
import os
from collections.abc import Iterator
from typing import Final

import pytest
import requests

from backends import OK, Visit
from e2e.house import House
from e2e.raw import line
from e2e.wires import head, wired

MIB: Final = 1 << 20
FIELD: Final = b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\nDELETE\r\n'
FILE: Final = (
    b'--XX\r\nContent-Disposition: form-data; name="f"; filename="a.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
)
TYPE: Final = b"content-type: multipart/form-data; boundary=XX"
END: Final = b"--XX--\r\n"


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with rows for every path."""
    with wired(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(name="got")
def what_the_backend_got(home: House) -> list[bytes]:
    """The bytes behind the head that the backend was sent, as they come; it answers when a body has ended."""
    found: list[bytes] = []

    async def script(visit: Visit) -> None:
        received = await visit.head()
        lengths = received.values(b"content-length")
        got = b""
        while piece := await visit.reader.read(MIB):
            found.append(piece)
            got += piece
            if len(got) == int(lengths[0]) if lengths else got.endswith(b"\r\n0\r\n\r\n"):
                await visit.send(OK)
                return

    home.backend.use(script)
    return found


def framed(body: bytes, *, chunked: bool) -> tuple[bytes, bytes]:
    """Returns the header line that frames a body, and the body so framed."""
    if not chunked:
        return b"content-length: %d" % len(body), body
    pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    return b"transfer-encoding: chunked", b"".join(
        b"%x\r\n%b\r\n" % (len(each), each) for each in pieces
    ) + b"0\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1_000, 3 * MIB])
def test_a_part_behind_a_file_of_any_size_breaks_the_upload_off(
    home: House, got: list[bytes], size: int, *, chunked: bool
) -> None:
    """A part that names a method is not sent on, nor is the end of the body; the client is told 400, and the connection ends."""
    body = FIELD % b"act" + FILE + os.urandom(size) + b"\r\n" + FIELD % b"_method" + END
    framing, content = framed(body, chunked=chunked)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", TYPE, framing, method=b"POST") + content)
        answer = client.answer()
        assert client.is_over()

    assert (answer.status, answer.reason) == (400, "bad-body")
    assert b"_method" not in b"".join(got)
    assert END not in b"".join(got)
    assert not b"".join(got).endswith(b"0\r\n\r\n")
    assert len(b"".join(got)) < len(content)
    if size < 64_000 and not chunked:
        assert home.backend.requests == []


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_any_size_passes_whole(home: House, got: list[bytes], *, chunked: bool) -> None:
    """Fields and a file arrive byte for byte, whatever the file holds: the name of such a part, or a piece of its own boundary."""
    inside = b"\r\n--X\r\n" + (FIELD % b"_method").replace(b"--XX", b"--YY") + os.urandom(5 * MIB)
    body = FIELD % b"act" + FILE + inside + b"\r\n" + FIELD % b"last" + END
    framing, content = framed(body, chunked=chunked)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", TYPE, framing, method=b"POST") + content)
        answer = client.answer()

    assert answer.status == 200
    if not chunked:
        assert b"".join(got) == body


def test_a_body_that_is_broken_off_is_audited_as_refused(home: House, got: list[bytes]) -> None:
    """The line that says that the request was allowed has another behind it, which says why its body was not."""
    answer = home.ask("POST", "/a", "ada", data={"_method": "DELETE"})

    assert answer.status_code == 400
    lines = [json.loads(line) for line in home.gateway.audit.read_text().splitlines()]
    mine = [line for line in lines if line["request_id"] == answer.headers["x-request-id"]]
    assert [(line["verdict"], line["reason"]) for line in mine] == [
        ("allowed", mine[0]["reason"]),
        ("refused", "bad-body"),
    ]
    assert got == []


def test_an_ordinary_clients_upload_passes(home: House, got: list[bytes]) -> None:
    """A form with fields and a file, as the library requests sends it."""
    files = {"f": ("größe _method.mp4", os.urandom(300_000), "video/mp4")}
    answer = home.ask("POST", "/a", "ada", data={"act": "bput", "note": "_method=PUT"}, files=files)

    assert answer.status_code == 200
    assert b"bput" in b"".join(got)


def test_json_that_names_a_method_is_broken_off(home: House, got: list[bytes]) -> None:
    """A key at the end of a long document is found, too; the document without it passes whole."""
    text = b'{"items":[' + b'{"name":"clip"},' * 20_000 + b'{}],"%s":"DELETE"}'
    statuses = [
        home.ask(
            "POST", "/a", "ada", data=text % name, headers={"content-type": "application/json"}
        ).status_code
        for name in (b"_method", b"\\u005fmethod", b"method")
    ]

    assert statuses == [400, 400, 200]
    assert b"_method" not in b"".join(got)


def test_what_some_take_for_a_form_is_looked_through_as_one(home: House, got: list[bytes]) -> None:
    """Without a content type, or with one that some take for a form's, a parameter is found, in a small body before the backend is asked."""
    with requests.Session() as session:
        session.trust_env = False
        for kind in (None, "application/x-www-form-urlencoded, text/plain"):
            asked = requests.Request("POST", home.gateway.url + "/a", data="a=1&_method=DELETE").prepare()
            asked.headers.update(signed_in(home))
            if kind:
                asked.headers["content-type"] = kind
            answer = session.send(asked, timeout=20)
            assert (answer.status_code, answer.json()["reason"]) == (400, "bad-body")
    assert got == []
    assert home.backend.requests == []


@pytest.mark.parametrize("kind", [b"content-type: application/x-www-form-urlencoded", b"x-no: type"])
def test_a_form_of_any_size_is_looked_through(home: House, got: list[bytes], kind: bytes) -> None:
    """A large form, or file without a type, passes whole; with such a parameter at its end the backend gets neither method nor end."""
    statuses = []
    for last in (b"&_methods=DELETE", b"&_method=DELETE"):
        framing, content = framed(b"a=" + os.urandom(3 * MIB) + last, chunked=False)
        got.clear()
        with line(home.gateway.url) as client:
            client.send(head(home, b"/a", kind, framing, method=b"POST") + content)
            statuses.append(client.answer().status)

    assert statuses == [200, 400]
    assert b"DELETE" not in b"".join(got)


def signed_in(home: House) -> dict[str, str]:
    """Returns the header that signs ada in."""
    name, _, value = home.bearer("ada").partition(": ")
    return {name: value}
