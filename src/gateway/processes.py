"""The worker processes: started, replaced when they die, and ended.

Rules:

1. A worker is forked while the main process has but one thread, so that what that has imported costs no worker anything. Once it has
   more, a fork would take their locks along: a worker that starts then, in the place of another, is spawned.
2. A worker that dies is replaced at once. One in the place of another that dies within `CALM` seconds of its start ends everything with
   code 1, so that whoever supervises the gateway sees a start that fails as one.
3. The first signal (SIGTERM, SIGINT) tells the workers to stop; `patience` seconds later, or at the second signal, they are killed.
4. Signals are handled by the main thread alone, which waits for them and for the ends of workers at once: other threads block them
   (Linux hands a signal to any thread that does not).
5. A forked worker keeps nothing of the main process that acts: neither its way of handling signals nor what it listens on. A signal that
   comes meanwhile waits until the worker has its own way.
"""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Protocol

LOG = logging.getLogger(__name__)
CALM: Final = 5.0
"""Seconds after which the end of a worker is no longer that of a start that fails (rule 2)."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_THREADS: Final = Path("/proc/self/task")
"""Has an entry for each thread of this process, those included of which Python does not know."""

Body = Callable[[], None]


class Beside(Protocol):
    """What the main process does in threads while it waits for its workers."""

    def start(self) -> None:
        """Starts the threads; called once, after the first workers."""

    def let_go(self) -> None:
        """Closes what a forked worker must not hold; called in the worker, before its body."""


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
            body: what a worker does, a function of a module (a spawned worker imports it); it ends after SIGTERM.
            patience: seconds that workers get to end.
        """
        self._number, self._body, self._patience = number, body, patience
        self._beside: Beside | None = None
        self._running: dict[int, tuple[BaseProcess, float]] = {}
        self._replaced: set[int] = set()
        self._kill_at: float | None = None
        self.told = False

    def run(self, beside: Beside | None = None) -> int:
        """Runs until it was told to stop and all workers have ended; returns the code to exit with.

        Args:
            beside: what else the main process does; its threads start after the first workers (rule 1).
        """
        self._beside = beside
        with _signals() as inbox:
            for number in range(1, self._number + 1):
                self._start(number)
            if beside:
                beside.start()
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
        process = self._forked(number) if _is_alone() else self._spawned(number)
        self._running[number] = (process, time.monotonic())
        LOG.info("worker %d: started with pid %s", number, process.pid)

    def _spawned(self, number: int) -> BaseProcess:
        process = multiprocessing.get_context("spawn").Process(target=self._body, name=_name(number))
        process.start()
        return process

    def _forked(self, number: int) -> BaseProcess:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            body = partial(self._begin_forked, before)
            process = multiprocessing.get_context("fork").Process(target=body, name=_name(number))
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def _begin_forked(self, mask: set[int | signal.Signals]) -> None:
        """Is the worker from its fork on: drops what is the main process's (rule 5), and does what a worker does.

        Args:
            mask: the signals that were blocked before the fork.
        """
        signal.set_wakeup_fd(-1)  # else the main process would be told of signals that are the worker's
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if self._beside:
            self._beside.let_go()
        self._body()

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


def _name(number: int) -> str:
    return f"worker-{number}"


def _is_alone() -> bool:
    """Tells whether this process has one thread only; False where nobody can tell, as on systems whose libraries do not bear a fork."""
    try:
        return len(list(_THREADS.iterdir())) == 1
    except OSError:
        return False


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
