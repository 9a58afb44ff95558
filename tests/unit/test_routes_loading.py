"""Route maps from files: all mistakes of all files in one pass, nothing half-loaded."""

import os
from pathlib import Path

import pytest

from gateway.errors import RouteMapError
from gateway.routes import RouteTable
from routing import OBJECTS, problems, rows, table, write_maps

PATH_FORM = "trailing_slash: same, letter_case: exact, unicode: exact"


def objects(text: str) -> str:
    """Returns a map with these object types on line 3 and no rows."""
    return f"upstream: media\nobjects:\n  {text}\nroutes: []\n"


def test_maps_are_read_in_order_and_together(tmp_path: Path) -> None:
    """The rows of all maps make one table, in the order of file names."""
    maps = write_maps(
        tmp_path,
        {
            "b.yaml": "upstream: other\nroutes:\n  - GET /b: {action: read, role: none}\n",
            "a.yaml": "upstream: media\nroutes:\n  - GET /a: {action: read, role: none}\n",
            "notes.txt": "not a map",
            ".hidden.yaml": "not: a map",
        },
    )
    routes = RouteTable.load(maps, known_roles={}, upstreams=None)

    assert [(row.place, row.upstream) for row in routes.rows] == [
        ("routes/a.yaml:3", "media"),
        ("routes/b.yaml:3", "other"),
    ]


def test_an_empty_folder_has_no_rows(tmp_path: Path) -> None:
    """A folder without maps makes a table that nothing matches."""
    assert table(tmp_path).rows == ()


def test_a_missing_folder_is_a_problem(tmp_path: Path) -> None:
    """A folder that is not there is told, not taken for an empty one."""
    with pytest.raises(RouteMapError, match="there is no such folder"):
        RouteTable.load(tmp_path / "routes", known_roles={}, upstreams=None)


def test_problems_of_all_files_are_told_together(tmp_path: Path) -> None:
    """One load reports every mistake of every file: syntax, rows, ties across files, a wrong ending."""
    write_maps(tmp_path, {"d.yml": "routes: []"})
    found = problems(
        tmp_path,
        "upstream: media\nroutes:\n  - GET /x/{a}: {action: read, role: none}\n  - GET /y: {action: read}\n",
        "routes: [\n",
        "upstream: other\nroutes:\n  - PUT, GET /x/{b}: {action: read, role: none}\n",
    )

    assert [problem.split(": ")[0] for problem in found] == [
        "routes/a.yaml:4",
        "routes/b.yaml:2",
        "routes/d.yml:1",
        "routes/c.yaml:3",
    ]
    assert found[-1] == (
        "routes/c.yaml:3: ties with routes/a.yaml:3: they have the same shape, and no query tells them apart;"
        " change one of them"
    )


