"""The counts of several workers as one."""

import msgspec

from gateway.management.counted import Counted, Histogram, added, total
from gateway.management.tally import DECISION_BOUNDS, WHOLE_BOUNDS


def test_counts_of_several_are_added() -> None:
    """Each count of the sum is the sum of that count, labels are joined, and the sum survives being written down."""
    decision = Histogram([1] * (len(DECISION_BOUNDS) + 1), 0.5)
    whole = Histogram([2] * (len(WHOLE_BOUNDS) + 1), 1.5)
    one = Counted([("allowed", "acl", 2, 3)], decision, whole, [1, 2, 3, 4, 5], 6, 7, 8, {"media": 9})
    other = Counted([("refused", "role", 4, 1), ("allowed", "acl", 2, 1)], refused={"more": 1}, audited=1)
    both = total([one, other, one])

    assert both.requests == [("allowed", "acl", 2, 7), ("refused", "role", 4, 1)]
    assert (both.decision.counts[0], both.decision.total) == (2, 1.0)
    assert (both.whole.counts[-1], both.whole.total) == (4, 3.0)
    assert both.policy == [2, 4, 6, 8, 10]
    assert (both.audited, both.unaudited, both.loads) == (13, 14, 16)
    assert both.refused == {"media": 18, "more": 1}
    assert msgspec.json.decode(msgspec.json.encode(both), type=Counted) == both


def test_nothing_adds_up_to_nothing() -> None:
    """No counts are zeros in every bucket, ready to be added to."""
    assert total([]) == Counted()
    assert added([1, 2], [3, 4]) == [4, 6]
