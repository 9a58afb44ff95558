"""Rows and backends of tests about refusals, and the one form that every refusal has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests

from e2e.house import House, house
from gateways import free_port

OPEN, CLIP, FILE = "/open/logo.png", "/assets/clip", "/files/a.mp4"
ROWS: Final = """
  - GET /open/{path...}: {anonymous: true}
  - GET /files/{path...}: {action: read, object: file, id: "/files/{path}", role: can_read_files}
  - PUT /files/{path...}: {action: create, object: file, id: "/files/{path}", role: can_write_files, creates: file}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - POST /assets/{asset_id}/comments: {action: comment, object: asset, role: can_read_assets}
"""
MORE_ROWS: Final = """
  - GET /passed/{asset_id}: {upstream: passed, action: read, object: asset, role: none}
  - GET /down/{asset_id}: {upstream: down, action: read, object: asset, role: none}
  - GET /slow/{asset_id}: {upstream: slow, action: read, object: asset, role: none}
  - GET /busy/{asset_id}: {upstream: busy, action: read, object: asset, role: none}
"""
UPSTREAMS: Final = """
[upstreams.passed]
url = "{backend}"
credential = {kind = "pass"}
[upstreams.down]
url = "http://127.0.0.1:%d"
[upstreams.slow]
url = "{backend}"
read_timeout = "300ms"
[upstreams.busy]
url = "{backend}"
max_connections = 1
queue_limit = 0
"""


@contextmanager
def refusing(folder: Path) -> Iterator[House]:
    """Runs a gateway with all of these until the block ends."""
    with house(folder, UPSTREAMS % free_port(), ROWS + MORE_ROWS) as found:
        yield found


def is_refusal(answer: requests.Response, status: int, reason: str) -> None:
    """Asserts that an answer is a refusal in its one form."""
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert answer.json().keys() == {"errors", "reason", "request_id"}
    assert len(answer.json()["errors"]) == 1
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    challenge = 'Basic realm="mediagate", charset="UTF-8", Bearer'
    assert answer.headers.get("www-authenticate") == (challenge if status == 401 else None)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)
