"""Running gateways for tests: a folder with settings, policies and a store, and `mediagate serve` as a real process."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests

from models.store import Store
from policy_folders import policies_in

COMMAND = (str(Path(sys.executable).with_name("mediagate")),)


def free_port() -> int:
    """Returns a port of the loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs.

    Attributes:
        folder: holds mediagate.toml, policies/, mediagate.db, audit.jsonl and log.
        url: where it listens, without a path.
        pid: its main process.
    """

    folder: Path
    url: str
    pid: int

    @property
    def audit(self) -> Path:
        """The file of audit lines."""
        return self.folder / "audit.jsonl"

    @property
    def management(self) -> str:
        """Where its management listener is, without a path."""
        found = re.search(r"management: listening at (\S+)", self.log)
        assert found, self.log
        return found[1]

    @property
    def log(self) -> str:
        """What the processes said so far."""
        return (self.folder / "log").read_text()


def prepare(folder: Path, toml: str, *, routes: str, store: str | None = None) -> Store:
    """Writes a gateway's folder with the shipped policies and one route map, and opens its new store.

    Args:
        folder: where to write; it must exist.
        toml: settings beside the store and the audit.
        routes: the route map's text.
        store: the store's url; None for SQLite in the folder.
    """
    url = store or f"sqlite:///{folder}/mediagate.db"
    policies_in(folder, routes)
    (folder / "mediagate.toml").write_text(
        f'{toml}\n[store]\nurl = "{url}"\n[policies]\nfolder = "policies"\n[audit]\npath = "audit.jsonl"\n'
    )
    Store.upgrade(url)
    return Store.open(url)


@contextmanager
def running(folder: Path, *options: str, patience: float = 20.0, management: str = "0") -> Iterator[Gateway]:
    """Runs `mediagate serve` in a prepared folder until the block ends; it must then stop by itself on SIGTERM.

    Its management listener takes the port `management`, by default a free one; that of its settings if empty.
    """
    port = free_port()
    command = (*COMMAND, "--config", str(folder / "mediagate.toml"), "serve", "--port", str(port), *options)
    with (folder / "log").open("w") as log:
        environ = os.environ | ({"MEDIAGATE_MANAGEMENT__PORT": management} if management else {})
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environ)
    gateway = Gateway(folder, f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait(gateway, process, patience)
        yield gateway
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def following(folder: Path, *command: str) -> Iterator[IO[str]]:
    """Runs a command that does not end by itself until the block ends, and yields what it says."""
    whole = (*COMMAND, "--config", str(folder / "mediagate.toml"), *command)
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stdout
        try:
            yield process.stdout
        finally:
            process.terminate()


def _wait(gateway: Gateway, process: "subprocess.Popen[bytes]", patience: float) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {process.returncode}:\n{gateway.log}")
        try:
            if requests.get(f"{gateway.url}/-/readyz", timeout=2).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise RuntimeError(f"the gateway was not ready after {patience} s:\n{gateway.log}")
