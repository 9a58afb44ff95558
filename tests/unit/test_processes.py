"""Workers that are real processes: replaced when they die, given up when they cannot start, told to stop, and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from e2e.processes import is_over

PROGRAM: Final = """
import os, signal, sys, threading, time
from pathlib import Path
import gateway.processes
from gateway.processes import Workers

FOLDER = Path(sys.argv[1])

def note(what):
    (FOLDER / f"{what}-{os.getpid()}").touch()

def work():
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note("begun")
    while not told.wait(0.02):
        pass
    note("told")
    if sys.argv[2] == "deaf":
        time.sleep(60)
    note("ended")

def fail():
    note("begun")
    sys.exit(7)

if __name__ == "__main__":
    gateway.processes.CALM = float(sys.argv[3])
    what, number, patience = sys.argv[2], int(sys.argv[4]), float(sys.argv[5])
    workers = Workers(number, fail if what == "fails" else work, patience)
    threading.Thread(target=time.sleep, args=(0.1,)).start()
    code = workers.run()
    note(f"code.{code}.{len(workers.processes())}.{workers.told}")
    sys.exit(code)
"""
CALM: Final = 0.3
"""Seconds of a start, in these tests."""


class Running:
    """A main process with workers, which write down what happens to them in a folder."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder, self.process = folder, process

    def noted(self, what: str) -> list[int]:
        """The processes that wrote something down."""
        return sorted(int(file.name.rpartition("-")[2]) for file in self.folder.glob(f"{what}-*"))

    def living(self) -> list[int]:
        """Workers that have begun and have not ended."""
        return [pid for pid in self.noted("begun") if not is_over(pid)]

    def begins(self, count: int) -> list[int]:
        """Waits until so many workers have begun altogether; returns those that live."""
        eventually(lambda: len(self.noted("begun")) >= count)
        return self.living()

    def ends(self) -> int:
        """Waits for the end of the main process; returns its code. No worker may outlive it."""
        code = self.process.wait(20)
        assert self.living() == []
        return code


def eventually(condition: Callable[[], object]) -> None:
    """Waits until something holds."""
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


@contextmanager
def running(
    folder: Path, what: str = "works", *, number: int = 2, patience: float = 20.0, calm: float = CALM
) -> Iterator[Running]:
    """Runs workers until the block ends."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    command = (sys.executable, str(program), str(folder), what, str(calm), str(number), str(patience))
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        found = Running(folder, process)
        try:
            yield found
        finally:
            process.kill()
            for pid in found.living():
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_workers_end(tmp_path: Path, number: int) -> None:
    """Each worker hears of it and ends by itself; the code is 0."""
    with running(tmp_path) as main:
        before = main.begins(2)
        main.process.send_signal(number)

        assert main.ends() == 0
        assert main.noted("ended") == before
        assert [file.name.partition("-")[0] for file in tmp_path.glob("code*")] == ["code.0.0.True"]


def test_the_second_signal_kills(tmp_path: Path) -> None:
    """Workers that do not end are not waited for once somebody insists."""
    with running(tmp_path, "deaf") as main:
        main.begins(2)
        main.process.send_signal(signal.SIGTERM)
        eventually(lambda: len(main.noted("told")) == 2)
        assert main.process.poll() is None
        main.process.send_signal(signal.SIGINT)

        assert main.ends() == 0
        assert main.noted("ended") == []


def test_two_signals_at_once_are_two(tmp_path: Path) -> None:
    """None is lost while another is handled."""
    with running(tmp_path, "deaf") as main:
        main.begins(2)
        main.process.send_signal(signal.SIGSTOP)
        main.process.send_signal(signal.SIGTERM)
        main.process.send_signal(signal.SIGINT)
        main.process.send_signal(signal.SIGCONT)

        assert main.ends() == 0


def test_patience_ends(tmp_path: Path) -> None:
    """Workers that do not end by themselves are killed after the time for it."""
    with running(tmp_path, "deaf", patience=0.5) as main:
        main.begins(2)
        begun = time.monotonic()
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0
        assert 0.5 <= time.monotonic() - begun < 10
        assert main.noted("ended") == []


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    """Killed or ended, one that had served for a while is replaced by one more, and the others go on."""
    with running(tmp_path) as main:
        first, second = main.begins(2)
        time.sleep(CALM)
        os.kill(first, signal.SIGKILL)
        third = next(pid for pid in main.begins(3) if pid != second)
        time.sleep(CALM)
        os.kill(third, signal.SIGTERM)
        assert second in main.begins(4)
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0


def test_a_start_that_fails_is_given_up(tmp_path: Path) -> None:
    """A worker that ends right after its start, and again in its place, ends everything with code 1, however often it would be tried."""
    with running(tmp_path, "fails", calm=20.0) as main:
        assert main.ends() == 1
        assert len(main.noted("begun")) <= 4


def test_a_worker_that_cannot_start_takes_the_others_along(tmp_path: Path) -> None:
    """One that is killed at once is replaced; killed again within its start it is a start that failed: those that run are not left behind."""
    with running(tmp_path, calm=20.0) as main:
        first, second = main.begins(2)
        os.kill(first, signal.SIGKILL)
        (third,) = set(main.begins(3)) - {second}
        os.kill(third, signal.SIGKILL)

        assert main.ends() == 1


def test_a_worker_that_dies_while_others_stop_is_not_replaced(tmp_path: Path) -> None:
    """Told to stop, the gateway starts nothing any more."""
    with running(tmp_path, "deaf") as main:
        first, second = main.begins(2)
        time.sleep(CALM)
        main.process.send_signal(signal.SIGTERM)
        eventually(lambda: len(main.noted("told")) == 2)
        os.kill(first, signal.SIGKILL)
        time.sleep(CALM)
        assert main.living() == [second]
        os.kill(second, signal.SIGKILL)

        assert main.ends() == 0
        assert len(main.noted("begun")) == 2


def test_a_signal_during_the_start_is_not_lost(tmp_path: Path) -> None:
    """Told to stop before its workers serve, the gateway still ends with code 0."""
    with running(tmp_path, calm=20.0) as main:
        eventually(lambda: main.process.poll() is None and len(main.noted("begun")) >= 1)
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0
