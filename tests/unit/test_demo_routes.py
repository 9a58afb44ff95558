"""Tests of the demo's route maps: that they load, and that copyparty has no parameter or header they forgot."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from gateway.demo import copyparty
from gateway.errors import GatewayError
from gateway.inbound import Inbound
from gateway.roles import read_role_floor
from gateway.routes import RouteTable
from gateway.shipped import shipped_policies
from models.networks import NetworkSet

FOLDER = Path(copyparty.__file__).with_name("routes")
UPSTREAMS = {"assets", *copyparty.UPSTREAMS.values()}
FRAMING = {
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "range",
    "transfer-encoding",
}
CONDITIONS = {"if-modified-since", "if-range"}
ORIGINS = {"access-control-request-headers", "origin", "referer", "sec-fetch-site"}
GATEWAYS_OWN = {"authorization", "cf-connecting-ip"}
"""Taken out by the gateway where they are its own, and set aside by copyparty's settings."""
HARMLESS = {"accept", "depth", "destination", "fnugg", "overwrite", "user-agent"}
"""`depth` is bounded by copyparty, `destination` and `overwrite` are for methods that no row covers."""
UPLOAD_PROTOCOL = {"x-up2k-hash", "x-up2k-stat", "x-up2k-subc", "x-up2k-wark"}


@pytest.fixture(scope="module")
def table() -> RouteTable:
    """The demo's maps as one table."""
    return RouteTable.load(FOLDER, known_roles=read_role_floor(shipped_policies()), upstreams=UPSTREAMS)


@pytest.fixture(scope="module")
def source() -> str:
    """The source of copyparty that reads requests."""
    found = find_spec("copyparty.httpcli")
    assert found
    assert found.origin
    return Path(found.origin).read_text("utf-8")


def inbound(method: str, target: str) -> Inbound:
    """Returns a request."""
    path, _, query = target.encode().partition(b"?")
    scope = {
        "method": method,
        "scheme": "http",
        "raw_path": path,
        "query_string": query,
        "headers": [(b"host", b"media.example")],
        "client": ("192.0.2.1", 1),
    }
    return Inbound.of(scope, NetworkSet(), "request")


def parameters(source: str) -> set[str]:
    """Returns the names of query parameters that copyparty looks at."""
    within = re.findall(r'"([a-z0-9_]+)" (?:not )?in (?:self\.)?o?uparam\b', source)
    return {*within, *re.findall(r'\bo?uparam(?:\.get\(|\[)"([a-z0-9_]+)"', source)}


def headers(source: str) -> set[str]:
    """Returns the names of headers that copyparty looks at."""
    within = re.findall(r'"([a-z0-9-]+)" (?:not )?in (?:self\.headers|ih)\b', source)
    return {*within, *re.findall(r'(?:self\.headers|\bih)(?:\.get\(|\[)"([a-z0-9-]+)"', source)} - {"chunked"}


def refused_in_the_comment() -> set[str]:
    """Returns the parameters that the map's comment names as refused."""
    text = (FOLDER / "copyparty.yaml").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("#   ?")]
    return set(re.findall(r"\?([a-z0-9_]+)", " ".join(lines)))


def listed(table: RouteTable) -> Iterator[str]:
    """Yields the parameters that the rows for copyparty take."""
    for row in table.rows:
        if row.upstream in copyparty.UPSTREAMS.values():
            assert row.query.listed is not None, row.place
            yield from row.query.listed


def test_each_parameter_of_copyparty_is_listed_or_refused(table: RouteTable, source: str) -> None:
    """A parameter that copyparty acts on is either one that a row lists or one that the comment says is refused."""
    known = {*listed(table), *refused_in_the_comment()}

    assert len(parameters(source)) > 60
    assert parameters(source) - known == set()
    assert set(listed(table)) & refused_in_the_comment() == set()


def test_each_header_of_copyparty_is_dropped_or_known(table: RouteTable, source: str) -> None:
    """A header that copyparty acts on is dropped on every row, or known to change nothing that was judged."""
    rows = [row for row in table.rows if row.upstream in copyparty.UPSTREAMS.values()]
    dropped = {name.decode() for name in rows[0].drop_headers}
    known = FRAMING | CONDITIONS | ORIGINS | GATEWAYS_OWN | HARMLESS | UPLOAD_PROTOCOL

    assert all(row.drop_headers == rows[0].drop_headers for row in rows)
    assert headers(source) - known - dropped == set()
    assert {"pw", "cookie", "replace", "x-oc-mtime"} <= dropped


