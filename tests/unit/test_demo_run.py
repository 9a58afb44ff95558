"""Tests of gateway.demo.run: one run at a time, ports, signals; whole runs are in tests/e2e/test_demo.py."""

import fcntl
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.folder import DemoFolder
from gateway.demo.processes import free_port
from gateway.demo.run import DemoError, Signals, StoppedError, found, running

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Hears signals for the length of a test."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield Signals()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    """A folder that is made and not in use."""
    made = DemoFolder(tmp_path / "demo")
    made.make()
    return made


@pytest.fixture
def taken(folder: DemoFolder) -> Iterator[DemoFolder]:
    """A folder that another run uses."""
    with folder.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def begin(folder: DemoFolder, port: int, signals: Signals) -> None:
    """Begins a run that cannot come far."""
    with running(folder, port, lambda _: None, signals):
        pytest.fail("the demo must not have started")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_heard_at_the_next_pause(signals: Signals, number: signal.Signals) -> None:
    """A signal does not strike at once; it ends the next pause, and again the next."""
    signals.pause()
    os.kill(os.getpid(), number)

    for _ in range(2):
        with pytest.raises(StoppedError):
            signals.pause()


def test_a_taken_port_is_told(folder: DemoFolder, signals: Signals) -> None:
    """The sentence says which port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(DemoError, match=f"port {port} is taken: .* `--port`"):
            begin(folder, port, signals)


def test_a_taken_folder_is_told(taken: DemoFolder, signals: Signals) -> None:
    """Two runs in one folder would take each other's store and secrets."""
    with pytest.raises(DemoError, match=r"runs in .* already: .* `--folder`"):
        begin(taken, free_port(), signals)


@pytest.mark.parametrize("name", ["a?b", "${u}", "a\nb"])
def test_a_path_with_two_readings_is_told(tmp_path: Path, signals: Signals, name: str) -> None:
    """A sign that a service would take for something else is refused before anything is made."""
    with pytest.raises(DemoError, match="meaning of its own"):
        begin(DemoFolder(tmp_path / name), free_port(), signals)
    assert list(tmp_path.iterdir()) == []


def test_missing_media_are_told(
    folder: DemoFolder, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ffmpeg could not do ends the run before anything is started."""
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")

    with pytest.raises(DemoError, match="ffmpeg failed"):
        begin(folder, free_port(), signals)
    assert not folder.running.exists()


def test_a_signal_while_preparing_starts_nothing(folder: DemoFolder, signals: Signals) -> None:
    """Whoever stops early has nothing running afterwards."""
    os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(StoppedError):
        begin(folder, free_port(), signals)
    assert list(folder.log("x").parent.iterdir()) == []


def test_no_run_is_found_where_none_is(tmp_path: Path, folder: DemoFolder, signals: Signals) -> None:
    """Neither in a folder that does not exist nor in one that a run left behind."""
    folder.running.write_text(json.dumps({"url": "http://127.0.0.1:1"}), "utf-8")

    assert found(DemoFolder(tmp_path / "none"), signals) is None
    assert found(folder, signals) is None


def test_a_run_is_found_where_one_is(taken: DemoFolder, signals: Signals) -> None:
    """The run of another process says where its gateway is."""
    taken.running.write_text(json.dumps({"url": "http://127.0.0.1:1"}), "utf-8")

    there = found(taken, signals)

    assert there
    assert there.url == "http://127.0.0.1:1"


def test_waiting_for_a_run_that_begins_may_be_stopped(taken: DemoFolder, signals: Signals) -> None:
    """A run that has not yet said where it is is waited for until a signal comes."""
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        with pytest.raises(StoppedError):
            found(taken, signals)
    finally:
        signal.signal(signal.SIGALRM, before)
