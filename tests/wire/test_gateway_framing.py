"""Framing through the whole running gateway, both ways: where a body ends has one reading, and no byte of it becomes a request."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from backends import Visit
from e2e.house import House
from e2e.raw import line, request
from e2e.wires import REFUSED, all_statuses, head, says_what_is_true, sent, wired

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nhost: gw.example\r\n%b\r\n\r\n"


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


@pytest.mark.parametrize("lines", [
    [b"content-length: %d", b"content-length: 6"], [b"content-length: %d, %d"], [b"content-length: %d,6"], [b"content-length: +%d"],
    [b"content-length: -%d"], [b"content-length: 0x%d"], [b"content-length: %d 5"], [b"content-length: %d.0"], [b"content-length: five"],
    [b"content-length:"], [b"content-length: 99999999999999999999999"], [b"content-length : %d"], [b"content-length\t: %d"], [b"content-length: %d\x0b"],
    [b"transfer-encoding: xchunked"], [b"transfer-encoding: chunked, identity"], [b"transfer-encoding: gzip"],
    [b"transfer-encoding: chunked", b"transfer-encoding: identity"],
    [b"transfer-encoding : chunked"], [b"transfer-encoding:\x0bchunked"], [b'transfer-encoding: "chunked"'], [b"transfer-encoding: chunked;x=y"],
    [b"x: y\r\n transfer-encoding: chunked"], [b"transfer-encoding:\r\n chunked"], [b"transfer\x00-encoding: chunked"], [b"transfer-encoding: chunked,"],
    [b"transfer-encoding:"], [b"transfer-encoding: identity"], [b"content-length: %d", b"transfer-encoding: identity"],
    [b"content-length: %d", b"content-length: %d"], [b"transfer-encoding: gzip, chunked"], [b"transfer-encoding: chunked", b"transfer-encoding: chunked"],
    [b"transfer-encoding: ,chunked"], [b"transfer-encoding: chunked", b"content-length: %d"], [b"content-length: %d", b"transfer-encoding: chunked"],
    [b"content-length: 0", b"transfer-encoding: chunked"], [b"content-length: 5", b"transfer-encoding: chunked"],
], ids=repr)  # fmt: skip
def test_a_disguised_length_is_refused(home: House, lines: list[bytes]) -> None:
    """A length or coding that another server could read otherwise, two of them, or both kinds: 400, and no byte behind the head is carried out."""
    assert hiding(home, lines) == [REFUSED]
    assert home.backend.requests == []


@pytest.mark.parametrize(
    "lines",
    [
        [b"transfer_encoding: chunked"],
        [b"content_length: %d"],
        [b"x-content-length: %d"],
        [b"content.length: %d"],
    ],
    ids=repr,
)
def test_what_only_looks_like_a_length_is_none(home: House, lines: list[bytes]) -> None:
    """A request whose length stands under another name has no body, and does not carry that name to a backend that folds it."""
    statuses = hiding(home, lines)

    assert statuses in ([REFUSED], [200, REFUSED])
    assert [each.body for each in home.backend.requests] in ([], [b""])
    assert not any(
        re.search(rb"transfer.encoding|^content.length: [^0]", each.head, re.MULTILINE)
        for each in home.backend.requests
    )


@pytest.mark.parametrize(("lines", "body"), [
    ([b"content-length: %d"], True), ([b"Content-Length:%d"], True),
    ([b"transfer-encoding: CHUNKED"], False), ([b"Transfer-Encoding:chunked"], False),
], ids=repr)  # fmt: skip
def test_a_body_has_the_length_that_it_says(home: House, lines: list[bytes], *, body: bool) -> None:
    """With one reading of the length, what stands in the body stays there, and what follows it is another request."""
    statuses = hiding(home, lines)
    (upload, *following) = home.backend.requests

    assert statuses == ([200] if body else [200, 200])
    assert upload.body.endswith(b"\r\n\r\n") == body
    assert upload.values(b"transfer-encoding") == ([] if body else [b"chunked"])
    assert [each.line for each in following] == ([] if body else [b"GET /smuggled HTTP/1.1"])


def hiding(home: House, lines: list[bytes]) -> list[int]:
    """Sends an upload with another request behind its last chunk, `%d` being the length of both; returns all statuses."""
    body = b"0\r\n\r\n" + SMUGGLED % home.bearer("ada").encode()
    framing = [each.replace(b"%d", b"%d" % len(body)) for each in lines]
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a", *framing, method=b"PUT") + body)
        return all_statuses(client)


CHUNKS: Final = [
    b"5\r\nhello\r\n0\r\n\r\n", b"5;name=value\r\nhello\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n00\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nx-mediagate-user: zoe\r\n\r\n", b"5\r\nhello\r\n0;x\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b" 5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n",
    b"5;\nx\r\nhello\r\n0\r\n\r\n", b"5;\rx\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n", b"5_0\r\nhello\r\n0\r\n\r\n", b"\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n", b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 50_000 + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: repr(chunks[:40]))
def test_a_chunked_body_arrives_as_it_was_meant_or_not_at_all(home: House, chunks: bytes) -> None:
    """What reaches the backend whole is the body without extensions and trailers, in our own framing; all else is told to be none."""
    answer = sent(home, head(home, b"/a", b"transfer-encoding: chunked", method=b"PUT") + chunks)
    whole = [each for each in home.backend.requests if each.body]

    assert answer is not None
    assert answer.status == (200 if chunks in CHUNKS[:7] else REFUSED)
    assert [each.body for each in whole] == ([b"hello"] if answer.status == 200 else [])
    assert says_what_is_true(home)


def test_what_follows_a_refused_upload_is_not_its_body(home: House) -> None:
    """A request hidden in the body of a refused upload is never carried out."""
    hidden = SMUGGLED % home.bearer("ada").encode()
    with line(home.gateway.url) as client:
        client.send(request("PUT", "/a", home.bearer("vera"), body=hidden))
        statuses = all_statuses(client)

    assert statuses == [403]
    assert home.backend.requests == []


def test_nothing_follows_a_request_with_two_readings(home: House) -> None:
    """A request that is refused for what it is ends its connection: what was sent behind it is not carried out."""
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a//b") + head(home, b"/c"))
        statuses = all_statuses(client)

    assert statuses == [REFUSED]
    assert home.backend.requests == []


def test_pipelined_requests_are_judged_one_by_one(home: House) -> None:
    """Requests sent at once over one connection are answered in order, each as who it says it is."""
    asked = [("/a", "ada"), ("/b", ""), ("/files/c", "vera"), ("/d", "otto"), ("/e", "ada")]
    with line(home.gateway.url) as client:
        client.send(b"".join(request("GET", path, home.bearer(who)) for path, who in asked))
        statuses = [client.answer().status for _ in asked]

    assert statuses == [200, 401, 200, 403, 200]
    assert home.backend.lines == [b"GET /a", b"GET /files/c", b"GET /e"]
    assert [each.values(b"x-mediagate-user") for each in home.backend.requests] == [
        [b"ada"],
        [b"vera"],
        [b"ada"],
    ]


@pytest.mark.parametrize(("said", "body"), [
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-mediagate-user: zoe\r\n\r\n", b"abcde"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"), (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b""), (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    (b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", b""), (b"HTTP/1.1 418 \r\nContent-Length: 1\r\n\r\n!", b"!"),
])  # fmt: skip
def test_an_answers_framing_is_made_anew(home: House, said: bytes, body: bytes) -> None:
    """Chunks, answers that end with their connection, interim answers and empty ones arrive whole, without trailers."""

    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.send(said)

    home.backend.use(script)
    with line(home.gateway.url) as client:
        client.send(head(home, b"/a"))
        answer = client.answer()
        home.backend.clear()
        again = client.ask("GET", "/a", home.bearer("ada"))

    assert answer.body == body
    assert "zoe" not in str(answer.headers)
    assert (again.status, again.body) == (200, b"ok")
