"""What one decision costs with all facts at hand: our policy, and plain Oso with the same rules, in one run.

`gateway_us` is `Policy.decide` on a question about records in memory. `oso_us` is plain Oso on the same Polar files: the
gates asked in order, then the permits, through its own host. Each figure is the median over rounds of the mean of a
round; the two take turns within a round, so that a noisy machine disturbs both.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from oso import Oso, Variable

from gateway.bundle import read_policy, read_role_floor
from gateway.policy import Policy, Question
from models.facts import (
    DomainRecord,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    Record,
    Request,
    Resource,
    Subject,
    UserRecord,
    UserType,
)
from models.networks import canonical_address

POLICIES = Path(__file__).parents[2] / "policies"
ROLE = "can_read_assets"
READ = {"group:crew": Permission.READ}


@dataclass
class Facts:
    """Records in memory; what is absent does not exist."""

    records: dict[str, Record] = field(default_factory=dict)

    def get(self, key: str) -> Record | None:
        """Returns a record."""
        return self.records.get(key)


def facts() -> Facts:
    """One admin, one member of a group with one role; a clip with an entry of its own, one six levels below an entry."""
    records: dict[str, Record] = {
        "domain:home": DomainRecord("home"),
        "group:crew": GroupRecord("crew", "home", frozenset((ROLE,))),
        "user:ada": UserRecord("ada", "home", UserType.POWER, is_admin=True),
        "user:kim": UserRecord("kim", "home", group_ids=("crew",)),
    }
    objects = [
        ObjectRecord(ObjectKey("asset", "direct"), registered=True, domain_id="home", direct=READ),
        ObjectRecord(ObjectKey("asset", "closed"), registered=True, domain_id="home"),
        ObjectRecord(ObjectKey("collection", "0"), registered=True, domain_id="home", propagating=READ),
    ]
    for level in range(1, 6):
        above = (ObjectKey("collection", str(level - 1)),)
        objects.append(
            ObjectRecord(
                ObjectKey("collection", str(level)), registered=True, domain_id="home", parents=above
            )
        )
    deep = (ObjectKey("collection", "5"),)
    objects.append(ObjectRecord(ObjectKey("asset", "deep"), registered=True, domain_id="home", parents=deep))
    return Facts(records | {each.key.fact: each for each in objects})


CASES = {
    "admin": ("ada", "deep", "admin"),
    "direct": ("kim", "direct", "own-acl"),
    "deny": ("kim", "closed", "no-grant"),
    "depth6": ("kim", "deep", "inherited-acl"),
}


def question(world: Facts, who: str, asset: str) -> Question:
    """Returns whether `who` may read the asset."""
    user = world.get(f"user:{who}")
    if not isinstance(user, UserRecord):
        raise LookupError(who)
    request = Request(canonical_address("10.0.0.1"), datetime.now(UTC), roles=(ROLE,))
    subject = Subject(world, user, read_role_floor(POLICIES))
    return Question(subject, "read", Resource(world, ObjectKey("asset", asset)), request)


class PlainOso:
    """The same Polar files under Oso's own host."""

    def __init__(self) -> None:
        """Loads the shipped files."""
        self._oso = Oso()
        for cls, name in ((Subject, "Subject"), (Resource, "Object"), (Request, "Request")):
            self._oso.register_class(cls, name=name)
        self._oso.load_files(sorted(POLICIES.glob("*.polar")))
        self._gates = next(self._oso.query_rule("gates", Variable("names")))["bindings"]["names"]

    def decide(self, asked: Question) -> str:
        """Returns the reason: the first gate that does not hold, the first permit that does, or no-grant."""
        subject, action, resource, request = asked.subject, asked.action, asked.resource, asked.request
        for name in self._gates:
            if not self._oso.query_rule_once("gate", name, subject, action, resource, request):
                return str(name)
        permits = self._oso.query_rule("permit", subject, action, resource, request, Variable("reason"))
        found = next(permits, None)
        return str(found["bindings"]["reason"]) if found else "no-grant"


def measure(rounds: int, repeats: int) -> dict[str, dict[str, float]]:
    """Returns for each case `oso_us` and `gateway_us` with their spread."""
    world, policy, plain = facts(), read_policy(POLICIES), PlainOso()
    return {case: _case(world, policy, plain, case, rounds, repeats) for case in CASES}


def _case(
    world: Facts, policy: Policy, plain: PlainOso, case: str, rounds: int, repeats: int
) -> dict[str, float]:
    who, asset, reason = CASES[case]
    asked = question(world, who, asset)
    if (str(policy.decide(asked).reason), plain.decide(asked)) != (reason, reason):
        raise RuntimeError(f"`{case}` is not decided as `{reason}`")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_mean_us(lambda: policy.decide(asked), repeats))
        theirs.append(_mean_us(lambda: plain.decide(asked), repeats))
    return {
        "gateway_us": round(statistics.median(ours), 2),
        "gateway_us_spread": round(max(ours) - min(ours), 2),
        "oso_us": round(statistics.median(theirs), 2),
        "oso_us_spread": round(max(theirs) - min(theirs), 2),
    }


def _mean_us(decide: Callable[[], object], repeats: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeats):
        decide()
    return (time.perf_counter() - begun) / repeats * 1e6
