"""Tests of gateway.rejudging: which passages are judged again, when, in what slices, and what ends them."""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import rejudging
from gateway.audit import AuditLog
from gateway.bundle import Bundle, load_bundle
from gateway.carried import Carried
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.rejudging import ANYWAY, BATCH, Rejudging
from gateway.settings.sections import LimitsSection
from models.networks import NetworkSet
from models.records import Expiring, ObjectRecord, Permission, Record, TokenRecord, UserRecord, UserStatus
from models.store import Batch, Mark, StoreUnavailableError
from policy_folders import policies_in
from worlds import CLIP, TOP, studio

ROWS = """upstream: media
objects: {asset: {id: opaque}}
routes:
"""
READ = "  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}\n"
WRITE = "  - PUT /assets/{asset_id}: {action: write, object: asset, role: can_write_assets}\n"


def token_key(name: str) -> str:
    """Returns the key of the fact about a token."""
    return f"token:{hashlib.sha256(name.encode()).hexdigest()}"


TOKEN = token_key("mg_kim")


class FakeBell:
    """Counts commits."""

    count = 0

    def value(self) -> int:
        """Returns the number of commits."""
        return self.count


class FakeStore:
    """Records with a log of revisions; it can be made to fail, to hang and to let readers forget everything."""

    def __init__(self) -> None:
        """Begins with Kim, who reads the clip, and a token."""
        self.bell = FakeBell()
        self.truth: dict[str, Record | None] = dict(studio().records)
        self.truth[TOKEN] = TokenRecord("t1", "kim", "app1", None, revoked=False)
        self.log: list[str] = []
        self.loads = 0
        self.broken = self.forgets = False
        self.hangs: threading.Event | None = None

    def commit(self, key: str, record: Record | None) -> None:
        """Changes a record."""
        self.truth[key] = record
        self.log.append(key)
        self.bell.count += 1

    def load(self, since: Mark | None, keys: Collection[str]) -> Batch:
        """Returns wanted records and what changed."""
        if self.hangs:
            self.hangs.wait(10)
        if self.broken:
            raise StoreUnavailableError("gone")
        self.loads += 1
        changed = None if since is None or self.forgets else frozenset(self.log[since.revision :])
        self.forgets = False
        return Batch(Mark(len(self.log), ()), changed, {key: self.truth.get(key) for key in keys})


class Desk:
    """A registry over a store, with what it cut."""

    def __init__(
        self, store: FakeStore, keeper: FactsKeeper, bundle: Bundle, audit: Path, limits: LimitsSection
    ) -> None:
        """Takes the parts."""
        self.store, self.keeper, self.bundle, self.path = store, keeper, bundle, audit
        self.audit = AuditLog(str(audit))
        self.registry = Rejudging(keeper, lambda: self.bundle, self.audit, limits)
        self.cut: list[GatewayError] = []
        self.cuttable = True

    async def enter(self, method: str = "GET", count: int = 1, token: str = "mg_kim") -> list[Carried]:
        """Lets Kim's requests in."""
        cases = [Case(inbound(method, token), self.bundle, self.keeper) for _ in range(count)]
        for case in cases:
            verdict = await self.keeper.ask(case.verdict)
            assert verdict
            assert verdict.allowed
        return [self.registry.enter(case, self._cut) for case in cases]

    @property
    def reasons(self) -> list[Reason]:
        """Why passages were cut."""
        return [error.reason for error in self.cut]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The audit so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def _cut(self, error: GatewayError) -> bool:
        if self.cuttable:
            self.cut.append(error)
        return self.cuttable


def inbound(method: str = "GET", token: str = "mg_kim") -> Inbound:
    """Returns a request of Kim's."""
    scope = {
        "method": method, "scheme": "http", "raw_path": b"/assets/clip", "query_string": b"a=secret", "client": ("10.0.0.1", 1),
        "headers": [(b"host", b"x"), (b"authorization", f"Bearer {token}".encode())],
    }  # fmt: skip
    return Inbound.of(scope, NetworkSet(), "r1")


def bundle_of(folder: Path, rows: str = READ) -> Bundle:
    """Returns a bundle with these rows."""
    folder.mkdir()
    policies = policies_in(folder)
    (policies / "routes" / "test.yaml").write_text(ROWS + rows)
    return load_bundle(policies, {"media"}, proved=True)


