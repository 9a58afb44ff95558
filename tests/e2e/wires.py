"""A gateway for raw bytes: rows for every path, an admin who may read all of them, and heads that are written by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.house import House, house
from e2e.raw import Answer, Line, line

REFUSED: Final = 400
ROWS: Final = """
  - GET, POST, OPTIONS /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files}
  - PUT /{path...}: {action: write, object: file, id: "/{path}", role: can_write_files}
  - GET /open/{path...}: {anonymous: true}
"""
OURS: Final = {
    b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded",
    b"x-request-id", b"x-mediagate-user", b"x-mediagate-domain", b"x-backend-key",
}  # fmt: skip
"""Names of the headers that a backend gets from the gateway itself, beside `host`."""
_TRUE: Final = {
    b"x-mediagate-user": b"ada",
    b"x-mediagate-domain": b"main",
    b"x-forwarded-for": b"127.0.0.1",
    b"x-forwarded-proto": b"http",
    b"x-forwarded-host": b"gw.example",
    b"forwarded": b'for=127.0.0.1;host="gw.example";proto=http',
    b"host": b"gw.example",
}


@contextmanager
def wired(folder: Path) -> Iterator[House]:
    """Runs a gateway with rows for every path, all of which an admin may read and write, until the block ends."""
    with house(folder, "", ROWS) as found:
        found.run("object", "add", "file:/", "--domain", "main")
        yield found


def head(home: House, target: bytes, *lines: bytes, method: bytes = b"GET") -> bytes:
    """Returns the head of a request by ada with exactly this target."""
    first = [method + b" " + target + b" HTTP/1.1", b"host: gw.example", home.bearer("ada").encode(), *lines]
    return b"\r\n".join([*first, b"", b""])


def sent(home: House, data: bytes) -> Answer | None:
    """Sends bytes over a connection of their own; returns the first answer, None if there was none."""
    with line(home.gateway.url) as client:
        client.send(data)
        client.socket.settimeout(5)
        try:
            return client.answer(bodiless=data.startswith(b"HEAD"))
        except (EOFError, ConnectionError):
            return None


def all_statuses(client: Line) -> list[int]:
    """Returns the status of each answer until the connection ends or nothing more comes."""
    found: list[int] = []
    client.socket.settimeout(5)
    try:
        while True:
            found.append(client.answer().status)
            client.socket.settimeout(0.3)
    except (EOFError, OSError):
        return found


def says_what_is_true(home: House) -> bool:
    """Asserts that each request that arrived carries what the gateway says of ada's requests, once, and nothing else."""
    for received in home.backend.requests:
        told = {name: received.values(name) for name in _TRUE}
        assert told == {name: [value] for name, value in _TRUE.items()}
    return True
