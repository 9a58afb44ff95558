"""A running gateway whose policies folder is edited: what is good goes live between two requests, what is not changes nothing."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from gateways import COMMAND, Gateway, following, prepare, running
from recorder import recording

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

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs a command with the gateway's settings."""
        command = (*COMMAND, "--config", str(self.gateway.folder / "mediagate.toml"), *args)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


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


@pytest.fixture(name="home")
def running_home(tmp_path: Path) -> Iterator[Home]:
    """A gateway with two workers."""
    with recording() as backend:
        furnish(tmp_path, backend.url)
        with running(tmp_path, "--workers", "2") as gateway:
            yield Home(gateway)


@pytest.fixture(name="hardy", scope="module")
def hardy_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A gateway with one worker that outlives every hostile file."""
    folder = tmp_path_factory.mktemp("hardy")
    with recording() as backend:
        furnish(folder, backend.url)
        with running(folder) as gateway:
            yield Home(gateway)


def spread(home: Home, path: str, status: int) -> bool:
    """Tells whether so many requests on connections of their own are all answered alike that both workers must have been asked."""
    return all(home.status(path) == status for _ in range(12))


def test_a_good_save_goes_live_in_every_worker(home: Home) -> None:
    """A row that is added serves without a restart, everywhere, and status and history tell of it."""
    before = home.state["live"]
    assert home.status("/more") == 401

    home.write("routes/test.yaml", MORE)
    eventually(lambda: spread(home, "/more", 200))

    live = home.state["live"]
    assert live != before
    rows = json.loads(home.run("--json", "policy", "history").stdout)
    assert [row["digest"] for row in rows] == [live, before]
    told = json.loads(home.run("--json", "policy", "status").stdout)
    assert (told["live"], told["folder"], told["problems"]) == (live, live, [])
    assert not list((home.gateway.folder / ".mediagate-policies").glob("trying-*"))


def test_a_bad_save_changes_nothing_and_is_told(home: Home) -> None:
    """The last good bundle serves on; readiness, log, and status name file and line; mending the file clears it."""
    good = (home.policies / "gates.polar").read_text()
    live = home.state["live"]
    home.write("gates.polar", good + "gate(")

    eventually(lambda: "gates.polar" in home.problems)
    assert home.state["live"] == live
    assert spread(home, "/open", 200)
    told = home.run("policy", "status")
    assert told.returncode == 1
    assert "gates.polar" in told.stdout
    assert "is refused" in home.gateway.log
    home.write("gates.polar", good)
    eventually(lambda: not home.problems and home.state["live"] == live)


def test_a_scenario_that_fails_keeps_a_bundle_out(home: Home) -> None:
    """A policy that loads, but lets in whom a scenario refuses, never decides."""
    permits = home.policies / "permits.polar"
    everybody = '\npermit(subject, _action, _resource, _request, "everybody") if subject.is_signed_in();\n'
    home.write("permits.polar", permits.read_text() + everybody)

    eventually(lambda: "allowed as everybody" in home.problems)
    assert spread(home, "/open", 200)


def test_each_save_is_one_line_of_status(home: Home) -> None:
    """`policy status --follow` prints what is live, a refused save with its reason, and the next good one."""
    with following(home.gateway.folder, "policy", "status", "--follow") as said:
        assert said.readline().endswith("live\n")
        home.write("routes/test.yaml", "upstream: nowhere\nroutes:\n  - GET /open: {anonymous: true}\n")
        assert "refused: routes/test.yaml:1: " in said.readline()
        home.write("routes/test.yaml", MORE)
        assert said.readline().endswith("live\n")


def test_going_back_writes_the_folder(home: Home) -> None:
    """`policy diff` shows what a save changed, `policy rollback` undoes it: folder and live policy are the old ones again."""
    before = str(home.state["live"])
    home.write("routes/test.yaml", MORE)
    (home.policies / "routes" / "extra.yaml").write_text(MORE.replace("/open", "/a").replace("/more", "/b"))
    eventually(lambda: home.status("/more") == 200)

    differs = home.run("policy", "diff", before[:8])
    assert differs.returncode == 1
    assert "+  - GET /more: {anonymous: true}" in differs.stdout
    assert home.run("policy", "rollback", before[:8]).returncode == 0
    eventually(lambda: spread(home, "/more", 401))
    assert home.state["live"] == before
    assert (home.policies / "routes" / "test.yaml").read_text() == ROUTES
    assert home.run("policy", "diff", before).returncode == 0


ENDLESS = b"""
permit(s, a, r, q, "endless") if endless(s, a, r, q);
endless(s, a, r, q) if endless(s, a, r, q);
"""
HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "invalid UTF-8": ("0.polar", b"# \xff\xfe\n", "0.polar: not UTF-8"),
    "10 MB": ("0.polar", b"#" * 10_000_000, "0.polar: larger than"),
    "100,000 brackets": (
        "0.polar",
        b"a(x) if x = " + b"[" * 100_000 + b"]" * 100_000 + b";\n",
        "0.polar:1: more than",
    ),
    "brackets behind a mark in a text": (
        "0.polar",
        b'a(x) if x = ["#", ' + b"[" * 100_000 + b"]" * 100_000 + b"];\n",
        "",
    ),
    "650 KB of and": ("0.polar", b"a(x) if x" + b" and x" * 108_000 + b";\n", "more than"),
    "a text that takes long to read": (
        "scenarios/long.yaml",
        b"says: [" + b"a, " * 300_000 + b"]",
        "policies.trial_cpu",
    ),
    "a rule without end": ("permits.polar", b"", "scenarios"),
    "text without end": ("permits.polar", b'permit(s, a, r, q, "endless', "permits.polar:1"),
    "a map of 100,000 brackets": ("routes/test.yaml", b"[" * 100_000, "routes/test.yaml"),
}


@pytest.mark.parametrize(("name", "content", "says"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_named_and_nothing_else_happens(
    hardy: Home, name: str, content: bytes, says: str
) -> None:
    """What could end or stall a process is refused with a clear message, while requests are served by the same worker."""
    live, path = hardy.state["live"], hardy.policies / name
    good = path.read_bytes() if path.exists() else None
    hardy.write(name, content or (good or b"") + ENDLESS)

    eventually(lambda: hardy.problems, 40)
    assert says in hardy.problems
    assert hardy.state["live"] == live
    assert spread(hardy, "/open", 200)
    assert "respawn" not in hardy.gateway.log.lower()
    if good is None:
        path.unlink()
    else:
        hardy.write(name, good)
    eventually(lambda: not hardy.problems)
    assert hardy.state["live"] == live


def test_a_file_that_cannot_be_read_as_one_is_named(hardy: Home) -> None:
    """A pipe in the folder, which would be read for ever, is refused, and a dangling link too."""
    os.mkfifo(hardy.policies / "0.polar")
    (hardy.policies / "1.polar").symlink_to("nowhere")

    eventually(lambda: "0.polar: not a plain file" in hardy.problems)
    eventually(lambda: "1.polar: cannot be read" in hardy.problems)
    (hardy.policies / "0.polar").unlink()
    (hardy.policies / "1.polar").unlink()
    eventually(lambda: not hardy.problems)


def test_ten_edits_in_a_second_end_with_the_last(home: Home) -> None:
    """Many saves in a row, good and bad, end with the last one live and nothing half-loaded between."""
    seen: set[int] = set()
    over = threading.Event()

    def asking() -> None:
        while not over.is_set():
            seen.add(home.status("/open"))

    asker = threading.Thread(target=asking)
    asker.start()
    for number in range(9):
        home.write("routes/test.yaml", MORE[: -number or None])
        time.sleep(0.1)
    home.write("routes/test.yaml", MORE)
    eventually(lambda: spread(home, "/more", 200))
    over.set()
    asker.join()

    assert seen == {200}
    eventually(lambda: not home.problems)


def test_a_folder_that_is_deleted_and_comes_back(home: Home) -> None:
    """Without a folder the last good bundle serves; a folder that is made anew is followed again."""
    aside = home.gateway.folder / "aside"
    shutil.copytree(home.policies, aside)
    shutil.rmtree(home.policies)

    eventually(lambda: "no such folder" in home.problems)
    assert spread(home, "/open", 200)
    aside.rename(home.policies)
    eventually(lambda: not home.problems)
    home.write("routes/test.yaml", MORE)
    eventually(lambda: spread(home, "/more", 200))


def test_symbolic_links_are_swapped_as_a_cluster_does(tmp_path: Path) -> None:
    """A folder of links to `..data`, which is itself a link that is replaced, is followed; rolling back there is refused."""
    with recording() as backend:
        furnish(tmp_path, backend.url)
        policies = tmp_path / "policies"
        policies.rename(tmp_path / "first")
        shutil.copytree(tmp_path / "first", tmp_path / "second")
        (tmp_path / "second" / "routes" / "test.yaml").write_text(MORE)
        policies.mkdir()
        (policies / "..data").symlink_to("../first")
        for path in (tmp_path / "first").iterdir():
            (policies / path.name).symlink_to(f"..data/{path.name}")
        with running(tmp_path) as gateway:
            home = Home(gateway)
            before = str(home.state["live"])
            (policies / "..data_tmp").symlink_to("../second")
            (policies / "..data_tmp").rename(policies / "..data")
            eventually(lambda: home.status("/more") == 200)
            back = home.run("policy", "rollback", before)

    assert back.returncode == 3
    assert "symbolic link" in back.stderr


def test_a_start_with_a_broken_folder_serves_what_was_good(tmp_path: Path) -> None:
    """The last good bundle serves and says so; if it is too old, nothing starts and the problems are told."""
    with recording() as backend:
        furnish(tmp_path, backend.url)
        with running(tmp_path) as gateway:
            live = Home(gateway).state["live"]
        (tmp_path / "policies" / "gates.polar").write_text("gate(")
        with running(tmp_path) as gateway:
            home = Home(gateway)
            assert home.state["live"] == live
            assert "gates" in home.problems
            assert home.status("/open") == 200
        old = time.time() - 8 * 86_400
        os.utime(tmp_path / ".mediagate-policies" / "seen", (old, old))
        history = tmp_path / ".mediagate-policies" / "history.jsonl"
        history.write_text(json.dumps({"digest": live, "at": old}) + "\n")
        with pytest.raises(RuntimeError, match="gates"), running(tmp_path):
            pass