def test_overlapping_patterns_are_told_with_both_places(tmp_path: Path) -> None:
    """Rows that only two overlapping patterns tell apart are a mistake at load."""
    text = """
  - GET /{a:[0-9]+}: {action: read, role: none}
  - GET /{b:[0-9a-f]+}: {action: read, role: none}"""

    assert problems(tmp_path, rows(text)) == [
        "routes/a.yaml:11: ties with routes/a.yaml:10: a segment can match both `[0-9]+` and `[0-9a-f]+`; change one of them"
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A map that is no plain file, or cannot be opened, is a problem with its name and nothing waits for it."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "a.yaml").mkdir()
    os.mkfifo(tmp_path / "routes" / "b.yaml")
    (tmp_path / "routes" / "c.yaml").symlink_to("c.yaml")

    assert [problem.split(": ", 2)[:2] for problem in problems(tmp_path)] == [
        ["routes/a.yaml:1", "is not a file"],
        ["routes/b.yaml:1", "is not a file"],
        ["routes/c.yaml:1", "is not a file"],
    ]


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map that the system does not open is a problem with its name."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    folder = write_maps(tmp_path, {"a.yaml": "routes: []"})
    monkeypatch.setattr(Path, "open", refuse)  # root may open everything, so the refusal is played

    with pytest.raises(RouteMapError, match=r"routes/a\.yaml:1: cannot be read: Permission denied"):
        RouteTable.load(folder, known_roles={}, upstreams=None)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("[]", 1, "a route map must be a mapping"),
        ("upstream: media", 1, "a route map states `routes:`"),
        ("routes: {}", 1, "`routes` must be a list"),
        ("upstream: media\nroute: []\nroutes: []", 2, "no key `route`; did you mean `routes`?"),
        ("routes: []\nroutes: []", 2, "`routes` stands there twice"),
        ("upstream: 5\nroutes: []", 1, "must be text"),
        ("upstream: meda\nroutes: []", 1, "did you mean `media`?"),
        ("upstream: media\ndrop_headers: [a b]\nroutes: []", 2, "`a b` is not the name of a header"),
        ("upstream: media\ndrop_headers: [Host]\nroutes: []", 2, "`host` is needed by the backend"),
        ("upstream: media\ndrop_headers: pw\nroutes: []", 2, "must be a list"),
        ("upstream: media\nobjects: [file]\nroutes: []", 2, "`objects` must be a mapping"),
        (objects("File: {id: opaque}"), 3, "an object type is lower case"),
        (objects("file: path"), 3, "must be a mapping"),
        (objects("file: {}"), 3, "state `id: path` or `id: opaque`"),
        (objects("file: {id: pth}"), 3, "`id` is not `pth`; did you mean `path`?"),
        (objects(f"file: {{id: path, {PATH_FORM}, case: fold}}"), 3, "has no key `case`"),
        (
            objects("file: {id: path, letter_case: exact, unicode: exact}"),
            3,
            "state `trailing_slash: same | distinct`",
        ),
        (
            objects("file: {id: path, trailing_slash: same, unicode: exact}"),
            3,
            "state `letter_case: exact | fold`",
        ),
        (
            objects("file: {id: path, trailing_slash: same, letter_case: exact}"),
            3,
            "state `unicode: exact | nfc`",
        ),
        (objects(f"file: {{id: path, {PATH_FORM}, pattern: a}}"), 3, "`pattern` is for `id: opaque`"),
        (objects("asset: {id: opaque, trailing_slash: same}"), 3, "`trailing_slash` is for `id: path`"),
        (objects("asset: {id: opaque, letter_case: lower}"), 3, "`letter_case` is not `lower`"),
        (objects("asset: {id: opaque, pattern: '(a'}"), 3, "`(a`: a `(` is not closed"),
        (objects("asset: {id: opaque, pattern: 12}"), 3, "must be text"),
    ],
)
def test_a_mistake_in_a_map_is_reported_with_its_place(
    tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    """Every mistake outside rows is a problem with file and line, in a sentence that says what to do."""
    found = problems(tmp_path, text)

    assert any(sentence in problem for problem in found), found
    assert all(problem.startswith(f"routes/a.yaml:{line}: ") for problem in found)


def test_a_broken_object_type_is_told_once(tmp_path: Path) -> None:
    """Rows that name an object type with a mistake of its own add no problems to it."""
    text = (
        OBJECTS.replace("trailing_slash: same, ", "")
        + """
routes:
  - DELETE /{path...}: {action: delete, object: file, id: "/{path}", role: none, deletes: file}
  - PUT /{path...}: {objects: [{action: write, object: file, id: "/{path}"}], role: none}
"""
    )

    assert problems(tmp_path, text) == [
        "routes/a.yaml:4: `file`: state `trailing_slash: same | distinct` for path ids"
    ]


def test_an_object_type_has_one_form(tmp_path: Path) -> None:
    """Two maps may state a type alike; stated in two ways it is a mistake that names both places."""
    one = objects("asset: {id: opaque, pattern: a+}")

    assert list(table(tmp_path, one, one).forms) == ["asset"]
    assert problems(tmp_path, one, objects("asset: {id: opaque}")) == [
        "routes/b.yaml:3: `asset` is stated in another way at routes/a.yaml:3: an object has one id"
    ]


def test_dropped_headers_reach_the_rows(tmp_path: Path) -> None:
    """Header names are compared in lower case and hold for all rows of their map."""
    text = "upstream: media\ndrop_headers: [Replace, PW]\nroutes:\n  - GET /a: {action: read, role: none}\n"

    assert table(tmp_path, text).rows[0].drop_headers == {b"replace", b"pw"}
