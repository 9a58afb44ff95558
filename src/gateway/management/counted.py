"""What workers have counted, as it is written down, and the counts of several as one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import add
from typing import Final

import msgspec

from gateway.management.tally import DECISION_BOUNDS, WHOLE_BOUNDS

POLICY_COUNTS: Final = ("walked", "learned", "checked", "faults", "bounded")
"""The fields of `gateway.policy.Policy.counts`, in order."""


class Histogram(msgspec.Struct):
    """Observations in each bucket (the last one beyond all bounds), and their sum in seconds."""

    counts: list[int]
    total: float = 0.0


class Counted(msgspec.Struct):
    """All that only rises.

    Attributes:
        requests: `(verdict, reason, status class, count)`.
        decision: time to a verdict.
        whole: time of whole requests.
        policy: what policies did, as `POLICY_COUNTS`.
        audited: audit lines written.
        unaudited: audit lines that could not be written.
        loads: loads of facts.
        refused: requests that a full or slow queue turned away, by upstream.
    """

    requests: list[tuple[str, str, int, int]] = []
    decision: Histogram = msgspec.field(default_factory=lambda: Histogram([0] * (len(DECISION_BOUNDS) + 1)))
    whole: Histogram = msgspec.field(default_factory=lambda: Histogram([0] * (len(WHOLE_BOUNDS) + 1)))
    policy: list[int] = msgspec.field(default_factory=lambda: [0] * len(POLICY_COUNTS))
    audited: int = 0
    unaudited: int = 0
    loads: int = 0
    refused: dict[str, int] = {}


def total(parts: Iterable[Counted]) -> Counted:
    """Returns the sum."""
    whole = Counted()
    requests: Counter[tuple[str, str, int]] = Counter()
    refused: Counter[str] = Counter()
    for part in parts:
        for verdict, reason, status, count in part.requests:
            requests[verdict, reason, status] += count
        refused.update(part.refused)
        whole.decision = _both(whole.decision, part.decision)
        whole.whole = _both(whole.whole, part.whole)
        whole.policy = added(whole.policy, part.policy)
        whole.audited += part.audited
        whole.unaudited += part.unaudited
        whole.loads += part.loads
    whole.requests = [(*key, count) for key, count in sorted(requests.items())]
    whole.refused = dict(refused)
    return whole


def added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Returns the sums of two rows of counts."""
    return list(map(add, one, other))


def _both(one: Histogram, other: Histogram) -> Histogram:
    return Histogram(added(one.counts, other.counts), one.total + other.total)
