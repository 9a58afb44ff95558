"""What a decision costs over 10,000 users and 100,000 objects: no question comes twice.

`us`, from `Inbound` to `Verdict`: the credential is read and looked up (a SHA-256 of the token), the row is matched, its objects
are named, and the policy judges: `gateway.case`, as `gateway.pipeline` asks it, through `FactsKeeper.ask` with the bell of the
store. One walk in 1,000 is decided again by strict Oso, as in production, and is in the figure.

`request_us`, all that `gateway.pipeline` does with a request before it is forwarded, and what it counts afterwards: from the
scope that a server hands over to the `Inbound`, the verdict, the audit line in a file, the notes of what was asked and whose
token was used, and the tally.

Facts are loaded from an SQLite file before the clock starts; trees are warm from other questions. Each user is in 1 to 5 of
200 groups; each object stands in one of 2,000 collections, which nest up to six deep; each collection has entries for 20
groups, half of them propagating; one user in a hundred is an admin.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from bench.questions import asset
from gateway.audit import AuditLog
from gateway.authorize import Verdict
from gateway.bundle import Bundle, read_policy
from gateway.case import Case
from gateway.facts_keeper import FactsKeeper
from gateway.inbound import Inbound
from gateway.pipeline import Trail, audit, first_verdict
from gateway.roles import read_role_floor
from gateway.routes import RouteTable
from gateway.settings import Settings
from gateway.worker import Worker, spare_the_collector
from models import changes
from models.networks import NetworkSet
from models.records import ObjectKey, Permission, UserType
from models.store import Store
from models.tables import AclEntry, Base, Membership, Object, Placement, PrincipalKind, Token, User

POLICIES = Path(__file__).parents[2] / "policies"
USERS, OBJECTS, GROUPS, COLLECTIONS = 10_000, 100_000, 200, 2_000
DEPTH = 6
BATCH = 50
"""Requests made before they are timed: few, since a server has just made the `Inbound` that it judges."""
T = TypeVar("T")
ROLE = "can_read_assets"
ROUTES = """
upstream: media
objects:
  asset: {id: opaque, letter_case: exact, unicode: exact}
routes:
  - GET /API/assets/v1/assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - PATCH /API/assets/v1/assets/{asset_id}: {action: write, object: asset, role: can_write_assets}
  - DELETE /API/assets/v1/assets/{asset_id}: {action: delete, object: asset, role: can_delete_assets}
  - GET /API/files/v1/assets/{asset_id}/files: {action: read, object: asset, role: can_read_files}
"""


@dataclass(slots=True)
class Stages:
    """The stages from identity to authorize, as `gateway.pipeline` runs them."""

    keeper: FactsKeeper
    bundle: Bundle

    async def verdict(self, inbound: Inbound) -> Verdict:
        """Returns the verdict on one request."""
        verdict = await self.keeper.ask(Case(inbound, self.bundle, self.keeper).verdict)
        if verdict is None:
            raise LookupError(inbound.path)
        return verdict


@dataclass(slots=True)
class Whole:
    """All that comes before forwarding, and the counting after it, as `gateway.pipeline` does it."""

    worker: Worker

    @classmethod
    def of(cls, stages: Stages, audit: AuditLog) -> "Whole":
        """Returns a worker that never starts, with the facts and the bundle of `stages`."""
        worker = Worker(Settings())
        worker.facts, worker.bundle, worker.audit = stages.keeper, stages.bundle, audit
        return cls(worker)

    async def verdict(self, scope: Mapping[str, Any]) -> Verdict:
        """Returns the verdict on one request, audited."""
        worker = self.worker
        trail = Trail(os.urandom(12).hex(), time.perf_counter_ns(), dict(scope), worker.bundle)
        trail.inbound = inbound = Inbound.of(scope, worker.trusted, trail.request_id, worker.bounds)
        verdict = await first_verdict(worker, trail, inbound, [])
        if verdict is None:
            raise LookupError(inbound.path)
        case = trail.judged
        worker.note_use(case.identity)
        worker.recent.note(case.identity, case.decided, inbound.client)
        audit(worker, trail, verdict)
        worker.tally.ended(trail.line, trail.failure, 200, time.perf_counter_ns() - trail.begun)
        return verdict


def measure(rounds: int, requests: int) -> dict[str, float]:
    """Returns the median over rounds of the mean microseconds of a request, its spread, and how the verdicts fell.

    Args:
        rounds: how many.
        requests: questions of a round, all different.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Store.upgrade(f"sqlite:///{folder}/store.db")
        store = Store.open(f"sqlite:///{folder}/store.db")
        try:
            return asyncio.run(_measure(store, folder, rounds, requests))
        finally:
            store.close()


async def _measure(store: Store, folder: Path, rounds: int, requests: int) -> dict[str, float]:
    (folder / "routes").mkdir()
    (folder / "routes" / "assets.yaml").write_text(ROUTES)
    floor = read_role_floor(POLICIES)
    routes = RouteTable.load(folder / "routes", known_roles=floor, upstreams=("media",))
    tokens = populated(store)
    keeper = FactsKeeper(store, poll_interval=3600, max_staleness=3600, max_records=10 * OBJECTS)
    await keeper.start()
    try:
        await _load_all(keeper, tokens)
        spare_the_collector()  # as a worker does once it has started
        stages = Stages(keeper, Bundle("bench", read_policy(POLICIES), routes, floor, ()))
        log = AuditLog(str(folder / "audit"))
        number = requests * (rounds + 1)
        judged, allowed = await _rounds(stages.verdict, _inbounds(tokens, number), rounds, requests)
        whole, _ = await _rounds(Whole.of(stages, log).verdict, _scopes(tokens, number, 8), rounds, requests)
        log.close()
    finally:
        await keeper.stop()
    return {
        "us": round(statistics.median(judged), 2),
        "us_spread": round(max(judged) - min(judged), 2),
        "request_us": round(statistics.median(whole), 2),
        "request_us_spread": round(max(whole) - min(whole), 2),
        "requests": requests * rounds,
        "allowed_share": round(allowed / (requests * rounds), 3),
        "paths_learned": stages.bundle.policy.counts.learned,
    }


