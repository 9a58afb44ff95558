"""Query rules: which queries fall on a row, and when two rows tie."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.reasons import Reason
from gateway.routes.query import ANY_QUERY, QueryRule, names_in, spellings
from routing import inbound

_NAMES = st.frozensets(st.sampled_from("abc"))
_RULES = st.builds(
    lambda required, listed: QueryRule(required, None if listed is None else listed | required),
    _NAMES,
    st.none() | _NAMES,
)
_QUERIES = [
    frozenset(names) for names in chain.from_iterable(combinations("abcd", size) for size in range(5))
]


def rule(*listed: str, required: str = "", open_: bool = False) -> QueryRule:
    """Returns a rule for one-letter names."""
    return QueryRule(frozenset(required), None if open_ else frozenset(listed) | frozenset(required))


@pytest.mark.parametrize(
    ("given_rule", "query", "taken"),
    [
        (ANY_QUERY, "", True),
        (ANY_QUERY, "ab", True),
        (rule("a"), "", True),
        (rule("a"), "a", True),
        (rule("a"), "ab", False),
        (rule("b", required="a"), "", False),
        (rule("b", required="a"), "a", True),
        (rule("b", required="a"), "ab", True),
        (rule("b", required="a"), "ac", False),
        (rule(required="a", open_=True), "az", True),
        (rule(required="a", open_=True), "z", False),
    ],
)
def test_which_queries_are_taken(given_rule: QueryRule, query: str, *, taken: bool) -> None:
    """A rule takes a query that has all required names and none that is not listed."""
    assert given_rule.takes(frozenset(query)) is taken


@given(_RULES, _RULES)
def test_ties_are_exact(one: QueryRule, two: QueryRule) -> None:
    """Two rules tie exactly if some query falls on both and neither requires more, nor lists where the other does not."""
    shared = any(one.takes(query) and two.takes(query) for query in _QUERIES)
    if one.required == two.required:
        undecided = (one.listed is None) == (two.listed is None)
    else:
        undecided = not (one.required < two.required or two.required < one.required)

    assert one.ties_with(two) is (shared and undecided)
    assert two.ties_with(one) is (shared and undecided)


@given(_RULES, _RULES)
def test_rank_puts_the_winner_first(one: QueryRule, two: QueryRule) -> None:
    """Of two rules that share a query and do not tie, the rank names one winner: who requires more, then who lists."""
    if one.ties_with(two) or not any(one.takes(query) and two.takes(query) for query in _QUERIES):
        return
    first = min(one, two, key=lambda each: each.rank)
    second = two if first is one else one

    assert first.required > second.required or (first.listed is not None and second.listed is None)


KNOWN = spellings([rule("k", required="d"), QueryRule(listed=frozenset(("Page",)))])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", set()),
        ("d", {"d"}),
        ("d=", {"d"}),
        ("d=1&k=2&zz=3&zz=4", {"d", "k", "zz"}),
        ("%C3%A9=1", {"é"}),
        ("Page=1", {"Page"}),
        ("&&d&", {"d"}),
        ("=x", {""}),
        ("d=a+b", {"d"}),
    ],
)
def test_names_are_read(query: str, names: set[str]) -> None:
    """The names of a query are decoded once; names that nobody looks at may repeat."""
    assert names_in(inbound(f"GET /?{query}"), KNOWN) == names


@pytest.mark.parametrize(
    "query",
    ["d&d", "d=1&%64=2", "D", "d&D=1", "page=1", "%E2%84%AA=1", "x;d", "d;", "x+y=1", "d+", "%ff=1", "%00"],
)
def test_two_readings_of_a_name_are_refused(query: str) -> None:
    """A name that is looked at and comes twice or in another spelling, `;` and `+` in names are refused."""
    with pytest.raises(GatewayError) as caught:
        names_in(inbound(f"GET /?{query}"), KNOWN)

    assert caught.value.reason is Reason.BAD_TARGET
