"""How rows spell where an id comes from, and what is told of a wrong spelling."""

from pathlib import Path

import pytest

from models.records import ObjectKey
from routing import inbound, problems, rows, table

JSON = (b"content-type", b"application/json")


@pytest.mark.parametrize(
    ("object_", "id_", "expected"),
    [
        ("file", "/{path}", "/b/c"),
        ("file", "/{name}", "/a"),
        ("file", "/disk/{name}/{path}", "/disk/a/b/c"),
        ("asset", '"{name}"', "a"),
        ("asset", "query:id", "q1"),
        ("file", "query:dir", "/q/d"),
        ("asset", "header:X-Object-Id", "h1"),
        ("file", "header:destination", "/h/d"),
        ("asset", "body:/in/id", "b1"),
        ("file", "body:/path", "/b/p"),
    ],
)
def test_each_spelling_is_read(tmp_path: Path, object_: str, id_: str, expected: str) -> None:
    """Each documented spelling reads the id from where it says."""
    row = f"  - PUT /x/{{name}}/{{path...}}: {{}}\n      action: read\n      object: {object_}\n      id: {id_}\n      role: none"
    routes = table(tmp_path, rows(row.replace(" {}\n", "\n")))
    destination = (
        [(b"destination", b"/h/d")] if id_ == "header:destination" else []
    )  # refused where no row reads it
    request = inbound("PUT /x/a/b/c?id=q1&dir=/q/d", (b"x-object-id", b"h1"), *destination, JSON)
    found = routes.match(request)
    assert found is not None

    operation = routes.operation(found, request, b'{"in": {"id": "b1"}, "path": "/b/p"}')

    assert [target.object for target in operation.targets] == [ObjectKey(object_, expected)]
    assert found.reads_body is id_.startswith("body:")


def test_the_default_is_the_parameter_of_the_type(tmp_path: Path) -> None:
    """Without `id` an opaque object is named by the parameter that is called after it."""
    routes = table(tmp_path, rows("  - GET /a/{asset_id}:\n      {action: read, object: asset, role: none}"))
    row = routes.match(inbound("GET /a/42"))
    assert row is not None

    assert routes.operation(row, inbound("GET /a/42")).targets[0].object == ObjectKey("asset", "42")


def test_ids_spelled_alike_are_read_once(tmp_path: Path) -> None:
    """Two judged objects with the same type and spelling share one naming, others do not."""
    row = """
  - POST /{asset_id}:
      objects:
        - {action: read, object: asset}
        - {action: write, object: asset, id: "{asset_id}"}
        - {action: write, object: collection, id: "{asset_id}"}
      role: none"""
    judged = table(tmp_path, rows(row)).rows[0].judged

    assert judged[0].naming is judged[1].naming
    assert judged[0].naming is not judged[2].naming


@pytest.mark.parametrize(
    ("object_", "id_", "sentence"),
    [
        ("fil", "/{path}", "states no `fil`; did you mean `file`?"),
        ("file", "/{pth}", "no parameter `pth`; did you mean `path`?"),
        ("file", '"{path}"', "ids of `file` are paths: write `/{path}`"),
        ("file", "/{path}/x", "at the end of an id"),
        ("file", "{path}", "write it in quotes"),
        ("asset", "/{name}", "ids of `asset` are opaque"),
        ("asset", '"{nam}"', "did you mean `name`?"),
        ("asset", '"{path}"', "the rest of a path"),
        ("asset", '"{name}-{name}"', "no parameter"),
        ("asset", "name", "does not say where the id comes from"),
        ("asset", "cookie:name", "does not say where the id comes from"),
        ("asset", "12", 'write "12" in quotes'),
        ("asset", '"query:"', "write the parameter's name"),
        ("asset", "query:page", "list it under `query:`"),
        ("asset", "header:a b", "`a b` is not the name of a header"),
        ("asset", '"header:"', "is not the name of a header"),
        ("asset", "header:Pw", "take it out of `drop_headers:`"),
        ("asset", "body:id", "not a JSON pointer"),
        ("asset", "body:/a~b", "not a JSON pointer"),
        ("asset", "answer:body:/id", "only `creates:`"),
        ("asset", None, "state `id:` for `asset`"),
        ("file", None, "state `id:` for `file`"),
    ],
)
def test_a_wrong_spelling_is_explained(tmp_path: Path, object_: str, id_: str | None, sentence: str) -> None:
    """Each wrong spelling is one problem, with file and line, that says what to write."""
    row = f"  - PUT /x/{{name}}/{{path...}}:\n      action: read\n      object: {object_}\n      role: none\n      query: [j]"
    text = rows(row if id_ is None else f"{row}\n      id: {id_}").replace(
        "objects:", "drop_headers: [pw]\nobjects:"
    )

    found = problems(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith("routes/a.yaml:1")
    assert sentence in found[0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_methods_without_a_body(tmp_path: Path, method: str) -> None:
    """A row for a method that has no body cannot read from it."""
    row = f"  - PUT, {method} /:\n      {{action: read, object: asset, id: body:/id, role: none}}"

    assert f"{method} has no body" in problems(tmp_path, rows(row))[0]


@pytest.mark.parametrize(
    ("object_", "id_", "sentence"),
    [
        ("asset", "answer:body", "not a JSON pointer"),
        ("asset", "answer:body:/a/*", "leave out the `*`"),
        ("asset", "answer:header:location", "holds a URL"),
        ("file", "answer:header:a b", "answer:header:NAME"),
        ("file", "answer:status", "answer:header:NAME"),
    ],
)
def test_a_wrong_answer_is_explained(tmp_path: Path, object_: str, id_: str, sentence: str) -> None:
    """A created object's id can be read from one place of an answer, in a form that fits the type."""
    row = f"  - POST /:\n      {{action: create, role: none, creates: {{object: {object_}, id: '{id_}'}}}}"

    found = problems(tmp_path, rows(row))

    assert len(found) == 1
    assert sentence in found[0]
