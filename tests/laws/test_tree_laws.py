"""The named laws of the decision tree, for drawn policies and facts: it is strict Oso, and strict Oso is deterministic."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from gateway.policy import Policy, Question
from gateway.policy.decision import Decision
from laws.grammar import KEYS, policy_of, question_in, record_of, recordings, world_of
from models.records import MissingFactError

NEVER = 10**9
TESTS = Path(__file__).parents[1]


@pytest.fixture(name="scale")
def scale_of_run(request: pytest.FixtureRequest) -> int:
    """How many times the usual number of policies is drawn."""
    return 50 if request.config.getoption("--long") else 1


def walked(policy: Policy, question: Question) -> Decision | str:
    """Returns what the policy decides, or the key of the fact that is not at hand."""
    try:
        return policy.decide(question)
    except MissingFactError as missing:
        return missing.key


def meant(policy: Policy, question: Question) -> Decision | str:
    """Returns the same by strict Oso alone."""
    try:
        return policy.meaning.answer(question).decision
    except MissingFactError as missing:
        return missing.key


def test_the_tree_is_strict_oso(scale: int) -> None:
    """For 40 drawn policies (2,000 with `--long`) and 50 questions each, cold and warm, verdict, reason and rule agree."""
    walks = asked = 0
    reasons: set[str] = set()
    for seed in range(40 * scale):
        policy, drawn = policy_of(seed, check_every=NEVER), Random(f"questions {seed}")
        questions = [question_in(drawn, world_of(drawn)) for _ in range(50)]
        expected = [meant(policy, each) for each in questions]
        assert [walked(policy, each) for each in questions] == expected, f"cold, policy of seed {seed}"
        assert [walked(policy, each) for each in questions] == expected, f"warm, policy of seed {seed}"
        assert (policy.counts.faults, policy.counts.bounded) == (0, 0), f"policy of seed {seed}"
        walks, asked = walks + policy.counts.walked, asked + 2 * len(questions)
        reasons |= {str(each.reason) for each in expected if isinstance(each, Decision)}

    assert walks > asked / 2  # else this would compare strict Oso with itself
    assert {"p0", "p1", "p2", "no-grant", "policy-error", "role"} <= reasons


def test_the_tree_is_strict_oso_while_policies_and_facts_change(scale: int) -> None:
    """Whatever changes between two questions, a fact or the policy, the next decision is strict Oso's."""
    for seed in range(8 * scale):
        drawn = Random(f"changes {seed}")
        world, policy = world_of(drawn), policy_of(seed, check_every=NEVER)
        for turn in range(60):
            if drawn.random() < 0.05:
                policy = policy_of(drawn.randrange(10_000), check_every=NEVER)
            for key in drawn.sample(KEYS, drawn.randint(0, 3)):
                world.records[key] = record_of(drawn, key)
            question = question_in(drawn, world)
            assert walked(policy, question) == meant(policy, question), f"turn {turn} of seed {seed}"
        assert policy.counts.faults == 0


def test_fresh_processes_record_the_same(scale: int) -> None:
    """Strict Oso asks the same questions in the same order in every process, whatever its hash seed."""
    policies, questions = 8 * min(scale, 10), 10
    command = (sys.executable, "-m", "laws.grammar", str(policies), str(questions))
    told = {
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=TESTS,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(TESTS)},
        ).stdout
        for seed in ("0", "1", "4711")
    }

    assert len(told) == 1
    assert len(recordings(range(policies), questions)) == policies * questions