async def _rounds(
    judge: Callable[[T], Awaitable[Verdict]], asked: Iterator[T], rounds: int, requests: int
) -> tuple[list[float], int]:
    """Returns the mean microseconds of a request in each round, and how many were allowed."""
    means, allowed = [], 0
    for number in range(rounds + 1):
        taken = 0
        for _ in range(requests // BATCH):
            batch = list(islice(asked, BATCH))
            begun = time.perf_counter_ns()
            verdicts = [await judge(each) for each in batch]
            taken += time.perf_counter_ns() - begun
            allowed += sum(verdict.allowed for verdict in verdicts) if number else 0
        means.append(taken / requests / 1000)
    return means[1:], allowed  # the first asked other questions, so that the trees have met the paths


def _inbounds(tokens: list[str], number: int) -> Iterator[Inbound]:
    """Yields requests as a server has just read them."""
    trusted = NetworkSet()
    for scope in _scopes(tokens, number, 7):
        yield Inbound.of(scope, trusted, "bench")


def _scopes(tokens: list[str], number: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yields requests of random users on random objects, no pair twice."""
    for pair in random.Random(seed).sample(range(len(tokens) * OBJECTS), number):
        token, id_ = tokens[pair % len(tokens)], asset(pair // len(tokens))
        yield {
            "type": "http",
            "method": "GET",
            "scheme": "https",
            "raw_path": b"/API/assets/v1/assets/%s" % id_.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"media.example"),
                (b"user-agent", b"bench/1.0"),
                (b"accept", b"*/*"),
                (b"accept-encoding", b"gzip"),
                (b"authorization", b"Bearer " + token.encode()),
            ],
            "client": ("10.0.0.1", 40_000),
        }


async def _load_all(keeper: FactsKeeper, tokens: list[str]) -> None:
    keys = [f"token:{sha256(token.encode()).hexdigest()}" for token in tokens]
    keys += [ObjectKey("asset", asset(number)).fact for number in range(OBJECTS)]
    for at in range(0, len(keys), 10_000):
        await keeper._load(keys[at : at + 10_000])  # noqa: SLF001 - one key at a time, as misses come, takes minutes


def populated(
    store: Store, *, users: int = USERS, objects: int = OBJECTS, for_all: bool = False
) -> list[str]:
    """Fills the store and returns one token for each user.

    Args:
        store: an empty one.
        users: how many.
        objects: how many.
        for_all: puts every user into one group that may read everything, through what propagates from the outermost
            collections.
    """
    drawn = random.Random(42)
    with store.write("bench") as commit:
        session = commit.session
        domain = changes.create_domain(session, "bench").id
        application = changes.create_application(session, domain, "bench").id
        groups = [changes.create_group(session, domain, f"g{number}").id for number in range(GROUPS)]
        for group in groups:
            changes.give_role(session, group, ROLE)
        session.flush()
        tokens = [f"{number:05d}.{drawn.getrandbits(256):064x}" for number in range(users)]
        session.add_all(_user(number, domain) for number in range(users))
        session.flush()
        for number in range(users):
            mine = drawn.sample(groups, drawn.randint(1, 5))
            if for_all and groups[0] not in mine:
                mine.append(groups[0])
            session.add_all(Membership(user_id=f"u{number}", group_id=group) for group in mine)
        now = datetime.now(UTC)
        session.add_all(
            Token(
                id=f"t{number}",
                digest=sha256(token.encode()).hexdigest(),
                user_id=f"u{number}",
                application_id=application,
                created=now,
            )
            for number, token in enumerate(tokens)
        )
        session.add_all(_objects(drawn, domain, groups, objects, groups[0] if for_all else None))
    return tokens


def _user(number: int, domain: str) -> User:
    admin, now = number % 100 == 0, datetime.now(UTC)
    kind = UserType.POWER if admin else UserType.STANDARD
    email = f"u{number}@bench.example"
    return User(
        id=f"u{number}", domain_id=domain, email=email, type=kind, is_admin=admin, created=now, modified=now
    )


def _objects(
    drawn: random.Random, domain: str, groups: list[str], objects: int, everybody: str | None
) -> Iterator[Base]:
    now = datetime.now(UTC)
    per_level = COLLECTIONS // DEPTH
    for number in range(COLLECTIONS):
        id_ = f"c{number}"
        yield Object(type="collection", id=id_, domain_id=domain, created=now)
        if number >= per_level:  # stands in one of the level above
            level = number // per_level
            above = f"c{drawn.randrange((level - 1) * per_level, level * per_level)}"
            yield Placement(parent_type="collection", parent_id=above, child_type="collection", child_id=id_)
        named = drawn.sample(groups, 20)
        if everybody and number < per_level and everybody not in named:
            named.append(everybody)
        for group in named:
            yield AclEntry(
                object_type="collection",
                object_id=id_,
                principal_kind=PrincipalKind.GROUP,
                principal_id=group,
                propagates=group == everybody or drawn.random() < 0.5,
                permissions=Permission.READ,
            )
    for number in range(objects):
        yield Object(type="asset", id=asset(number), domain_id=domain, created=now)
        above = f"c{drawn.randrange(COLLECTIONS)}"
        yield Placement(parent_type="collection", parent_id=above, child_type="asset", child_id=asset(number))
