"""The chunked coding, taken apart without I/O (RFC 9112 7.1); for bodies of requests and of answers.

Rules:

1. A chunk's size is hexadecimal digits and nothing else, then perhaps extensions, then CRLF.
2. Extensions and trailers are dropped; between two pieces of a body there is a bounded number of bytes.
3. What follows the empty line at the end is not the body's.
"""

import re
from typing import Final

_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*+)?\r\n")
_CRLF: Final = b"\r\n"


class ChunkError(Exception):
    """The coding is not one, or beyond its bound."""


class Chunks:
    """Takes one body apart.

    Attributes:
        ended: whether the last chunk and the trailers have come.
    """

    __slots__ = ("_left", "_max_overhead", "_overhead", "_pending", "_trailing", "ended")

    def __init__(self, max_overhead: int) -> None:
        """Takes the bound of rule 2, in bytes."""
        self._max_overhead = max_overhead
        self._pending = b""
        self._left = 0  # of the chunk under way, its line end included
        self._overhead = 0
        self._trailing = False
        self.ended = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Takes what came; returns what of the body is in it and, once `ended`, what follows the body.

        Raises:
            ChunkError: rules 1 and 2.
        """
        pieces: list[bytes] = []
        if self._pending:
            data, self._pending = self._pending + data, b""
        at, end = 0, len(data)
        while at < end and not self.ended:
            if self._left > len(_CRLF):
                piece = data[at : at + self._left - len(_CRLF)]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._overhead = 0
                continue
            after = self._after_chunk(data, at) if self._left else self._after_line(data, at)
            if after is None:
                self._pending = data[at:]
                if b"\r" in self._pending[:-1]:
                    raise ChunkError("a bare line end between chunks")  # it will not get better
                self._spend(len(self._pending), keep=False)
                return b"".join(pieces), b""
            at = after
        return b"".join(pieces), data[at:]

    def _after_chunk(self, data: bytes, at: int) -> int | None:
        """Returns where the line end of a chunk ends; None if it is not all there."""
        line_end = data[at : at + len(_CRLF)]
        if not _CRLF.startswith(line_end):
            raise ChunkError("a chunk is longer than it said")
        if len(line_end) < len(_CRLF):
            return None
        self._left = 0
        return at + len(_CRLF)

    def _after_line(self, data: bytes, at: int) -> int | None:
        """Reads a size or a trailer; returns where it ends, None if it is not all there."""
        end = data.find(b"\n", at) + 1
        if not end:
            return None
        self._spend(end - at, keep=True)
        if self._trailing:
            line = data[at:end]
            if not line.endswith(_CRLF) or line.count(b"\r") > 1:
                raise ChunkError("a bare line end between chunks")
            self.ended = line == _CRLF
            return end
        size = _SIZE_LINE.fullmatch(data, at, end)
        if size is None:
            raise ChunkError("a chunk without a size")
        number = int(size[1], 16)
        self._trailing = number == 0
        self._left = number + len(_CRLF) if number else 0
        return end

    def _spend(self, octets: int, *, keep: bool) -> None:
        """Counts what is not the body's (rule 2)."""
        if self._overhead + octets > self._max_overhead:
            raise ChunkError(f"extensions or trailers larger than {self._max_overhead} bytes")
        if keep:
            self._overhead += octets
