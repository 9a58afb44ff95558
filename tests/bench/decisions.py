"""What one decision costs with all facts at hand, in one run: our policy, strict Oso, PyCasbin and Cedar.

Each figure is the median over rounds of the mean of a round; all take turns within a round, so that a noisy machine
disturbs all. Every engine is given the same facts, in the form in which it is fastest, before the clock starts:

- `gateway_us`: `Policy.decide` on a question about records in memory. One walk in 1,000 is decided again by strict Oso.
- `oso_us`: the meaning that the tree remembers, asked of Oso each time: the gates in order, then the permits.
- `casbin_us`: `Enforcer.enforce` of PyCasbin with roles for users and for resources, kept in memory. It models groups,
  entries, inheritance and the admin; not the nine gates, not entries that stay on one object, no reasons.
- `cedarpy_us`: `is_authorized` of Cedar with policies and entities parsed beforehand. It models what we do, the gates
  included (`forbid unless`), but gives no order and no reason; the admitted networks are on the request's side.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import casbin  # type: ignore[import-untyped]
import cedarpy

from gateway.bundle import read_policy
from gateway.policy import Policy, Question
from gateway.policy.meaning import Meaning
from gateway.roles import read_role_floor
from models.networks import canonical_address
from models.records import (
    DomainRecord,
    Facts,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    Reach,
    Record,
    UserRecord,
    UserType,
)
from models.vocabulary import Request, Resource, Subject

POLICIES = Path(__file__).parents[2] / "policies"
ROLE = "can_read_assets"
READ = {"group:crew": Permission.READ}


@dataclass
class Known(Facts):
    """Records in memory, for both engines alike; what is above a collection is remembered, as the facts keeper does."""

    records: dict[str, Record] = field(default_factory=dict)
    reached: dict[str, Reach] = field(default_factory=dict)

    def reach(self, key: str) -> Reach:
        """Returns what the object and everything above it grant to their content."""
        if key not in self.reached:
            self.reached[key] = super().reach(key)
        return self.reached[key]

    def get(self, key: str) -> Record | None:
        """Returns a record."""
        return self.records.get(key)


def facts() -> Known:
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
    return Known(records | {each.key.fact: each for each in objects})


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
        raise LookupError(who)  # noqa: TRY004 - there is no such user
    request = Request(canonical_address("10.0.0.1"), datetime.now(UTC), roles=(ROLE,))
    subject = Subject(world, user, read_role_floor(POLICIES))
    return Question(subject, "read", Resource(world, ObjectKey("asset", asset), request.now), request)


CASBIN_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.act == p.act && g(r.sub, p.sub) && g2(r.obj, p.obj)
"""


