"""Tests of gateway.scenarios: shipped and own scenarios, and an own one that stands in for a shipped one."""

from pathlib import Path

import pytest

from gateway.bundle import bundle_digest
from gateway.errors import PolicyFileError
from gateway.scenarios import load_scenarios

CASE = "says: something\nfacts: {users: {sam: {}}}\nallow: [{who: sam, does: read, because: by-role}]\n"


@pytest.fixture(name="folder")
def scenario_folder(tmp_path: Path) -> Path:
    """A folder with two shipped scenarios and a place for own ones."""
    folder = tmp_path / "scenarios"
    (folder / "own").mkdir(parents=True)
    (folder / "one.yaml").write_text(CASE)
    (folder / "two.yaml").write_text(CASE)
    return folder


def own(folder: Path, text: str, name: str = "mine.yaml") -> None:
    """Writes an own scenario."""
    (folder / "own" / name).write_text(CASE + text)


def problems(folder: Path) -> str:
    """Returns why the folder does not load."""
    with pytest.raises(PolicyFileError) as caught:
        load_scenarios(folder)
    return "\n".join(caught.value.problems)


def test_own_scenarios_stand_apart(folder: Path) -> None:
    """Own scenarios run beside the shipped ones and are known as own."""
    own(folder, "")

    assert [(each.place, each.is_own) for each in load_scenarios(folder)] == [
        ("one.yaml", False),
        ("two.yaml", False),
        ("own/mine.yaml", True),
    ]


def test_an_own_scenario_stands_in_for_a_shipped_one(folder: Path) -> None:
    """What is overridden is left out, and the one that stands in says for what and why."""
    own(folder, "overrides: one\nbecause: we do it otherwise\n")
    loaded = load_scenarios(folder)

    assert [each.place for each in loaded] == ["two.yaml", "own/mine.yaml"]
    assert (loaded[-1].overrides, loaded[-1].because) == ("one", "we do it otherwise")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("overrides: one\n", "it overrides `one`: say why under `because`"),
        ("overrides: tow\nbecause: x\n", "no shipped scenario is called `tow`: did you mean `two`?"),
        ("overrides: [one]\n", "`overrides` and `because` are texts"),
    ],
)
def test_an_override_must_name_one_and_say_why(folder: Path, text: str, sentence: str) -> None:
    """An override without reason, or of nothing, does not load."""
    own(folder, text)

    assert f"scenarios/own/mine.yaml: {sentence}" in problems(folder).replace("TypeError: ", "")


def test_overriding_twice_or_from_the_wrong_place_is_a_problem(folder: Path) -> None:
    """A shipped scenario has at most one that stands in for it, and that is an own one."""
    own(folder, "overrides: one\nbecause: x\n", "a.yaml")
    own(folder, "overrides: one\nbecause: x\n", "b.yaml")
    (folder / "two.yaml").write_text(f"{CASE}overrides: one\nbecause: x\n")
    said = problems(folder)

    assert "scenarios/two.yaml: only scenarios in scenarios/own/ may override" in said
    assert "scenarios/own/b.yaml: `one` is already overridden by scenarios/own/a.yaml: keep one" in said


def test_the_digest_covers_own_scenarios(folder: Path) -> None:
    """An own scenario guards the bundle, so it belongs to the version."""
    before = bundle_digest(folder.parent)
    own(folder, "")

    assert bundle_digest(folder.parent) != before


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ("{user: {sam: {}}}", "unknown words ['user'] in the facts"),
        ("{users: {sam: {grups: [a]}}}", "unknown words ['grups'] in `users`"),
        (
            "{acl: [{object: 'asset:a', to: 'user:sam', may: [read], propagate: true}]}",
            "['propagate'] in `acl`",
        ),
    ],
)
def test_a_misspelled_fact_does_not_load(folder: Path, facts: str, said: str) -> None:
    """A word that nobody knows would silently say nothing, and the scenario would guard another world."""
    (folder / "one.yaml").write_text(CASE.replace("{users: {sam: {}}}", facts))

    assert said in problems(folder)
