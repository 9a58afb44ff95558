"""The listener itself: how many it serves, for how long, and what it leaves behind."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.behind import eventually
from e2e.raw import Line, line
from gateway.errors import SettingsError
from gateway.management import listener as listening
from gateway.management.report import FOLDER_VARIABLE
from gateway.settings.sections import ManagementSection


@pytest.fixture(name="url")
def running_listener(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """A listener of a gateway without workers, with room for three clients, each for half a second."""
    monkeypatch.setattr(listening, "MAX_CLIENTS", 3)
    monkeypatch.setattr(listening, "MAX_TIME", 0.5)
    monkeypatch.setattr("os.environ", dict(os.environ))
    caplog.set_level("INFO", "gateway.management")
    with listening.managed(ManagementSection(port=0), list, lambda: False) as listener:
        assert listener
        listener.start()
        yield caplog.messages[-1].split()[-1]


def test_it_answers_get_and_head_and_nothing_else(url: str) -> None:
    """Liveness without workers is fine, readiness is not; other pages are 404, other methods 501; no version is told."""
    for method, target, status in (
        ("GET", "/livez", 200), ("HEAD", "/livez", 200), ("GET", "/readyz", 503), ("HEAD", "/metrics", 200),
        ("GET", "/", 404), ("GET", "/livez/", 404), ("POST", "/livez", 501),
    ):  # fmt: skip
        with line(url) as client:
            answer = client.ask(method, target)
            assert (answer.status, "ython" in answer.value("server")) == (status, False), (method, target)


def test_slow_clients_are_cut_and_make_room(url: str) -> None:
    """Clients beyond the room are closed unanswered; those that dribble are cut after their time, and others get in."""
    with ExitStack() as stack:
        slow: list[Line] = []
        for _ in range(3):
            slow.append(stack.enter_context(line(url)))
            slow[-1].send(b"GET /livez HTTP/1.1\r\n")
        with line(url) as beyond:
            assert beyond.is_over()
        assert [client.rest().startswith(b"HTTP/1.0 200") for client in slow] == [False] * 3
    assert eventually(lambda: answers(url))


def answers(url: str) -> bool:
    """Tells whether there is room."""
    with line(url) as client:
        try:
            return client.ask("GET", "/livez").status == 200
        except (EOFError, ConnectionError):
            return False


def test_reports_go_to_a_private_folder_that_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this user may enter the folder of which workers are told; with the listener it goes away."""
    monkeypatch.setattr("os.environ", dict(os.environ))
    with listening.managed(ManagementSection(port=0), list, lambda: False):
        folder = Path(os.environ[FOLDER_VARIABLE])
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_switched_off_workers_are_told_of_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the surroundings name is not used."""
    monkeypatch.setattr("os.environ", os.environ | {FOLDER_VARIABLE: "/tmp"})
    with listening.managed(ManagementSection(enabled=False), list, lambda: False) as listener:
        assert listener is None
        assert FOLDER_VARIABLE not in os.environ


def test_a_port_that_is_taken_is_one_sentence() -> None:
    """Where another program listens the start ends with what to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = ManagementSection(port=port)
        with pytest.raises(SettingsError) as caught, listening.managed(settings, list, lambda: False):
            pass

    assert caught.value.problems[0].startswith(
        f"management: cannot listen on 127.0.0.1 port {port}: address "
    )
