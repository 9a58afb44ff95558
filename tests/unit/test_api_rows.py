"""Rows and operations of local services: each has the other, what is documented is there, and no other map comes in between."""

import re
from pathlib import Path

import pytest

from gateway.api.services import SERVICES
from gateway.errors import RouteMapError
from gateway.local_services import LOCAL, TYPES
from gateway.roles import floor_of, read_roles
from gateway.routes import RouteTable, Row
from gateway.shipped import shipped_policies
from routing import inbound

ROLES = floor_of(read_roles(shipped_policies()))
DOCUMENTED = """
POST /acl/ can_read_acls
GET /acl/templates/ can_read_acl_templates
POST /acl/templates/ can_write_acl_templates
DELETE /acl/templates/{template_id}/ can_delete_acl_templates
GET /acl/templates/{template_id}/ can_read_acl_templates
PATCH /acl/templates/{template_id}/ can_write_acl_templates
PUT /acl/templates/{template_id}/ can_write_acl_templates
POST /acl/templates/{template_id}/assets/{object_key}/
DELETE /acl/{object_type}/
PUT /acl/{object_type}/
PUT /acl/{object_type}/bulk/
DELETE /acl/{object_type}/content/
PUT /acl/{object_type}/content/
GET /acl/assets/{object_key}/ can_read_acls
GET /acl/{object_type}/{object_key}/permissions/
GET /acl/{object_type}/{object_key}/{permission}/ can_read_acls
POST /acl/{object_type}/{permission}/ can_read_acls
DELETE /groups/{group_id}/acl/assets/{object_key}/ can_delete_acls
GET /groups/{group_id}/acl/assets/{object_key}/ can_read_acls
PUT /groups/{group_id}/acl/assets/{object_key}/ can_write_acls
GET /groups/{group_id}/acl/assets/{object_key}/{permission}/ can_read_acls
GET /shares/assets/{object_key}/ can_read_acls
PUT /shares/{share_id}/acl/{object_type}/
DELETE /shares/{share_id}/acl/assets/{object_key}/ can_delete_acls
GET /shares/{share_id}/acl/assets/{object_key}/ can_read_acls
POST /shares/{share_id}/acl/assets/{object_key}/ can_write_acls
PUT /shares/{share_id}/acl/assets/{object_key}/ can_write_acls
GET /shares/{share_id}/acl/assets/{object_key}/{permission}/ can_read_acls
DELETE /users/{user_id}/acl/assets/{object_key}/ can_delete_acls
GET /users/{user_id}/acl/assets/{object_key}/ can_read_acls
PUT /users/{user_id}/acl/assets/{object_key}/ can_write_acls
GET /users/{user_id}/acl/assets/{object_key}/{permission}/ can_read_acls
"""
"""The documented operations of the service `acls`, for assets where a row says which type; those without a role ask for it themselves."""


def table(folder: Path, *services: str, text: str = "", prefix: str = "/-/") -> RouteTable:
    """Returns the table of one map of the deployment and of local services."""
    if text:
        (folder / "own.yaml").write_text(text)
    names = {"backend", *(LOCAL + name for name in services)}
    return RouteTable.load(folder, known_roles=ROLES, upstreams=names, prefix=prefix)


def local_rows(folder: Path) -> list[Row]:
    """Returns the rows of all services."""
    return [row for row in table(folder, *SERVICES).rows if row.operation]


def test_each_row_has_an_operation_and_each_operation_a_row(tmp_path: Path) -> None:
    """What rows name is there to answer, and nothing is there that no row leads to."""
    named = {(row.upstream.removeprefix(LOCAL), row.operation) for row in local_rows(tmp_path)}
    there = {(service.name, name) for service in SERVICES.values() for name in service.operations}
    assert named == there


