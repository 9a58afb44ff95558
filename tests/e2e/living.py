"""A running gateway whose policies change, for tests: its folder, its commands, what it tells, and which processes serve."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from gateways import COMMAND, Gateway, prepare

ROUTES = "upstream: recorder\nroutes:\n  - GET /open: {anonymous: true}\n"
MORE = ROUTES + "  - GET /more: {anonymous: true}\n"
TOML = '[upstreams.recorder]\nurl = "URL"\n'
FAST = 'trial_cpu = "4s"\npoll_interval = "0.5s"\n'


@dataclass
class Home:
    """A running gateway and its policies folder."""

    gateway: Gateway

    @property
    def policies(self) -> Path:
        """The folder that is edited."""
        return self.gateway.folder / "policies"

    @property
    def state(self) -> dict[str, object]:
        """What readiness tells of policies, by reports of all workers that were written after this was asked."""
        asked = time.monotonic()
        while True:
            told = requests.get(f"{self.gateway.management}/readyz", timeout=5).json()
            if all(each["age"] < time.monotonic() - asked - 0.01 for each in told["workers"]):
                found: dict[str, object] = told["policy"]
                return found
            time.sleep(0.05)

    @property
    def problems(self) -> str:
        """Why the folder is refused; empty if it is not."""
        refused = self.state["refused"]
        return "\n".join(refused["problems"]) if isinstance(refused, dict) else ""

    def status(self, path: str) -> int:
        """Returns how a request is answered."""
        return requests.get(self.gateway.url + path, timeout=5).status_code

    def write(self, name: str, content: str | bytes) -> None:
        """Saves a file as most editors do: aside, then renamed."""
        aside = self.policies / f"{name}~"
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        aside.replace(self.policies / name)

    def run(self, *args: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command with the gateway's settings, and more of them from the environment."""
        command = (*COMMAND, "--config", str(self.gateway.folder / "mediagate.toml"), *args)
        env = {**os.environ, **(environ or {})}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)

    @property
    def workers(self) -> set[int]:
        """The processes that the main one has started; one that is started anew has another number."""
        tasks = Path(f"/proc/{self.gateway.pid}/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}


def eventually(condition: Callable[[], object], patience: float = 20.0) -> None:
    """Waits until something holds."""
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def furnish(folder: Path, url: str) -> None:
    """Writes a gateway's folder."""
    prepare(folder, TOML.replace("URL", url), routes=ROUTES).close()
    toml = folder / "mediagate.toml"
    toml.write_text(toml.read_text().replace('folder = "policies"\n', f'folder = "policies"\n{FAST}'))


def spread(home: Home, path: str, status: int) -> bool:
    """Tells whether so many requests on connections of their own are all answered alike that both workers must have been asked."""
    return all(home.status(path) == status for _ in range(12))
