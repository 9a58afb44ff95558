"""The table of metrics, and what is made of a view."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.management.board import View
from gateway.management.counted import Counted, Histogram
from gateway.management.metrics import CATALOGUE, Exposition
from gateway.management.tally import DECISION_BOUNDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_document_lists_every_metric() -> None:
    """The rows of docs/metrics.md are the catalogue: name, kind, labels, sentence."""
    rows = re.findall(
        r"^\| `(mediagate_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    labels = [", ".join(f"`{label}`" for label in each.labels) or "none" for each in CATALOGUE]
    assert rows == [(m.name, m.kind, names, m.says) for m, names in zip(CATALOGUE, labels, strict=True)]


def test_buckets_are_cumulative_and_a_start_without_workers_is_told() -> None:
    """Prometheus' buckets count all below a bound; before a worker has reported the counts are zero, not missing."""
    counted = Counted(
        requests=[("undecided", "undecided", 0, 2)],
        decision=Histogram([1, 2, *[0] * (len(DECISION_BOUNDS) - 2), 4], 9.5),
    )
    kind, text = Exposition(lambda: View((), counted, 0, 0, 0, stopping=False)).text("")
    families = text_string_to_metric_families(text.decode())
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }

    assert kind.startswith("text/plain")
    buckets = [values["mediagate_decision_seconds_bucket", str(bound)] for bound in DECISION_BOUNDS]
    assert buckets == [1, *[3] * (len(DECISION_BOUNDS) - 1)]
    assert values["mediagate_decision_seconds_bucket", "+Inf"] == 7
    assert values["mediagate_decision_seconds_count",] == 7
    assert values["mediagate_decision_seconds_sum",] == 9.5
    assert values["mediagate_requests_total", "undecided", "none", "undecided"] == 2
    assert values["mediagate_worker_restarts_total",] == values["mediagate_workers", "ready"] == 0
