"""The tree of segments: precedence as a table, and agreement with a plain reference that tries all rows."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inbound import Inbound
from gateway.routes.matching import Tree
from gateway.routes.query import ANY_QUERY, QueryRule
from gateway.routes.rows import Row
from gateway.routes.templates import Parameter, Template
from routing import inbound


def row(text: str, query: QueryRule = ANY_QUERY) -> Row:
    """Returns the row that `METHOD[,METHOD] /template` writes."""
    methods, _, template = text.partition(" ")
    return Row(text, tuple(methods.split(",")), Template.of(template), "media", query=query)


def found(rows: list[Row], request: str) -> str | None:
    """Returns the text of the row that a request falls on."""
    row_ = Tree(rows).find(inbound(request))
    return row_.place if row_ else None


LIBRARY = [
    "GET /",
    "GET /a",
    "GET /a/",
    "GET /a/b",
    "GET /a/{id:[0-9]+}",
    "GET /a/{id:[0-9]+}/deep",
    "GET /a/{name}",
    "PUT /a/{name}",
    "GET /a/{rest...}",
    "PUT /a/{rest...}",
    "GET /{volume}/x/y",
    "GET /{volume:[a-z]}/x/{last}",
    "DELETE /{rest...}",
    "HEAD /a/b",
    "PUT /ä/ö",
]


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /", "GET /"),
        ("GET /a", "GET /a"),
        ("GET /a/", "GET /a/"),
        ("GET /%61", "GET /a"),
        ("GET /A", None),
        ("GET /a/b", "GET /a/b"),
        ("GET /a/7", "GET /a/{id:[0-9]+}"),
        ("GET /a/7x", "GET /a/{name}"),
        ("GET /a/b/c", "GET /a/{rest...}"),
        ("GET /a/7/deep", "GET /a/{id:[0-9]+}/deep"),
        ("GET /a/7/other", "GET /a/{rest...}"),
        ("GET /a/b/", "GET /a/{rest...}"),
        ("PUT /a/b", "PUT /a/{name}"),
        ("PUT /a/7", "PUT /a/{name}"),
        ("PUT /a/", "PUT /a/{rest...}"),
        ("PUT /a", None),
        ("GET /b/x/y", "GET /{volume:[a-z]}/x/{last}"),
        ("GET /bb/x/y", "GET /{volume}/x/y"),
        ("GET /bb/x/z", None),
        ("GET /a/x/y", "GET /a/{rest...}"),
        ("DELETE /", "DELETE /{rest...}"),
        ("DELETE /a/b", "DELETE /{rest...}"),
        ("DELETE /a/b/c/", "DELETE /{rest...}"),
        ("HEAD /a/b", "HEAD /a/b"),
        ("HEAD /a/c", "GET /a/{name}"),
        ("HEAD /", "GET /"),
        ("POST /a/b", None),
        ("OPTIONS /a", None),
        ("PUT /%C3%A4/%C3%B6", "PUT /ä/ö"),
    ],
)
def test_precedence(request_line: str, expected: str | None) -> None:
    """A literal beats a pattern, that a plain parameter, that the rest; where a way ends, the next is tried."""
    assert found([row(text) for text in LIBRARY], request_line) == expected
    assert found([row(text) for text in reversed(LIBRARY)], request_line) == expected
    assert list(Tree([row(text) for text in LIBRARY]).ties()) == []


def rule(required: str = "", listed: str | None = None) -> QueryRule:
    """Returns a query rule for names that are separated by spaces."""
    names = frozenset(required.split())
    return QueryRule(names, None if listed is None else names | frozenset(listed.split()))


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /x", "listed"),
        ("GET /x?j", "listed"),
        ("GET /x?z", "any"),
        ("GET /x?delete", "delete"),
        ("GET /x?delete&z", "any"),
        ("GET /x?delete&all", "all"),
    ],
)
def test_rows_of_one_shape_are_told_apart_by_the_query(request_line: str, expected: str) -> None:
    """Who requires more wins, then who lists, then who takes any."""
    rules = {
        "any": ANY_QUERY,
        "listed": rule(listed="j"),
        "delete": rule("delete", listed="j"),
        "all": rule("delete all", listed="j"),
    }
    rows = [Row(name, ("GET",), Template.of("/x"), "media", query=query) for name, query in rules.items()]

    assert list(Tree(rows).ties()) == []
    assert found(rows, request_line) == expected
    assert found(rows[::-1], request_line) == expected


def test_a_query_that_does_not_fit_leads_to_the_next_way() -> None:
    """A row whose query does not fit is no full match, so a less preferred way is tried."""
    rows = [row("GET /a", rule(listed="j")), row("GET /{name}")]

    assert found(rows, "GET /a?j") == "GET /a"
    assert found(rows, "GET /a?k") == "GET /{name}"


@pytest.mark.parametrize(
    ("one", "two", "tie"),
    [
        ("GET /a", "GET /a", True),
        ("GET /a", "PUT /a", False),
        ("GET,PUT /a", "PUT,DELETE /a", True),
        ("GET /a", "HEAD /a", False),
        ("GET /a", "GET /a/", False),
        ("GET /{a}", "GET /{b}", True),
        ("GET /{a...}", "GET /{b...}", True),
        ("GET /{a}", "GET /{b...}", False),
        ("GET /{a:[0-9]+}", "GET /{b:[0-9]+}", True),
        ("GET /{a:[0-9]+}", "GET /{b:[a-z]+}", False),
        ("GET /{a:[0-9]+}", "GET /{b:[0-9a-f]+}", True),
        ("GET /{a:[0-9]+}", "PUT /{b:[0-9a-f]+}", False),
        ("GET /{a:[0-9]+}/x", "GET /{b:[0-9a-f]+}/{y}", True),
        ("GET /{a:[0-9]+}/x", "GET /{b:[0-9a-f]+}/y", False),
        ("GET /{a:[0-9]+}/x", "GET /{b:[0-9a-f]+}/{y:[0-9]}", False),
        ("GET /{a:[0-9]+}/{x:[0-9]}", "GET /{b:[0-9a-f]+}/{y:[4-7]{1,3}}", True),
        ("GET /{a:[0-9]+}/{x...}", "GET /{b:[0-9a-f]+}/x/y", True),
        ("GET /{a:[0-9]+}/x/y", "GET /{b:[0-9a-f]+}/{x...}", True),
        ("GET /{a:[0-9]+}/{x}/y", "GET /{b:[0-9a-f]+}/{z}/y", True),
        ("GET /{a:[0-9]+}/{x}/y", "GET /{b:[0-9a-f]+}/{z}/z", False),
        ("GET /{a:[0-9]+}", "GET /{b:[0-9a-f]+}/{x...}", False),
        ("GET /{a:[0-9]+}/", "GET /{b:[0-9a-f]+}/{x}", False),
        ("GET /{a:[0-9]+}/", "GET /{b:[0-9a-f]+}/{x...}", True),
        ("HEAD /{a:[0-9]+}", "GET /{b:[0-9a-f]+}", True),
        ("GET /{a:[0-9]*}", "GET /{b:[a-z]*}", False),
    ],
)
def test_ties(one: str, two: str, *, tie: bool) -> None:
    """Two rows tie if one request falls on both and the first segment that differs prefers neither."""
    rows = [row(one), row(two)]

    assert [{first.place, second.place} for first, second, _ in Tree(rows).ties()] == [{one, two}] * tie


def test_a_name_in_two_letter_cases_is_a_tie() -> None:
    """Rows of one shape that look at names which differ only in letter case cannot stand beside each other."""
    rows = [row("GET /a", rule("Delete", listed="")), row("GET /a", rule("delete page", listed=""))]

    assert [why for *_, why in Tree(rows).ties()] == ["`Delete` stands in both queries in two letter cases"]


def test_queries_do_not_decide_between_patterns() -> None:
    """Where two patterns match one segment, the rows tie although one requires more; unless no query fits both."""
    one = row("GET /{a:[0-9]+}", rule("delete"))

    assert list(Tree([one, row("GET /{b:[0-9a-f]+}")]).ties()) != []
    assert list(Tree([one, row("GET /{b:[0-9a-f]+}", rule(listed="j"))]).ties()) == []


_PARTS = ["a", "b", "{x:[ab]}", "{x:[0-9]}", "{x:[a1]}", "{x}"]
_LAST = [*_PARTS, "", "{x...}"]
_TEMPLATES = st.tuples(st.lists(st.sampled_from(_PARTS), max_size=2), st.sampled_from(_LAST)).map(
    lambda parts: "/" + "/".join(part.replace("x", f"x{at}") for at, part in enumerate([*parts[0], parts[1]]))
)
_METHODS = st.sampled_from([("GET",), ("PUT",), ("HEAD",), ("GET", "PUT"), ("GET", "HEAD")])
_RULES = st.sampled_from(
    [ANY_QUERY, ANY_QUERY, rule(listed="p"), rule("p"), rule("p", listed="q"), rule("p q")]
)
_ROWS = st.lists(
    st.builds(
        lambda methods, text, query: Row("", methods, Template.of(text), "m", query=query),
        _METHODS,
        _TEMPLATES,
        _RULES,
    ),
    min_size=2,
    max_size=6,
)
_REST = 3
_SEGMENTS = ["a", "b", "1", "zz"]
_PATHS = [
    "/" + "/".join([*above, last])
    for depth in range(4)
    for above in product(_SEGMENTS, repeat=depth)
    for last in (*_SEGMENTS, "")
    if depth < 3 or last in ("", "a")
]
_REQUESTS = [
    (inbound(f"{method} {path}?{'&'.join(names)}"), frozenset(names))
    for path in _PATHS
    for method in ("GET", "HEAD", "PUT")
    for names in ((), ("p",), ("p", "q"), ("z",))
]


def shape(row_: Row) -> tuple[str, ...]:
    """Returns what makes two templates the same but for the names of parameters."""
    return tuple(
        part if isinstance(part, str) else f"{{{_kind(part)}{part.pattern}" for part in row_.template.parts
    )


def _kind(part: str | Parameter) -> int:
    if isinstance(part, str):
        return 0
    return _REST if part.is_rest else 2 if part.pattern is None else 1


def fits(row_: Row, request: Inbound, names: frozenset[str], own_head: frozenset[tuple[str, ...]]) -> bool:
    """Tells whether a request falls under a row, looked at alone; `own_head` are the shapes with rows for HEAD."""
    parts, segments = row_.template.parts, request.segments
    rest = _kind(parts[-1]) == _REST
    if len(segments) < len(parts) if rest else len(segments) != len(parts):
        return False
    method = "GET" if request.method == "HEAD" and shape(row_) not in own_head else request.method
    return (
        method in row_.methods
        and row_.query.takes(names)
        and all(_part_fits(part, segment) for part, segment in zip(parts, segments, strict=False))
    )


def _part_fits(part: str | Parameter, segment: str) -> bool:
    if isinstance(part, str):
        return part == segment
    return part.is_rest or (segment != "" and (part.pattern is None or part.pattern.matches(segment)))


def beats(one: Row, two: Row) -> bool:
    """Tells whether the stated rule prefers `one` where both fit."""
    for mine, theirs in zip(one.template.parts, two.template.parts, strict=False):
        if _kind(mine) != _kind(theirs):
            return _kind(mine) < _kind(theirs)
        if isinstance(mine, Parameter) and isinstance(theirs, Parameter) and mine.pattern != theirs.pattern:
            return False
    if one.query.required != two.query.required:
        return one.query.required > two.query.required
    return one.query.listed is not None and two.query.listed is None


@given(_ROWS)
def test_agrees_with_trying_all_rows(rows: list[Row]) -> None:
    """The tree finds the row that beats every other one that fits, and reports a tie exactly if rows are undecided."""
    tree = Tree(rows)
    own_head = frozenset(shape(each) for each in rows if "HEAD" in each.methods)
    undecided = False
    chosen: list[tuple[Inbound, Row | None]] = []
    for request, names in _REQUESTS:
        fitting = [each for each in rows if fits(each, request, names, own_head)]
        best = [one for one in fitting if all(one is two or beats(one, two) for two in fitting)]
        undecided = undecided or any(
            not (beats(one, two) or beats(two, one)) for one, two in combinations(fitting, 2)
        )
        chosen.append((request, best[0] if best else None))

    assert bool(list(tree.ties())) == undecided
    if not undecided:
        assert all(tree.find(request) is expected for request, expected in chosen)
