"""What a worker counts on the request path: plain integers, so that a request pays less than a microsecond.

Rules:

1. Nothing here locks, waits or calls a metrics library: one event loop counts, a report copies.
2. Labels are closed sets: verdicts, the table's reasons and the policy's own, status classes. Should policies name ever new
   reasons, what comes after the bound is counted as `other`.
"""

from bisect import bisect_left
from typing import Final

from gateway.audit import AuditLine
from gateway.reasons import Reason

DECISION_BOUNDS: Final = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0)
"""Upper bounds, in seconds, of the buckets for the time from a request's arrival to its verdict."""
WHOLE_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0)
"""Upper bounds, in seconds, of the buckets for the time from a request's arrival to the last byte of its answer."""
MAX_OUTCOMES: Final = 1_000
"""Combinations of verdict, reason and status class that are told apart."""
UNDECIDED: Final = "undecided"
"""The verdict on a request that ended before there was one."""
OTHER: Final = "other"


class Timing:
    """A histogram of seconds.

    Attributes:
        counts: observations in each bucket (not cumulative); the last one is beyond all bounds.
        bounds: upper bounds in the unit of observations.
        sum: of all observations, in their unit.
    """

    __slots__ = ("_units", "bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...], units: int) -> None:
        """Takes bounds in seconds, and how many units of observations make a second."""
        self._units = units
        self.bounds = [round(bound * units) for bound in bounds]
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0

    @property
    def total(self) -> float:
        """The sum of all observations, in seconds."""
        return self.sum / self._units


class Tally:
    """What one worker has counted since it started.

    Attributes:
        requests: ended requests by verdict, reason and first digit of the status (0: no answer was begun).
        decision: from arrival to verdict.
        whole: from arrival to the end of the answer.
    """

    __slots__ = ("decision", "requests", "whole")

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], int] = {}
        self.decision = Timing(DECISION_BOUNDS, 1_000_000)
        self.whole = Timing(WHOLE_BOUNDS, 1_000_000_000)

    def ended(self, line: AuditLine | None, failure: Reason | None, status: int, whole_ns: int) -> None:
        """Counts a request that is over.

        Args:
            line: its verdict; None if there was none.
            failure: what went wrong after the verdict; it is the reason then.
            status: what the client was told; 0 if nothing.
            whole_ns: nanoseconds from its arrival to its end.
        """
        if line is None:
            key = (UNDECIDED, failure.value if failure else UNDECIDED, status // 100)
        else:
            key = (line.verdict, line.reason if failure is None else failure.value, status // 100)
            timing, taken = self.decision, line.latency_us
            timing.counts[bisect_left(timing.bounds, taken)] += 1  # here, since a call costs as much
            timing.sum += taken
        timing = self.whole
        timing.counts[bisect_left(timing.bounds, whole_ns)] += 1
        timing.sum += whole_ns
        requests = self.requests
        try:
            requests[key] += 1
        except KeyError:
            if len(requests) >= MAX_OUTCOMES:
                key = (key[0], OTHER, key[2])
            requests[key] = requests.get(key, 0) + 1
