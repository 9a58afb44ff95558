"""What one process holds, and the order in which it starts and stops. There are no globals.

Start: settings → audit → store → bundle → facts → upstreams. Stop: the other way round, each step whatever the others do.
A start that fails undoes what was started and says why; nothing is served before all of it stands.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gateway.audit import AuditLog
from gateway.bundle import Bundle
from gateway.facts_keeper import FactsKeeper
from gateway.identity import Identity
from gateway.identity_token import IdentityTokens
from gateway.inbound import Bounds
from gateway.jobs import Jobs
from gateway.limits import Rates
from gateway.management.tally import Tally
from gateway.reasons import Reason
from gateway.reception import Reception
from gateway.rejudging import Rejudging
from gateway.reload import Gate
from gateway.settings import Settings
from gateway.upstream import Upstream
from gateway.visits import Visits
from gateway.warming import Recent
from gateway.watching import Watcher
from models.networks import NetworkSet
from models.store import Store, StoreUnavailableError

if TYPE_CHECKING:
    from gateway.api.desk import Desk

LOG = logging.getLogger(__name__)
USES_INTERVAL: Final = 60.0
"""Seconds between writes of when tokens were last used; coarse, so that reading costs no write."""
MAX_USES: Final = 100_000
"""Tokens whose use is remembered between writes."""


class Worker:
    """The parts of a running gateway; valid between `start` and `stop`.

    Attributes:
        settings: as loaded.
        trusted: the proxies whose word about the client is believed.
        bounds: how much of a target is read.
        hidden: public reasons whose 403 becomes 404.
        bundle: what decides now; replaced whole, so a request reads it once.
        policies: follows the source of policies and replaces the bundle.
        recent: what was asked lately, to warm a new bundle with.
        visits: the requests under way.
        rates: how often somebody may ask; None if nothing limits that.
        tally: what requests came to, counted for metrics.
        store: where facts are kept.
        facts: the facts at hand.
        reception: where visitors sign in by links, whichever door they use.
        running: what is being carried, judged again.
        audit: where decisions are recorded.
        upstreams: the backends by name.
        identity_tokens: sign who asks for backends that want proof.
        desk: answers what local services serve; None if none is local.
    """

    bundle: Bundle
    policies: Watcher
    store: Store
    facts: FactsKeeper
    reception: Reception
    running: Rejudging
    audit: AuditLog
    upstreams: dict[str, Upstream]
    identity_tokens: IdentityTokens
    desk: "Desk | None" = None

    def __init__(self, settings: Settings) -> None:
        """Takes the settings; `start` makes the rest."""
        self.settings = settings
        self.trusted: NetworkSet = settings.proxies.networks
        self.bounds = Bounds(settings.limits.target, settings.limits.segments)
        self.hidden: frozenset[Reason] = frozenset(settings.refusals.hide)
        self.recent = Recent()
        self.visits = Visits(settings.limits)
        self.rates = Rates.of(settings.rates, settings.server.workers)
        self.tally = Tally()
        self._uses: dict[str, float] = {}
        self._unfinished: set[asyncio.Task[None]] = set()
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Starts everything, in order.

        Raises:
            ConfigurationError: settings or policies are wrong.
            StoreError: the store cannot be used.
            OSError: the audit file cannot be opened.
            GatewayError: the store does not answer.
        """
        settings = self.settings
        async with AsyncExitStack() as stack:
            self.audit = AuditLog(str(settings.audit.path))
            stack.callback(self.audit.close)
            self.store = Store.open(settings.store.url, busy_timeout=settings.store.busy_timeout)
            stack.callback(self.store.close)
            gate = Gate(settings, self.store)
            opening = await asyncio.to_thread(gate.opening)
            self.bundle = opening.bundle
            self.facts = FactsKeeper(
                self.store,
                poll_interval=settings.store.poll_interval,
                max_staleness=settings.store.max_staleness,
                max_records=settings.limits.facts_cached,
            )
            await self.facts.start()
            stack.push_async_callback(self.facts.stop)
            self.reception = Reception(self.store, self.facts, self.rates)
            self.identity_tokens = settings.identity_tokens()
            self.running = Rejudging(self.facts, lambda: self.bundle, self.audit, settings.limits)
            self.running.start()
            stack.push_async_callback(self.running.stop)
            if settings.services.local:
                from gateway.api.desk import Desk  # costs those nothing who have none

                self.desk = Desk(self.store, self.facts, self.rates, self.reception)
                stack.callback(self.desk.close)
            self.upstreams = {}
            for name, upstream in settings.upstream_settings().items():
                self.upstreams[name] = Upstream(upstream)
                stack.push_async_callback(self.upstreams[name].close)
            stack.push_async_callback(_stopped, asyncio.create_task(self._write_uses()))
            stack.push_async_callback(self._flush_uses)
            jobs = Jobs(self.store)
            jobs.start()
            stack.push_async_callback(jobs.stop)
            self.policies = Watcher(gate, opening, self._adopt)
            self.policies.start()
            stack.push_async_callback(self.policies.stop)
            stack.push_async_callback(self._finish)
            self._stack = stack.pop_all()
        spare_the_collector()

    async def stop(self) -> None:
        """Stops everything that was started."""
        await self._stack.aclose()

    async def to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` as a task that outlives the request's own, should that be cancelled; stopping waits for it."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        await asyncio.shield(task)

    async def _finish(self) -> None:
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=self.settings.server.drain_timeout)

    async def _adopt(self, bundle: Bundle) -> None:
        """Makes a bundle decide, warmed; requests that have begun end with the one they began with."""
        await self.recent.warm(bundle, self.facts)
        self.bundle = bundle

    def note_use(self, identity: Identity) -> None:
        """Remembers that the token was used now; written later, together with others."""
        if len(self._uses) < MAX_USES:
            self._uses[identity.token_id] = time.time()

    async def _write_uses(self) -> None:
        while True:
            await asyncio.sleep(USES_INTERVAL)
            await self._flush_uses()

    async def _flush_uses(self) -> None:
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            at = {token: datetime.fromtimestamp(used, UTC) for token, used in uses.items()}
            await asyncio.to_thread(self.store.note_token_uses, at)
        except StoreUnavailableError as error:
            LOG.warning("the last use of %d tokens was not written: %s", len(uses), error)


def spare_the_collector() -> None:
    """Keeps the cycle collector from stopping requests: what a start has made stays, and records have no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _stopped(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
