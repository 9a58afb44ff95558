"""The worker processes: started, replaced when they die, and ended.

Rules:

1. Workers are started by `spawn`, not by `fork`: the main process has threads, and a child must not inherit its listener.
2. A worker that dies is replaced at once. One in the place of another that dies within `CALM` seconds of its start ends everything with
   code 1, so that whoever supervises the gateway sees a start that fails as one.
3. The first signal (SIGTERM, SIGINT) tells the workers to stop; `patience` seconds later, or at the second signal, they are killed.
4. Signals are handled by the main thread alone, which waits for them and for the ends of workers at once: other threads block them
   (Linux hands a signal to any thread that does not).
"""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

LOG = logging.getLogger(__name__)
CALM: Final = 5.0
"""Seconds after which the end of a worker is no longer that of a start that fails (rule 2)."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

Body = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Process:
    """A worker process: its number from 1, its process id, and when it was started (monotonic)."""

    number: int
    pid: int
    birth: float


class Workers:
    """The workers of one gateway.

    Attributes:
        told: whether it was told to stop.
    """

    def __init__(self, number: int, body: Body, patience: float) -> None:
        """Takes what there is to run; `run` starts it.

        Args:
            number: of workers.
            body: what a worker does, a function of a module; it ends after SIGTERM.
            patience: seconds that workers get to end.
        """
        self._number, self._body, self._patience = number, body, patience
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[int, tuple[SpawnProcess, float]] = {}
        self._replaced: set[int] = set()
        self._kill_at: float | None = None
        self.told = False

    def run(self) -> int:
        """Runs until it was told to stop and all workers have ended; returns the code to exit with."""
        with _signals() as inbox:
            for number in range(1, self._number + 1):
                self._start(number)
            while self._running:
                sentinels = [process.sentinel for process, _ in self._running.values()]
                wait([*sentinels, inbox], self._remaining())
                self._hear(inbox)
                if not self._look():
                    self._end(signal.SIGKILL)
                    return 1
        return 0

    def processes(self) -> list[Process]:
        """Returns the workers that live."""
        return [
            Process(number, process.pid, birth)
            for number, (process, birth) in tuple(self._running.items())
            if process.pid is not None
        ]

    def _start(self, number: int) -> None:
        process = self._context.Process(target=self._body, name=f"worker-{number}")
        process.start()
        self._running[number] = (process, time.monotonic())
        LOG.info("worker %d: started with pid %s", number, process.pid)

    def _look(self) -> bool:
        """Replaces workers that ended; False if one ended that had just been started (rule 2)."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._end(signal.SIGKILL)
        for number, (process, birth) in tuple(self._running.items()):
            if process.is_alive():
                continue
            process.join()
            del self._running[number]
            if self.told:
                continue
            if number in self._replaced and time.monotonic() - birth < CALM:
                LOG.error("worker %d ended with code %s right after its start", number, process.exitcode)
                return False
            LOG.error("worker %d ended with code %s and is replaced", number, process.exitcode)
            self._replaced.add(number)
            self._start(number)
        return True

    def _hear(self, inbox: socket.socket) -> None:
        """Takes the signals that came (rule 3)."""
        try:
            came = inbox.recv(64)
        except BlockingIOError:
            return
        for number in came:
            if number in SIGNALS:
                self._stop()

    def _stop(self) -> None:
        if self.told:
            self._end(signal.SIGKILL)
            return
        self.told = True
        self._kill_at = time.monotonic() + self._patience
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        for process, _ in tuple(self._running.values()):
            if number is signal.SIGKILL:
                process.kill()
            else:
                process.terminate()

    def _remaining(self) -> float | None:
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yields a socket that gets the number of each signal as a byte, until the block ends (rule 4)."""
    inbox, outbox = socket.socketpair()
    inbox.setblocking(False)
    outbox.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    fd = signal.set_wakeup_fd(outbox.fileno())
    try:
        yield inbox
    finally:
        signal.set_wakeup_fd(fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        inbox.close()
        outbox.close()
