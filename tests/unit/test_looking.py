"""A client's body, looked through as it is handed on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.looking import looked_through
from gateway.upstream import UploadBrokenError
from routing import inbound, rows, table

ROWS = rows("""
  - PUT, POST /a: {action: write, role: none}
  - POST /open: {action: write, role: none, allow: [method-parameter]}
""")


def received(
    folder: Path, request: str, content_type: bytes, *pieces: bytes, ended: bool = True
) -> list[bytes]:
    """Returns the pieces that are handed on of a body that came in these."""
    routes = table(folder, ROWS)
    asked = inbound(request, (b"content-type", content_type))
    row = routes.match(asked)
    assert row is not None
    last = len(pieces) - 1
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": at < last or not ended}
        for at, piece in enumerate(pieces)
    ]
    messages.append({"type": "http.disconnect"})
    handed: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def read() -> None:
        through = looked_through(row, asked, receive)
        while (message := await through())["type"] == "http.request":
            handed.append(message["body"])

    try:
        asyncio.run(read())
    except UploadBrokenError:
        handed.append(b"broken")
    return handed


@pytest.mark.parametrize(("request_line", "content_type", "pieces", "handed"), [
    ("POST /a", b"application/json", [b'{"a":1,', b'"_meth', b'od":1}', b""], [b'{"a":1,', b'"_meth', b"broken"]),
    ("POST /a", b"application/json", [b'{"a":1,', b'"b":2}'], [b'{"a":1,', b'"b":2}']),
    ("POST /a", b"multipart/form-data; boundary=x", [b"--x\r\n\r\n", b"v", b"\r\n--x"], [b"--x\r\n\r\n", b"v", b"broken"]),
    ("POST /a", b"multipart/form-data; boundary=x", [b"--x\r\n\r\n", b"v\r\n--x--"], [b"--x\r\n\r\n", b"v\r\n--x--"]),
    ("POST /a", b"video/mp4", [b'"_method"'], [b'"_method"']),
    ("PUT /a", b"application/json", [b'"_method"'], [b'"_method"']),
    ("POST /open", b"application/json", [b'"_method"'], [b'"_method"']),
])  # fmt: skip
def test_what_was_looked_at_is_handed_on(
    tmp_path: Path, request_line: str, content_type: bytes, pieces: Sequence[bytes], handed: list[bytes]
) -> None:
    """Pieces go on as they come, up to the one that names a method or the end that is none; other bodies are left alone."""
    assert received(tmp_path, request_line, content_type, *pieces) == handed


def test_a_client_that_leaves_is_told_as_ever(tmp_path: Path) -> None:
    """A body that breaks off is the carrier's to judge, not this search's."""
    assert received(tmp_path, "POST /a", b"application/json", b'{"a"', ended=False) == [b'{"a"']
