"""Runs scenarios against a policy, in memory, and says for a failing case at which rule it went another way.

Each case is asked as a request would be (the same judge), of the policy with its tree and, unless that has asked it just now, of strict
Oso; both must answer what the scenario says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.authorize import Authorizer
from gateway.policy import Decision, Policy, Question, Step
from gateway.routes import Target
from gateway.scenarios import Case, Scenario
from models.records import UserType


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that was answered otherwise.

    Attributes:
        place: where the scenario stands in the bundle.
        asked: the case in words.
        wanted: what the scenario says.
        got: what was answered.
        detail: the policy error, if there was one.
        steps: every gate and permit in order with its verdict.
        turn: the index in `steps` of the first that went another way than expected; None if that is not one of them.
    """

    place: str
    asked: str
    wanted: str
    got: str
    detail: str
    steps: tuple[Step, ...]
    turn: int | None

    @property
    def line(self) -> str:
        """The failure in one line."""
        why = f" ({self.detail})" if self.detail else ""
        return f"{self.place}: {self.asked}: must be {self.wanted}, is {self.got}{why}"


@dataclass(frozen=True, slots=True)
class Proof:
    """What running scenarios gave.

    Attributes:
        scenarios: how many ran.
        cases: how many cases they have.
        failures: those that were answered otherwise.
    """

    scenarios: int
    cases: int
    failures: tuple[Failure, ...]


def prove(policy: Policy, role_floor: Mapping[str, UserType], scenarios: Iterable[Scenario]) -> Proof:
    """Asks every case of every scenario."""
    ran = tuple(scenarios)
    cases = [(scenario, case) for scenario in ran for case in scenario.cases]
    found = (failure_of(policy, role_floor, scenario, case) for scenario, case in cases)
    return Proof(len(ran), len(cases), tuple(failure for failure in found if failure is not None))


def failure_of(
    policy: Policy, role_floor: Mapping[str, UserType], scenario: Scenario, case: Case
) -> Failure | None:
    """Returns how a case fails; None if it is answered as the scenario says."""
    authorizer, target = Authorizer(policy, scenario.facts, role_floor), Target(case.does, case.what)
    question = authorizer.question(scenario.subject(case, role_floor), target, case.request())
    wanted = _said(case.because, allowed=case.allowed)
    walked = policy.counts.walked
    decisions = [policy.decide(question)]
    if policy.counts.walked != walked:
        decisions.append(policy.strictly(question))
    for decision in decisions:
        if _said(decision.reason, allowed=decision.allowed) != wanted:
            return _failure(policy, scenario, case, question, decision)
    return None


def _failure(
    policy: Policy, scenario: Scenario, case: Case, question: Question, decision: Decision
) -> Failure:
    steps = tuple(policy.explain(question))
    return Failure(
        place=scenario.where,
        asked=f"{case.who} {case.does} {case.what or 'in the own domain'}",
        wanted=_said(case.because, allowed=case.allowed),
        got=_said(decision.reason, allowed=decision.allowed),
        detail=decision.detail,
        steps=steps,
        turn=_turn(steps, case),
    )


def _turn(steps: tuple[Step, ...], case: Case) -> int | None:
    """Returns the first step that does not go as the expected answer needs it."""
    for at, step in enumerate(steps):
        if step.kind == "gate":
            if step.name == case.because and not case.allowed:
                return at if step.holds else None
            if not step.holds:
                return at
        elif step.holds is not (case.allowed and step.name == case.because):
            return at
        elif step.holds:
            return None
    return None


def _said(reason: str, *, allowed: bool) -> str:
    return f"{'allowed' if allowed else 'refused'} as {reason}"
