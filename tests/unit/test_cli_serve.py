"""`mediagate serve` up to the point where the server takes over, and `mediagate upgrade`."""

import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from commandline import CommandLine, initialised
from gateway.settings import Settings


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with an upstream."""
    mediagate = initialised(tmp_path)
    with (tmp_path / "mediagate.toml").open("a") as file:
        file.write('\n[upstreams.media]\nurl = "http://127.0.0.1:9000"\n')
    return mediagate


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collects the settings that would be served, and what a worker would read."""
    seen: list[Any] = []
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAGATE_")}
    monkeypatch.setattr("os.environ", clean)

    def serve(settings: Settings) -> None:
        seen.extend([settings, Settings.load(environ=clean, serving=True)])

    monkeypatch.setattr("gateway.server.serve", serve)
    return seen


def test_options_win_and_reach_the_workers(mediagate: CommandLine, served: list[Any]) -> None:
    """What the command line says holds in the parent and in each worker process, wherever that one stands."""
    assert mediagate("serve", "--port", "0", "--workers", "2", "--host", "127.0.0.2").code == 0

    parent, worker = served
    assert (parent.server.port, parent.server.workers, parent.server.host) == (0, 2, "127.0.0.2")
    assert worker == parent


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--port", "70000"), "--port: server.port: must be less than or equal to 65535"),
        (("--workers", "0"), "--workers: server.workers: must be greater than or equal to 1"),
        (("--port", "9000"), "upstreams: `media` points at this gateway itself"),
    ],
)
def test_bad_options_are_named_as_typed(
    mediagate: CommandLine, served: list[Any], options: tuple[str, ...], said: str
) -> None:
    """Nothing is served with settings that contradict themselves."""
    assert said in mediagate.fails("serve", *options)
    assert served == []


def test_taken_port_and_foreign_address_are_named(mediagate: CommandLine, served: list[Any]) -> None:
    """Before the server starts, one sentence says that nobody can listen there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = mediagate.fails("serve", "--port", port)

    assert said == (
        f"cannot listen on 127.0.0.1 port {port}: address already in use: choose another with --host and --port"
    )
    assert "cannot listen on 192.0.2.1 port 8080" in mediagate.fails("serve", "--host", "192.0.2.1")
    assert served == []


def test_nothing_is_served_without_an_upstream(tmp_path: Path, served: list[Any]) -> None:
    """The folder that `init` makes says what is missing."""
    mediagate = initialised(tmp_path)

    assert "upstreams: there is none" in mediagate.fails("serve")
    assert served == []


def test_upgrade_makes_the_store_current(mediagate: CommandLine) -> None:
    """A store that has no schema gets one; one that has is left alone."""
    (mediagate.folder / "mediagate.db").unlink()

    assert mediagate.ok("upgrade") == "the store is up to date\n"
    assert mediagate.json("upgrade") == {"upgraded": True}
    assert mediagate.ok("user", "list").startswith("no users")


def test_store_of_another_version_says_what_to_run(mediagate: CommandLine) -> None:
    """Commands refuse a schema that they do not know."""
    with sqlite3.connect(mediagate.folder / "mediagate.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")

    assert "run `mediagate upgrade`" in mediagate.fails("user", "list")


def test_locked_store_is_a_failure_and_changes_nothing(mediagate: CommandLine) -> None:
    """While another program holds the file, a command gives up after the stated time."""
    text = (mediagate.folder / "mediagate.toml").read_text()
    (mediagate.folder / "mediagate.toml").write_text(
        text.replace("[store]", '[store]\nbusy_timeout = "100ms"')
    )
    holder = sqlite3.connect(mediagate.folder / "mediagate.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    assert "does not answer" in mediagate.fails("user", "add", "stan@example.org")
    holder.close()
    assert len(mediagate.json("user", "list")) == 1
