"""The door of the stage: load, match, operation."""

from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.hidden_methods import Kind
from gateway.reasons import Reason
from gateway.routes import Operation, RouteTable, Target
from gateway.routes.table import hiding_place
from models.records import ObjectKey
from routing import Header, inbound, refusal, rows, table

JSON: Header = (b"content-type", b"application/json")
MULTIPART: Header = (b"content-type", b"multipart/form-data; boundary=x")
FORM: Header = (b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")
MAP = rows("""
  - GET /files/{path...}: {action: read, object: file, id: "/{path}", role: can_write_files}
  - PUT /semi/{name}: {action: write, role: none, allow: [semicolon]}
  - POST /bulk: {action: delete, object: asset, id: body:/ids/*, role: none, body_limit: 64}
  - POST /new:
      objects:
        - action: create
        - {action: write, object: collection, id: query:collection, optional: true}
      role: none
  - MOVE /files/{path...}:
      objects:
        - {action: delete, object: file, id: "/{path}"}
        - {action: create, object: file, id: header:destination}
      role: none
  - OPTIONS /{path...}: {anonymous: true}
  - PUT /twice/{asset_id}: {objects: [{action: read, object: asset}, {action: write, object: asset}], role: none}
  - POST /files/{path...}: {action: delete, object: file, id: "/{path}", role: none, query: {delete: required}}
  - POST /files/{path...}: {action: read, object: file, id: "/{path}", role: none}
  - POST /open/{path...}: {action: read, object: file, id: "/{path}", role: none, allow: [method-parameter]}
  - PUT /copied/{path...}:
      objects:
        - {action: write, object: file, id: "/copied/{path}"}
        - {action: read, object: file, id: header:x-amz-copy-source, optional: true}
      role: none
  - PUT /odd/{asset_id}:
      {action: write, object: asset, role: none, allow: [encoded-slash, encoded-dot, method-parameter, tagged-if]}
  - PUT /odd/paths/{path...}: {action: write, object: file, id: "/{path}", role: none, allow: [encoded-slash]}
""")


@pytest.fixture
def routes(tmp_path: Path) -> RouteTable:
    """The table of the map above."""
    return table(tmp_path, MAP)


def operation(routes: RouteTable, request: str, *headers: Header, body: bytes | None = None) -> Operation:
    """Returns the operation of a request that passes."""
    found = refusal(routes, inbound(request, *headers), body)
    assert isinstance(found, Operation)
    return found


def test_an_operation_says_what_is_asked_of_what(routes: RouteTable) -> None:
    """Targets, roles, parameters and the row's place are all in the operation."""
    found = operation(routes, "GET /files/a%20b/c/")

    assert found.targets == (Target("read", ObjectKey("file", "/a b/c")),)
    assert found.roles == ("can_write_files",)
    assert not found.anonymous
    assert found.row.place == "routes/a.yaml:10"


def test_a_request_may_name_several_objects(routes: RouteTable) -> None:
    """Each object that a request names is a target of its own, in order."""
    moved = operation(routes, "MOVE /files/a", (b"destination", b"http://media.test/b"))
    bulk = operation(routes, "POST /bulk", JSON, body=b'{"ids": ["x", 2]}')

    assert moved.targets == (
        Target("delete", ObjectKey("file", "/a")),
        Target("create", ObjectKey("file", "/b")),
    )
    assert bulk.targets == (
        Target("delete", ObjectKey("asset", "x")),
        Target("delete", ObjectKey("asset", "2")),
    )


def test_one_object_may_be_asked_of_twice(routes: RouteTable) -> None:
    """Two actions on one object are two targets, and the object is read once."""
    assert operation(routes, "PUT /twice/x").targets == (
        Target("read", ObjectKey("asset", "x")),
        Target("write", ObjectKey("asset", "x")),
    )


def test_no_object_is_the_domain(routes: RouteTable) -> None:
    """An action without an object is asked of the domain, and an optional object that is missing is not asked of."""
    assert operation(routes, "POST /new").targets == (Target("create"),)
    assert operation(routes, "POST /new?collection=c").targets == (
        Target("create"),
        Target("write", ObjectKey("collection", "c")),
    )


def test_an_anonymous_row(routes: RouteTable) -> None:
    """An anonymous row may judge nothing."""
    found = operation(routes, "OPTIONS /files/x")

    assert found.anonymous
    assert found.targets == ()


@pytest.mark.parametrize(
    "request_line", ["GET /", "GET /other", "PUT /files/x", "GET /files", "OPTIONS /-/x", "OPTIONS /-"]
)
def test_what_no_row_covers_matches_nothing(routes: RouteTable, request_line: str) -> None:
    """Requests that no row covers, and all below the gateway's own prefix, fall on none (law 2)."""
    assert routes.match(inbound(request_line)) is None


def test_another_prefix_is_closed_too(tmp_path: Path) -> None:
    """The management prefix is an argument, and may have several segments."""
    folder = tmp_path / "routes"
    folder.mkdir()
    (folder / "a.yaml").write_text("upstream: m\nroutes:\n  - GET /{path...}: {action: read, role: none}\n")
    routes = RouteTable.load(folder, known_roles={}, upstreams=None, prefix="/own/gate/")

    assert routes.match(inbound("GET /own/gate/x")) is None
    assert routes.match(inbound("GET /own/x")) is not None
    assert routes.match(inbound("GET /-/x")) is not None


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "reason"),
    [
        ("GET /files/a;b", [], None, Reason.BAD_TARGET),
        ("GET /files/" + "a" * 1025, [], None, Reason.BAD_TARGET),
        ("GET /files/a%2Fb", [], None, Reason.BAD_TARGET),
        ("GET /files/a%2emp4", [], None, Reason.BAD_TARGET),
        ("GET /nowhere/a%2fb", [], None, Reason.BAD_TARGET),
        ("GET /-%2Flivez", [], None, Reason.BAD_TARGET),
        ("GET /-/a%2fb", [], None, Reason.BAD_TARGET),
        ("PUT /odd/paths/a%2Fb", [], None, Reason.BAD_TARGET),
        ("GET /files/a?_method=DELETE", [], None, Reason.BAD_TARGET),
        ("GET /files/a", [(b"destination", b"/b")], None, Reason.BAD_HEADERS),
        ("GET /files/a", [(b"if", b"</b> (<opaquelocktoken:1>)")], None, Reason.BAD_HEADERS),
        ("PUT /odd/a", [(b"x-amz-copy-source", b"/secret")], None, Reason.BAD_HEADERS),
        ("PUT /copied/a", [(b"x-goog-copy-source", b"/secret")], None, Reason.BAD_HEADERS),
        (
            "PUT /copied/a",
            [(b"x-amz-copy-source", b"/a"), (b"x-amz-copy-source", b"/b")],
            None,
            Reason.BAD_HEADERS,
        ),
        ("PUT /copied/a", [(b"x-amz-copy-source", b"a%2Fb")], None, Reason.BAD_HEADERS),
        ("MOVE /files/a%2Fb", [(b"destination", b"/b")], None, Reason.BAD_TARGET),
        ("MOVE /files/a", [(b"destination", b"/b%2Fc")], None, Reason.BAD_HEADERS),
        ("POST /files/a", [FORM], b"a=1&_method=DELETE", Reason.BAD_BODY),
        ("POST /files/a", [FORM, (b"content-encoding", b"gzip")], b"a=1", Reason.BAD_BODY),
        ("POST /files/a", [], b"_method=DELETE", Reason.BAD_BODY),
        ("POST /files/a", [JSON], b'{"_method": "DELETE"}', Reason.BAD_BODY),
        ("POST /files/a", [JSON, (b"content-encoding", b"gzip")], None, Reason.BAD_BODY),
        ("POST /files/a", [MULTIPART, (b"content-encoding", b"gzip")], None, Reason.BAD_BODY),
        ("POST /files/a", [(b"content-type", b"multipart/form-data")], None, Reason.BAD_BODY),
        ("POST /files/a", [(b"content-type", FORM[1] + b"; a=multipart/x")], b"a=1", Reason.BAD_BODY),
        ("POST /bulk", [JSON], b'{"ids": ["x"], "_method": "PUT"}', Reason.BAD_BODY),
        ("POST /files/a?delete&delete", [], None, Reason.BAD_TARGET),
        ("POST /files/a?Delete", [], None, Reason.BAD_TARGET),
        ("POST /files/a?x;delete", [], None, Reason.BAD_TARGET),
        ("POST /new?collection=a&collection=b", [], None, Reason.BAD_TARGET),
        ("MOVE /files/a", [], None, Reason.BAD_HEADERS),
        ("MOVE /files/a", [(b"destination", b"http://other.test/b")], None, Reason.BAD_HEADERS),
        ("MOVE /files/a", [(b"destination", b"/b;c")], None, Reason.BAD_HEADERS),
        ("POST /bulk", [JSON], None, Reason.BAD_BODY),
        ("POST /bulk", [JSON], b"{}", Reason.BAD_BODY),
        ("POST /bulk", [JSON], b'{"ids": []}', Reason.BAD_BODY),
        ("POST /bulk", [JSON], b'{"ids": ["/x"]}', Reason.BAD_BODY),
        ("POST /bulk", [JSON], b'{"ids": ["x"], "Ids": ["y"]}', Reason.BAD_BODY),
        ("POST /bulk", [], b'{"ids": ["x"]}', Reason.BAD_BODY),
        ("POST /bulk", [JSON], b'{"ids": ["' + b"x" * 64 + b'"]}', Reason.BODY_TOO_LARGE),
    ],
)
def test_two_readings_are_refused(
    routes: RouteTable, request_line: str, headers: list[Header], body: bytes | None, reason: Reason
) -> None:
    """What a request names in two ways, in a wrong form or not at all is refused with its own reason (law 1)."""
    assert refusal(routes, inbound(request_line, *headers), body) is reason


