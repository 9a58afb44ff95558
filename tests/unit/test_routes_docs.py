"""docs/routes.md says what the code does: its examples load, and it names every key."""

import re
from pathlib import Path

import pytest

from gateway.inbound import ODDITIES
from gateway.routes import RouteTable
from gateway.routes.effects import EFFECT_KEYS
from gateway.routes.forms import MAX_ID
from gateway.routes.loading import MAP_KEYS, OBJECT_KEYS
from gateway.routes.patterns import MAX_TEXT
from gateway.routes.rowfile import JUDGED_KEYS, MAX_BODY_LIMIT, ROW_KEYS
from gateway.routes.rows import BODY_LIMIT
from routing import OBJECTS, table, write_maps

TEXT = (Path(__file__).parents[2] / "docs" / "routes.md").read_text(encoding="utf-8")
QUERY = TEXT.split("## Query")[1].split("## Effects")[0]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_example_loads(tmp_path: Path) -> None:
    """The map that the reference shows is without mistake."""
    roles = dict.fromkeys(re.findall(r"role: (can_\w+)", EXAMPLES[0]))
    folder = write_maps(tmp_path, {"example.yaml": EXAMPLES[0]})

    assert len(RouteTable.load(folder, known_roles=roles, upstreams=["media"]).rows) == 5


@pytest.mark.parametrize(
    "key", sorted({*MAP_KEYS, *OBJECT_KEYS, *ROW_KEYS, *JUDGED_KEYS, *EFFECT_KEYS, *ODDITIES})
)
def test_every_key_is_documented(key: str) -> None:
    """Each key that a map may hold stands in the reference as code."""
    assert re.search(rf"`[^`]*\b{key}\b[^`]*`", TEXT)


@pytest.mark.parametrize("number", [f"{MAX_ID:,}", f"{MAX_TEXT:,}", str(BODY_LIMIT), str(MAX_BODY_LIMIT)])
def test_bounds_are_documented(number: str) -> None:
    """The bounds in the reference are those of the code."""
    assert number in TEXT


@pytest.mark.parametrize("statement", re.findall(r"^\| `([\[{][^`]*)` \|", QUERY, re.MULTILINE))
def test_query_statements_load(tmp_path: Path, statement: str) -> None:
    """Each statement about the query in the reference is one."""
    row = f"routes:\n  - GET /a: {{action: read, role: none, query: {statement}}}\n"

    assert table(tmp_path, f"{OBJECTS}{row}").rows[0].query.looks
