"""Where links are tried: how often, how many at once, and off the event loop.

Rules:

1. Whoever has used up the guesses of an address or of a link is refused before anything is compared, right or wrong
   (`gateway.limits`, rule 4). The guesses of a link count whatever stands in it, so that they do not tell which links exist.
2. Few comparisons run at a time: each takes memory and processor time, and whoever asks needs no credential. Others wait, and beyond a
   bound are refused at once.
3. A try runs to its end though its client leaves: hanging up makes no room for another, and takes no guess back.
4. A try that is refused is a guess of its address and of its link; one that is let in is none.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.limits import Guesses, Rates
from gateway.reasons import Reason
from models.changes import LinkError
from models.sign_in import Visit, sign_in
from models.store import Store, StoreUnavailableError

AT_ONCE: Final = 2
"""Comparisons of passwords at a time in one worker (rule 2): 38 MiB, and never all of the loop's threads."""
WAITING: Final = 50
"""Tries that wait for their turn in one worker."""


class LinkDesk:
    """Tries links for one worker."""

    def __init__(self, store: Store, rates: Rates | None) -> None:
        """Takes the store, and the rates of `[rates]`, which may be none."""
        self._store, self._guesses = store, Guesses("link", rates)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._trying: set[asyncio.Task[Visit]] = set()

    async def sign_in(self, link: str, password: str, client: IPAddress, request_id: str) -> Visit:
        """Lets a visitor in, and counts the visit.

        Raises:
            GatewayError: link and password open nothing (`link-closed`), they were tried too often (`guess-rate`), too many are tried at
                the moment (`overloaded`), or the store does not answer.
        """
        if len(self._trying) >= WAITING:
            raise GatewayError(Reason.OVERLOADED, "too many links are tried at the moment")
        task = asyncio.create_task(
            self._in_turn(link, client, self._work(link, password, client, request_id))
        )
        self._trying.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def _in_turn(self, link: str, client: IPAddress, work: Callable[[], Visit]) -> Visit:
        async with self._turn:
            self._guesses.may_guess(link, client)
            return await self._tried(link, client, work)

    def _done(self, task: "asyncio.Task[Visit]") -> None:
        self._trying.discard(task)
        if not task.cancelled():
            task.exception()  # was told already, unless nobody waits any more

    def _work(self, link: str, password: str, client: IPAddress, request_id: str) -> Callable[[], Visit]:
        return lambda: sign_in(self._store, link, password, client, f"request:{request_id}")

    async def _tried(self, link: str, client: IPAddress, work: Callable[[], Visit]) -> Visit:
        try:
            return await asyncio.to_thread(work)
        except LinkError as error:
            self._guesses.failed(link, client)
            raise GatewayError(Reason.LINK_CLOSED, error.why) from error
        except StoreUnavailableError as error:
            raise GatewayError(Reason.STORE_UNAVAILABLE, str(error)) from error
