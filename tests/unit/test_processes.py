"""Workers that are real processes: replaced when they die, given up when they cannot start, told to stop, and killed.

Most of it is shown three times: of a main process without threads, whose workers are forked; of one that has some before, whose workers
are spawned; and of one that starts some after its first workers, as a gateway does.
"""

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

class Beside:
    def start(self):
        note(f"threads.{len(workers.processes())}")
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    def let_go(self):
        note("let_go")

def work():
    note("forked" if __name__ == "__main__" else "spawned")
    if sys.argv[2] == "careless":
        note("begun")
        time.sleep(60)
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
    what, number, patience, threads = sys.argv[2], int(sys.argv[4]), float(sys.argv[5]), sys.argv[6]
    workers = Workers(number, fail if what == "fails" else work, patience)
    if threads == "before":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    code = workers.run(Beside() if threads == "after" else None)
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
    folder: Path,
    what: str = "works",
    *,
    number: int = 2,
    patience: float = 20.0,
    calm: float = CALM,
    threads: str = "none",
) -> Iterator[Running]:
    """Runs workers until the block ends; `threads` is when the main process starts some: `none`, `before` its workers or `after`."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    command = (
        sys.executable,
        str(program),
        str(folder),
        what,
        str(calm),
        str(number),
        str(patience),
        threads,
    )
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        found = Running(folder, process)
        try:
            yield found
        finally:
            process.kill()
            for pid in found.living():
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["none", "before", "after"])
def threads(request: pytest.FixtureRequest) -> str:
    """When the main process starts threads."""
    when: str = request.param
    return when


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_workers_end(tmp_path: Path, threads: str, number: int) -> None:
    """Each worker hears of it and ends by itself; the code is 0."""
    with running(tmp_path, threads=threads) as main:
        before = main.begins(2)
        main.process.send_signal(number)

        assert main.ends() == 0
        assert main.noted("ended") == before
        assert [file.name.partition("-")[0] for file in tmp_path.glob("code*")] == ["code.0.0.True"]


def test_the_second_signal_kills(tmp_path: Path, threads: str) -> None:
    """Workers that do not end are not waited for once somebody insists."""
    with running(tmp_path, "deaf", threads=threads) as main:
        main.begins(2)
        main.process.send_signal(signal.SIGTERM)
        eventually(lambda: len(main.noted("told")) == 2)
        assert main.process.poll() is None
        main.process.send_signal(signal.SIGINT)

        assert main.ends() == 0
        assert main.noted("ended") == []


def test_two_signals_at_once_are_two(tmp_path: Path, threads: str) -> None:
    """None is lost while another is handled."""
    with running(tmp_path, "deaf", threads=threads) as main:
        main.begins(2)
        main.process.send_signal(signal.SIGSTOP)
        main.process.send_signal(signal.SIGTERM)
        main.process.send_signal(signal.SIGINT)
        main.process.send_signal(signal.SIGCONT)

        assert main.ends() == 0


def test_patience_ends(tmp_path: Path, threads: str) -> None:
    """Workers that do not end by themselves are killed after the time for it."""
    with running(tmp_path, "deaf", patience=0.5, threads=threads) as main:
        main.begins(2)
        begun = time.monotonic()
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0
        assert 0.5 <= time.monotonic() - begun < 10
        assert main.noted("ended") == []


def test_a_worker_that_dies_is_replaced(tmp_path: Path, threads: str) -> None:
    """Killed or ended, one that had served for a while is replaced by one more, and the others go on."""
    with running(tmp_path, threads=threads) as main:
        first, second = main.begins(2)
        time.sleep(CALM)
        os.kill(first, signal.SIGKILL)
        third = next(pid for pid in main.begins(3) if pid != second)
        time.sleep(CALM)
        os.kill(third, signal.SIGTERM)
        assert second in main.begins(4)
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0


def test_a_start_that_fails_is_given_up(tmp_path: Path, threads: str) -> None:
    """A worker that ends right after its start, and again in its place, ends everything with code 1, however often it would be tried."""
    with running(tmp_path, "fails", calm=20.0, threads=threads) as main:
        assert main.ends() == 1
        assert len(main.noted("begun")) <= 4


def test_a_worker_that_cannot_start_takes_the_others_along(tmp_path: Path, threads: str) -> None:
    """One that is killed at once is replaced; killed again within its start it is a start that failed: those that run are not left behind."""
    with running(tmp_path, calm=20.0, threads=threads) as main:
        first, second = main.begins(2)
        os.kill(first, signal.SIGKILL)
        (third,) = set(main.begins(3)) - {second}
        os.kill(third, signal.SIGKILL)

        assert main.ends() == 1


def test_a_worker_that_dies_while_others_stop_is_not_replaced(tmp_path: Path, threads: str) -> None:
    """Told to stop, the gateway starts nothing any more."""
    with running(tmp_path, "deaf", threads=threads) as main:
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


def test_a_signal_during_the_start_is_not_lost(tmp_path: Path, threads: str) -> None:
    """Told to stop before its workers serve, the gateway still ends with code 0."""
    with running(tmp_path, calm=20.0, threads=threads) as main:
        eventually(lambda: main.process.poll() is None and len(main.noted("begun")) >= 1)
        main.process.send_signal(signal.SIGTERM)

        assert main.ends() == 0


def test_workers_are_forked_while_the_main_process_has_one_thread(tmp_path: Path) -> None:
    """The first workers are forked, then threads start; a worker in the place of another is spawned, without the locks of those."""
    with running(tmp_path, threads="after") as main:
        first, second = main.begins(2)
        assert main.noted("forked") == main.noted("let_go") == [first, second]
        assert main.noted("threads.2") == [main.process.pid]
        time.sleep(CALM)
        os.kill(first, signal.SIGKILL)
        (third,) = set(main.begins(3)) - {second}

        assert main.noted("spawned") == [third]
        assert main.noted("let_go") == [first, second]


def test_a_main_process_with_threads_forks_nothing(tmp_path: Path) -> None:
    """Where threads are there first, all workers are spawned."""
    with running(tmp_path, threads="before") as main:
        assert main.begins(2) == main.noted("spawned")
        assert main.noted("forked") == []


def test_a_signal_to_a_worker_is_not_one_to_the_main_process(tmp_path: Path, threads: str) -> None:
    """A worker that is told to stop ends alone and is replaced, however it was started; nobody takes that for the end of all."""
    with running(tmp_path, threads=threads) as main:
        first, second = main.begins(2)
        time.sleep(CALM)
        os.kill(first, signal.SIGTERM)

        assert second in main.begins(3)
        assert main.noted("ended") == [first]
        assert main.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_forked_worker_has_no_handler_of_the_main_process(tmp_path: Path, number: int) -> None:
    """A signal that a worker has not yet made its own ends it; that of the main process would let it pass."""
    with running(tmp_path, "careless", number=1, calm=20.0) as main:
        (worker,) = main.begins(1)
        os.kill(worker, number)

        eventually(lambda: is_over(worker))
        assert main.noted("forked") != []
        assert main.process.poll() is None
