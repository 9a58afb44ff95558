"""`python -m bench.openloop`: asks at a constant rate, whatever the answers take, and says how long each took.

Rules:

1. Requests are due at `start + number / rate`, and the clock of each runs from when it was due: what waits for a connection,
   or for this program, counts (no coordinated omission).
2. A timer of the kernel wakes the loop at the rate; those of event loops are a millisecond coarse.
3. One answer that is not a whole 2xx ends the run with an error.
4. How late requests left, for want of a connection or of this program's time, is reported beside the latencies.

It reads one JSON object from standard input, the fields of `Order`, and writes one, those of `Outcome`.
"""

import asyncio
import ctypes
import json
import os
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from bench.exchange import BadAnswerError, Exchange
from bench.questions import Questions

PATIENCE = 10.0
"""Seconds after the last request was due in which all answers must have come."""
SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: `tokens` is a file or empty, `body` one of the backend's, `rate` requests per second."""

    port: int
    connections: int
    rate: float
    seconds: float
    tokens: str
    objects: int
    body: str
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen: latencies from when requests were due, and how late 99 % of them had left, in milliseconds."""

    rps: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    late_p99_ms: float


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


def _timer(interval: int) -> int:
    """Returns a descriptor (timerfd, Linux) that becomes readable every `interval` nanoseconds."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    each = _TimeSpec(interval // SECOND, interval % SECOND)
    if timer < 0 or libc.timerfd_settime(timer, 0, ctypes.byref(_TimerSpec(each, each)), None) < 0:
        raise OSError(ctypes.get_errno(), "the kernel gave no timer")
    return timer


class Generator:
    """Sends requests when they are due, each on a free connection or on the first that becomes free."""

    def __init__(self, order: Order) -> None:
        """Draws all requests beforehand, so that sending one costs little."""
        questions = Questions(Path(order.tokens) if order.tokens else None, order.objects)
        self._order = order
        self._requests = list(questions.drawn(order.body, int(order.rate * order.seconds), order.seed))
        self._interval = int(SECOND / order.rate)
        self._start = 0
        self._next = 0
        self._free: deque[Exchange] = deque()
        self._waiting: deque[int] = deque()
        self._asked: dict[Exchange, int] = {}
        self._took: list[int] = []
        self._late: list[int] = []

    async def run(self) -> Outcome:
        """Runs from the first request to the last answer.

        Raises:
            BadAnswerError: an answer was not a whole 2xx.
            TimeoutError: answers were missing long after the last request.
        """
        loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(lambda _loop, context: self._fail(RuntimeError(f"{context}")))
        for _ in range(self._order.connections):
            _, connection = await loop.create_connection(
                lambda: Exchange(self._answered), "127.0.0.1", self._order.port
            )
            self._free.append(connection)
        timer = _timer(self._interval)
        self._start = time.monotonic_ns()
        loop.add_reader(timer, self._tick, timer)
        try:
            await asyncio.wait_for(self._over, self._order.seconds + PATIENCE)
        finally:
            loop.remove_reader(timer)
            os.close(timer)
        spent = (time.monotonic_ns() - self._start) / SECOND
        took, late = sorted(self._took), sorted(self._late)
        ninety_ninth = int(len(took) * 0.99)
        return Outcome(
            rps=round(len(took) / spent, 1),
            p50_ms=took[len(took) // 2] / 1e6,
            p99_ms=took[ninety_ninth] / 1e6,
            max_ms=took[-1] / 1e6,
            late_p99_ms=late[ninety_ninth] / 1e6,
        )

    def _tick(self, timer: int) -> None:
        try:
            os.read(timer, 8)
        except BlockingIOError:
            return
        due = min((time.monotonic_ns() - self._start) // self._interval + 1, len(self._requests))
        while self._next < due:
            number, self._next = self._next, self._next + 1
            if self._free:
                self._send(self._free.popleft(), number)
            else:
                self._waiting.append(number)

    def _send(self, connection: Exchange, number: int) -> None:
        self._asked[connection] = number
        self._late.append(time.monotonic_ns() - self._start - number * self._interval)
        connection.ask(self._requests[number])

    def _answered(self, connection: Exchange, wrong: BadAnswerError | None) -> None:
        if wrong is not None:
            self._fail(wrong)
            return
        self._took.append(time.monotonic_ns() - self._start - self._asked[connection] * self._interval)
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)
        if len(self._took) == len(self._requests) and not self._over.done():
            self._over.set_result(None)

    def _fail(self, wrong: Exception) -> None:
        if not self._over.done():
            self._over.set_exception(wrong)


def main() -> None:
    """Runs the order on standard input."""
    order = Order(**json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(Generator(order).run()))))


if __name__ == "__main__":
    main()
