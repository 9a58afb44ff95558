"""Heads of requests and of answers, as llhttp reads them: each head by itself, whole, and in its strict mode.

Rules:

1. llhttp gets a head and nothing else: where a body ends is for whoever asks to decide.
2. A head has as many line ends as lines, each of them CRLF (RFC 9112 2.2): no bare CR or LF, no folded line, nothing that ends earlier in
   one reading than in another.
3. White space around a value is none of it (RFC 9110 5.5).
"""

from collections.abc import Callable
from typing import Any, Final

from httptools import HttpParserError, HttpParserUpgrade

END: Final = b"\r\n\r\n"
MAX_LENGTH_DIGITS: Final = 18
"""Of a `Content-Length`; larger than any file."""

Pair = tuple[bytes, bytes]


class HeadError(Exception):
    """What came is no head."""


class _Sink:
    """What llhttp calls; plain functions, since each header is a call."""

    __slots__ = ("headers", "on_header", "on_url", "urls")

    def __init__(self) -> None:
        headers: list[Pair] = []
        urls: list[bytes] = []
        append = headers.append

        def on_header(name: bytes, value: bytes) -> None:
            append((name.lower(), value))

        self.headers, self.urls = headers, urls
        self.on_header: Callable[[bytes, bytes], None] = on_header
        self.on_url: Callable[[bytes], None] = urls.append


def read(raw: bytes, parser: Any) -> tuple[Any, list[Pair], list[bytes]]:  # noqa: ANN401 - llhttp's classes are untyped
    """Returns the parser, the headers in order with lower-case names, and the targets; `parser` is a class of httptools.

    Raises:
        HeadError: rules 1 and 2.
    """
    sink = _Sink()
    llhttp = parser(sink)
    try:
        llhttp.feed_data(raw)
    except HttpParserUpgrade:
        pass  # an offer to switch, or CONNECT: what follows is for others to judge
    except HttpParserError as error:
        raise HeadError(str(error)) from error
    headers = sink.headers
    lines = len(headers) + 2
    if (
        not raw.endswith(END)
        or raw.count(b"\n") != lines
        or raw.count(b"\r\n") != lines
        or raw.count(b"\r") != lines
    ):
        raise HeadError("line ends that are none, or a folded line")
    if b" \r" in raw or b"\t\r" in raw:
        headers = [(name, value.rstrip(b" \t")) for name, value in headers]
    return llhttp, headers, sink.urls