def test_the_documented_lists_are_all_there(tmp_path: Path) -> None:
    """All 32 documented operations of `acls` have a row, with the documented roles."""
    wanted = [line.split() for line in DOCUMENTED.strip().splitlines()]
    assert len(wanted) == 32
    rows = {
        (method, row.template.text.removeprefix("/API/acls/v1")): list(row.roles)
        for row in local_rows(tmp_path)
        if row.upstream == "local:acls"
        for method in row.methods
    }
    for method, path, *roles in wanted:
        assert rows.get((method, path)) == roles, (method, path)


def test_each_type_of_object_has_rows(tmp_path: Path) -> None:
    """A row about one object stands there for each documented type, and for a type of the deployment whose ids are one segment."""
    text = "upstream: backend\nobjects:\n  reel: {id: opaque}\n  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}\nroutes: []\n"
    paths = {
        row.template.text for row in table(tmp_path, "acls", text=text).rows if row.operation == "get_acl"
    }
    assert paths == {f"/API/acls/v1/acl/{name}/{{object_key}}/" for name in (*TYPES, "reel")}


def test_the_form_of_ids_is_the_deployments(tmp_path: Path) -> None:
    """An id that the deployment's own form does not take is refused on a local row, too."""
    text = "upstream: backend\nobjects:\n  asset: {id: opaque, pattern: '[0-9]+'}\nroutes: []\n"
    routes = table(tmp_path, "acls", text=text)
    row = routes.match(inbound("GET /API/acls/v1/acl/assets/12/"))
    assert row is not None
    assert routes.operation(row, inbound("GET /API/acls/v1/acl/assets/12/")).targets[0].object == (
        "asset",
        "12",
    )
    with pytest.raises(Exception, match="does not match"):
        routes.operation(row, inbound("GET /API/acls/v1/acl/assets/x/"))


def test_a_local_service_owns_its_paths(tmp_path: Path) -> None:
    """A deployment's row on the paths of a local service is a mistake that names both; where the service is not local it stands."""
    text = "upstream: backend\nroutes:\n  - GET /API/users/v1/users/{id}/photo/: {action: read, role: none}\n"
    assert table(tmp_path, "acls", text=text).rows
    with pytest.raises(RouteMapError, match=r"own\.yaml:3: .*belongs to the service `local:users`"):
        table(tmp_path, "users", text=text)


def test_what_a_local_service_does_not_serve_is_refused(tmp_path: Path) -> None:
    """A row that covers everything does not get what lies on a local service's paths, nor what lies below the prefix."""
    text = "upstream: backend\nroutes:\n  - GET /{path...}: {action: read, role: none}\n"
    routes = table(tmp_path, "users", "own", text=text)
    for path, found in (
        ("/API/users/v1/users/", True), ("/API/users/v1/users/x/photo/", False), ("/API/users", False), ("/api/Users/v1/users/x/photo/", False), ("/API/acls/v1/acl/x/y/", True),
        ("/-/api/openapi.json", True), ("/-/api/other", False), ("/other", True),
    ):  # fmt: skip
        assert (routes.match(inbound(f"GET {path}")) is not None) == found, path


def test_the_prefix_is_the_settings(tmp_path: Path) -> None:
    """Our own operations stand below whatever prefix is set."""
    routes = table(tmp_path, "own", prefix="/gate/keeper/")
    assert routes.match(inbound("GET /gate/keeper/api/openapi.json")) is not None
    assert routes.match(inbound("GET /-/api/openapi.json")) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("upstream: 'local:acls'\nroutes: []\n", "is a local service, whose rows ship with the program"),
        (
            "upstream: backend\nroutes:\n  - GET /x: {action: read, role: none, operation: get_acl}\n",
            "`operation` is for the rows of local services",
        ),
    ],
)
def test_a_deployment_states_no_local_rows(tmp_path: Path, text: str, said: str) -> None:
    """A map of the deployment leads to no operation, by its upstream or by name."""
    with pytest.raises(RouteMapError, match=re.escape(said)):
        table(tmp_path, "acls", text=text)
