"""Rows with effects, and how tests make, watch and hold up what they do."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from backends import Visit
from e2e.behind import eventually, told
from e2e.house import House, house
from gateways import free_port

ROWS: Final = """
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - DELETE /assets/{asset_id}: {action: delete, object: asset, role: can_delete_assets, deletes: asset}
  - DELETE /down/{asset_id}: {upstream: down, action: delete, object: asset, role: can_delete_assets, deletes: asset}
  - DELETE /slow/{asset_id}: {upstream: slow, action: delete, object: asset, role: can_delete_assets, deletes: asset}
  - POST /assets:
      objects:
        - action: create
        - {action: write, object: collection, id: body:/collection_id, optional: true}
      role: can_create_assets
      creates: {object: asset, id: answer:body:/id, parents: [{object: collection, id: body:/collection_id}]}
  - GET /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files}
  - PUT /{path...}: {action: create, object: file, id: "/{path}", role: can_write_files, creates: file}
  - DELETE /{path...}: {action: delete, object: file, id: "/{path}", role: can_delete_files, deletes: file}
  - POST /{path...}:
      {action: write, object: file, id: "/{path}", role: can_write_files, creates: {object: file, id: answer:header:location}}
  - MOVE /{path...}:
      objects:
        - {action: delete, object: file, id: "/{path}"}
        - {action: create, object: file, id: header:destination}
      role: can_write_files
      deletes: {object: file, id: "/{path}"}
      creates: {object: file, id: header:destination}
"""
UPSTREAMS: Final = """
[upstreams.down]
url = "http://127.0.0.1:%d"
[upstreams.slow]
url = "{backend}"
read_timeout = "300ms"
"""
CREATED, GONE = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def changing(folder: Path) -> Iterator[House]:
    """Runs a gateway with these rows, and a folder /drop in which editors may write and nobody may read, until the block ends."""
    with house(folder, UPSTREAMS % free_port(), ROWS) as found:
        found.run("object", "add", "file:/drop", "--domain", "main")
        found.run("grant", "group:editors", "write", "file:/drop", "--propagate")
        yield found


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with rows that have effects."""
    with changing(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(autouse=True)
def clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    home.backend.clear()


JSON: Final = "content-type: application/json"


def saying(status: int, body: bytes = b"", *lines: str) -> bytes:
    """Returns an answer as bytes."""
    head = "\r\n".join([f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", *lines, "", ""])
    return head.encode() + body


def made(home: House, name: str, who: str = "stan", **grants: str) -> str:
    """Makes an asset through the gateway, with entries for people; returns its path."""
    home.backend.answers(saying(201, json.dumps({"id": name}).encode(), JSON))
    assert home.ask("POST", "/assets", who, json={}).status_code == 201
    for person, permission in grants.items():
        home.run("grant", f"{person}@example.org", permission, f"asset:{name}")
    home.backend.clear()
    return f"/assets/{name}"


def shown(home: House, name: str) -> dict[str, Any]:
    """Returns what the store knows of an object."""
    return dict(home.run("object", "show", name))


def statuses(home: House, path: str, *people: str) -> list[int]:
    """Returns what each one gets for a path."""
    return [home.get(path, who).status_code for who in people]


def unsettled(home: House, name: str) -> list[str]:
    """Returns the state of each request about an object of which the outcome is open."""
    return [each["state"].upper() for each in home.run("object", "unsettled") if name in each["objects"]]


class Waiting:
    """A backend that takes a request and answers when it is told."""

    def __init__(self, home: House, answer: bytes) -> None:
        self._home, self._answer, self._go = home, answer, threading.Event()
        home.backend.use(self._script)

    def arrived(self, count: int = 1) -> None:
        """Waits until so many requests have come."""
        assert eventually(lambda: len(self._home.backend.requests) >= count)

    def go(self) -> None:
        """Lets it answer, whatever waits and whatever comes."""
        self._go.set()

    async def _script(self, visit: Visit) -> None:
        while True:
            await visit.request()
            await told(self._go)
            await visit.send(self._answer)


@contextmanager
def in_flight(home: House, answer: bytes, method: str, path: str, who: str = "stan") -> Iterator[Waiting]:
    """Holds a request at the backend for the block, lets it end then, and asserts that its client got `answer`."""
    waiting = Waiting(home, answer)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(home.ask, method, path, who)
        try:
            waiting.arrived()
            yield waiting
        finally:
            waiting.go()
        assert asked.result().status_code == int(answer.split(b" ")[1])
