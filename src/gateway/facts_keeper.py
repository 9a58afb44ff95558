"""Facts at hand: a bounded cache of records at one revision, kept true by the store's log.

Rules:

1. All records belong to one revision. A load reads the log since that revision and the wanted facts in one
   transaction; what the log names is dropped before the new records go in. So fill and invalidation cannot race.
2. One load runs at a time; whoever wants facts meanwhile shares the next one.
3. A committed change holds for every request begun after the answer to its writer: the writer rings the bell before
   answering, and a request that hears it loads before it is judged (law 8). Without the bell (other machines) the log is
   polled.
4. What the collections above an object grant together is remembered, until one of the facts that it follows from changes. The clock is not
   one of them: entries that expire are remembered with their ends, and judged at each decision.
5. When the last good poll is older than the stated bound, nothing is judged: 503 (law 2).
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from gateway.errors import GatewayError
from gateway.reasons import Reason
from models.records import MissingFactError, Reach, Record, reach_from
from models.store import Batch, Mark, StoreUnavailableError

LOG = logging.getLogger(__name__)
MAX_ROUNDS = 64
"""Loads that one question may cause; each brings whole closures, so more is a fault of ours."""

T = TypeVar("T")


class Bell(Protocol):
    """Tells whether anyone committed on this machine."""

    def value(self) -> int:
        """Returns a number that differs after each commit."""
        ...


class Source(Protocol):
    """What the keeper needs of the store."""

    @property
    def bell(self) -> Bell:
        """Rings at each commit on this machine."""
        ...

    def load(self, since: Mark | None, keys: Collection[str]) -> Batch:
        """Returns the wanted facts, and what changed since a mark, at one revision."""
        ...


class _Records(dict[str, Record | None]):
    """Records by key; a key that is not at hand raises."""

    def __missing__(self, key: str) -> Record | None:
        raise MissingFactError(key)


class FactsKeeper:
    """The facts of one worker, as `models.records.Facts`; `ask` runs a question with them.

    Attributes:
        get: returns a record at hand, as `models.records.Facts` says: the dictionary's own look-up, since each decision
            asks it some twenty times.
        loads: loads that the store answered, polls included.
    """

    def __init__(
        self, store: Source, *, poll_interval: float, max_staleness: float, max_records: int
    ) -> None:
        """Makes an empty cache; `start` loads the first mark.

        Args:
            store: where facts come from.
            poll_interval: seconds between polls of the log.
            max_staleness: seconds after the last good poll from which nothing is judged.
            max_records: records kept; beyond it the oldest go.
        """
        self._store, self._rung = store, store.bell.value
        self._poll_interval, self._max_staleness, self._max_records = (
            poll_interval,
            max_staleness,
            max_records,
        )
        self._records = _Records()
        self.get: Callable[[str], Record | None] = self._records.__getitem__
        self._reach: dict[str, Reach] = {}
        self._reached: set[str] = set()
        self._mark: Mark | None = None
        self.loads = 0
        self._heard = -1
        self._fresh_until = 0.0
        self._wanted: set[str] = set()
        self._next: asyncio.Future[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._poller: asyncio.Task[None] | None = None

    def reach(self, key: str) -> Reach:
        """Returns what an object and everything above it grant to their content, as `models.records.Facts` says (rule 4)."""
        reach = self._reach.get(key)
        if reach is None:
            reach, follows_from = reach_from(self, key)
            if len(self._reach) >= self._max_records:
                self._forget_reach()
            self._reached |= follows_from
            self._reach[key] = reach
        return reach

    def _forget_reach(self) -> None:
        self._reach.clear()
        self._reached.clear()

    @property
    def revision(self) -> int:
        """The revision at which all records hold; 0 before the first load."""
        return self._mark.revision if self._mark else 0

    @property
    def is_fresh(self) -> bool:
        """Whether the last good poll is within the bound of rule 5."""
        return time.monotonic() < self._fresh_until

    @property
    def age(self) -> float:
        """Seconds since the last good poll began."""
        return max(0.0, time.monotonic() - (self._fresh_until - self._max_staleness))

    @property
    def held(self) -> int:
        """The number of records at hand."""
        return len(self._records)

    async def start(self) -> None:
        """Loads the first mark and begins to poll.

        Raises:
            GatewayError: the store does not answer.
        """
        await self._load(())
        self._poller = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Ends polling and waits for a running load."""
        for task in (self._poller, self._running):
            if task is not None:
                task.cancel()
        await asyncio.gather(
            *(task for task in (self._poller, self._running) if task), return_exceptions=True
        )

    async def ask(self, question: Callable[[], T]) -> T:
        """Runs `question` with current facts, loading what it misses and starting it again.

        Args:
            question: pure; it reads facts through `get` and may run several times.

        Raises:
            GatewayError: the store does not answer, or facts are older than the bound.
        """
        if self._rung() != self._heard:
            await self._load(())
        if time.monotonic() >= self._fresh_until:  # `is_fresh`
            await self._load(())
        for _ in range(MAX_ROUNDS):
            try:
                return question()
            except MissingFactError as missing:
                await self._load((missing.key,))
        raise GatewayError(
            Reason.FACTS_UNAVAILABLE, f"a question still missed facts after {MAX_ROUNDS} loads"
        )

    async def _load(self, keys: Collection[str]) -> None:
        """Joins the next load, which begins after this call, so that it sees all commits before it."""
        self._wanted.update(keys)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        waiting = self._next
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        try:
            await asyncio.shield(waiting)
        except StoreUnavailableError as error:
            raise GatewayError(Reason.FACTS_UNAVAILABLE, str(error)) from error

    async def _run(self) -> None:
        """Loads until nobody waits."""
        while self._next is not None:
            waiting, self._next = self._next, None
            wanted, self._wanted = self._wanted, set()
            heard, begun = self._rung(), time.monotonic()
            try:
                batch = await asyncio.to_thread(self._store.load, self._mark, wanted)
            except Exception as error:  # noqa: BLE001 - whoever waits gets it; this task must not die
                _fail(waiting, error)
                continue
            self._apply(batch)
            self.loads += 1
            self._heard, self._fresh_until = heard, begun + self._max_staleness
            if not waiting.done():
                waiting.set_result(None)

    def _apply(self, batch: Batch) -> None:
        if batch.changed is None:
            self._records.clear()
            self._forget_reach()
        else:
            if not self._reached.isdisjoint(batch.changed):
                self._forget_reach()
            for key in batch.changed:
                self._records.pop(key, None)
        self._records.update(batch.records)
        self._mark = batch.mark
        while len(self._records) > self._max_records:
            del self._records[next(iter(self._records))]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_interval)
            try:
                await self._load(())
            except GatewayError as error:
                LOG.warning("polling the store failed: %s", error.detail)


def _fail(waiting: asyncio.Future[None], error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(
            error if isinstance(error, StoreUnavailableError) else StoreUnavailableError(str(error))
        )
        waiting.exception()  # seen, even if everyone who waited has left