@pytest.fixture(name="bundle", scope="module")
def shared_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle in which Kim reads the clip."""
    return bundle_of(tmp_path_factory.mktemp("bundle") / "b")


Work = Callable[[Desk], Awaitable[None]]
Run = Callable[..., Desk]


@pytest.fixture
def run(bundle: Bundle, tmp_path: Path) -> Run:
    """Runs work at a desk whose keeper never polls by itself."""

    def running(work: Work, audit: Path = tmp_path / "audit", **limits: float) -> Desk:
        async def whole() -> Desk:
            store = FakeStore()
            keeper = FactsKeeper(store, poll_interval=3600, max_staleness=3600, max_records=10_000)
            await keeper.start()
            desk = Desk(store, keeper, bundle, audit, LimitsSection.model_validate(limits))
            try:
                await work(desk)
            finally:
                await desk.registry.stop()
                await keeper.stop()
                desk.audit.close()
            return desk

        return asyncio.run(whole())

    return running


def block(store: FakeStore) -> None:
    """Takes all that Kim may."""
    record = store.truth["user:kim"]
    assert isinstance(record, UserRecord)
    store.commit("user:kim", replace(record, status=UserStatus.BLOCKED))


def expired(store: FakeStore, ago: float, *, revoked: bool = False) -> None:
    """Lets Kim's token have expired some seconds ago."""
    then = datetime.now(UTC) - timedelta(seconds=ago)
    store.commit(TOKEN, TokenRecord("t1", "kim", "app1", then, revoked))


def test_a_right_that_ended_ends_the_passage_with_one_line(run: Run) -> None:
    """What is refused now is cut once, forgotten, and on record with who, what, why and by which versions; no secret is."""

    async def work(desk: Desk) -> None:
        await desk.enter()
        block(desk.store)
        await desk.registry.round()
        await desk.registry.round()

    desk = run(work)
    (line,) = desk.lines
    said = {
        name: line[name]
        for name in ("verdict", "reason", "stage", "user", "domain", "application", "objects")
    }

    assert desk.reasons == [Reason.USER_STATUS]
    assert (len(desk.registry), desk.registry.cuts) == (0, 1)
    assert said == {
        "verdict": "cut", "reason": "user-status", "stage": "authorize", "user": "kim", "domain": "home",
        "application": "app1", "objects": ["read asset:clip"],
    }  # fmt: skip
    assert (line["revision"], line["policy"], line["path"]) == (1, desk.bundle.digest, "/assets/clip")
    assert line["route"].startswith("routes/test.yaml:")
    assert "secret" not in desk.path.read_text()
    assert "mg_kim" not in desk.path.read_text()


def test_what_nothing_happened_to_is_asked_again_only_after_a_while(run: Run) -> None:
    """Without a change a round judges nothing until a passage's turn comes by time; a change brings it at once."""

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        first = one.judged
        await desk.registry.round()
        assert one.judged == first
        desk.store.commit("user:other", None)
        await desk.registry.round()
        assert (one.judged > first, one.revision) == (True, 1)
        one.judged = old = time.monotonic() - ANYWAY * 5.0 - 1
        await desk.registry.round()
        assert one.judged > old

    assert run(work, rejudge_within=5).cut == []


def test_a_commit_between_verdict_and_entering_is_not_missed(run: Run) -> None:
    """A passage that enters with the revision of its verdict is judged again if facts went on meanwhile."""

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        desk.registry.leave(one)
        block(desk.store)
        await desk.keeper.ask(lambda: None)
        desk.registry.enter(one.case, one.cut, 0)
        await desk.registry.round()

    assert run(work).reasons == [Reason.USER_STATUS]


@pytest.mark.parametrize(
    ("ago", "revoked", "reasons"),
    [(59, False, []), (61, False, [Reason.CREDENTIAL_EXPIRED]), (1, True, [Reason.CREDENTIAL_REVOKED])],
)
def test_expiry_alone_has_a_grace(run: Run, ago: float, revoked: bool, reasons: list[Reason]) -> None:  # noqa: FBT001 - a parameter
    """An expired token lets what runs go on for the grace, a revoked one does not; the audit still says whose it was."""

    async def work(desk: Desk) -> None:
        await desk.enter()
        expired(desk.store, ago, revoked=revoked)
        await desk.registry.round()

    desk = run(work, expiry_grace=60)

    assert desk.reasons == reasons
    assert [line["user"] for line in desk.lines] == ["kim"] * len(reasons)


