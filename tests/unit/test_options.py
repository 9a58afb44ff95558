"""The gateway's own answer to `OPTIONS`."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.case import Case
from gateway.options import tell_methods
from routing import inbound, rows, table

ROWS = rows("""
  - GET /a/{asset_id}: {action: read, object: asset, role: none}
  - DELETE /a/{other}: {action: read, role: none, query: {force: required}}
  - OPTIONS /a/{any}: {anonymous: true, answered: true}
  - PUT /a/b: {action: read, role: none}
  - HEAD, PUT /c/{path...}: {action: read, role: none}
  - OPTIONS /c/{path...}: {anonymous: true, answered: true}
""")


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        ("/a/x", b"DELETE, GET, HEAD, OPTIONS"),
        ("/a/b", b"DELETE, GET, HEAD, OPTIONS"),
        ("/c/d/e", b"HEAD, OPTIONS, PUT"),
    ],
)
def test_the_methods_are_those_of_the_rows_shape(tmp_path: Path, target: str, methods: bytes) -> None:
    """`Allow` follows from the shape of the row, whatever its parameters are called, and from nothing else."""
    routes = table(tmp_path, ROWS)
    request = inbound(f"OPTIONS {target}")
    row = routes.match(request)
    case = SimpleNamespace(
        bundle=SimpleNamespace(routes=routes), decided=SimpleNamespace(row=row), inbound=request
    )
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    asyncio.run(tell_methods(cast("Case", case), send))

    assert told[0]["status"] == 204
    assert dict(told[0]["headers"])[b"allow"] == methods
    assert told[1] == {"type": "http.response.body", "body": b""}
