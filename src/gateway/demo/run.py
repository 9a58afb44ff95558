"""One run of the demo: prepare, start, say where it is, and in the end stop everything, whatever happened.

Rules:

1. One run at a time uses a folder; the lock that says so goes with the process, however it ends.
2. A signal to stop is heard at the next safe point, never in the middle of starting a process; a second one changes nothing.
"""

import fcntl
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

from gateway.demo import asset_api, copyparty, facts, media, processes
from gateway.demo.folder import DemoFolder, Ports
from gateway.demo.lines import NO_SECOND_ADDRESS, SECOND_ADDRESS
from gateway.demo.processes import LOOPBACK, Children, Program, answers, free_port, has_address, is_free
from models.store import Store

Say = Callable[[str], None]

_MAIN: Final = "from gateway.cli import main; main()"
_OK, _FORBIDDEN = 200, 403
_TAKEN_SIGNS: Final = frozenset("?$\r\n")
"""What ends the path in a store's URL, or names something else in copyparty's settings."""


class DemoError(Exception):
    """The demo cannot run; the sentence says why and what to do."""


class StoppedError(Exception):
    """A signal asked to stop."""


class Signals:
    """Hears SIGINT, SIGTERM and, when the terminal is closed, SIGHUP (rule 2)."""

    def __init__(self) -> None:
        """Begins to hear."""
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True

    def pause(self) -> None:
        """Waits a moment.

        Raises:
            StoppedError: a signal asked to stop.
        """
        self.check()
        time.sleep(processes.PAUSE)
        self.check()

    def check(self) -> None:
        """Does nothing unless a signal asked to stop.

        Raises:
            StoppedError: it did.
        """
        if self._asked:
            raise StoppedError


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that runs.

    Attributes:
        url: of the gateway.
        check: raises ProcessError if a part of it has ended; does nothing for a run of another process.
    """

    url: str
    check: Callable[[], None]


@contextmanager
def running(folder: DemoFolder, port: int, say: Say, signals: Signals) -> Iterator[Running]:
    """Prepares the folder, starts all processes and yields when the gateway answers; stops them at the end.

    Args:
        folder: the demo's folder.
        port: of the gateway; 0 takes a free one.
        say: gets one line for each step.
        signals: where to hear of the wish to stop.

    Raises:
        DemoError: the folder or port is taken, or the media cannot be made.
        ProcessError: a process failed.
        StoppedError: a signal asked to stop.
        StoreError: the store cannot be used.
    """
    if _TAKEN_SIGNS & set(str(folder.path)):
        raise DemoError(
            f"`{folder.path}` has a sign that has a meaning of its own to a service: name another `--folder`"
        )
    folder.make()
    with _claimed(folder), Children(signals.pause) as children:
        if port and not is_free(port):
            raise DemoError(f"port {port} is taken: stop what listens there, or name another with `--port`")
        ports = Ports(port or free_port(), free_port(), free_port())
        _prepare(folder, ports, say)
        signals.check()
        _start(folder, ports, children, say)
        url = f"http://{LOOPBACK}:{ports.gateway}"
        folder.running.write_text(json.dumps({"url": url}), "utf-8")
        try:
            yield Running(url, children.check)
        finally:
            folder.running.unlink(missing_ok=True)
            say("stopping")


def found(folder: DemoFolder, signals: Signals) -> Running | None:
    """Returns the demo that another process runs in this folder, once it answers; None if there is none.

    Raises:
        StoppedError: a signal asked to stop.
    """
    while folder.path.is_dir() and _is_claimed(folder):
        with suppress(FileNotFoundError, ValueError):
            url = json.loads(folder.running.read_text("utf-8"))["url"]
            return Running(url, lambda: None)
        signals.pause()
    return None


def _prepare(folder: DemoFolder, ports: Ports, say: Say) -> None:
    if not has_address(SECOND_ADDRESS):
        say(NO_SECOND_ADDRESS)
    say("making media: a test pattern with a tone as MP4, HLS and MP3")
    try:
        made = media.make_media(folder.media)
    except media.MediaError as error:
        raise DemoError(str(error)) from error
    say("preparing policies, route maps, folders and assets")
    folder.copy_policies()
    folder.fill(made)
    folder.write_settings(ports)
    say("preparing the store: people, groups, collections and grants")
    Store.upgrade(folder.store)
    with opened(folder) as store:
        facts.put_cast(store)


def _start(folder: DemoFolder, ports: Ports, children: Children, say: Say) -> None:
    say("starting the asset API")
    command = [sys.executable, "-m", asset_api.__name__, str(folder.path), str(ports.assets)]
    secret = {asset_api.SECRET_FILE: str(folder.secret("assets"))}
    assets = children.start(Program("the asset API", command, secret, folder.log("assets")))
    say("starting copyparty")
    places = folder.copyparty
    program = Program(
        "copyparty", copyparty.command(places), copyparty.environment(places), folder.log("copyparty")
    )
    files = children.start(program)
    assets.wait_until(lambda: answers(ports.assets, "/", _FORBIDDEN))
    files.wait_until(lambda: answers(ports.copyparty, "/.cpr/w/ui.css", _OK))
    say("starting the gateway")
    command = [sys.executable, "-c", _MAIN, "--config", str(folder.settings), "serve"]
    gateway = children.start(Program("the gateway", command, {}, folder.log("gateway")))
    gateway.wait_until(lambda: answers(ports.gateway, "/-/readyz", _OK))


@contextmanager
def opened(folder: DemoFolder) -> Iterator[Store]:
    """Opens the demo's store for the length of a block.

    Raises:
        StoreError: it cannot be used.
    """
    store = Store.open(folder.store)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _claimed(folder: DemoFolder) -> Iterator[None]:
    with folder.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"a demo runs in `{folder.path}` already: stop it, or name another `--folder`"
            ) from None
        folder.running.unlink(missing_ok=True)
        yield


def _is_claimed(folder: DemoFolder) -> bool:
    with folder.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
