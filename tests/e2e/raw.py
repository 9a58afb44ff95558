"""A client made of raw bytes: it sends exactly what a test says and reads one answer after the other, tidying nothing."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

PATIENCE: Final = 20.0
"""Seconds after which a silent server is taken for broken."""
_BODILESS: Final = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came, its body freed of its framing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Returns all values of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: str) -> str:
        """Returns the one value of a header; empty if it did not come."""
        values = self.values(name)
        assert len(values) <= 1, (name, values)
        return values[0] if values else ""

    @property
    def document(self) -> Any:
        """The JSON document in the body."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The public reason of a refusal."""
        return str(self.document["reason"])


class Line:
    """One connection to a server."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._held = b""

    def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.sendall(data)

    def ask(
        self, method: str, target: str, *lines: str, body: bytes = b"", host: str = "gw.example"
    ) -> "Answer":
        """Sends a well-framed request and returns the answer; `lines` are further header lines."""
        self.send(request(method, target, *lines, body=body, host=host))
        return self.answer(bodiless=method == "HEAD")

    def answer(self, *, bodiless: bool = False) -> Answer:
        """Reads one whole answer; interim ones are passed over.

        Raises:
            EOFError: the connection ended before that.
        """
        status, headers = self.head()
        if bodiless or status in _BODILESS:
            return Answer(status, headers, b"")
        known = {name.lower(): value for name, value in headers}
        if known.get("transfer-encoding") == "chunked":
            return Answer(status, headers, b"".join(self._chunks()))
        if "content-length" in known:
            return Answer(status, headers, self.read(int(known["content-length"])))
        return Answer(status, headers, self.rest())

    def head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Reads status and headers of an answer."""
        while True:
            first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines if line)
            headers = tuple((name, value.strip()) for name, _, value in pairs)
            status = int(first.split(" ")[1])
            if status >= 200:
                return status, headers

    def read(self, count: int) -> bytes:
        """Reads exactly so many bytes.

        Raises:
            EOFError: the connection ended before that.
        """
        while len(self._held) < count:
            self._more()
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def pieces(self) -> Iterator[bytes]:
        """Yields what comes, as it comes, until the end of the connection."""
        while piece := self._held or self.socket.recv(262_144):
            self._held = b""
            yield piece

    def rest(self) -> bytes:
        """Reads until the end of the connection."""
        return b"".join(self.pieces())

    def is_over(self) -> bool:
        """Waits for the end of the connection; tells whether nothing came before it."""
        try:
            return not self.rest()
        except ConnectionError:
            return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            self._more()
        taken, _, self._held = self._held.partition(mark)
        return taken

    def _more(self) -> None:
        piece = self.socket.recv(262_144)
        if not piece:
            raise EOFError(f"the connection ended after {self._held[:200]!r}")
        self._held += piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            yield self.read(size)
            assert self.read(2) == b"\r\n"
        self._until(b"\r\n")


def request(method: str, target: str, *lines: str, body: bytes = b"", host: str = "gw.example") -> bytes:
    """Returns a well-framed request as bytes."""
    framing = [f"content-length: {len(body)}"] if body else []
    return (
        "\r\n".join([f"{method} {target} HTTP/1.1", f"host: {host}", *lines, *framing, "", ""]).encode(
            "latin-1"
        )
        + body
    )


@contextmanager
def line(url: str, *, source: str | None = None) -> Iterator[Line]:
    """Opens a connection to a server, from a stated local address if one is given."""
    parts = urlsplit(url)
    address = (str(parts.hostname), int(parts.port or 80))
    with socket.create_connection(address, PATIENCE, (source, 0) if source else None) as connection:
        yield Line(connection)
