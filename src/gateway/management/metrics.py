"""What is known of the workers, as Prometheus reads it. `docs/metrics.md` carries the same table; a test compares the two.

Rules:

1. Labels come from closed sets: no user, object, address or path ever is one.
2. Counters count from the start of the main process and never fall; gauges of several workers are added, or say how not.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway.management.board import View
from gateway.management.counted import POLICY_COUNTS, Histogram
from gateway.management.tally import DECISION_BOUNDS, WHOLE_BOUNDS

Values = Sequence[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `counter`, `gauge` or `histogram`; its name, what it says, and its labels."""

    kind: str
    name: str
    says: str
    labels: tuple[str, ...] = ()


CATALOGUE: Final = (
    Metric("counter", "mediagate_requests_total", "requests that ended, by verdict (`allowed`, `refused`, `undecided`), reason, and class of the status (`none`: no answer was begun)", ("verdict", "reason", "status")),
    Metric("histogram", "mediagate_decision_seconds", "time from a request's arrival to its verdict"),
    Metric("histogram", "mediagate_request_seconds", "time from a request's arrival to the end of its answer"),
    Metric("counter", "mediagate_policy_walked_total", "questions answered by the decision tree"),
    Metric("counter", "mediagate_policy_learned_total", "paths that strict Oso decided and the tree learned"),
    Metric("counter", "mediagate_policy_checked_total", "walks that strict Oso decided again"),
    Metric("counter", "mediagate_policy_faults_total", "trees that were wrong and dropped: an alarm"),
    Metric("counter", "mediagate_policy_bounded_total", "questions refused because a bound was met"),
    Metric("gauge", "mediagate_bundle_info", "1 for each digest that decides in a worker", ("digest",)),
    Metric("gauge", "mediagate_bundle_refused", "1 while the policies folder is refused, so that an older bundle decides"),
    Metric("counter", "mediagate_bundles_live_total", "bundles that went live while the gateway ran"),
    Metric("counter", "mediagate_bundles_refused_total", "bundles that were refused"),
    Metric("gauge", "mediagate_facts_records", "facts at hand in all workers"),
    Metric("counter", "mediagate_facts_loads_total", "loads of facts from the store, polls of its log included"),
    Metric("gauge", "mediagate_facts_age_seconds", "time since the last good look at the store, of the worker that is furthest behind"),
    Metric("gauge", "mediagate_facts_revision", "revision of the facts, of the worker that is furthest behind"),
    Metric("gauge", "mediagate_upstream_open", "connections in use, idle or being made", ("upstream",)),
    Metric("gauge", "mediagate_upstream_idle", "connections that are open and unused", ("upstream",)),
    Metric("gauge", "mediagate_upstream_waiting", "requests that wait for a connection", ("upstream",)),
    Metric("counter", "mediagate_upstream_refused_total", "requests that found the queue full or waited in it too long", ("upstream",)),
    Metric("counter", "mediagate_audit_lines_total", "audit lines, `written` or `failed`", ("result",)),
    Metric("gauge", "mediagate_workers", "worker processes that are `starting`, `ready`, `not ready` or `stuck`", ("state",)),
    Metric("counter", "mediagate_worker_restarts_total", "workers that ended by themselves and were replaced"),
)  # fmt: skip
"""All metrics, in the order in which they are exported."""
_FAMILIES: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
_STATES: Final = ("starting", "ready", "not ready", "stuck")


class Exposition(Collector):
    """Tells what a view of the workers says, in the format that the reader asks for."""

    def __init__(self, look: Callable[[], View]) -> None:
        """Takes what returns the workers as they are now."""
        self._look = look
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self, accept: str) -> tuple[str, bytes]:
        """Returns media type and content for an `Accept` header: OpenMetrics, or Prometheus' own text."""
        encode, kind = choose_encoder(accept)
        return kind, encode(self._registry)

    def collect(self) -> Iterable[Family]:
        """Yields each metric with its values."""
        view = self._look()
        histograms = {
            "mediagate_decision_seconds": _buckets(view.counted.decision, DECISION_BOUNDS),
            "mediagate_request_seconds": _buckets(view.counted.whole, WHOLE_BOUNDS),
        }
        values = {**_counters(view), **_gauges(view)}
        for metric in CATALOGUE:
            if metric.kind == "histogram":
                buckets, total = histograms[metric.name]
                yield HistogramMetricFamily(metric.name, metric.says, buckets, total)
                continue
            family = _FAMILIES[metric.kind](metric.name, metric.says, labels=metric.labels)
            for labels, value in values[metric.name]:
                family.add_metric(labels, value)
            yield family


def _counters(view: View) -> Mapping[str, Values]:
    counted = view.counted
    requests = [
        ((verdict, reason, f"{status}xx" if status else "none"), count)
        for verdict, reason, status, count in counted.requests
    ]
    policy = {
        f"mediagate_policy_{name}_total": _one(count)
        for name, count in zip(POLICY_COUNTS, counted.policy, strict=True)
    }
    return {
        "mediagate_requests_total": requests,
        **policy,
        "mediagate_bundles_live_total": _one(view.loads),
        "mediagate_bundles_refused_total": _one(view.refusals),
        "mediagate_facts_loads_total": _one(counted.loads),
        "mediagate_upstream_refused_total": [((name,), count) for name, count in counted.refused.items()],
        "mediagate_audit_lines_total": [(("written",), counted.audited), (("failed",), counted.unaudited)],
        "mediagate_worker_restarts_total": _one(view.restarts),
    }


def _gauges(view: View) -> Mapping[str, Values]:
    policies = [report.policy for report in view.reports if report.policy]
    facts = [report.facts for report in view.reports if report.facts]
    states = Counter(member.state for member in view.members)
    opened: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for report in view.reports:
        for name, pool in report.pools.items():
            opened[name] += pool.open
            idle[name] += pool.idle
            waiting[name] += pool.waiting
    return {
        "mediagate_bundle_info": [((digest,), 1) for digest in sorted({each["live"] for each in policies})],
        "mediagate_bundle_refused": _one(any(each["refused"] for each in policies)),
        "mediagate_facts_records": _one(sum(each.records for each in facts)),
        "mediagate_facts_age_seconds": _one(max((each.age for each in facts), default=0)),
        "mediagate_facts_revision": _one(view.revision),
        "mediagate_upstream_open": _by_name(opened),
        "mediagate_upstream_idle": _by_name(idle),
        "mediagate_upstream_waiting": _by_name(waiting),
        "mediagate_workers": [((state,), states[state]) for state in _STATES],
    }


def _one(value: float) -> Values:
    return [((), float(value))]


def _by_name(counts: Counter[str]) -> Values:
    return [((name,), count) for name, count in counts.items()]


def _buckets(histogram: Histogram, bounds: tuple[float, ...]) -> tuple[list[tuple[str, float]], float]:
    """Returns the cumulative buckets that Prometheus wants, and the sum."""
    names: Iterator[str] = iter([*map(str, bounds), "+Inf"])
    return list(zip(names, accumulate(histogram.counts), strict=True)), histogram.total
