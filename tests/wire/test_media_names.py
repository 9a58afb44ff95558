"""Names of media in any script, properly percent-encoded, pass; what they name is exactly what came."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.inbound import Inbound
from gateway.routes import RouteTable
from models.records import ObjectKey
from routing import inbound, table

NAMES = (
    (Path(__file__).parents[1] / "corpus" / "media_names.txt").read_text(encoding="utf-8").split("\n")[:-1]
)
FOLDER = "Ünsortiert 2024"
SUB_DELIMITERS = "!$&'()*+,=:@"
MAP = """
upstream: media
objects:
  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}
  name: {id: opaque}
routes:
  - PUT /by-name/{name}: {action: write, object: name, id: "{name}", role: none}
  - PUT /{path...}: {action: create, object: file, id: "/{path}", role: none}
  - MOVE /{path...}: {action: create, object: file, id: header:destination, role: none}
"""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> RouteTable:
    """A table that takes every path."""
    return table(tmp_path_factory.mktemp("maps"), MAP)


def named(routes: RouteTable, request: Inbound) -> list[ObjectKey | None]:
    """Returns the objects that a request names."""
    row = routes.match(request)
    assert row is not None
    return [target.object for target in routes.operation(row, request).targets]


def test_the_corpus_is_large_and_varied() -> None:
    """The corpus has 200 names, each once, most of them beyond ASCII."""
    assert len(NAMES) == len(set(NAMES)) >= 200
    assert sum(not name.isascii() for name in NAMES) >= 120


@pytest.mark.parametrize("name", NAMES)
def test_a_properly_encoded_name_passes_and_names_itself(routes: RouteTable, name: str) -> None:
    """The name is forwarded as it came, falls on the row for its path, and its id is the name again."""
    path = f"/{quote(FOLDER)}/{quote(name, safe='')}"
    request = inbound(f"PUT {path}")

    assert request.target == path.encode()
    assert named(routes, request) == [ObjectKey("file", f"/{FOLDER}/{name}")]


@pytest.mark.parametrize("name", NAMES)
def test_each_way_to_spell_a_name_names_the_same(routes: RouteTable, name: str) -> None:
    """Signs that need no encoding may stand plain, hex digits may be lower case, and a Destination is read alike."""
    plain = quote(name, safe=SUB_DELIMITERS)
    lower = re.sub("%..", lambda code: code[0].lower(), quote(name, safe=""))
    expected: list[ObjectKey | None] = [ObjectKey("file", f"/{name}")]

    assert named(routes, inbound(f"PUT /{plain}")) == expected
    assert named(routes, inbound(f"PUT /{lower}")) == expected
    assert (
        named(routes, inbound("MOVE /x", (b"destination", f"http://media.test/{plain}".encode()))) == expected
    )
    assert named(routes, inbound(f"PUT /by-name/{plain}")) == [ObjectKey("name", name)]
