"""The demo from end to end, as a newcomer runs it: a process, real services, real curl."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.demo.folder import DemoFolder

MAIN = "from gateway.cli import main; main()"
TIME_LIMIT = 120

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="the demo's lines are for curl: install it"
)


def command(*arguments: str) -> list[str]:
    """Returns the command line of a demo."""
    return [sys.executable, "-c", MAIN, "demo", *arguments]


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a check to its end."""
    return subprocess.run(
        command("--check", "--folder", str(folder), *arguments),
        capture_output=True, text=True, timeout=TIME_LIMIT, check=False,
    )  # fmt: skip


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Runs a demo on a free port until it has printed its lines; ends it at the latest with the block."""
    arguments = command("--folder", str(folder), "--port", "0", "--json")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            first = process.stdout.readline()
            assert first == "{\n", process.stderr and process.stderr.read()
            yield process
        finally:
            process.terminate()


def processes_of(folder: Path) -> dict[int, str]:
    """Returns the processes that run in or for a folder, by id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line:
                found[int(entry.name)] = (
                    line.split(b"\0\0")[0].replace(b"\0", b" ").decode("utf-8", "replace")[:200]
                )
    return found


def gone(folder: Path) -> bool:
    """Tells whether nothing runs for the folder any more, waiting a moment for what is just ending."""
    end = time.monotonic() + 5
    while processes_of(folder) and time.monotonic() < end:
        time.sleep(0.05)
    return not processes_of(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demos of these tests run, one after the other."""
    return tmp_path_factory.mktemp("e2e") / "demo"


def test_all_lines_agree(folder: Path) -> None:
    """The check starts a demo, runs every printed line with curl, finds all as promised and leaves nothing running."""
    said = check(folder)

    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count(" agrees\n") >= 25
    assert "DIFFERS" not in said.stdout
    assert gone(folder), processes_of(folder)


def test_they_agree_again_and_as_json(folder: Path) -> None:
    """A second run in the same folder finds the same; with `--json` nothing but one document is printed, without tokens."""
    said = check(folder, "--json")
    told = json.loads(said.stdout)

    assert said.returncode == 0
    assert told["agree"]
    assert "mg_" not in said.stdout


def test_a_running_demo_is_checked_where_it_runs(folder: Path) -> None:
    """A check uses the demo that runs, and leaves it running with the tokens that it printed."""
    with demo(folder) as running:
        said = check(folder)

        assert said.returncode == 0, said.stdout
        assert "checking the demo that runs at http://127.0.0.1:" in said.stdout
        assert running.poll() is None
        assert "starting" not in said.stdout


def test_a_difference_is_exit_code_1(folder: Path) -> None:
    """A policy that was edited to refuse more where no scenario looks is seen: what differs is shown with its command."""
    place = DemoFolder(folder)
    place.make()
    place.copy_policies()
    gates = place.policies / "gates.polar"
    before = gates.read_text("utf-8")
    narrower = '(subject.is_active() and not request.from_network("127.0.0.0/8"))'
    gates.write_text(before.replace("subject.is_active()", narrower), "utf-8")
    assert gates.read_text("utf-8") != before
    try:
        said = check(folder)
    finally:
        gates.write_text(before, "utf-8")

    assert said.returncode == 1
    assert "DIFFERS" in said.stdout
    assert "line 3: expected 200" in said.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything(folder: Path, number: signal.Signals) -> None:
    """Ctrl-C, being asked to end, or a closed terminal is exit code 0 and leaves no process."""
    with demo(folder) as running:
        assert len(processes_of(folder)) >= 4
        running.send_signal(number)

        assert running.wait(TIME_LIMIT) == 0
        assert gone(folder), processes_of(folder)


def test_an_early_ctrl_c_stops_everything(tmp_path: Path) -> None:
    """While it still prepares or starts, Ctrl-C does the same."""
    with subprocess.Popen(
        command("--folder", str(tmp_path / "demo"), "--port", "0"), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)

        assert process.wait(TIME_LIMIT) == 0
        assert gone(tmp_path), processes_of(tmp_path)


@pytest.mark.parametrize("part", ["gateway.demo.asset_api", "copyparty", "serve"])
def test_a_part_that_ends_is_told(folder: Path, part: str) -> None:
    """If a service or the gateway ends by itself, that is told, everything stops, and the exit code is 3."""
    with demo(folder) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text("utf-8").split()
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0") for pid in children}
        os.kill(next(pid for pid, words in lines.items() if part in words), signal.SIGKILL)

        assert running.wait(TIME_LIMIT) == 3
        assert running.stderr
        assert " ended" in running.stderr.read()
        assert gone(folder), processes_of(folder)


def test_it_opens_nothing_to_other_machines(folder: Path) -> None:
    """Every port of the demo is one of loopback."""
    with demo(folder):
        sockets = {
            str(link.readlink())
            for pid in processes_of(folder)
            for link in Path(f"/proc/{pid}/fd").iterdir()
            if link.is_symlink()
        }  # fmt: skip
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6", "udp", "udp6")
            for line in Path(f"/proc/net/{table}").read_text("utf-8").splitlines()[1:]
            if f"socket:[{line.split()[9]}]" in sockets and line.split()[2].endswith(":0000")
        ]

    assert len(listening) == 4  # demo, gateway, its management, file manager
    assert all(address.startswith("0100007F:") for address in listening)
