"""What a worker counts on the request path."""

from datetime import UTC, datetime

from gateway.audit import AuditLine
from gateway.management.tally import DECISION_BOUNDS, MAX_OUTCOMES, Tally
from gateway.reasons import Reason


def verdict(said: str, reason: str, latency_us: int = 0) -> AuditLine:
    """Returns an audit line with this verdict."""
    return AuditLine(datetime.now(UTC), "id", said, reason, "", "GET", "/", "", latency_us, 1, "digest")


def test_an_observation_falls_into_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its own bucket; what is beyond all bounds is in the last one; the sum is kept."""
    tally = Tally()
    last = round(DECISION_BOUNDS[-1] * 1e6)
    for taken in (1, 50, 51, 100, last + 1):
        tally.ended(verdict("allowed", "acl", taken), None, 200, taken * 1000)

    between = [0] * (len(DECISION_BOUNDS) - 2)
    assert tally.decision.counts == [2, 2, *between, 1]
    assert tally.decision.total == tally.whole.total == (203 + last) / 1e6


def test_requests_are_told_apart_by_verdict_reason_and_status_class() -> None:
    """What failed after its verdict counts under the failure, what had no verdict as undecided, without a decision time."""
    tally = Tally()
    tally.ended(verdict("allowed", "acl", 60), None, 206, 1_000_000)
    tally.ended(verdict("allowed", "acl", 60), None, 200, 1_000_000)
    tally.ended(verdict("allowed", "acl", 60), Reason.BACKEND_DOWN, 502, 1_000_000)
    tally.ended(verdict("refused", "no-grant", 60), Reason.NO_GRANT, 403, 1_000_000)
    tally.ended(None, None, 0, 1_000_000)

    assert tally.requests == {
        ("allowed", "acl", 2): 2,
        ("allowed", "backend-down", 5): 1,
        ("refused", "no-grant", 4): 1,
        ("undecided", "undecided", 0): 1,
    }
    assert sum(tally.decision.counts) == tally.decision.counts[DECISION_BOUNDS.index(0.0001)] == 4
    assert sum(tally.whole.counts) == 5
    assert round(tally.whole.total, 9) == 0.005


def test_reasons_without_end_do_not_fill_memory() -> None:
    """A policy that names ever new reasons is counted as `other` beyond the bound; nothing is lost of the sum."""
    tally = Tally()
    for number in range(MAX_OUTCOMES + 50):
        tally.ended(verdict("allowed", f"reason-{number}"), None, 200, 1)
    tally.ended(verdict("allowed", "reason-0"), None, 200, 1)

    assert len(tally.requests) == MAX_OUTCOMES + 1
    assert tally.requests["allowed", "other", 2] == 50
    assert tally.requests["allowed", "reason-0", 2] == 2
