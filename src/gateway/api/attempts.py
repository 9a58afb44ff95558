"""Tries of passwords: how often, and how many at once, in one worker.

Rules:

1. Whoever has used up the wrong tries of an address or of an e-mail is refused before anything is compared, right or wrong, whether there is such a
   user or not. So somebody can keep another from signing in by a password for a while, but not from using a token.
2. Few comparisons run at a time: each takes memory and processor time, and whoever asks needs no credential. Beyond them tries are refused at once.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.limits import Guesses, Rates
from gateway.reasons import Reason

AT_ONCE: Final = 2
"""Comparisons at a time in one worker: 38 MiB."""


class Attempts:
    """The tries of one worker; used in threads, while what is counted stays on the loop, where requests count."""

    def __init__(self, rates: Rates | None, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the rates of `[rates]`, which may be none, and the worker's loop."""
        self._guesses, self._loop = Guesses("login", rates), loop
        self._running = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def attempt(self, email: str, client: IPAddress) -> Iterator["Attempt"]:
        """Lets one try be made.

        Args:
            email: whose password is tried.
            client: from where.

        Raises:
            GatewayError: it was tried too often (`guess-rate`), or too many are tried at the moment (`overloaded`).
        """
        tried = email.casefold()
        self._on_loop(self._guesses.may_guess, tried, client)
        if not self._running.acquire(blocking=False):
            raise GatewayError(Reason.OVERLOADED, "too many passwords are tried at the moment")
        try:
            yield Attempt(self, tried, client)
        finally:
            self._running.release()

    def failed(self, email: str, client: IPAddress) -> None:
        """Counts a try that was wrong."""
        self._on_loop(self._guesses.failed, email, client)

    def _on_loop(self, count: Callable[[str, IPAddress], None], email: str, client: IPAddress) -> None:
        async def run() -> None:
            count(email, client)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()


class Attempt:
    """One try."""

    def __init__(self, attempts: Attempts, email: str, client: IPAddress) -> None:
        self._attempts, self._email, self._client = attempts, email, client

    def failed(self) -> None:
        """Is called where it was wrong."""
        self._attempts.failed(self._email, self._client)
