"""Processes: started, waited for until they answer, stopped by their own ids, the last one first.

Rules:

1. A child stands in a process group of its own: Ctrl-C reaches the demo alone, which stops the others in order.
2. Whoever does not stop when asked is ended after a while, with what it started.
3. A child that ends by itself is a failure of the whole, told with the last lines it wrote.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
STOP_TIME: Final = 8.0
"""Seconds a child gets to stop when asked."""
READY_TIME: Final = 60.0
"""Seconds a child gets until it answers."""
PAUSE: Final = 0.05
"""Seconds between two looks at a child."""
_TAIL: Final = 5


class ProcessError(Exception):
    """A child did not start, did not get ready or ended; the sentence says which and what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to start: its name in messages, command line, further variables, and the file that takes what it says."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path


class Child:
    """One running program."""

    def __init__(self, program: Program, pause: Callable[[], None]) -> None:
        """Starts it.

        Args:
            program: what to start.
            pause: called between two looks while it is waited for; may raise, to give up waiting.

        Raises:
            ProcessError: it cannot be started.
        """
        self._pause = pause
        self.name, self._log = program.name, program.log
        try:
            with program.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                    program.command,
                    env=os.environ | program.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProcessError(f"{program.name} cannot be started: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Does nothing while it runs.

        Raises:
            ProcessError: it has ended.
        """
        if self._has_ended():
            raise ProcessError(f"{self.name} ended{self._last_words()}")

    def wait_until(self, ready: Callable[[], bool], time_limit: float = READY_TIME) -> None:
        """Waits until `ready`.

        Raises:
            ProcessError: it ended, or was not ready in time.
        """
        end = time.monotonic() + time_limit
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise ProcessError(
                    f"{self.name} did not answer within {time_limit:.0f} s{self._last_words()}"
                )
            self._pause()
        self.check()

    def stop(self) -> None:
        """Asks it to stop and waits; ends it and what it started if it does not (rule 2)."""
        end = time.monotonic() + STOP_TIME
        if not self._has_ended():
            self._process.terminate()
        while not self._has_ended() and time.monotonic() < end:
            time.sleep(PAUSE)
        if self._process.returncode is None:  # not yet reaped, so that the id is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _has_ended(self) -> bool:
        """Tells whether it has ended; where the system can, without giving up its id."""
        if not hasattr(os, "waitid") or self._process.returncode is not None:
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text("utf-8", "replace").split("\n")
            said = "\n".join(line for line in lines if line.strip())[-2000:].split("\n")[-_TAIL:]
            return f"; it said in {self._log}:\n  " + "\n  ".join(said)
        return ""


class Children:
    """The programs that run together; leaving the `with` block stops them all, the last one first."""

    def __init__(self, pause: Callable[[], None]) -> None:
        """Begins with none; `pause` is called between two looks while one is waited for."""
        self._running: list[Child] = []
        self._pause = pause

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            self._running.pop().stop()

    def start(self, program: Program) -> Child:
        """Starts one more.

        Raises:
            ProcessError: it cannot be started.
        """
        child = Child(program, self._pause)
        self._running.append(child)
        return child

    def check(self) -> None:
        """Does nothing while all run.

        Raises:
            ProcessError: one has ended (rule 3).
        """
        for child in self._running:
            child.check()


def free_port() -> int:
    """Returns a port of loopback that nobody listens on."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def is_free(port: int) -> bool:
    """Tells whether a server may listen on this port of loopback."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError:
        return False
    return True


def has_address(address: str) -> bool:
    """Tells whether this machine has an address, so that `curl --interface` can come from it."""
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return True


def answers(port: int, path: str, status: int) -> bool:
    """Tells whether a server on loopback answers a GET with this status."""
    connection = HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
