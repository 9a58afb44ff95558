"""Tests of gateway.demo.processes: started, waited for and stopped, whatever they do."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.demo import processes
from gateway.demo.processes import Children, ProcessError, Program, answers, free_port, has_address, is_free

Make = Callable[[str], Program]


def pause() -> None:
    """Waits a moment, as the demo does between two looks."""
    time.sleep(0.01)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a program from a Python text."""
    return lambda text: Program(
        "a program", [sys.executable, "-c", text], {"GREETING": "hello"}, tmp_path / "log"
    )


def is_running(pid: int) -> bool:
    """Tells whether a process is there and not merely waiting to be reaped."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return said.stdout.strip()[:1] not in ("", "Z")


def test_what_is_started_gets_its_variables_and_its_log(make: Make, tmp_path: Path) -> None:
    """A program sees its further variables, and what it says goes to its file."""
    with Children(pause) as children:
        child = children.start(
            make("import os, time; print(os.environ['GREETING'], flush=True); time.sleep(60)")
        )
        child.wait_until(lambda: (tmp_path / "log").read_text("utf-8") == "hello\n")


def test_leaving_the_block_stops_all(make: Make) -> None:
    """Nothing that was started outlives the block, even if it ends with an error."""
    pids: list[int] = []

    def fail() -> None:
        with Children(pause) as children:
            pids.extend(children.start(make("import time; time.sleep(60)")).pid for _ in range(2))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert len(pids) == 2
    assert not any(is_running(pid) for pid in pids)


def test_what_ends_by_itself_is_told_with_its_last_words(make: Make) -> None:
    """The sentence names the program and what it said last."""
    with Children(pause) as children:
        child = children.start(make("print('no such file'); raise SystemExit(5)"))
        with pytest.raises(ProcessError, match=r"a program ended; it said in .*\n  no such file"):
            child.wait_until(lambda: False)
        with pytest.raises(ProcessError):
            children.check()


def test_what_never_gets_ready_is_told(make: Make) -> None:
    """Waiting has an end."""
    with Children(pause) as children:
        child = children.start(make("import time; time.sleep(60)"))
        children.check()
        with pytest.raises(ProcessError, match="did not answer within 0 s"):
            child.wait_until(lambda: False, time_limit=0.05)


def test_waiting_may_be_given_up(make: Make) -> None:
    """What `pause` raises ends the waiting."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Children(stop) as children:
        children.start(make("import time; time.sleep(60)")).wait_until(lambda: False)


def test_what_does_not_stop_is_ended_with_what_it_started(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is deaf to the request is killed, and its own child with it."""
    monkeypatch.setattr(processes, "STOP_TIME", 0.3)
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with Children(pause) as children:
        child = children.start(make(deaf))
        child.wait_until(lambda: (tmp_path / "log").read_text("utf-8").endswith("\n"))
        inner = int((tmp_path / "log").read_text("utf-8"))
        assert is_running(inner)

    assert not is_running(child.pid)
    while is_running(inner):  # what is killed needs a moment to be gone
        pause()


def test_a_child_is_not_reached_by_the_terminal(make: Make) -> None:
    """A child stands in a process group of its own, so that Ctrl-C is for the demo alone."""
    with Children(pause) as children:
        child = children.start(make("import time; time.sleep(60)"))

        assert os.getpgid(child.pid) == child.pid != os.getpgrp()


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    """What cannot be started is a sentence."""
    with Children(pause) as children, pytest.raises(ProcessError, match="cannot be started"):
        children.start(Program("a program", [str(tmp_path / "none")], {}, tmp_path / "log"))


def test_ports_are_free_or_taken() -> None:
    """A port that somebody listens on is not free, and one that was given out is."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_free(listener.getsockname()[1])
    assert is_free(free_port())


def test_what_does_not_answer_does_not_answer() -> None:
    """A port without a server is no error, only not ready."""
    assert not answers(free_port(), "/", 200)


def test_a_stopped_child_was_asked_first(make: Make, tmp_path: Path) -> None:
    """Whoever listens to the request gets the time to end in order."""
    polite = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)));"
        "print('ready', flush=True); time.sleep(60)"
    )
    with Children(pause) as children:
        children.start(make(polite)).wait_until(lambda: (tmp_path / "log").read_text("utf-8") == "ready\n")

    assert (tmp_path / "log").read_text("utf-8") == "ready\nbye\n"


def test_addresses_are_there_or_not() -> None:
    """Loopback is there; an address of the documentation's network is not."""
    assert has_address("127.0.0.1")
    assert not has_address("192.0.2.1")
