"""Effects of rows: what a row may create and delete."""

from pathlib import Path

import pytest

from gateway.routes import Operation, RouteTable
from models.records import ObjectKey
from routing import Header, inbound, problems, rows, table

JSON: Header = (b"content-type", b"application/json")
FILE = '{action: create, object: file, id: "/{path}"}'
MOVE = """
  - MOVE /{path...}:
      objects:
        - {action: delete, object: file, id: "/{path}"}
        - {action: create, object: file, id: header:destination}
      role: none
      %s
"""


def operation(routes: RouteTable, request: str, *headers: Header, body: bytes | None = None) -> Operation:
    """Returns the operation of a request that falls on a row."""
    made = inbound(request, *headers)
    row = routes.match(made)
    assert row is not None
    return routes.operation(row, made, body)


def test_a_type_stands_for_its_only_object(tmp_path: Path) -> None:
    """`deletes: TYPE` and `creates: TYPE` mean the one judged object of this type."""
    row = """
  - PUT /{path...}: {action: create, object: file, id: "/{path}", role: none, creates: file}
  - DELETE /{path...}: {action: delete, object: file, id: "/{path}", role: none, deletes: {object: file}}"""
    routes = table(tmp_path, rows(row))
    put, delete = operation(routes, "PUT /a/b"), operation(routes, "DELETE /a/b")

    assert put.row.creates is not None
    assert put.row.creates.key_before(put) == ObjectKey("file", "/a/b")
    assert not put.row.creates.needs_answer_body
    assert delete.row.deletes is not None
    assert delete.row.deletes.keys(delete) == (ObjectKey("file", "/a/b"),)
    assert put.row.has_effects
    assert delete.row.has_effects


def test_a_move_deletes_one_and_creates_another(tmp_path: Path) -> None:
    """Of several judged objects, each effect names its own."""
    effects = 'deletes: {object: file, id: "/{path}"}\n      creates: {object: file, id: header:destination}'
    moved = operation(table(tmp_path, rows(MOVE % effects)), "MOVE /a", (b"destination", b"/b"))
    assert moved.row.deletes is not None
    assert moved.row.creates is not None

    assert moved.row.deletes.keys(moved) == (ObjectKey("file", "/a"),)
    assert moved.row.creates.key_before(moved) == ObjectKey("file", "/b")


def test_a_list_may_be_deleted(tmp_path: Path) -> None:
    """All objects of a list in the body are judged and deleted."""
    row = "  - POST /delete: {action: delete, object: asset, id: body:/ids/*, role: none, deletes: asset}"
    deleted = operation(table(tmp_path, rows(row)), "POST /delete", JSON, body=b'{"ids": ["a", "b"]}')
    assert deleted.row.deletes is not None

    assert [key.id for key in deleted.row.deletes.keys(deleted)] == ["a", "b"]
    assert [target.object for target in deleted.targets] == list(deleted.row.deletes.keys(deleted))


NEW_ASSET = """
  - POST /assets:
      objects:
        - action: create
        - {action: write, object: collection, id: body:/collection_id, optional: true}
      role: can_write_assets
      creates: {object: asset, id: answer:body:/id, parents: [{object: collection, id: body:/collection_id}]}
"""


@pytest.mark.parametrize(("body", "parents"), [(b'{"collection_id": "c"}', ("c",)), (b"{}", ())])
def test_parents_come_from_the_request_and_the_id_from_the_answer(
    tmp_path: Path, body: bytes, parents: tuple[str, ...]
) -> None:
    """A created object stands in the judged collection, if one was named, and the answer says its id."""
    made = operation(table(tmp_path, rows(NEW_ASSET)), "POST /assets", JSON, body=body)
    creates = made.row.creates
    assert creates is not None

    assert tuple(key.id for key in creates.parent_keys(made)) == parents
    assert creates.key_before(made) is None
    assert creates.needs_answer_body
    assert creates.key_from_answer([JSON], b'{"id": 7}') == ObjectKey("asset", "7")


def test_an_id_in_a_header_of_the_answer(tmp_path: Path) -> None:
    """A path that the backend chose is read from `Location`, and the answer's body is not needed."""
    row = f"  - PUT /{{path...}}:\n      {FILE[:-1]}, role: none, creates: {{object: file, id: answer:header:location}}}}"
    creates = table(tmp_path, rows(row)).rows[0].creates
    assert creates is not None

    assert not creates.needs_answer_body
    assert creates.key_from_answer([(b"location", b"http://b/x-1.mp4")], None).id == "/x-1.mp4"