def test_an_entry_that_expires_ends_the_passage_by_the_clock(run: Run) -> None:
    """Nothing is committed at the moment of its end: the turn that comes by time cuts what the entry let in, without any grace."""

    async def work(desk: Desk) -> None:
        end = datetime.now(UTC) + timedelta(seconds=0.5)
        top = desk.store.truth[TOP.fact]
        assert isinstance(top, ObjectRecord)
        entry = Expiring(end, Permission.READ, propagates=True)
        desk.store.commit(TOP.fact, replace(top, propagating={}, expiring={"group:crew": (entry,)}))
        (one,) = await desk.enter()
        loads = desk.store.loads
        one.judged -= ANYWAY * 5.0 + 1
        await desk.registry.round()
        assert desk.cut == []
        await asyncio.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()))
        one.judged -= ANYWAY * 5.0 + 1
        await desk.registry.round()
        assert desk.store.loads == loads

    assert run(work, rejudge_within=5, expiry_grace=60).reasons == [Reason.NO_GRANT]


def test_within_the_grace_every_other_right_still_counts(run: Run) -> None:
    """Whoever is blocked after the token expired is cut for being blocked."""

    async def work(desk: Desk) -> None:
        await desk.enter()
        expired(desk.store, 1)
        block(desk.store)
        await desk.registry.round()

    assert run(work, expiry_grace=60).reasons == [Reason.USER_STATUS]


def test_a_hold_ends_nothing(run: Run) -> None:
    """A deletion that is under way closes its object to new requests, not to what is carried."""

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        record = desk.store.truth[CLIP.fact]
        assert isinstance(record, ObjectRecord)
        desk.store.commit(CLIP.fact, replace(record, held=True))
        await desk.registry.round()
        fresh = await desk.keeper.ask(Case(inbound(), desk.bundle, desk.keeper).verdict)
        assert fresh
        assert fresh.deciding.decision.refusal is Reason.OBJECT_HELD
        assert one.revision == 1

    assert run(work).cut == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (READ + WRITE, ""),
        (WRITE, "no row"),
        (READ.replace("action: read", "action: write"), "no-grant"),
    ],
)
def test_a_new_bundle_judges_by_its_own_rows(run: Run, tmp_path: Path, rows: str, told: str) -> None:
    """A passage is matched anew: cut if no row covers it or its row asks for more, else carried on under the new bundle."""
    other = bundle_of(tmp_path / "other", rows)

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        desk.bundle = other
        await desk.registry.round()
        assert told or one.case.bundle is other

    desk = run(work)

    assert [told in str(error) for error in desk.cut] == [True] * bool(told)


def test_a_row_that_reads_the_body_now_ends_what_streams(run: Run, tmp_path: Path) -> None:
    """A body that has gone by cannot be judged, so its passage is cut."""
    reading = (
        "  - PUT /assets/{asset_id}: {action: write, object: asset, id: body:/id, role: can_write_assets}\n"
    )
    first = bundle_of(
        tmp_path / "first", "  - PUT /assets/{asset_id}: {action: read, object: asset, role: none}\n"
    )
    second = bundle_of(tmp_path / "second", reading.replace("/{asset_id}", "/clip"))

    async def work(desk: Desk) -> None:
        desk.bundle = first
        await desk.enter("PUT")
        desk.bundle = second
        await desk.registry.round()

    (error,) = run(work).cut

    assert (error.reason, "reads the body" in error.detail) == (Reason.NO_ROUTE, True)


def test_a_cut_that_must_wait_is_asked_for_again(run: Run) -> None:
    """A passage that cannot be cut yet stays, without a line, and is cut in a later round."""

    async def work(desk: Desk) -> None:
        desk.cuttable = False
        await desk.enter()
        block(desk.store)
        await desk.registry.round()
        assert (len(desk.registry), desk.lines) == (1, [])
        desk.cuttable = True
        await desk.registry.round()

    assert run(work).reasons == [Reason.USER_STATUS]


