"""Pages of lists: what a query asks for, and the envelope."""

import pytest

from gateway.api.paging import MAX_PAGE, Page
from gateway.errors import GatewayError
from gateway.reasons import Reason


@pytest.mark.parametrize(("query", "page"), [
    ([], Page(1, 10)),
    ([("page", "3"), ("per_page", "100")], Page(3, 100)),
    ([("page", "10000"), ("per_page", "1000")], Page(10_000, 1_000)),
    ([("sort", "name"), ("sort", "date")], Page(1, 10)),
])  # fmt: skip
def test_a_query_asks_for_a_page(query: list[tuple[str, str]], page: Page) -> None:
    """Without a word it is the first, of ten; other parameters are nobody's business here."""
    assert Page.of(query) == page


@pytest.mark.parametrize("value", ["", "0", "-1", "+1", " 1", "1.0", "1e3", "0x1", "٣", "²", "1_0", "10001", "9" * 5_000])  # fmt: skip
@pytest.mark.parametrize("name", ["page", "per_page"])
def test_what_is_no_number_of_a_page_is_refused(name: str, value: str) -> None:
    """Nothing is repaired: neither digits of other scripts, nor what is too large."""
    with pytest.raises(GatewayError) as caught:
        Page.of([(name, value)])
    assert caught.value.reason is Reason.BAD_TARGET


def test_a_parameter_that_comes_twice_is_refused() -> None:
    """Two programs could read two pages."""
    with pytest.raises(GatewayError):
        Page.of([("page", "1"), ("page", "1")])


def test_a_list_may_have_smaller_pages() -> None:
    """A list's own bound counts, for the default too."""
    assert Page.of([], max_size=5).size == 5
    with pytest.raises(GatewayError):
        Page.of([("per_page", "101")], max_size=100)


def test_the_pages_of_a_list_lead_through_all_of_it() -> None:
    """Following `next_url` from the first page meets each item once, in order."""
    items, met, number = list(range(25)), [], 1
    while number:
        page = Page(number, 10)
        found = page.envelope(items[page.offset : page.offset + page.size], len(items), "/users/")
        met += found["objects"]
        number = number + 1 if found["next_url"] else 0
    assert met == items
    assert (found["page"], found["pages"], found["total"]) == (3, 3, 25)


def test_links_keep_the_lists_own_parameters_and_name_no_host() -> None:
    """A link is the same list at another page; values are encoded, so that none becomes a parameter."""
    query = [("q", "a &/+page=9"), ("page", "2"), ("per_page", "5")]
    found = Page.of(query).envelope([], 11, "/users/", query)
    assert found["prev_url"] == found["first_url"] == "/users/?q=a%20%26%2F%2Bpage%3D9&page=1&per_page=5"
    assert found["next_url"] == found["last_url"] == "/users/?q=a%20%26%2F%2Bpage%3D9&page=3&per_page=5"


def test_no_link_leads_where_no_page_is() -> None:
    """An empty list has none, and none is past the last page that may be asked for."""
    empty = Page().envelope([], 0, "/users/")
    assert [empty[name] for name in ("first_url", "prev_url", "next_url", "last_url")] == [None] * 4
    last = Page(MAX_PAGE, 1).envelope([1], 20_000, "/users/")
    assert last["next_url"] is None
    assert last["last_url"] == "/users/?page=10000&per_page=1"