def test_an_id_of_the_request_is_not_asked_of_the_answer(tmp_path: Path) -> None:
    """Asking the answer for an id that the request names is a mistake of the caller."""
    row = f"  - PUT /{{path...}}:\n      {FILE[:-1]}, role: none, creates: file}}"
    creates = table(tmp_path, rows(row)).rows[0].creates
    assert creates is not None

    with pytest.raises(LookupError):
        creates.key_from_answer([], None)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{action: delete, role: none, deletes: asset}", "judges no object of type `asset`"),
        ("{action: delete, role: none, deletes: asse}", "states no `asse`"),
        (
            "{action: delete, role: none, deletes: {object: asset, id: '{x}'}}",
            "`asset` by `{x}` is not judged",
        ),
        (
            "{action: create, role: none, creates: {object: asset, id: '{x}'}}",
            "`asset` by `{x}` is not judged",
        ),
        ("{action: delete, role: none, deletes: {id: '{x}'}}", "`deletes` states an `object:`"),
        ("{action: create, role: none, creates: {id: 'answer:body:/id'}}", "`creates` states an `object:`"),
        ("{action: delete, role: none, deletes: [asset]}", "`deletes` must be a mapping"),
        ("{action: delete, role: none, deletes: 12}", "must be text"),
        (
            "{action: delete, object: asset, id: '{x}', role: none, deletes: {object: asset, parents: []}}",
            "`parents` is for `creates:`",
        ),
        (
            "{action: write, object: asset, id: 'body:/i/*', role: none, creates: asset}",
            "a list cannot be created",
        ),
        (
            (
                "{objects: [{action: read}, {action: write, object: asset, id: '{x}', optional: true}],"
                " role: none, deletes: asset}"
            ),
            "is optional, so it may be missing",
        ),
        (
            (
                "{objects: [{action: delete, object: asset, id: '{x}'}, {action: create, object: asset, id: 'query:y'}],"
                " role: none, deletes: asset}"
            ),
            "several objects of type `asset`",
        ),
        (
            (
                "{action: create, role: none, creates: {object: asset, id: 'answer:body:/id',"
                " parents: [{object: collection, id: '{x}'}]}}"
            ),
            "`collection` by `{x}` is not judged",
        ),
        (
            "{action: create, role: none, creates: {object: asset, id: 'answer:body:/id', parents: [{id: '{x}'}]}}",
            "a parent states an `object:`",
        ),
        (
            (
                "{action: write, object: collection, id: '{x}', role: none, creates: {object: asset,"
                " id: 'answer:body:/id', parents: [{object: collection, id: '{x}', optional: true}]}}"
            ),
            "say `optional` where the collection is judged",
        ),
        (
            "{action: create, role: none, creates: {object: asset, id: 'answer:body:/id', parents: collection}}",
            "`parents` must be a list",
        ),
        ("{action: create, role: none, creates: {object: asset, as: x}}", "has no key `as`"),
    ],
)
def test_an_effect_that_is_not_judged_is_an_error(tmp_path: Path, row: str, sentence: str) -> None:
    """What the request names as created, deleted or parent must be judged, once and for certain."""
    found = problems(tmp_path, rows(f"  - POST /a/{{x}}:\n      {row}"))

    assert any(sentence in problem for problem in found), found
    assert all(problem.startswith("routes/a.yaml:10: ") for problem in found)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("effect", ["creates", "deletes"])
def test_reading_methods_have_no_effects(tmp_path: Path, method: str, effect: str) -> None:
    """A row for a method that only reads cannot create or delete, alone or among others."""
    row = f"  - PUT, {method} /{{path...}}:\n      {FILE[:-1]}, role: none, {effect}: file}}"

    assert f"{method} only reads" in problems(tmp_path, rows(row))[0]


def test_anonymous_callers_own_nothing(tmp_path: Path) -> None:
    """An anonymous row has no effects, since nobody would own what it creates."""
    row = f"  - PUT /{{path...}}:\n      {FILE[:-1]}, anonymous: true, creates: file}}"

    assert "an anonymous caller owns nothing" in problems(tmp_path, rows(row))[0]
