"""Verdicts of selftest: what is held, let through and unclear, and by whom."""

import pytest

from gateway.corpus import Advisory, Forwarded, Scene, Try
from gateway.selftest import Outcome, Shot, Verdict, is_visible, judged, shown

REFUSED = Try({"target": "/x/..{allowed}"}, ("400",), None, live=True)
HARMLESS = Try({"target": "{allowed}", "body": "{hidden}"}, ("400",), Forwarded("{allowed}"), live=True)
SCENE = Scene("/a", "/b", "gw.example", "t0k3n")
HELD, THROUGH, UNCLEAR = Verdict.HELD, Verdict.LET_THROUGH, Verdict.UNCLEAR


@pytest.mark.parametrize(("attempt", "statuses", "verdict"), [
    (REFUSED, [400], HELD), (REFUSED, [], HELD), (REFUSED, [404, 403], HELD), (REFUSED, [501], HELD), (REFUSED, [505], HELD),
    (REFUSED, [200], THROUGH), (REFUSED, [301], THROUGH), (REFUSED, [101], THROUGH), (REFUSED, [400, 200], THROUGH), (REFUSED, [502, 200], THROUGH),
    (REFUSED, [429], UNCLEAR), (REFUSED, [500], UNCLEAR), (REFUSED, [502], UNCLEAR), (REFUSED, [503], UNCLEAR),
    (HARMLESS, [200], HELD), (HARMLESS, [400], HELD), (HARMLESS, [200, 400], HELD), (HARMLESS, [200, 200], THROUGH), (HARMLESS, [503], UNCLEAR),
])  # fmt: skip
def test_answers_become_a_verdict(attempt: Try, statuses: list[int], verdict: Verdict) -> None:
    """Only a refusal or a closed connection holds; overload and failing backends prove nothing."""
    assert judged(attempt, statuses) is verdict


@pytest.mark.parametrize(("verdicts", "worst", "culprit"), [
    ([HELD, HELD, HELD], HELD, ""), ([THROUGH, HELD, HELD], THROUGH, "a"), ([THROUGH, THROUGH, HELD], THROUGH, "b"),
    ([HELD, THROUGH, HELD], THROUGH, "b"), ([THROUGH, THROUGH, THROUGH], THROUGH, "c"), ([HELD, UNCLEAR, HELD], UNCLEAR, ""),
    ([THROUGH, UNCLEAR, HELD], THROUGH, "a"),
])  # fmt: skip
def test_the_innermost_hop_that_lets_through_is_named(
    verdicts: list[Verdict], worst: Verdict, culprit: str
) -> None:
    """Asked one by one, the last hop that answers with success is the one behind which nothing is to blame."""
    outcomes = {name: Outcome(each) for name, each in zip("abc", verdicts, strict=True)}
    shot = Shot(Advisory(("CVE-1",), "p", "b", (REFUSED,)), "", outcomes)

    assert (shot.verdict, shot.culprit) == (worst, culprit)


def test_only_what_can_be_seen_and_does_no_harm_is_fired() -> None:
    """Requests that are not for deployments in use, and those whose outcome only a backend sees, are left out."""
    assert is_visible(REFUSED)
    assert not is_visible(Try({}, ("400",), None, live=False))
    assert not is_visible(Try({}, (), Forwarded("{allowed}"), live=True))


def test_a_request_is_shown_in_one_line_without_its_token() -> None:
    """What is shown has no credential, no usual lines and no control character."""
    odd = Try({"headers": ["X-A: \x00b"], "body": "{hidden}"}, ("400",), None, live=True)
    bare = Try({"host": None, "signed": False, "headers": ["Cookie: {token}"]}, ("400",), None, live=True)

    assert shown(odd, SCENE).startswith("GET /a | X-A: \\x00b | (")
    assert shown(bare, SCENE) == "GET /a | Cookie: TOKEN"


def test_an_outcome_is_told_in_a_few_words() -> None:
    """Statuses, the end of the connection, or why there is no verdict."""
    assert [Outcome(HELD, (400, 403)).told, Outcome(HELD).told, Outcome(UNCLEAR, (), "why").told] == [
        "400, 403",
        "closed",
        "why",
    ]
