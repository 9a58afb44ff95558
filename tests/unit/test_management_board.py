"""What the main process makes of the reports it finds."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.management.board import Board
from gateway.management.counted import Counted
from gateway.management.report import Facts, Report
from gateway.processes import Process

STUCK_AFTER = 5.0


def policy(loads: int = 0, refusals: int = 0, *, refused: bool = False) -> dict[str, Any]:
    """Returns a policy state."""
    return {"live": "d", "refused": {"problems": ["x"]} if refused else None, "loads": loads, "refusals": refusals}  # fmt: skip


class Scene:
    """A board over processes that do nothing, whose reports a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.told = False
        self.board = Board(folder, lambda: self.processes, lambda: self.told, STUCK_AFTER)
        self._children: list[subprocess.Popen[bytes]] = []

    def starts(self, number: int, ago: float = 1.0) -> int:
        """Starts a process as a worker; returns its id."""
        child = subprocess.Popen((sys.executable, "-S", "-c", "input()"), stdin=subprocess.PIPE)
        self._children.append(child)
        others = [each for each in self.processes if each.number != number]
        self.processes = [*others, Process(number, child.pid, time.monotonic() - ago)]
        return child.pid

    def ends(self, pid: int) -> None:
        """Ends a process."""
        for child in self._children:
            if child.pid == pid:
                child.kill()
                child.communicate()

    def writes(self, pid: int, *, ago: float = 0.0, requests: int = 0, **given: Any) -> None:
        """Writes a report."""
        counted = Counted(requests=[("allowed", "acl", 2, requests)])
        fields: dict[str, Any] = {"ready": True, "policy": policy(), "facts": Facts(1, 0.0, 7)} | given
        report = Report(pid, time.monotonic() - ago, counted=counted, **fields)
        (self.folder / f"{pid}.json").write_bytes(msgspec.json.encode(report))

    def close(self) -> None:
        """Ends all."""
        for child in self._children:
            self.ends(child.pid)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An empty board."""
    found = Scene(tmp_path)
    yield found
    found.close()


def test_a_silent_worker_is_stuck(scene: Scene) -> None:
    """One that last reported too long ago, or never did since its start, is stuck; one that has just begun is not."""
    fresh, silent, mute = scene.starts(1, 60), scene.starts(2, 60), scene.starts(3, 60)
    scene.starts(4)
    scene.writes(fresh)
    scene.writes(silent, ago=30)
    view = scene.board.look()

    assert [member.state for member in view.members] == ["ready", "stuck", "stuck", "starting"]
    assert [member.process.pid for member in view.stuck] == [silent, mute]
    assert not view.ready


@pytest.mark.parametrize(("reports", "ready"), [
    ([], False), ([True], True), ([True, None], True), ([None], False), ([True, False], False),
])  # fmt: skip
def test_ready_means_that_all_who_have_started_may_decide(
    scene: Scene, reports: list[bool | None], *, ready: bool
) -> None:
    """A worker that starts does not count, one that may not decide does; told to stop, nothing is ready."""
    for number, each in enumerate(reports, 1):
        pid = scene.starts(number)
        if each is not None:
            scene.writes(pid, ready=each)

    assert scene.board.look().ready is ready
    scene.told = True
    assert (scene.board.look().ready, scene.board.look().stopping) == (False, True)


def test_what_a_dead_worker_counted_stays(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """After its end and replacement the sum goes on from where it was; the replacement is counted once and logged."""
    first = scene.starts(1)
    scene.writes(first, requests=5)
    before = scene.board.look()
    scene.ends(first)
    between = scene.board.look()
    second = scene.starts(1)
    scene.writes(second, requests=2)
    after = [scene.board.look() for _ in range(3)][-1]

    assert [view.counted.requests[0][3] for view in (before, between, after)] == [5, 5, 7]
    assert [view.restarts for view in (before, between, after)] == [0, 0, 1]
    assert between.members == ()
    assert not (scene.folder / f"{first}.json").exists()
    assert f"worker 1 (process {first}) ended by itself and was replaced by process {second}" in caplog.text


def test_bundles_are_counted_once_for_all_workers(scene: Scene) -> None:
    """Whoever has seen most counts; a worker that begins again from zero sets nothing back."""
    one, other = scene.starts(1), scene.starts(2)
    seen = []
    for loads, refusals in (
        ((0, 0), (0, 1)),
        ((1, 0), (1, 1)),
        ((1, 1), (1, 1)),
        ((0, 0), (0, 0)),
        ((1, 0), (0, 0)),
    ):
        scene.writes(one, policy=policy(loads[0], refusals[0]))
        scene.writes(other, policy=policy(loads[1], refusals[1]))
        view = scene.board.look()
        seen.append((view.loads, view.refusals))

    assert seen == [(0, 1), (1, 1), (1, 1), (1, 1), (2, 1)]


def test_a_refusal_is_told_whoever_has_seen_it(scene: Scene) -> None:
    """The state that names problems is the one that is told; the revision is the lowest."""
    one, other = scene.starts(1), scene.starts(2)
    scene.writes(one, facts=Facts(1, 0.0, 9))
    scene.writes(other, policy=policy(refused=True))
    view = scene.board.look()

    assert view.policy == policy(refused=True)
    assert view.revision == 7


def test_rubbish_and_older_reports_are_none(scene: Scene) -> None:
    """A file that is no report, or one of an earlier process with the same number, counts for nothing."""
    broken, reused = scene.starts(1), scene.starts(2, 1)
    (scene.folder / f"{broken}.json").write_bytes(b"{")
    scene.writes(reused, ago=3)
    view = scene.board.look()

    assert [member.report for member in view.members] == [None, None]
    assert os.getpid() not in {member.process.pid for member in view.members}
