"""Small writes of one round of the event loop, made together at its end.

Waking a process that sleeps on a socket costs several times what a write to one that is awake costs. Requests are judged in
bursts: written one by one, each would wake the backend, or the client, which sleeps again before the next; together, one wakes it for
all. A single write waits for what the loop has already begun, and for nothing else.
"""

import asyncio
from typing import Protocol


class Waiting(Protocol):
    """A connection with something to write."""

    def flush(self) -> None:
        """Writes it."""


class Outbox:
    """The connections of one loop that have something to write."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins empty."""
        self._loop = loop
        self._waiting: list[Waiting] = []

    def add(self, connection: Waiting) -> None:
        """Lets a connection write at the end of this round."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(connection)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()
