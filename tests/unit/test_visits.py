"""How many requests a worker takes at once, and how large their heads and stated bodies may be."""

from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.reasons import Reason
from gateway.settings.sections import LimitsSection
from gateway.visits import Visits


def scope(*headers: tuple[bytes, bytes], method: str = "PUT") -> dict[str, Any]:
    """A request's scope."""
    return {"type": "http", "method": method, "headers": list(headers)}


def refused(visits: Visits, given: dict[str, Any]) -> Reason | None:
    """Why a request is refused at once; None if it is not."""
    visits.begin()
    try:
        visits.check(given)
    except GatewayError as error:
        return error.reason
    finally:
        visits.end()
    return None


def test_what_is_beyond_the_bound_is_refused_until_something_ends() -> None:
    """The third of two is refused, and taken when one of the others has ended."""
    visits = Visits(LimitsSection(in_flight=2))
    visits.begin()
    visits.begin()

    assert refused(visits, scope()) is Reason.OVERLOADED
    visits.end()
    assert refused(visits, scope()) is None
    visits.end()
    assert len(visits) == 0


@pytest.mark.parametrize(("headers", "reason"), [
    ([(b"x", b"y")] * 4, None), ([(b"x", b"y")] * 5, Reason.HEAD_TOO_LARGE),
    ([(b"x", b"y" * 39)], None), ([(b"x", b"y" * 40)], Reason.HEAD_TOO_LARGE), ([(b"x" * 20, b"y" * 10), (b"z" * 11, b"")], Reason.HEAD_TOO_LARGE),
    ([(b"content-length", b"10")], None), ([(b"content-length", b"11")], Reason.BODY_TOO_LARGE),
    ([(b"content-length", b"five")], None), ([(b"content-length", b"9" * 19)], None),
], ids=repr)  # fmt: skip
def test_heads_and_stated_lengths_are_bounded(
    headers: list[tuple[bytes, bytes]], reason: Reason | None
) -> None:
    """Count, bytes and stated length each have a last value that passes; a length of another form is not judged here."""
    assert refused(Visits(LimitsSection(headers=4, head=40, body=10)), scope(*headers)) is reason


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_method_without_a_body_is_not_refused_for_what_it_says(method: str) -> None:
    """Its length is not looked for in advance; what it does send is counted as it comes."""
    assert refused(Visits(LimitsSection(body=10)), scope((b"content-length", b"11"), method=method)) is None
