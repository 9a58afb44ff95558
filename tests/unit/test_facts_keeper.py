"""Tests of gateway.facts_keeper: records of one revision, loaded when missed, true after every commit."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.reasons import Reason
from models.records import DomainRecord, Expiring, ObjectKey, ObjectRecord, Permission, Record, UserRecord
from models.store import Batch, Mark, StoreUnavailableError
from models.vocabulary import Resource, Subject

T = TypeVar("T")


class FakeBell:
    """Counts commits."""

    count = 0

    def value(self) -> int:
        """Returns the number of commits."""
        return self.count


class FakeStore:
    """A store of domain records with a log; it can be made to fail."""

    def __init__(self) -> None:
        """Begins empty."""
        self.bell = FakeBell()
        self.truth: dict[str, Record] = {}
        self.log: list[str] = []
        self.loads: list[set[str]] = []
        self.forget = self.broken = False

    def commit(self, key: str, *, rings: bool = True) -> None:
        """Changes a record and writes it to the log."""
        self.log.append(key)
        self.truth[key] = DomainRecord(f"{key} at {len(self.log)}")
        self.bell.count += rings

    def load(self, since: Mark | None, keys: Collection[str]) -> Batch:
        """Returns wanted records and what changed."""
        if self.broken:
            raise StoreUnavailableError("gone")
        self.loads.append(set(keys))
        changed = None if since is None or self.forget else frozenset(self.log[since.revision :])
        return Batch(Mark(len(self.log), ()), changed, {key: self.truth.get(key) for key in keys})


def keeper(store: FakeStore, *, staleness: float = 60.0, records: int = 100) -> FactsKeeper:
    """Returns a keeper that never polls by itself within a test."""
    return FactsKeeper(store, poll_interval=3600, max_staleness=staleness, max_records=records)


def run(store: FakeStore, work: Callable[[FactsKeeper], Awaitable[T]], **options: float) -> T:
    """Runs `work` with a started keeper."""

    async def whole() -> T:
        kept = keeper(
            store, staleness=options.get("staleness", 60.0), records=int(options.get("records", 100))
        )
        await kept.start()
        try:
            return await work(kept)
        finally:
            await kept.stop()

    return asyncio.run(whole())


def name(kept: FactsKeeper, key: str) -> str | None:
    """Reads a record's name."""
    record = kept.get(key)
    return record.id if isinstance(record, DomainRecord) else None


def test_a_missed_fact_is_loaded_and_the_question_asked_again() -> None:
    """A question that misses facts runs again until it has all of them, and then needs no load."""
    store = FakeStore()
    store.commit("a")
    store.commit("b")

    async def work(kept: FactsKeeper) -> tuple[str | None, str | None, int]:
        first = await kept.ask(lambda: (name(kept, "a"), name(kept, "b")))
        before = len(store.loads)
        assert await kept.ask(lambda: (name(kept, "a"), name(kept, "b"))) == first
        return (*first, len(store.loads) - before)

    assert run(store, work) == ("a at 1", "b at 2", 0)


def test_what_is_inherited_is_remembered_until_a_fact_above_changes() -> None:
    """A grant far above counts at once and is walked to once; a change to what stands between is seen, any other keeps it."""
    store = FakeStore()
    keys = [ObjectKey("collection", id_) for id_ in ("low", "middle", "top")]
    for key, parents in zip(keys, (keys[1:2], keys[2:], ()), strict=True):
        store.truth[key.fact] = ObjectRecord(
            key, parents=tuple(parents), propagating={f"user:{key.id}": Permission.READ}
        )

    async def work(kept: FactsKeeper) -> None:
        reach = await kept.ask(lambda: kept.reach(keys[0].fact))
        assert reach.lasting == dict.fromkeys(("user:low", "user:middle", "user:top"), Permission.READ)
        store.commit("a")
        assert await kept.ask(lambda: kept.reach(keys[0].fact)) is reach
        store.commit(keys[1].fact)
        store.truth[keys[1].fact] = ObjectRecord(keys[1])
        after = await kept.ask(lambda: kept.reach(keys[0].fact))
        assert after.lasting == {"user:low": Permission.READ}

    run(store, work)


