"""Rows from YAML: what each key means, and every mistake with its file and line."""

from pathlib import Path

import pytest

from gateway.routes.rows import BODY_LIMIT, SUCCESS, Row
from routing import problems, rows, table


def row(folder: Path, text: str) -> Row:
    """Returns the one row of a map."""
    return table(folder, rows(f"  - {text}")).rows[0]


def test_a_plain_row(tmp_path: Path) -> None:
    """A row that states little has the documented defaults."""
    plain = row(tmp_path, "GET /a:\n      {action: read, role: can_read_assets}")

    assert plain.place == "routes/a.yaml:9"
    assert plain.methods == ("GET",)
    assert plain.template.text == "/a"
    assert plain.upstream == "media"
    assert plain.roles == ("can_read_assets",)
    assert [(judged.action, judged.naming) for judged in plain.judged] == [("read", None)]
    assert not (plain.anonymous)
    assert not (plain.reads_body)
    assert not (plain.has_effects)
    assert not (plain.drop_headers)
    assert not (plain.allow)
    assert plain.query.takes(frozenset("xyz"))
    assert plain.success == SUCCESS
    assert plain.body_limit == BODY_LIMIT
    assert 204 in SUCCESS
    assert not SUCCESS & {202, 207, 304}


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key of a row arrives where it belongs."""
    full = row(
        tmp_path,
        """PUT, POST /a/{x}:
      objects: [{action: change-acl, object: asset, id: body:/id}, {action: read}]
      roles: [can_read_assets, can_write_assets, can_read_assets]
      query: {a: required, b: optional}
      deletes: asset
      success: [200, 204]
      upstream: other
      allow: [semicolon]
      body_limit: 1000""",
    )

    assert full.methods == ("PUT", "POST")
    assert full.upstream == "other"
    assert [judged.action for judged in full.judged] == ["change-acl", "read"]
    assert full.roles == ("can_read_assets", "can_write_assets")
    assert full.query.required == {"a"}
    assert full.query.listed == frozenset(("a", "b"))
    assert full.success == {200, 204}
    assert full.allow == {"semicolon"}
    assert full.reads_body
    assert full.body_limit == 1000


@pytest.mark.parametrize(
    ("access", "roles", "anonymous"),
    [
        ("role: none", (), False),
        ("role: can_read_assets", ("can_read_assets",), False),
        ("roles: [can_read_assets]", ("can_read_assets",), False),
        ("anonymous: true", (), True),
    ],
)
def test_who_may_pass(tmp_path: Path, access: str, roles: tuple[str, ...], *, anonymous: bool) -> None:
    """A row needs roles, or only a credential, or none."""
    found = row(tmp_path, f"GET /a:\n      {{action: read, {access}}}")

    assert (found.roles, found.anonymous) == (roles, anonymous)


def test_an_anonymous_row_need_not_judge(tmp_path: Path) -> None:
    """Preflights and login pages name no action."""
    assert row(tmp_path, "OPTIONS /{path...}:\n      {anonymous: true}").judged == ()


@pytest.mark.parametrize(
    ("query", "taken", "refused"),
    [
        ("any", ["", "x"], []),
        ("[]", [""], ["x"]),
        ("[j, ls]", ["", "j", "j ls"], ["x", "j x"]),
        ("{del: required}", ["del"], ["", "del x"]),
        ("{del: required, j: optional}", ["del", "del j"], ["j"]),
        ('{del: required, "*": optional}', ["del", "del x"], ["", "x"]),
    ],
)
def test_query_statements(tmp_path: Path, query: str, taken: list[str], refused: list[str]) -> None:
    """A query is any, listed, or listed with required names, perhaps with all others."""
    text = f"GET /a:\n      {{action: read, role: none, query: {query}}}"
    rule = row(tmp_path, text).query

    assert all(rule.takes(frozenset(names.split())) for names in taken)
    assert not any(rule.takes(frozenset(names.split())) for names in refused)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("GET /a", "a row must be a mapping"),
        ("{}", "a row is `METHOD /template:`"),
        ("GET /a:\n    action: read", "a row is `METHOD /template:`"),
        ("GET /a:", "a row must be a mapping"),
        ("GET a: {action: read, role: none}", "`GET a` is no row"),
        ("/a: {action: read, role: none}", "`/a` is no row"),
        ("get /a: {action: read, role: none}", "`get /a` is no row"),
        ("GET PUT /a: {action: read, role: none}", "is no row"),
        ("GTE /a: {action: read, role: none}", "`GTE` is not a method that passes here; did you mean `GET`?"),
        ("CONNECT /a: {action: read, role: none}", "`CONNECT` is not a method"),
        (
            "MOVE /{path...}: {action: delete, object: file, id: '/{path}', role: none}",
            "MOVE writes to the `Destination`: judge it",
        ),
        ("COPY, PUT /a: {action: write, role: none}", "COPY writes to the `Destination`"),
        (
            "COPY /{path...}: {role: none, objects: [{action: read, object: file, id: '/{path}'}, {action: write, object: file, id: header:destination, optional: true}]}",
            "COPY writes to the `Destination`",
        ),
        ("GET, GET /a: {action: read, role: none}", "`GET` stands there twice"),
        ("GET /a/{x: {action: read, role: none}", ""),
        ("GET /a/{X}: {action: read, role: none}", "lower case"),
        ("GET /-/livez: {action: read, role: none}", "below the gateway's own prefix `/-/`"),
        ("GET /-/{path...}: {action: read, role: none}", "below the gateway's own prefix"),
        ("GET /a: {action: read}", "a row says who may pass"),
        ("GET /a: {action: read, role: none, anonymous: true}", "in one way"),
        ("GET /a: {action: read, role: none, roles: [can_read_assets]}", "in one way"),
        ("GET /a: {action: read, role: web_can_upload}", "the role `web_can_upload` only switches something"),
        (
            "GET /a: {action: read, roles: [can_read_assets, web_can_upload]}",
            "demand the role of the operation itself",
        ),
        ("GET /a: {action: read, anonymous: false}", "says nothing"),
        ("GET /a: {action: read, anonymous: 1}", "must be `true` or `false`"),
        (
            "GET /a: {action: read, role: can_read_aset}",
            "no role `can_read_aset`; did you mean `can_read_assets`?",
        ),
        ("GET /a: {action: read, roles: []}", "`roles` must not be empty"),
        ("GET /a: {action: read, roles: [none]}", "no role `none`"),
        ("GET /a: {action: read, role: ~}", "must be text"),
        ("GET /a: {role: none}", "state an `action:`"),
        ("GET /a: {action: Read, role: none}", "an action is lower case"),
        ("GET /a: {action: 1, role: none}", "must be text"),
        ("GET /a: {action: read, id: query:x, role: none}", "state the `object:`"),
        (
            "GET /a: {action: read, role: none, objects: [{action: read}]}",
            "`action` stands in each of `objects:`",
        ),
        ("GET /a: {role: none, objects: []}", "at least one object must not be optional"),
        ("GET /a: {role: none, objects: {action: read}}", "must be a list"),
        ("GET /a: {role: none, objects: [{object: asset}]}", "state an `action:`"),
        ("GET /a: {role: none, objects: [{action: read, role: none}]}", "an object has no key `role`"),
        (
            "GET /a: {role: none, objects: [{action: read, object: asset, id: query:x, optional: true}]}",
            "at least one object must not be optional",
        ),
        ("GET /a: {role: none, objects: [{action: read, optional: true}]}", "state the `object:`"),
        ("GET /a: {role: none, objects: [{action: read, optional: maybe}]}", "must be `true` or `false`"),
        ("GET /a: {action: read, role: none, query: some}", "must be a mapping"),
        ("GET /a: {action: read, role: none, query: {a: needed}}", "`a` is not `needed`"),
        ("GET /a: {action: read, role: none, query: [a, A]}", "letter case aside"),
        ('GET /a: {action: read, role: none, query: {"*": required}}', "it can only be optional"),
        (
            "GET /a: {action: read, role: none, upstream: meda}",
            "no upstream `meda` is configured; did you mean `media`?",
        ),
        ("GET /a: {action: read, role: none, allow: [dots]}", "`allow` is not `dots`"),
        ("GET /a: {action: read, role: none, success: [200]}", "`success` is for rows with"),
        ("GET /a: {action: read, role: none, body_limit: 9}", "rows that read ids from the body"),
        ("GET /a: {action: read, role: none, acton: x}", "a row has no key `acton`; did you mean `action`?"),
        (
            "POST /a: {action: read, object: asset, id: body:/id, role: none, body_limit: 9999999}",
            "a whole number from 1 to 1048576",
        ),
        (
            "POST /a: {action: create, role: none, creates: {object: asset, id: answer:body:/id}, success: [404]}",
            "a whole number from 200 to 399",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    """Every mistake in a row is a problem with file and line, in a sentence that says what to do."""
    found = problems(tmp_path, rows(f"  - {text}"))

    assert any(sentence in problem for problem in found), found
    assert all(problem.startswith(("routes/a.yaml:9: ", "routes/a.yaml:10: ")) for problem in found), found


def test_all_mistakes_of_a_row_are_told_at_once(tmp_path: Path) -> None:
    """One reading of a row finds all its mistakes, each on its own line."""
    text = """GET /a:
      action: Read
      object: fil
      role: can_red_assets
      upstream: meda
      acton: x"""

    assert [problem.split(": ")[0] for problem in sorted(problems(tmp_path, rows(f"  - {text}")))] == [
        f"routes/a.yaml:{line}" for line in range(10, 15)
    ]


def test_a_row_needs_an_upstream(tmp_path: Path) -> None:
    """Where neither the map nor the row names a backend, that is an error; where nothing is configured, any name is."""
    text = "routes:\n  - GET /a: {action: read, role: none}\n"

    assert problems(tmp_path, text) == ["routes/a.yaml:2: state an `upstream:`, here or for the whole map"]
    assert "; there is none" in _problem_without_upstreams(tmp_path)


def _problem_without_upstreams(folder: Path) -> str:
    from gateway.errors import RouteMapError

    with pytest.raises(RouteMapError) as caught:
        table(folder, "upstream: media\nroutes: []\n", upstreams=())
    return caught.value.problems[0]


def test_what_anybody_may_get_may_be_shared(tmp_path: Path) -> None:
    """`public` holds on an anonymous row for reading, and is not there unless stated."""
    assert row(tmp_path, "GET, HEAD /a:\n      {anonymous: true, public: true}").public
    assert not row(tmp_path, "GET /a:\n      {anonymous: true}").public


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET /a:\n      {action: read, role: none, public: true}", "for `anonymous: true` only"),
        ("GET /a:\n      {anonymous: true, public: false}", "answers are private"),
        ("GET, POST /a:\n      {anonymous: true, public: true}", "GET and HEAD alone"),
    ],
)
def test_what_belongs_to_somebody_cannot_be_shared(tmp_path: Path, text: str, said: str) -> None:
    """`public` is refused where a credential is needed, where it says nothing, and for other methods."""
    assert said in problems(tmp_path, rows(f"  - {text}"))[0]


def test_a_row_takes_websockets_only_if_it_says_so(tmp_path: Path) -> None:
    """`websocket` holds where it is stated on a row of GET, and nowhere else."""
    assert row(tmp_path, "GET, POST /a:\n      {anonymous: true, websocket: true}").websocket
    assert not row(tmp_path, "GET /a:\n      {anonymous: true}").websocket


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("POST /a:\n      {anonymous: true, websocket: true}", "begins with a GET"),
        (
            "GET /a:\n      {anonymous: true, websocket: false}",
            "WebSockets are refused unless a row takes them",
        ),
        ("GET /a:\n      {anonymous: true, websocket: 1}", "`websocket`"),
    ],
)
def test_a_row_that_cannot_take_websockets(tmp_path: Path, text: str, said: str) -> None:
    """`websocket` is refused where it says nothing, is no yes or no, and without GET."""
    assert any(said in problem for problem in problems(tmp_path, rows(f"  - {text}")))


def test_a_row_that_the_gateway_answers(tmp_path: Path) -> None:
    """`answered` needs no upstream; unless a row says so, the backend is asked."""
    text = "routes:\n  - OPTIONS /a: {anonymous: true, answered: true}\n"
    found = table(tmp_path, text).rows[0]

    assert (found.answered, found.upstream, found.judged) == (True, "", ())
    assert not row(tmp_path, "OPTIONS /a:\n      {anonymous: true}").answered


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("OPTIONS /a: {anonymous: true, answered: false}", "`answered: false` says nothing"),
        ("OPTIONS, GET /a: {anonymous: true, answered: true}", "OPTIONS alone"),
        ("GET /a: {anonymous: true, answered: true}", "OPTIONS alone"),
        ("OPTIONS /a: {anonymous: true, answered: true, upstream: media}", "`upstream` means nothing here"),
        (
            "OPTIONS /{asset_id}: {action: read, object: asset, role: none, answered: true}",
            "`object` means nothing",
        ),
        (
            "OPTIONS /a: {objects: [{action: read}], role: none, answered: true}",
            "`objects` means nothing here",
        ),
    ],
)
def test_a_row_that_the_gateway_cannot_answer(tmp_path: Path, text: str, said: str) -> None:
    """Only OPTIONS is answered here, by a row that names no object and no backend: its answer could tell of them."""
    assert said in "; ".join(problems(tmp_path, rows(f"  - {text}")))
