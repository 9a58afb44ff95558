"""Tests of gateway.carried: what a passage says of itself; test_rejudging.py has what judging it again gives."""

from typing import Any, cast

import pytest

from gateway.carried import Called, Carried
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.reasons import Reason

WHY = GatewayError(Reason.NO_GRANT)
CASE = cast("Case", None)


@pytest.mark.parametrize("said", [True, False, None])
def test_one_that_is_cut_by_a_call_gives_the_reason_and_says_what_it_said(*, said: bool | None) -> None:
    """The function gets the reason; False, which asks for another time, comes through."""
    given: list[Any] = []

    def cut(error: GatewayError) -> bool | None:
        given.append(error)
        return said

    assert Called(CASE, 1, cut).cut(WHY) is said
    assert given == [WHY]


def test_one_that_nobody_can_cut_is_a_mistake() -> None:
    """A kind of passage that does not say how it is cut fails loudly."""
    with pytest.raises(NotImplementedError):
        Carried(CASE, 1).cut(WHY)
