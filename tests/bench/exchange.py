"""A connection that asks one thing at a time in raw HTTP/1.1 and wants a 2xx for it, with little work of its own."""

import asyncio
from collections.abc import Callable
from typing import cast

_END = b"\r\n\r\n"


class BadAnswerError(Exception):
    """What came is not a whole 2xx with a stated length; a measurement with it means nothing."""


class Exchange(asyncio.Protocol):
    """One keep-alive connection.

    Attributes:
        transport: the connection; its socket says from where it comes.
    """

    transport: asyncio.Transport

    def __init__(self, done: Callable[["Exchange", BadAnswerError | None], None]) -> None:
        """Takes whom to tell of each answer, or of what is wrong with it."""
        self._done = done
        self._head = b""
        self._left = 0
        self._asking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins; nothing is asked yet."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class

    def ask(self, request: bytes) -> None:
        """Sends a request; the one before must have been answered."""
        self._asking, self._head, self._left = True, b"", 0
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Takes a part of the answer."""
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(_END)
            if end < 0:
                return
            head, body = self._head[:end], len(self._head) - end - len(_END)
            length = _length(head)
            if length is None:
                self._finish(BadAnswerError(head.decode("latin-1")))
                return
            self._left = length - body
        if self._left <= 0:
            self._finish(BadAnswerError("more than the stated length") if self._left else None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells of a connection that ended before its answer."""
        if self._asking:
            self._finish(BadAnswerError(f"the connection ended: {exc}"))

    def _finish(self, wrong: BadAnswerError | None) -> None:
        self._asking = False
        self._done(self, wrong)


def _length(head: bytes) -> int | None:
    if not head.startswith(b"HTTP/1.1 2"):
        return None
    _, found, after = head.lower().partition(b"\r\ncontent-length:")
    return int(after.partition(b"\r\n")[0]) if found else None
