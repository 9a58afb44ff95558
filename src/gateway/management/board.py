"""What the main process knows of its workers: who lives, who is stuck, what all of them have counted.

Rules:

1. A worker is *stuck* if it has not reported for longer than the bound, counted from its start if it never did.
2. Alive means that no worker is stuck; one that died and is being replaced is not.
3. Ready means: not stopping, nobody stuck, at least one worker has started, and all that have may decide.
4. What a worker counted stays counted after its end: counters never fall. What it counted after its last report is lost.
5. Each worker loads and refuses every bundle for itself, so bundles are counted by whoever has seen most.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from gateway.management.counted import Counted, total
from gateway.management.report import Report
from gateway.processes import Process

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """A worker and how it fares.

    Attributes:
        process: which.
        age: seconds since its last report, or since its start if there was none.
        stuck: rule 1.
        report: the last one.
    """

    process: Process
    age: float
    stuck: bool
    report: Report | None

    @property
    def state(self) -> str:
        """`stuck`, `starting`, `ready` or `not ready`."""
        if self.stuck:
            return "stuck"
        if self.report is None or self.report.policy is None:
            return "starting"
        return "ready" if self.report.ready else "not ready"


@dataclass(frozen=True, slots=True)
class View:
    """All workers at one moment.

    Attributes:
        members: the workers that live.
        counted: what they and those before them counted.
        restarts: workers that ended and were replaced.
        loads: bundles that went live after a start.
        refusals: bundles that were refused.
        stopping: whether the gateway was told to stop.
    """

    members: tuple[Member, ...]
    counted: Counted
    restarts: int
    loads: int
    refusals: int
    stopping: bool

    @property
    def stuck(self) -> list[Member]:
        """The workers that do not answer; empty means alive (rule 2)."""
        return [member for member in self.members if member.stuck]

    @property
    def ready(self) -> bool:
        """Tells rule 3."""
        states = {member.state for member in self.members}
        return not self.stopping and "ready" in states and not states & {"stuck", "not ready"}

    @property
    def reports(self) -> list[Report]:
        """The reports of workers that have started."""
        return [member.report for member in self.members if member.report and member.report.policy]

    @property
    def policy(self) -> dict[str, Any] | None:
        """The policy state of a worker that refuses something, else of the first; None before one has started."""
        states = [report.policy for report in self.reports if report.policy]
        return next((state for state in states if state["refused"]), states[0] if states else None)

    @property
    def revision(self) -> int:
        """The revision of the facts of the worker that is furthest behind."""
        return min((report.facts.revision for report in self.reports if report.facts), default=0)


class _Rising:
    """The sum of all rises of the highest of several counters, any of which may begin again from zero."""

    def __init__(self) -> None:
        self.total = self._highest = 0

    def note(self, values: list[int]) -> int:
        highest = max(values, default=0)
        self.total += max(0, highest - self._highest)
        self._highest = highest
        return self.total


class Board:
    """All workers of one gateway; may be asked from any thread."""

    def __init__(
        self,
        folder: Path,
        processes: Callable[[], list[Process]],
        stopping: Callable[[], bool],
        stuck_after: float,
    ) -> None:
        """Takes where to look.

        Args:
            folder: holds the reports.
            processes: who ought to write them.
            stopping: tells whether the gateway was told to stop.
            stuck_after: seconds after which a silent worker is stuck.
        """
        self._folder, self._processes, self._stopping = folder, processes, stopping
        self._stuck_after = stuck_after
        self._lock = threading.Lock()
        self._pids: dict[int, int] = {}
        self._gone = Counted()
        self._restarts = 0
        self._loads, self._refusals = _Rising(), _Rising()

    def look(self) -> View:
        """Returns the workers as they are now; counts and logs those that were replaced since."""
        with self._lock:
            processes = self._processes()
            self._note_restarts(processes)
            living = [process for process in processes if _exists(process.pid)]
            self._keep_counts_of_the_dead({process.pid for process in living})
            members = tuple(map(self._member, living))
            policies = [member.report.policy for member in members if member.report and member.report.policy]
            return View(
                members=members,
                counted=total([self._gone, *(each.report.counted for each in members if each.report)]),
                restarts=self._restarts,
                loads=self._loads.note([policy["loads"] for policy in policies]),
                refusals=self._refusals.note([policy["refusals"] for policy in policies]),
                stopping=self._stopping(),
            )

    def _note_restarts(self, processes: list[Process]) -> None:
        for process in processes:
            before = self._pids.get(process.number)
            if before is not None and before != process.pid:
                self._restarts += 1
                said = "worker %d (process %d) ended by itself and was replaced by process %d"
                LOG.error(said, process.number, before, process.pid)
            self._pids[process.number] = process.pid

    def _keep_counts_of_the_dead(self, living: set[int]) -> None:
        for path in self._folder.glob("*.json"):
            pid = int(path.stem)
            if pid in living or _exists(pid):
                continue
            last = self._read(pid)
            if last is not None:
                self._gone = total([self._gone, last.counted])
            path.unlink(missing_ok=True)

    def _member(self, process: Process) -> Member:
        report = self._read(process.pid)
        if report is not None and report.beat < process.birth:  # of an earlier process with this number
            report = None
        age = time.monotonic() - (report.beat if report else process.birth)
        return Member(process, max(0.0, age), age > self._stuck_after, report)

    def _read(self, pid: int) -> Report | None:
        try:
            return msgspec.json.decode((self._folder / f"{pid}.json").read_bytes(), type=Report)
        except (OSError, msgspec.DecodeError):
            return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process has the number now
        return False
    return True