@pytest.mark.parametrize("name", sorted(refused_in_the_comment()))
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "MKCOL", "POST", "PROPFIND"])
def test_refused_parameters_fall_on_no_row(table: RouteTable, method: str, name: str) -> None:
    """What the comment calls refused is refused with every method, in a folder where much is open."""
    assert table.match(inbound(method, f"/inbox/?{name}=x")) is None


@pytest.mark.parametrize("target", ["/inbox/?LS", "/inbox/?ls&ls", "/inbox/?ls;zip", "/inbox/?tree=&Tree=x"])
def test_a_parameter_with_two_readings_is_refused(table: RouteTable, target: str) -> None:
    """Copyparty folds the case of names and lets the last of two win; neither gets that far."""
    with pytest.raises(GatewayError, match="bad-target"):
        table.match(inbound("GET", target))


@pytest.mark.parametrize(
    "request_",
    ["MOVE /a", "COPY /a", "LOCK /a", "UNLOCK /a", "PROPPATCH /a", "POST /a", "POST /shows/", "PATCH /a"],
)
def test_methods_that_cannot_be_judged_fall_on_no_row(table: RouteTable, request_: str) -> None:
    """What takes along or opens more than the request names has no row."""
    method, target = request_.split()

    assert table.match(inbound(method, target)) is None


EXPECTED = {
    "GET /shows/clip.mp4?cache=987&_=ab": "read file:/shows/clip.mp4",
    "GET /shows/?ls&dots&rtt=3": "read file:/shows",
    "GET /shows/?tree=": "read file:/shows, read file:/",
    "HEAD /shows/clip.mp4": "read file:/shows/clip.mp4",
    "PROPFIND /shows/": "list file:/shows",
    "PUT /inbox/a.mp4": "create file:/inbox/a.mp4, write file:/inbox/a.mp4",
    "MKCOL /inbox/new/": "create file:/inbox/new",
    "POST /inbox/": "write file:/inbox, write file:/inbox",
    "POST /inbox/deep/er/": "write file:/inbox, write file:/inbox/deep/er",
    "DELETE /inbox/a.mp4": "delete file:/inbox/a.mp4",
    "GET /.cpr/w/browser.js?_=x": "",
    "OPTIONS /shows/": "",
    "GET /api/assets/": "list -",
    "GET /api/assets/?q=x": "list -",
    "GET /api/assets/pilot/": "read asset:pilot",
    "DELETE /api/assets/pilot/": "delete asset:pilot",
    "PUT /api/assets/pilot/original": "write asset:pilot",
    "GET /api/assets/pilot/original": "download asset:pilot",
    "GET /api/assets/pilot/proxy.mp4": "read asset:pilot",
    "HEAD /api/assets/pilot/proxy.mp4": "read asset:pilot",
    "GET /api/assets/pilot/hls/index.m3u8": "read asset:pilot",
    "GET /api/collections/library/contents/": "list collection:library",
}


@pytest.mark.parametrize("request_", EXPECTED)
def test_what_a_request_asks(table: RouteTable, request_: str) -> None:
    """Each operation asks for these actions on these objects."""
    method, target = request_.split()
    request = inbound(method, target)
    row = table.match(request)
    assert row

    targets = table.operation(row, request, None).targets

    asked = dict.fromkeys(f"{each.action} {each.object or '-'}" for each in targets)
    assert list(asked) == list(dict.fromkeys(part for part in EXPECTED[request_].split(", ") if part))


def test_search_demands_its_role_and_a_list_does_not(table: RouteTable) -> None:
    """Searching needs the role for it besides that for reading."""
    search, plain = (
        table.match(inbound("GET", "/api/assets/?q=x")),
        table.match(inbound("GET", "/api/assets/")),
    )

    assert search
    assert "can_search" in search.roles
    assert plain
    assert plain.roles == ("can_read_assets",)