def test_what_is_remembered_ends_with_the_clock() -> None:
    """An inherited entry holds until its end and not a moment longer, though nothing is loaded or forgotten meanwhile."""
    store, end = FakeStore(), datetime(2030, 1, 1, tzinfo=UTC)
    top, clip = ObjectKey("collection", "top"), ObjectKey("asset", "clip")
    entry = Expiring(end, Permission.READ, propagates=True)
    store.truth[top.fact] = ObjectRecord(top, expiring={"user:kim": (entry,)})
    store.truth[clip.fact] = ObjectRecord(clip, parents=(top,))

    async def work(kept: FactsKeeper) -> list[bool]:
        kim = Subject(kept, UserRecord("kim", "home"), {})
        times = (end - timedelta(days=1), end - timedelta(microseconds=1), end, end + timedelta(days=1))
        return [
            await kept.ask(lambda now=now: Resource(kept, clip, now).inherits("read", kim))  # type: ignore[misc]
            for now in times
        ]

    assert run(store, work) == [True, True, False, False]
    assert len(store.loads) == 3  # the mark, the clip, the collection: none for the clock


def test_what_does_not_exist_is_known_not_to() -> None:
    """An absent fact is remembered as absent, until a commit makes it."""
    store = FakeStore()

    async def work(kept: FactsKeeper) -> list[str | None]:
        seen = [await kept.ask(lambda: name(kept, "a"))]
        store.commit("a")
        return [*seen, await kept.ask(lambda: name(kept, "a"))]

    assert run(store, work) == [None, "a at 1"]


def test_a_commit_holds_for_every_question_begun_after_it() -> None:
    """A question asked after the bell rang sees the commit."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> list[str | None]:
        seen = []
        for _ in range(5):
            seen.append(await kept.ask(lambda: name(kept, "a")))
            store.commit("a")
        return seen

    assert run(store, work) == [f"a at {number}" for number in range(1, 6)]


def test_a_commit_elsewhere_is_found_by_polling() -> None:
    """Without the bell a commit is seen after the next look at the log, and the look drops only what changed."""
    store = FakeStore()
    store.commit("a")
    store.commit("b")

    async def work(kept: FactsKeeper) -> tuple[str | None, str | None, set[str]]:
        await kept.ask(lambda: (name(kept, "a"), name(kept, "b")))
        store.commit("a", rings=False)
        await kept._load(())  # noqa: SLF001 - what the poller does
        loads = len(store.loads)
        both = await kept.ask(lambda: (name(kept, "a"), name(kept, "b")))
        return (*both, set().union(*store.loads[loads:]))

    assert run(store, work) == ("a at 3", "b at 2", {"a"})


def test_a_history_that_does_not_match_forgets_everything() -> None:
    """After a restore or a failover nothing that was at hand is believed."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> str | None:
        await kept.ask(lambda: name(kept, "a"))
        store.truth["a"] = DomainRecord("restored")
        store.forget = True
        store.bell.count += 1
        return await kept.ask(lambda: name(kept, "a"))

    assert run(store, work) == "restored"


def test_old_facts_refuse_with_503() -> None:
    """When the store was not heard of for longer than the bound nothing is judged."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> None:
        await kept.ask(lambda: name(kept, "a"))
        store.broken = True
        await kept.ask(lambda: name(kept, "a"))

    with pytest.raises(GatewayError) as caught:
        run(store, work, staleness=0.0)

    assert caught.value.reason is Reason.FACTS_UNAVAILABLE


def test_a_store_that_is_gone_does_not_stop_fresh_facts() -> None:
    """Within the bound, decisions about facts at hand go on; what is missing is refused."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> str | None:
        await kept.ask(lambda: name(kept, "a"))
        store.broken = True
        with pytest.raises(GatewayError):
            await kept.ask(lambda: name(kept, "b"))
        return await kept.ask(lambda: name(kept, "a"))

    assert run(store, work) == "a at 1"


def test_a_commit_that_cannot_be_read_refuses() -> None:
    """Once the bell rang, facts from before are not used, though they are young."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> None:
        await kept.ask(lambda: name(kept, "a"))
        store.broken = True
        store.commit("a")
        await kept.ask(lambda: name(kept, "a"))

    with pytest.raises(GatewayError):
        run(store, work)


def test_the_cache_is_bounded() -> None:
    """More records than the bound are not kept; the oldest go."""
    store = FakeStore()

    async def work(kept: FactsKeeper) -> int:
        for number in range(50):
            await kept.ask(lambda number=number: kept.get(f"k{number}"))  # type: ignore[misc]
        return len(kept._records)  # noqa: SLF001 - the bound itself

    assert run(store, work, records=10) == 10


def test_questions_at_once_share_a_load() -> None:
    """Many questions that miss the same fact cause one load, not one each."""
    store = FakeStore()
    store.commit("a")

    async def work(kept: FactsKeeper) -> tuple[list[str | None], int]:
        before = len(store.loads)
        seen = await asyncio.gather(*(kept.ask(lambda: name(kept, "a")) for _ in range(50)))
        return seen, len(store.loads) - before

    seen, loads = run(store, work)

    assert seen == ["a at 1"] * 50
    assert loads <= 2
