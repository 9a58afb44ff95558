"""A client made of raw bytes for `gateway.selftest`: sends exactly what it is given, and reads no more of answers than it needs.

Rules (law 10: what a deployment answers is bounded too):

1. An answer's head has at most `MAX_HEAD` bytes, and a body that must be passed over at most `MAX_BODY`.
2. Nothing is waited for longer than `PATIENCE`; a further answer on the same connection not longer than `MORE`.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

PATIENCE: Final = 10.0
"""Seconds in which a deployment must answer."""
MORE: Final = 0.5
"""Seconds in which a second answer comes, if any does."""
MAX_HEAD: Final = 65_536
"""Bytes of an answer's head."""
MAX_BODY: Final = 1_048_576
"""Bytes of an answer's body."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |\r|\Z)")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_BODILESS: Final = (204, 304)
_SWITCHING: Final = 101
_FINAL: Final = 200


class NoAnswerError(Exception):
    """What came is no answer that can be judged; the message says why."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A place where requests can be sent to.

    Attributes:
        name: what the operator calls it.
        url: `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    """

    name: str
    url: str

    @property
    def host(self) -> str:
        """The `Host` of its URL."""
        return urlsplit(self.url).netloc

    @property
    def is_tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return urlsplit(self.url).scheme == "https"

    @contextmanager
    def connection(self, tls: ssl.SSLContext) -> Iterator[socket.socket]:
        """Opens a connection for the length of a block.

        Raises:
            OSError: it cannot be reached, or its certificate does not hold.
        """
        parts = urlsplit(self.url)
        name = str(parts.hostname)
        with socket.create_connection((name, parts.port or (443 if self.is_tls else 80)), PATIENCE) as plain:
            if not self.is_tls:
                yield plain
                return
            with tls.wrap_socket(plain, server_hostname=name) as secured:
                yield secured


def ask(
    hop: Hop, tls: ssl.SSLContext, request: bytes, *, more: bool = False, bodiless: bool = False
) -> list[int]:
    """Sends bytes over a connection of their own; returns the statuses of the answers, none if the connection was closed.

    Args:
        hop: where to.
        tls: what certificates are checked with.
        request: sent as it is.
        more: whether further answers are waited for.
        bodiless: whether answers have no body, whatever their heads say.

    Raises:
        NoAnswerError: what came is not HTTP/1, or beyond the bounds; or nothing came in time.
        OSError: the hop cannot be reached.
    """
    statuses: list[int] = []
    with hop.connection(tls) as connection:
        reader = _Reader(connection)
        try:
            connection.sendall(request)
            statuses.append(reader.answer(bodiless=bodiless))
            while more:
                connection.settimeout(MORE)
                reader.pass_over()
                statuses.append(reader.answer(bodiless=bodiless))
        except TimeoutError:
            if not statuses:
                raise NoAnswerError(f"no answer within {PATIENCE:g} s") from None
        except (EOFError, OSError):  # closed: as an answer that is none, or after the last one
            pass
    return statuses


class _Reader:
    """Answers on one connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""
        self._head = b""
        self._bodiless = False

    def answer(self, *, bodiless: bool) -> int:
        """Reads the head of an answer, interim ones passed over; returns its status."""
        while True:
            try:
                self._head = self._until(b"\r\n\r\n", MAX_HEAD)
            except EOFError:
                if self._held and not self._held.startswith(b"HTTP/1."):
                    raise NoAnswerError("what came is not an answer of HTTP/1") from None
                raise
            found = _STATUS.match(self._head)
            if found is None:
                raise NoAnswerError("what came is not an answer of HTTP/1")
            status = int(found[1])
            if status >= _FINAL or status == _SWITCHING:
                self._bodiless = bodiless or status in _BODILESS
                return status

    def pass_over(self) -> None:
        """Reads the body of the answer whose head was read."""
        if self._bodiless:
            return
        if _CHUNKED.search(self._head):
            while size := int(self._until(b"\r\n", 1024).split(b";")[0].strip() or b"0", 16):
                self._skip(size + 2)
            self._until(b"\r\n", MAX_HEAD)
            return
        length = _LENGTH.search(self._head)
        self._skip(int(length[1]) if length else MAX_BODY)

    def _skip(self, count: int) -> None:
        if count > MAX_BODY:
            raise NoAnswerError(
                f"an answer has more than {MAX_BODY} bytes: choose a smaller file as the allowed path"
            )
        while len(self._held) < count:
            self._read()
        self._held = self._held[count:]

    def _until(self, mark: bytes, limit: int) -> bytes:
        while mark not in self._held:
            if len(self._held) > limit:
                raise NoAnswerError(f"the head of an answer has more than {limit} bytes")
            self._read()
        taken, _, self._held = self._held.partition(mark)
        return taken + mark

    def _read(self) -> None:
        piece = self._connection.recv(65_536)
        if not piece:
            raise EOFError
        self._held += piece
