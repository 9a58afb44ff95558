"""Tests of gateway.demo.command: its sentences and exit codes; whole runs are in tests/e2e/test_demo.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from gateway.cli import main; main()"


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line."""
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_says_what_it_does() -> None:
    """The help names the options and shows how they are used."""
    said = call("demo", "--help")

    assert said.returncode == 0
    assert all(name in said.stdout for name in ("--folder", "--port", "--check", "mediagate demo --check"))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 3, and what to do, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        said = call("demo", "--folder", str(tmp_path / "demo"), "--port", port)

    assert (said.returncode, said.stdout) == (3, "")
    assert (
        said.stderr
        == f"mediagate: port {port} is taken: stop what listens there, or name another with `--port`\n"
    )


def test_a_missing_curl_is_one_sentence(tmp_path: Path) -> None:
    """The lines are for curl; without it nothing is started."""
    said = call("demo", "--check", "--folder", str(tmp_path / "demo"), PATH=str(tmp_path))

    assert said.returncode == 3
    assert said.stderr.startswith("mediagate: `curl` is not on this machine")
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_wrong_use(tmp_path: Path, port: str) -> None:
    """Exit code 2 for what cannot be a port."""
    assert call("demo", "--folder", str(tmp_path / "demo"), "--port", port).returncode == 2


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A file in the way is a failure with its name."""
    (tmp_path / "demo").write_text("", "utf-8")
    said = call("demo", "--folder", str(tmp_path / "demo"))

    assert said.returncode == 3
    assert str(tmp_path / "demo") in said.stderr
    assert "Traceback" not in said.stderr
