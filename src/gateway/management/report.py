"""What a worker writes down of itself at every beat of its event loop, for the main process to read.

Rules:

1. The beat is on the loop that serves: a loop that is stuck writes nothing, and that is how it is found out.
2. A report is written aside and renamed, so that a reader never sees half of one. It holds counts, never who asked for what.
3. A report that cannot be written is logged once and harms no request; the worker then counts as stuck.
"""

import asyncio
import logging
import multiprocessing
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.management.counted import POLICY_COUNTS, Counted, Histogram, added
from gateway.policy import Policy
from gateway.worker import Worker

LOG = logging.getLogger(__name__)
FOLDER_VARIABLE: Final = "_MEDIAGATE_REPORTS"
"""Environment variable by which the main process tells workers where reports go; no setting, hence the underscore."""
BEAT: Final = 0.5
"""Seconds between reports."""


class Connections(msgspec.Struct):
    """The connections to one upstream: open (in use, idle or being made), idle, and requests waiting for one."""

    open: int
    idle: int
    waiting: int


class Facts(msgspec.Struct):
    """The facts at hand: how many records, the age in seconds of the last good look at the store, and the revision."""

    records: int
    age: float
    revision: int


class Report(msgspec.Struct):
    """One worker at one moment.

    Attributes:
        pid: its process.
        beat: when, on the machine's monotonic clock.
        ready: whether it may decide; false until it has started and once it stops.
        counted: what it has counted.
        facts: the facts at hand; None until it has started.
        pools: its connections by upstream.
        policy: what is live and what was refused (`Watcher.state`); None until it has started.
    """

    pid: int
    beat: float
    ready: bool = False
    counted: Counted = msgspec.field(default_factory=Counted)
    facts: Facts | None = None
    pools: dict[str, Connections] = {}
    policy: dict[str, Any] | None = None


class Reporter:
    """Writes the reports of one worker.

    Attributes:
        started: whether the worker has; set by whoever starts it.
        stopping: whether it is about to stop, or has.
    """

    def __init__(self, worker: Worker, folder: Path) -> None:
        """Takes the worker, which need not have started, and the folder of all reports."""
        self._worker, self._folder = worker, folder
        self._policy: Policy | None = None
        self._before = [0] * len(POLICY_COUNTS)
        self._failing = False
        self.started = self.stopping = False

    @property
    def path(self) -> Path:
        """Where the report stands."""
        return self._folder / f"{os.getpid()}.json"

    async def run(self) -> None:
        """Reports at every beat until it is cancelled."""
        while True:
            self.write()
            await asyncio.sleep(BEAT)

    def write(self) -> None:
        """Writes one report."""
        aside = self.path.with_suffix(".new")
        try:
            aside.write_bytes(msgspec.json.encode(self.report()))
            aside.replace(self.path)
        except OSError as error:
            if not self._failing:
                LOG.error("the report of this worker cannot be written: %s", error)  # noqa: TRY400
            self._failing = True
        else:
            self._failing = False

    def close(self) -> None:
        """Writes the last report, or takes all away if the main process, whose business that is, is gone."""
        main = multiprocessing.parent_process()
        if main is not None and not main.is_alive():
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            self.write()

    def report(self) -> Report:
        """Returns what is so now."""
        worker, now = self._worker, time.monotonic()
        if not self.started:
            return Report(os.getpid(), now)
        facts = worker.facts
        return Report(
            pid=os.getpid(),
            beat=now,
            ready=facts.is_fresh and not self.stopping,
            counted=self._counted(),
            facts=Facts(facts.held, facts.age, facts.revision),
            pools={
                name: Connections(upstream.pool.open, upstream.pool.idle, upstream.pool.waiting)
                for name, upstream in worker.upstreams.items()
            },
            policy=worker.policies.state,
        )

    def _counted(self) -> Counted:
        worker, tally = self._worker, self._worker.tally
        return Counted(
            requests=[(*key, count) for key, count in tally.requests.items()],
            decision=Histogram(tally.decision.counts, tally.decision.total),
            whole=Histogram(tally.whole.counts, tally.whole.total),
            policy=self._policy_counts(worker.bundle.policy),
            audited=worker.audit.written,
            unaudited=worker.audit.failed,
            loads=worker.facts.loads,
            refused={name: upstream.pool.refused for name, upstream in worker.upstreams.items()},
        )

    def _policy_counts(self, policy: Policy) -> list[int]:
        """Adds what earlier bundles counted, so that a reload sets nothing back."""
        if self._policy is not None and policy is not self._policy:
            self._before = added(self._before, astuple(self._policy.counts))
        self._policy = policy
        return added(self._before, astuple(policy.counts))


@asynccontextmanager
async def reporting(worker: Worker) -> AsyncIterator[Reporter | None]:
    """Reports on the worker until the block ends; yields None if nobody reads reports."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        yield None
        return
    reporter = Reporter(worker, Path(folder))
    beating = asyncio.create_task(reporter.run())
    try:
        yield reporter
    finally:
        beating.cancel()
        reporter.close()
