"""docs/seed-coverage.md: every sentence and cell of the seed documents is shown by what is named."""

import re
from pathlib import Path

import pytest

from gateway.bundle import read_scenarios
from gateway.capabilities import FILE, KINDS, read_capabilities
from gateway.roles import read_roles

ROOT = Path(__file__).parents[2]
POLICIES = ROOT / "policies"
TEXT = (ROOT / "docs" / "seed-coverage.md").read_text("utf-8")
ROLES = read_roles(POLICIES)
KNOWN = {each.place.removesuffix(".yaml") for each in read_scenarios(POLICIES, ROLES)}
SENTENCES = {"Security controls": 16, "Users": 23, "Access control": 17}
"""The sentences of each document, those of its table aside."""
ELSEWHERE = ("all rows below", "the section below", "-")


def rows(section: str) -> list[list[str]]:
    """Returns the cells of each row of a section's table."""
    part = TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def missing(shown: str) -> list[str]:
    """Returns what a cell names that is not there: scenarios and cells, and tests in the files that it names."""
    names = re.findall(r"`([^`]+)`", shown)
    files = [ROOT / name for name in names if name.startswith("tests/")]
    source = "".join(path.read_text("utf-8") for path in files if path.is_file())
    tests = [name for name in names if name.startswith("test_")]
    others = [name for name in names if not name.startswith(("tests/", "test_"))]
    return [
        *(str(path) for path in files if not path.is_file()),
        *(name for name in tests if f"def {name}(" not in source),
        *(name for name in others if name not in KNOWN),
    ]


@pytest.mark.parametrize("section", SENTENCES)
def test_every_sentence_is_shown(section: str) -> None:
    """Each has its row, in order; what a row names exists, and one that names nothing says why."""
    found = rows(section)

    assert [row[0] for row in found] == [str(number) for number in range(1, SENTENCES[section] + 1)]
    for number, _, shown in found:
        assert missing(shown) == [], (section, number)
        assert "`" in shown or shown in ELSEWHERE, (section, number)


def test_every_cell_is_shown() -> None:
    """The table has every row and kind; a cell names its own scenario, unless only a share would give it."""
    table = read_capabilities(POLICIES, ROLES)
    found = rows("The table of functions")

    assert [row[0] for row in found] == [each.name for each in table]
    for row, capability in zip(found, table, strict=True):
        slug = re.sub(r"[^a-z]+", "_", capability.name.lower()).strip("_")
        for kind, shown in zip(KINDS, row[1:], strict=True):
            exists = f"{FILE}/{slug}/{kind}" in KNOWN
            assert shown == (f"`{slug}/{kind}`" if exists else "not yet: 6")


def test_what_is_not_there_is_noticed() -> None:
    """The check itself can fail: for a scenario, a cell, a file and a test that do not exist."""
    assert (
        missing("`groups_give_roles` `tests/unit/test_seed_coverage.py` `test_what_is_not_there_is_noticed`")
        == []
    )
    assert missing("`no_scenario`") == ["no_scenario"]
    assert missing("`capabilities.yaml/search/CLERK`") == ["capabilities.yaml/search/CLERK"]
    assert missing("`tests/unit/test_none.py`") == [str(ROOT / "tests/unit/test_none.py")]
    assert missing("`tests/unit/test_roles.py` `test_none`") == ["test_none"]
