"""Tries of passwords: how often, and how many at once, in one worker.

Rules:

1. Whoever has used up the wrong tries of an address or of an e-mail is refused before anything is compared, right or wrong, whether there is such a
   user or not. So somebody can keep another from signing in by a password for a while, but not from using a token.
2. Few comparisons run at a time: each takes memory and processor time, and whoever asks needs no credential. Beyond them tries are refused at once.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Final

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.limits import Buckets, Rates, TooManyError
from gateway.reasons import Reason

AT_ONCE: Final = 2
"""Comparisons at a time in one worker: 38 MiB."""
GUESSES: Final = 10
"""Wrong tries of one e-mail at once in one worker."""
GUESS_INTERVAL: Final = 30.0
"""Seconds after which one more is allowed."""
EMAILS: Final = 10_000
"""E-mails whose wrong tries one worker remembers."""


class Attempts:
    """The tries of one worker; used in threads, while what is counted stays on the loop, where requests count."""

    def __init__(self, rates: Rates | None, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the rates of `[rates]`, which may be none, and the worker's loop."""
        self._rates, self._loop = rates, loop
        self._running = threading.BoundedSemaphore(AT_ONCE)
        self._emails = Buckets("login", Reason.GUESS_RATE, 1 / GUESS_INTERVAL, GUESSES, EMAILS)

    @contextmanager
    def attempt(self, email: str, client: IPAddress) -> Iterator["Attempt"]:
        """Lets one try be made.

        Args:
            email: whose password is tried.
            client: from where.

        Raises:
            GatewayError: it was tried too often (`guess-rate`), or too many are tried at the moment (`overloaded`).
        """
        key = sha256(email.casefold().encode("utf-8", "surrogatepass")).digest()
        self._on_loop(self._look, key, client)
        if not self._running.acquire(blocking=False):
            raise GatewayError(Reason.OVERLOADED, "too many passwords are tried at the moment")
        try:
            yield Attempt(self, key, client)
        finally:
            self._running.release()

    def failed(self, key: bytes, client: IPAddress) -> None:
        """Counts a try that was wrong."""
        self._on_loop(self._take, key, client)

    def _look(self, key: bytes, client: IPAddress) -> None:
        if self._rates is not None:
            self._rates.may_guess(client)
        self._emails.look(key)

    def _take(self, key: bytes, client: IPAddress) -> None:
        with suppress(TooManyError):  # this try was begun while there was one left
            self._emails.take(key)
        with suppress(TooManyError):
            if self._rates is not None:
                self._rates.failed(client)

    def _on_loop(self, count: Callable[[bytes, IPAddress], None], key: bytes, client: IPAddress) -> None:
        async def run() -> None:
            count(key, client)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()


class Attempt:
    """One try."""

    def __init__(self, attempts: Attempts, key: bytes, client: IPAddress) -> None:
        self._attempts, self._key, self._client = attempts, key, client

    def failed(self) -> None:
        """Is called where it was wrong."""
        self._attempts.failed(self._key, self._client)
