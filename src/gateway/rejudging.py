"""Judging again what is still being carried: a right that ends takes the traffic with it that it once let through.

Rules:

1. Whatever ended the right (entry, token, user, group, network, row, policy), the traffic is cut within `limits.rejudge_within`
   of the moment at which this worker can know it. A change on this machine rings the bell, which each round hears; one made
   elsewhere is known after `store.poll_interval`.
2. What ends by the clock alone (a rule about the time of day, an expiry) is noticed within `ANYWAY` times that.
3. A token that has merely expired lets what is running finish for `limits.expiry_grace`; one that is revoked does not.
4. Rights are asked about, not work: an object that a deletion holds (perhaps this request's own) ends nothing. Once the deletion
   is settled the object is gone, and with it the right.
5. Where the store does not answer, traffic goes on when its turn comes for `limits.unjudged`, then it is cut: a short outage breaks
   no upload, a long one does not turn a revoked right into an endless one. Nothing new is let in meanwhile (503).
6. What cannot be judged for a fault of ours, or of the policy, is cut.
7. A round holds the loop for `SLICE` at a time and takes a quarter of it, unless it is late.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from gateway.audit import AuditLog
from gateway.bundle import Bundle
from gateway.carried import Called, Carried, Cut, Outcome, line_of_cut
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.reasons import Reason
from gateway.settings.sections import LimitsSection
from models.records import MissingFactError

LOG = logging.getLogger(__name__)
ROUNDS: Final = 4
"""Rounds in the time within which a cut comes."""
ANYWAY: Final = 3
"""Times `limits.rejudge_within` after which a passage is judged though nothing changed (rule 2)."""
SLICE: Final = 0.002
"""Seconds for which the loop is held at a time (rule 7); a question that no tree knows yet can take longer."""
SHARE: Final = 3
"""Times its own length that a slice is followed by a pause (rule 7)."""
BATCH: Final = 64
"""Passages whose missing facts are loaded together."""

T = TypeVar("T")


class Rejudging:
    """The passages of one worker; there are no more of them than connections (`server.max_connections`).

    Attributes:
        cuts: passages that were cut since the start.
    """

    def __init__(
        self, facts: FactsKeeper, bundle: Callable[[], Bundle], audit: AuditLog, limits: LimitsSection
    ) -> None:
        """Begins with none.

        Args:
            facts: the worker's.
            bundle: returns what decides now.
            audit: gets one line for each cut.
            limits: `rejudge_within`, `expiry_grace` and `unjudged`.
        """
        self._facts, self._bundle, self._audit = facts, bundle, audit
        self._within, self._anyway = limits.rejudge_within, ANYWAY * limits.rejudge_within
        self._patience = self._anyway + limits.unjudged
        self._grace = timedelta(seconds=limits.expiry_grace)
        self._carried: dict[Carried, None] = {}
        self._rounds: asyncio.Task[None] | None = None
        self.cuts = 0

    def __len__(self) -> int:
        return len(self._carried)

    @contextmanager
    def carrying(self, case: Case, revision: int, cut: Cut) -> Iterator[None]:
        """Makes the context in which a passage goes on, between `enter` and `leave`."""
        one = self.enter(case, cut, revision)
        try:
            yield
        finally:
            self.leave(one)

    def enter(self, case: Case, cut: Cut, revision: int | None = None) -> Carried:
        """Takes a passage that was just allowed; `leave` must follow, whatever happens.

        Args:
            case: what was allowed; from now on its token may expire (rule 3).
            cut: ends the passage; called on the loop, at most once more after it returned anything but False.
            revision: of the facts that allowed it; None if nothing was awaited since.
        """
        one = Called(case, self._facts.revision if revision is None else revision, cut)
        self.take(one)
        return one

    def take(self, one: Carried) -> None:
        """Takes a passage as `enter` does."""
        one.case.carried = self._grace
        self._carried[one] = None

    def leave(self, one: Carried) -> None:
        """Forgets a passage that has ended; harmless if it was cut."""
        self._carried.pop(one, None)

    def start(self) -> None:
        """Begins to judge."""
        self._rounds = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends judging."""
        if self._rounds is not None:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)

    async def round(self) -> None:
        """Judges all passages whose turn it is: facts or policy are others than those that allowed them, or it is long ago."""
        if not self._carried:
            return
        try:
            await self._ask(_nothing)
            await self._slices(self._due())
        except GatewayError as error:
            self._end_unjudged(error)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._within / ROUNDS)
            try:
                await self.round()
            except Exception as error:
                LOG.exception("judging running traffic again met a fault")
                self._end_unjudged(GatewayError(Reason.INTERNAL, type(error).__name__))

    def _due(self) -> list[Carried]:
        bundle, revision, old = self._bundle(), self._facts.revision, time.monotonic() - self._anyway
        return [
            one
            for one in self._carried
            if one.revision != revision or one.case.bundle is not bundle or one.judged <= old
        ]

    async def _slices(self, due: Iterable[Carried]) -> None:
        """Judges what is at hand at once, and loads for the rest in batches (rule 7)."""
        late = time.monotonic() + self._within / ROUNDS
        bundle = self._bundle()
        missing: list[Carried] = []
        begun = time.perf_counter()
        for one in due:
            try:
                self._conclude(one, one.judged_by(bundle))
            except MissingFactError:
                missing.append(one)
            taken = time.perf_counter() - begun
            if taken >= SLICE or len(missing) >= BATCH:
                await self._load(missing, bundle)
                missing.clear()
                await asyncio.sleep(SHARE * taken if time.monotonic() < late else 0)
                begun = time.perf_counter()
        await self._load(missing, bundle)

    async def _load(self, missing: list[Carried], bundle: Bundle) -> None:
        """Judges passages whose facts are not at hand."""
        asking = (self._ask(partial(one.judged_by, bundle)) for one in missing)
        for one, outcome in zip(missing, await asyncio.gather(*asking), strict=True):
            self._conclude(one, outcome)

    async def _ask(self, question: Callable[[], T]) -> T:
        """Asks as `FactsKeeper.ask` does, but waits for the store no longer than a cut may take."""
        try:
            async with asyncio.timeout(self._within):
                return await self._facts.ask(question)
        except TimeoutError as error:
            raise GatewayError(Reason.FACTS_UNAVAILABLE, f"no answer for {self._within:g} s") from error

    def _conclude(self, one: Carried, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._end(one, outcome)
        else:
            one.case, one.revision, one.judged = outcome.case, self._facts.revision, time.monotonic()

    def _end_unjudged(self, error: GatewayError) -> None:
        """Ends what has gone on unjudged for too long (rule 5)."""
        old = time.monotonic() - self._patience
        for one in [one for one in self._carried if one.judged <= old]:
            self._end(one, Outcome(one.case, None, error))

    def _end(self, one: Carried, outcome: Outcome) -> None:
        """Cuts a passage, if it has not left meanwhile, and records that."""
        if one not in self._carried or outcome.error is None:
            return
        request_id = outcome.case.inbound.request_id
        try:
            if one.cut(outcome.error) is False:
                return
        except Exception:
            LOG.exception("request %s was to be cut", request_id)
            return
        self.leave(one)
        self.cuts += 1
        LOG.warning("request %s: cut: %s", request_id, outcome.error)
        try:
            self._audit.write(line_of_cut(one, outcome, outcome.error, self._facts.revision))
        except GatewayError as unwritten:
            LOG.error("request %s: %s", request_id, unwritten)  # noqa: TRY400 - the cut stands


def _nothing() -> None:
    """A question that asks nothing: only whether facts are as fresh as they must be."""
