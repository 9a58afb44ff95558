"""The parser as such: how an answer is cut into reads means nothing, and garbage is one kind of error."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backends import OK
from gateway.upstream import (
    UpstreamError,
)
from gateway.upstream.parser import AnswerParser

ANSWERS = [
    OK,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nETag: x\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
]


def parsed(*parts: bytes) -> tuple[Any, ...]:
    """Feeds parts to a parser and returns all that it makes of them; an error as its type."""
    parser = AnswerParser("GET", 4096, 50)
    body = b""
    try:
        for part in parts:
            body += parser.feed(part)
        parser.end()
    except UpstreamError as error:
        return (type(error),)
    return parser.status, parser.headers, body, parser.complete, parser.stray, parser.keep_alive


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 130)))
def test_how_an_answer_is_cut_into_reads_means_nothing(answer: bytes, cuts: list[int]) -> None:
    """An answer reads the same whole, byte by byte, or cut anywhere."""
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    parts = [answer[start:end] for start, end in pairwise(places) if end > start]
    assert parsed(*parts) == parsed(answer) == parsed(*(bytes([byte]) for byte in answer))


@given(st.sampled_from(ANSWERS), st.integers(0, 130), st.binary(max_size=8))
def test_garbage_is_read_or_is_one_kind_of_error(answer: bytes, place: int, garbage: bytes) -> None:
    """Bytes inserted anywhere are parsed or raise `UpstreamError`, the same whole and byte by byte."""
    answer = answer[:place] + garbage + answer[place:]
    assert parsed(*(bytes([byte]) for byte in answer)) == parsed(answer)


@given(st.sampled_from(ANSWERS[:-1]), st.integers(1, 100))
def test_no_part_of_an_answer_is_a_whole_one(answer: bytes, missing: int) -> None:
    """An answer that lacks its end is an error."""
    (error,) = parsed(answer[:-missing])
    assert issubclass(error, UpstreamError)
