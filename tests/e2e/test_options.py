"""`OPTIONS`: answered by the gateway itself or passed to the backend, as its row says; no answer tells which objects exist."""

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.house import House, house

ROWS: Final = """
  - GET, PUT /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - DELETE /assets/{asset_id}: {action: delete, object: asset, role: can_delete_assets, query: {force: required}}
  - OPTIONS /assets/{asset_id}: {anonymous: true, answered: true}
  - PATCH /assets/{asset_id}/inside: {action: write, object: asset, role: can_write_assets}
  - GET /rooms/{name}: {action: read, role: none}
  - OPTIONS /rooms/{name}: {action: read, role: none, answered: true}
  - OPTIONS /passed/{name}: {anonymous: true}
  - GET /silent/{name}: {anonymous: true}
"""
PREFLIGHT: Final = (
    "Origin: https://player.example",
    "Access-Control-Request-Method: PUT",
    "Access-Control-Request-Headers: authorization",
)
CORS: Final = (
    b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: https://player.example\r\nVary: Origin\r\n\r\n"
)


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with a row for OPTIONS of each kind."""
    with house(tmp_path_factory.mktemp("house"), "", ROWS) as found:
        yield found


@pytest.fixture(autouse=True)
def _clean(home: House) -> None:
    """Lets each test begin with a backend that has seen nothing."""
    home.backend.clear()


def test_the_gateway_answers_with_the_methods_of_the_shape(home: House) -> None:
    """204 and `Allow` list what rows of this shape take, whatever their query; no backend is asked, and the audit has a line."""
    with home.line() as client:
        answer = client.ask("OPTIONS", "/assets/clip", *PREFLIGHT)
        again = client.ask("OPTIONS", "/assets/clip?force")

    assert (answer.status, again.status) == (204, 204)
    assert answer.value("allow") == again.value("allow") == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert (answer.value("cache-control"), answer.value("vary")) == (
        "private",
        "Authorization, App-ID, Auth-Token",
    )
    assert not any(name.lower().startswith("access-control-") for name, _ in answer.headers)
    assert answer.values("content-length") == []
    assert home.backend.requests == []
    line = (home.gateway.audit.read_text().splitlines())[-1]
    assert '"verdict":"allowed"' in line.replace(": ", ":")
    assert answer.value("x-request-id") != again.value("x-request-id")


def test_the_answer_is_the_same_whatever_exists_and_whoever_asks(home: House) -> None:
    """An object that is there, one of another domain and one that is not give one answer, to an admin and to nobody."""
    seen = set()
    for who in ("", "stan", "ada", "zoe"):
        for name in ("clip", "secret", "theirs", "absent"):
            answer = home.ask("OPTIONS", f"/assets/{name}", who)
            told = {
                name: answer.headers[name] for name in answer.headers if name not in ("date", "x-request-id")
            }
            seen.add((answer.status_code, answer.text, tuple(sorted(told.items()))))

    assert len(seen) == 1


def test_a_row_says_who_may_ask(home: House) -> None:
    """Where the row wants somebody signed in, nobody else learns which methods there are."""
    assert home.ask("OPTIONS", "/rooms/a").status_code == 401
    assert home.ask("OPTIONS", "/rooms/a", "bob").status_code == 403
    assert home.ask("OPTIONS", "/rooms/a", "stan").headers["allow"] == "GET, HEAD, OPTIONS"


def test_without_a_row_options_is_refused_as_any_method(home: House) -> None:
    """A path whose rows take other methods only answers nobody's OPTIONS."""
    assert home.ask("OPTIONS", "/silent/a").status_code == 401
    assert home.ask("OPTIONS", "/silent/a", "ada").json()["reason"] == "no-route"
    assert home.backend.requests == []


def test_a_preflight_is_passed_where_the_row_says_so(home: House) -> None:
    """The backend gets the preflight as from nobody, and its CORS headers are the client's answer."""
    home.backend.answers(CORS)
    with home.line() as client:
        answer = client.ask("OPTIONS", "/passed/a", *PREFLIGHT)
    (received,) = home.backend.requests

    assert received.line == b"OPTIONS /passed/a HTTP/1.1"
    assert received.values(b"origin") == [b"https://player.example"]
    assert received.values(b"access-control-request-method") == [b"PUT"]
    assert received.values(b"x-mediagate-user") == []
    assert (answer.status, answer.value("access-control-allow-origin")) == (204, "https://player.example")
    assert answer.value("vary").startswith("Origin")