def test_a_round_lets_others_run_between_its_slices(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With slices of no length every passage is followed by a turn of the loop; with long ones none is."""
    monkeypatch.setattr(rejudging, "SHARE", 0)
    seen: list[int] = []

    async def work(desk: Desk) -> None:
        await desk.enter(count=300)
        for length in (0, 1000):
            monkeypatch.setattr(rejudging, "SLICE", length)
            desk.store.commit("user:other", None)
            await desk.keeper.ask(lambda: None)
            seen.append(await turns_during(desk.registry.round()))

    run(work)

    assert seen[0] >= 300
    assert seen[1] <= 3


async def turns_during(work: Awaitable[None]) -> int:
    """Returns how often another task has its turn while `work` runs."""
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turning())
    await work
    other.cancel()
    return turns


def test_missing_facts_of_many_are_loaded_together(run: Run) -> None:
    """After a reader had to forget everything, passages that need facts of their own share loads instead of having one each."""

    async def work(desk: Desk) -> None:
        tokens = [f"mg_{number}" for number in range(3 * BATCH)]
        for token in tokens:
            desk.store.truth[token_key(token)] = TokenRecord(token, "kim", "app1", None, revoked=False)
        many = [await desk.enter(token=token) for token in tokens]
        desk.store.forgets = True
        desk.store.commit("user:other", None)
        before = desk.store.loads
        await desk.registry.round()
        assert desk.store.loads - before < BATCH
        assert {one.revision for (one,) in many} == {1}

    assert run(work).cut == []


def test_without_a_store_what_runs_goes_on_for_a_while(run: Run) -> None:
    """A store that does not answer cuts nothing at once, and everything whose turn was the stated time ago."""

    async def work(desk: Desk) -> None:
        one, other = await desk.enter(count=2)
        block(desk.store)
        desk.store.broken = True
        await desk.registry.round()
        assert desk.cut == []
        one.judged -= ANYWAY * 5.0 + 61
        other.judged -= ANYWAY * 5.0 + 59
        await desk.registry.round()

    desk = run(work, rejudge_within=5, unjudged=60)

    assert (desk.reasons, len(desk.registry)) == ([Reason.FACTS_UNAVAILABLE], 1)


def test_a_store_that_hangs_does_not_stop_the_rounds(run: Run) -> None:
    """A round waits for the store no longer than a cut may take; then the store counts as away."""

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        one.judged -= 3600
        desk.store.hangs = threading.Event()
        block(desk.store)
        async with asyncio.timeout(5):
            await desk.registry.round()
        desk.store.hangs.set()

    assert run(work, rejudge_within=0.05).reasons == [Reason.FACTS_UNAVAILABLE]


def test_a_fault_of_ours_cuts_one_passage_and_no_round(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be judged for a fault is cut; the others are judged all the same."""
    verdict = Case.verdict

    async def work(desk: Desk) -> None:
        first, second = await desk.enter(count=2)

        def faulty(case: Case) -> object:
            if case is first.case:
                raise ValueError
            return verdict(case)

        monkeypatch.setattr(Case, "verdict", faulty)
        desk.store.commit("user:other", None)
        await desk.registry.round()
        assert second.revision == 1

    assert run(work).reasons == [Reason.INTERNAL]


def test_what_left_meanwhile_is_not_cut(run: Run) -> None:
    """A passage that ends while facts are loaded for it is left alone."""

    async def work(desk: Desk) -> None:
        (one,) = await desk.enter()
        block(desk.store)
        await desk.keeper.ask(lambda: None)
        desk.store.hangs = threading.Event()
        judging = asyncio.create_task(desk.registry.round())
        await asyncio.sleep(0.01)
        desk.registry.leave(one)
        desk.store.hangs.set()
        await judging

    desk = run(work)

    assert (desk.cut, desk.lines) == ([], [])


def test_an_audit_that_takes_no_line_stops_no_cut(run: Run) -> None:
    """The right has ended whether or not that can be written down."""

    async def work(desk: Desk) -> None:
        await desk.enter()
        block(desk.store)
        await desk.registry.round()

    assert run(work, Path("/dev/full")).reasons == [Reason.USER_STATUS]


def test_rounds_come_by_themselves_and_outlive_a_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once started, passages are judged again and again, also after a round that met a fault."""
    judging, rounds = Rejudging.round, 0

    async def first_fails(registry: Rejudging) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ValueError
        await judging(registry)

    monkeypatch.setattr(Rejudging, "round", first_fails)

    async def work(desk: Desk) -> None:
        await desk.enter()
        desk.registry.start()
        block(desk.store)
        async with asyncio.timeout(5):
            while not desk.cut:  # noqa: ASYNC110 - what is waited for is another task's doing
                await asyncio.sleep(0.005)

    assert run(work, rejudge_within=0.04).reasons == [Reason.USER_STATUS]