def test_an_oddity_passes_where_the_row_allows_it(routes: RouteTable) -> None:
    """A `;` in the path passes on the row that says so."""
    assert operation(routes, "PUT /semi/a;b").row.methods == ("PUT",)


def test_other_oddities_pass_where_the_row_allows_them(routes: RouteTable) -> None:
    """Encoded separators name one opaque id; a method parameter and an `If` about others are the row's to take."""
    odd = operation(routes, "PUT /odd/a%2Fb%2emp4?_method=x", (b"if", b"</b> (<opaquelocktoken:1>)"))

    assert odd.targets == (Target("write", ObjectKey("asset", "a/b.mp4")),)


def test_a_row_may_judge_what_a_header_names(routes: RouteTable) -> None:
    """The source of a copy is a second object where the row reads it, and may be absent where it is optional."""
    copied = operation(routes, "PUT /copied/a", (b"x-amz-copy-source", b"/box/b%20c"))

    assert copied.targets[1] == Target("read", ObjectKey("file", "/box/b c"))
    assert len(operation(routes, "PUT /copied/a").targets) == 1


def test_where_a_body_may_name_another_method(routes: RouteTable) -> None:
    """That of a POST which some framework takes parameters from, and a form of any method, unless the row allows it."""

    def place(request_line: str, *headers: Header) -> Kind | None:
        request = inbound(request_line, *headers)
        row = routes.match(request)
        assert row is not None
        return hiding_place(row, request)

    assert place("POST /files/a", FORM) is place("POST /files/a") is Kind.FORM
    assert place("POST /files/a", MULTIPART) is Kind.MULTIPART
    assert place("POST /bulk", JSON) is Kind.JSON
    assert place("POST /files/a", (b"content-type", b"video/mp4")) is None
    assert place("PUT /copied/a", FORM) is Kind.FORM
    assert place("PUT /copied/a") is place("PUT /copied/a", MULTIPART) is place("PUT /copied/a", JSON) is None
    assert place("GET /files/a", FORM) is None
    assert place("PUT /odd/a", FORM) is None
    assert place("POST /open/a", FORM) is None
    assert operation(routes, "POST /files/a", FORM, body=b"a=_method&b=1").targets[0].action == "read"


def test_the_query_tells_a_deletion_from_a_reading(routes: RouteTable) -> None:
    """A required parameter turns the request into what its row says."""
    assert [target.action for target in operation(routes, "POST /files/a?delete").targets] == ["delete"]
    assert [target.action for target in operation(routes, "POST /files/a?x=1&x=2").targets] == ["read"]


def test_what_the_table_tells_of_itself(routes: RouteTable) -> None:
    """The actions and the forms of ids are there for whoever checks policies or reads ids elsewhere."""
    assert routes.actions == {"read", "write", "delete", "create"}
    assert routes.forms["file"].of_text("/a/b/").id == "/a/b"
    with pytest.raises(GatewayError):
        routes.match(inbound("POST /files/a?delete&Delete"))
