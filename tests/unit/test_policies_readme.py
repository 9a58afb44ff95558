"""policies/README.md tells what the shipped policies say: every gate and permit, with a scenario that shows it."""

import re
from pathlib import Path

import pytest

from gateway.bundle import read_policy
from gateway.scenarios import load_scenarios

POLICIES = Path(__file__).parents[2] / "policies"
TEXT = (POLICIES / "README.md").read_text("utf-8")
POLICY = read_policy(POLICIES)
SCENARIOS = {each.place.removesuffix(".yaml"): each for each in load_scenarios(POLICIES / "scenarios")}
MAX_LINES = 120


def rows(section: str) -> list[tuple[str, str]]:
    """Returns reason and scenario of each row of a section."""
    part = TEXT.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)` \| .* \| `(\w+)` \|$", part, re.MULTILINE)


ROWS = [*rows("Gates"), *rows("Permits"), *rows("Refusals without a rule")]


def test_every_gate_and_permit_has_its_row_in_order() -> None:
    """The tables list the gates and permits of the policy, in its order, and nothing else."""
    assert [reason for reason, _ in rows("Gates")] == list(POLICY.gates)
    assert [reason for reason, _ in rows("Permits")] == list(POLICY.reasons)


@pytest.mark.parametrize(("reason", "scenario"), ROWS)
def test_the_named_scenario_shows_the_reason(reason: str, scenario: str) -> None:
    """A row's scenario exists and has a case with that reason, allowed by a permit and refused by a gate."""
    allowed = reason in POLICY.reasons

    assert any(case.because == reason and case.allowed is allowed for case in SCENARIOS[scenario].cases)


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.polar")), ids=lambda path: path.name)
def test_each_rule_stands_under_a_sentence(path: Path) -> None:
    """A policy file is short, and a sentence stands over each gate and permit (rules that share a reason share it)."""
    lines = path.read_text("utf-8").splitlines()
    heads = [at for at, line in enumerate(lines) if re.match(r"(gate|permit|gates)\(", line)]
    said = {lines[at].partition(",")[0] for at in heads if lines[at - 1].startswith("# ")}

    assert len(lines) <= MAX_LINES
    for at in heads:
        alternative = lines[at].startswith("gate(") and lines[at].partition(",")[0] in said
        assert lines[at - 1].startswith("# ") or alternative, f"{path.name}:{at + 1}"


def test_every_file_is_named() -> None:
    """The table of files names each policy file."""
    for path in POLICIES.glob("*.polar"):
        assert f"`{path.name}`" in TEXT
