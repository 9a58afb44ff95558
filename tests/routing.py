"""For tests of the routes stage: requests and route maps from a few words."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from gateway.errors import GatewayError, RouteMapError
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes import Operation, RouteTable
from models.networks import NetworkSet

ROLES: Mapping[str, object] = {
    "can_read_assets": 1,
    "can_write_assets": 1,
    "can_write_files": 1,
    "web_can_upload": 1,
}
GUI_ONLY = ("web_can_upload",)
OBJECTS = """
upstream: media
objects:
  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}
  asset: {id: opaque}
  collection: {id: opaque}
"""
Header = tuple[bytes, bytes]


def inbound(request: str, *headers: Header, host: bytes = b"media.test") -> Inbound:
    """Returns the request that `METHOD /path?query` and further headers make."""
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    scope = {
        "method": method,
        "scheme": "http",
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(b"host", host), *headers],
        "client": ("127.0.0.1", 40000),
    }
    return Inbound.of(scope, NetworkSet(), "request-1")


def write_maps(folder: Path, maps: Mapping[str, str]) -> Path:
    """Writes route maps into the folder `routes` below `folder`; returns it."""
    routes = folder / "routes"
    routes.mkdir(exist_ok=True)
    for name, text in maps.items():
        (routes / name).write_text(text, encoding="utf-8")
    return routes


def table(folder: Path, *maps: str, upstreams: Collection[str] | None = ("media", "other")) -> RouteTable:
    """Returns the table of maps, which are called a.yaml, b.yaml and so on."""
    named = {f"{chr(97 + at)}.yaml": text for at, text in enumerate(maps)}
    return RouteTable.load(
        write_maps(folder, named), known_roles=ROLES, gui_only=GUI_ONLY, upstreams=upstreams
    )


def rows(text: str) -> str:
    """Returns a map with usual objects and these rows, which stand from line 9 on."""
    return f"{OBJECTS}\nroutes:\n{text}\n"


def problems(folder: Path, *maps: str) -> list[str]:
    """Returns the problems that loading these maps reports."""
    with pytest.raises(RouteMapError) as caught:
        table(folder, *maps)
    return caught.value.problems


def refusal(routes: RouteTable, request: Inbound, body: bytes | None = None) -> Reason | Operation | None:
    """Returns the reason for which a request is refused; else its operation, or None if it falls on no row."""
    try:
        row = routes.match(request)
        return routes.operation(row, request, body) if row else None
    except GatewayError as error:
        return error.reason
