"""Tests of gateway.proving: a failing case says where it went another way."""

from pathlib import Path
from typing import Any

import pytest

from gateway.bundle import read_policy
from gateway.policy import Policy
from gateway.proving import Failure, prove
from gateway.roles import read_role_floor
from gateway.scenarios import load_scenarios, scenario_of

POLICIES = Path(__file__).parents[2] / "policies"
FLOOR = read_role_floor(POLICIES)
FACTS: dict[str, Any] = {
    "users": {"kim": {}, "ina": {"status": "INACTIVE"}},
    "objects": {"asset:clip": {"owner": "kim"}, "asset:other": {}},
}


@pytest.fixture(scope="module", name="policy")
def shipped_policy() -> Policy:
    """The shipped policy."""
    return read_policy(POLICIES)


def failure(policy: Policy, verdict: str, **case: str) -> Failure:
    """Returns how one case fails."""
    entry = {"does": "read", "what": "asset:clip", **case}
    scenario = scenario_of("a.yaml", {"says": "", "facts": FACTS, verdict: [entry]})
    (found,) = prove(policy, FLOOR, [scenario]).failures
    return found


def turn(found: Failure) -> str | None:
    """Returns the name of the step that went another way."""
    return None if found.turn is None else found.steps[found.turn].name


def test_shipped_scenarios_hold(policy: Policy) -> None:
    """What is shipped is proved, and counted."""
    scenarios = load_scenarios(POLICIES / "scenarios")
    proof = prove(policy, FLOOR, scenarios)

    assert proof.failures == ()
    assert (proof.scenarios, proof.cases) == (len(scenarios), sum(len(each.cases) for each in scenarios))


def test_a_case_refused_by_a_gate_names_that_gate(policy: Policy) -> None:
    """Where a gate refused before the expected permit, the gate is the turn."""
    found = failure(policy, "allow", who="ina", because="object-owner")

    assert turn(found) == "user-status"
    assert found.line == (
        "scenarios/a.yaml: ina read asset:clip: must be allowed as object-owner, is refused as user-status"
    )


def test_a_gate_that_passed_is_the_turn_of_an_expected_refusal(policy: Policy) -> None:
    """Where a gate should have refused, it is the turn."""
    assert turn(failure(policy, "refuse", who="kim", because="network")) == "network"


def test_a_permit_that_held_is_the_turn_of_no_grant(policy: Policy) -> None:
    """Where nothing should have been granted, the permit that held is the turn."""
    assert turn(failure(policy, "refuse", who="kim", because="no-grant")) == "object-owner"


def test_a_permit_that_did_not_hold_is_the_turn(policy: Policy) -> None:
    """Where a permit should have held, it is the turn; so is an earlier one that held instead."""
    assert turn(failure(policy, "allow", who="kim", what="asset:other", because="own-acl")) == "own-acl"
    assert turn(failure(policy, "allow", who="kim", because="own-acl")) == "object-owner"


def test_a_policy_error_is_told() -> None:
    """A case that ends in a policy error says what went wrong."""
    sources = {path.name: path.read_text() for path in POLICIES.glob("*.polar")}
    broken = Policy({**sources, "0.polar": 'permit(subject, _a, _r, _q, "x") if subject.oops();'})
    found = failure(broken, "allow", who="kim", because="object-owner")

    assert "oops" in found.line
    assert turn(found) == "x"
