"""Each shipped scenario and each cell of the table of capabilities, straight through Polar and by the oracle: both give what the scenario says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.bundle import read_policy, read_scenarios
from gateway.capabilities import read_capabilities
from gateway.cells import cells_of
from gateway.policy import Policy, Question
from gateway.roles import floor_of, read_roles
from gateway.scenarios import Case, Scenario
from models.records import UserType
from models.vocabulary import Resource
from oracle import Oracle

POLICIES = Path(__file__).parents[2] / "policies"
ROLES = read_roles(POLICIES)
ROLE_FLOOR = floor_of(ROLES)
SCENARIOS = read_scenarios(POLICIES, ROLES)
CELLS = dict(cells_of(read_capabilities(POLICIES, ROLES)))
CASES = [
    pytest.param(scenario, number, id=f"{scenario.place.removesuffix('.yaml')}-{number}")
    for scenario in SCENARIOS
    for number in range(len(scenario.cases))
]


@pytest.fixture(scope="module", name="policy")
def loaded_policy() -> Policy:
    """The shipped policy."""
    return read_policy(POLICIES)


def question(scenario: Scenario, case: Case, floor: dict[str, UserType]) -> Question:
    """Returns what a case puts to the policy."""
    resource = Resource(scenario.facts, case.what, case.at)
    return Question(scenario.subject(case, floor), case.does, resource, case.request())


@pytest.mark.parametrize(("scenario", "number"), CASES)
def test_polar_gives_what_the_scenario_says(policy: Policy, scenario: Scenario, number: int) -> None:
    """The policy's verdict and reason are those of the scenario."""
    case = scenario.cases[number]
    decision = policy.decide(question(scenario, case, dict(ROLE_FLOOR)))

    assert (decision.allowed, str(decision.reason)) == (case.allowed, case.because)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.place)
def test_the_oracle_gives_what_the_scenario_says(scenario: Scenario) -> None:
    """The plain-Python oracle gives the same verdict and reason for each case."""
    raw: dict[str, Any] = CELLS.get(scenario.where) or yaml.safe_load(
        (POLICIES / scenario.where).read_text("utf-8")
    )
    oracle = Oracle(raw.get("facts") or {}, {role: str(kind) for role, kind in ROLE_FLOOR.items()})
    wanted = [(True, case["because"]) for case in raw.get("allow") or ()]
    wanted += [(False, case["because"]) for case in raw.get("refuse") or ()]
    cases = [*(raw.get("allow") or ()), *(raw.get("refuse") or ())]

    assert [oracle.answer(case) for case in cases] == wanted
