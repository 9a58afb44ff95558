"""The description of the management API: valid OpenAPI 3.1, made of what is served."""

from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.openapi import described
from gateway.api.services import SERVICES
from gateway.local_services import LOCAL, TYPES
from gateway.roles import floor_of, read_roles
from gateway.routes import RouteTable
from gateway.shipped import shipped_policies


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> RouteTable:
    """Returns the rows of all services."""
    roles = floor_of(read_roles(shipped_policies()))
    folder = tmp_path_factory.mktemp("routes")
    return RouteTable.load(folder, known_roles=roles, upstreams={LOCAL + name for name in SERVICES})


@pytest.fixture(scope="module")
def document(table: RouteTable) -> dict[str, Any]:
    """Returns the description as a client reads it."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described(table.rows, SERVICES)))
    return made


def test_it_is_valid(document: dict[str, Any]) -> None:
    """The description keeps the schema of OpenAPI 3.1."""
    OpenAPIV31SpecValidator(document).validate()


def test_each_row_is_described(table: RouteTable, document: dict[str, Any]) -> None:
    """Each method of each row has an entry with the roles of the row; types of objects are told once."""
    for row in table.rows:
        path = row.template.text
        for name in TYPES:
            if f"/{name}/{{object_" in path and path not in document["paths"]:
                path = path.replace(f"/{name}/{{object_", "/{object_type}/{object_")
        for method in row.methods:
            entry = document["paths"][path][method.lower()]
            assert entry["operationId"] == f"{row.upstream.removeprefix(LOCAL)}.{row.operation}"
            assert entry.get("x-roles", []) == list(row.roles)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    """No two entries have one name, and each says in a sentence what it does."""
    entries = [entry for path in document["paths"].values() for entry in path.values()]
    names = [entry["operationId"] for entry in entries]
    assert len(set(names)) == len(names)
    assert all(entry["summary"] for entry in entries)


def test_types_have_names_of_their_own() -> None:
    """No two types that are told or taken have one name: a reference would be to either."""
    kinds = {
        kind
        for service in SERVICES.values()
        for operation in service.operations.values()
        for kind in (operation.body, operation.query, operation.document)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    }
    names = [kind.__name__ for kind in kinds]
    assert len(set(names)) == len(names)


def test_what_is_tagged_takes_a_condition(document: dict[str, Any]) -> None:
    """An operation that changes something with an entity tag takes `If-Match` and may answer 412."""
    entry = document["paths"]["/API/acls/v1/acl/templates/{template_id}/"]["patch"]
    assert {"name": "If-Match", "in": "header", "schema": {"type": "string"}} in entry["parameters"]
    assert "412" in entry["responses"]