def casbin_asked(world: Known) -> Callable[[str, str], bool]:
    """Returns PyCasbin's answer to `user may read asset` on the facts."""
    model = casbin.Model()
    model.load_model_from_text(CASBIN_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_policy("admins", "domain:home", "read")
    for record in list(world.records.values()):
        if isinstance(record, UserRecord):
            for group in ("admins",) if record.is_admin else record.principals[1:]:
                enforcer.add_grouping_policy(f"user:{record.id}", group)
        if isinstance(record, ObjectRecord):
            for above in record.parent_facts or ("domain:home",):
                enforcer.add_named_grouping_policy("g2", record.key.fact, above)
            for principal in (*record.direct, *record.propagating):
                enforcer.add_policy(principal, record.key.fact, "read")
    return lambda who, asset: bool(enforcer.enforce(f"user:{who}", f"object:asset:{asset}", "read"))


CEDAR = """
forbid(principal, action, resource) unless { principal.status == "ACTIVE" };
forbid(principal, action, resource) unless { principal.domain.working };
forbid(principal, action, resource) unless { !principal.domain.allow_list || context.admitted };
forbid(principal, action, resource) unless { principal.admin || principal.roles.contains(context.role) };
forbid(principal, action, resource) unless { resource has domain };
forbid(principal, action, resource) unless { resource.domain == principal.domain };
permit(principal, action, resource) when { principal.admin };
permit(principal, action, resource) when { resource has owner && resource.owner == principal };
"""


def cedar_asked(world: Known) -> Callable[[str, str], bool]:
    """Returns Cedar's answer to `user may read asset` on the facts."""
    policies, entities = CEDAR, [_entity("Domain", "home", {"working": True, "allow_list": False}, ())]
    for record in list(world.records.values()):
        if isinstance(record, UserRecord):
            home = {"__entity": {"type": "Domain", "id": "home"}}
            facts_: dict[str, object] = {
                "status": record.status.value,
                "admin": record.is_admin,
                "domain": home,
            }
            above = [("Group", id_) for id_ in record.group_ids]
            facts_["roles"] = [ROLE] if above else []
            entities.append(_entity("User", record.id, facts_, above))
        if isinstance(record, GroupRecord):
            entities.append(_entity("Group", record.id, {}, ()))
        if isinstance(record, ObjectRecord):
            fields: dict[str, object] = {"domain": {"__entity": {"type": "Domain", "id": "home"}}}
            above = [("Object", str(key)) for key in record.parents]
            entities.append(_entity("Object", str(record.key), fields, above))
            for principal, where in [
                *((p, "==") for p in record.direct),
                *((p, "in") for p in record.propagating),
            ]:
                group = principal.removeprefix("group:")
                policies += f'permit(principal in Group::"{group}", action == Action::"read", resource {where} Object::"{record.key}");'
    parsed = cedarpy.PolicySet.from_str(policies)
    known = cedarpy.Entities.from_json_str(json.dumps(entities))

    def asked(who: str, asset: str) -> bool:
        request = {
            "principal": {"type": "User", "id": who},
            "action": {"type": "Action", "id": "read"},
            "resource": {"type": "Object", "id": f"asset:{asset}"},
            "context": {"role": ROLE, "admitted": True},
        }
        return cedarpy.is_authorized(request, parsed, known).allowed

    return asked


def _entity(
    type_: str, id_: str, attributes: dict[str, object], above: Sequence[tuple[str, str]]
) -> dict[str, object]:
    parents = [{"type": kind, "id": name} for kind, name in above]
    return {"uid": {"type": type_, "id": id_}, "attrs": attributes, "parents": parents}


def measure(rounds: int, repeats: int) -> dict[str, dict[str, float]]:
    """Returns for each case the microseconds of each engine, how many times ours is faster than Oso, and spreads."""
    world, policy = facts(), read_policy(POLICIES)
    engines = Engines(policy, policy.meaning, casbin_asked(world), cedar_asked(world))
    return {case: _case(world, engines, case, rounds, repeats) for case in CASES}


@dataclass(frozen=True, slots=True)
class Engines:
    """What is compared."""

    policy: Policy
    meaning: Meaning
    casbin: Callable[[str, str], bool]
    cedar: Callable[[str, str], bool]


def _case(world: Facts, engines: Engines, case: str, rounds: int, repeats: int) -> dict[str, float]:
    who, asset, reason = CASES[case]
    asked = question(world, who, asset)
    runs: dict[str, Callable[[], object]] = {
        "gateway_us": lambda: engines.policy.decide(asked),
        "oso_us": lambda: engines.meaning.answer(asked),
        "casbin_us": lambda: engines.casbin(who, asset),
        "cedarpy_us": lambda: engines.cedar(who, asset),
    }
    allowed = reason != "no-grant"
    said = [str(engines.policy.decide(asked).reason), str(engines.meaning.answer(asked).decision.reason)]
    if said != [reason, reason] or (runs["casbin_us"](), runs["cedarpy_us"]()) != (allowed, allowed):
        raise RuntimeError(f"`{case}` is not decided as `{reason}` by every engine")
    means: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            means[name].append(_mean_us(run, repeats * 10 if name == "gateway_us" else repeats))
    row = {name: round(statistics.median(each), 2) for name, each in means.items()}
    row["oso_over_gateway"] = round(row["oso_us"] / row["gateway_us"], 1)
    return row | {f"{name}_spread": round(max(each) - min(each), 2) for name, each in means.items()}


def _mean_us(decide: Callable[[], object], repeats: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeats):
        decide()
    return (time.perf_counter() - begun) / repeats * 1e6
