"""The list of what is served in docs/management-api.md is the list of what is served."""

from pathlib import Path

from gateway.api.openapi import described
from gateway.api.services import SERVICES
from gateway.local_services import LOCAL
from gateway.roles import floor_of, read_roles
from gateway.routes import RouteTable
from gateway.shipped import shipped_policies

DOCUMENT = Path(__file__).parents[2] / "docs" / "management-api.md"


def served(folder: Path) -> list[str]:
    """Returns the lines of the list: a table for each service."""
    roles = floor_of(read_roles(shipped_policies()))
    table = RouteTable.load(folder, known_roles=roles, upstreams={LOCAL + name for name in SERVICES})
    lines: list[str] = []
    for service in sorted(SERVICES):
        lines += [f"### {service}", "", "| | path | role | |", "|---|---|---|---|"]
        for path, entries in described(table.rows, SERVICES)["paths"].items():
            for method, entry in entries.items():
                if entry["tags"] == [service]:
                    needed = ", ".join(f"`{role}`" for role in entry.get("x-roles", ()))
                    lines.append(f"| {method.upper()} | `{path}` | {needed} | {entry['summary']} |")
        lines.append("")
    return lines


def test_the_list_is_what_is_served(tmp_path: Path) -> None:
    """Each operation has its line in the document, with method, path, roles and what it does, and no other line is there."""
    text = DOCUMENT.read_text()
    listed = text.partition("## What is served\n\n")[2].partition("Not served, and refused")[0]
    assert listed.splitlines() == served(tmp_path)
