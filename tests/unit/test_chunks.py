"""The chunked coding: what is one is taken apart as everybody does it, everything else is refused."""

from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chunks import ChunkError, Chunks

MAX_OVERHEAD = 16384
BODY = "refused"


def unchunked(*parts: bytes) -> tuple[Any, ...]:
    """Feeds parts; returns the body, whether it ended, and what follows it; an error as its reason."""
    chunks, body, rest = Chunks(MAX_OVERHEAD), b"", b""
    try:
        for part in parts:
            if chunks.ended:
                rest += part
                continue
            piece, rest = chunks.feed(part)
            body += piece
    except ChunkError:
        return (BODY,)
    return body, chunks.ended, rest


@pytest.mark.parametrize(("sent", "read"), [
    (b"0\r\n\r\n", (b"", True, b"")), (b"3\r\nabc\r\n0\r\n\r\n", (b"abc", True, b"")), (b"3\r\nabc\r\n00002\r\n\r\n\r\n0\r\n\r\nGET /", (b"abc\r\n", True, b"GET /")),
    (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", (b"0123456789" * 2, True, b"")), (b'1;a=b;c="d"\r\nx\r\n0;e\r\nT: u\r\nV: w\r\n\r\n0\r\n', (b"x", True, b"0\r\n")),
    (b"3\r\nab", (b"ab", False, b"")), (b"3\r\nabc\r", (b"abc", False, b"")), (b"3\r\nabc\r\n0\r\nT: u\r\n", (b"abc", False, b"")),
    (b"x\r\n", (BODY,)), (b"\r\n", (BODY,)), (b"3\nabc", (BODY,)), (b"3\rabc", (BODY,)), (b"3\r\nabcd\r\n0\r\n\r\n", (BODY,)), (b"3\r\nabc\n0\r\n\r\n", (BODY,)), (b"3\r\nabc\rX", (BODY,)),
    (b" 3\r\nabc\r\n", (BODY,)), (b"3 \r\nabc\r\n", (BODY,)), (b"3 ;a\r\nabc\r\n", (BODY,)), (b"+3\r\nabc\r\n", (BODY,)), (b"-3\r\nabc\r\n", (BODY,)), (b"0x3\r\nabc\r\n", (BODY,)),
    (b"3_0\r\n", (BODY,)), (b"\xb2\r\n", (BODY,)), (b"1" * 16 + b"\r\n", (BODY,)), (b"0" * 16 + b"\r\n\r\n", (BODY,)), (b"3;\x00\r\nabc\r\n", (BODY,)), (b"3;\x7f\r\nabc\r\n", (BODY,)),
    (b"3;a\nb\r\nabc\r\n", (BODY,)), (b"3;a\rb\r\nabc\r\n", (BODY,)), (b"0\r\nT: u\nV: w\r\n\r\n", (BODY,)), (b"0\r\nT: u\rV: w\r\n\r\n", (BODY,)), (b"0\n\n", (BODY,)), (b"0\r\n\n", (BODY,)),
], ids=repr)  # fmt: skip
def test_chunks(sent: bytes, read: tuple[Any, ...]) -> None:
    """A size is hexadecimal digits and nothing else, a chunk as long as it says, each line end CRLF; the rest is the next request."""
    assert unchunked(sent) == read
    assert unchunked(*(bytes([byte]) for byte in sent)) == read


def test_the_largest_size_is_only_waited_for() -> None:
    """Fifteen digits are a size; nothing is set aside for what has not come."""
    assert unchunked(b"F" * 15 + b"\r\n" + b"x" * 100) == (b"x" * 100, False, b"")


@pytest.mark.parametrize(("before", "line", "after"), [
    (b"1;", b"x", b"\r\nx\r\n0\r\n\r\n"), (b"0;", b"x", b"\r\n\r\n"), (b"0\r\nT: ", b"x", b"\r\n\r\n"), (b"0\r\n", b"T: x\r\n", b"\r\n"),
], ids=repr)  # fmt: skip
def test_what_is_dropped_is_bounded(before: bytes, line: bytes, after: bytes) -> None:
    """Extensions and trailers are taken up to a bound, whole, in pieces, and before their end has come."""
    fits = before + line * ((MAX_OVERHEAD - 100) // len(line)) + after
    beyond = before + line * (MAX_OVERHEAD // len(line) + 1)

    assert unchunked(fits)[1:] == (True, b"")
    assert unchunked(beyond + after) == unchunked(beyond) == (BODY,)
    assert unchunked(*(beyond[start : start + 1000] for start in range(0, len(beyond), 1000))) == (BODY,)


BODIES: Final = [
    b"0\r\n\r\n", b"3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\n",
    b"2\r\n\r\n\r\n1\r\nx\r\n000\r\n\r\n", b"5\r\nhello\r\n",
]  # fmt: skip


@given(st.sampled_from(BODIES), st.integers(0, 60), st.one_of(st.just(b""), st.binary(max_size=6), st.sampled_from([b"\n", b"\r", b"\r\n", b";", b"0"])), st.lists(st.integers(0, 70)))  # fmt: skip
def test_how_chunks_are_cut_into_reads_means_nothing(
    body: bytes, place: int, garbage: bytes, cuts: list[int]
) -> None:
    """A chunked body, spoilt or not, reads the same whole, byte by byte, and cut anywhere."""
    sent = body[:place] + garbage + body[place:]
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    parts = [sent[start:end] for start, end in pairwise(places) if end > start]

    assert unchunked(*parts) == unchunked(sent) == unchunked(*(bytes([byte]) for byte in sent))


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.binary(max_size=20))
def test_what_was_chunked_comes_out(pieces: list[bytes], following: bytes) -> None:
    """Any pieces in chunks are the same bytes again, and what follows is left alone."""
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    assert unchunked(sent + following) == (b"".join(pieces), True, following)
