"""Tests of gateway.roles: the shipped catalogue, and what is none."""

from pathlib import Path

import pytest

from gateway.errors import PolicyFileError
from gateway.roles import CATEGORIES, FILE, floor_of, gui_only_of, read_role_floor, read_roles
from models.records import UserType

SHIPPED = read_roles(Path(__file__).parents[2] / "policies")


def problems(folder: Path, text: str) -> list[str]:
    """Returns what is wrong with a catalogue."""
    (folder / FILE).write_text(text)
    with pytest.raises(PolicyFileError) as caught:
        read_roles(folder)
    return caught.value.problems


def test_every_known_role_is_there() -> None:
    """The union of the published operations' roles and of the role list of a running system has 222 names."""
    assert len(SHIPPED) == 222
    assert {role.category for role in SHIPPED.values()} == set(CATEGORIES)
    sources = {source for role in SHIPPED.values() for source in role.known_from}
    assert sources == {"service description", "role list", "role help"}
    assert sum("service description" in role.known_from for role in SHIPPED.values()) == 189
    assert sum("role list" in role.known_from for role in SHIPPED.values()) == 213


def test_the_published_part_of_the_browse_only_list_is_kept() -> None:
    """All fourteen names that the help page shows for BROWSE_ONLY may be held by it."""
    told = [role for role in SHIPPED.values() if "role help" in role.known_from]

    assert len(told) == 14
    assert {role.lowest for role in told} == {UserType.BROWSE_ONLY}


def test_gui_only_roles_are_those_that_no_operation_demands() -> None:
    """All `web_*` names and the panel are GUI-only; none of them is known from an operation."""
    gui_only = gui_only_of(SHIPPED)

    assert gui_only == {name for name in SHIPPED if name.startswith("web_")} | {"can_use_adobe_panel"}
    assert all("service description" not in SHIPPED[name].known_from for name in gui_only)


def test_the_floor_says_who_may_hold_a_role(tmp_path: Path) -> None:
    """A role is read with all that is said of it, and its floor is the lowest type."""
    text = "billing:\n  a: {lowest: POWER, known_from: [x, y]}\nothers:\n  b: {lowest: STANDARD, gui_only: true, known_from: [z]}\n"
    (tmp_path / FILE).write_text(text)
    roles = read_roles(tmp_path)

    assert (roles["a"].category, roles["a"].gui_only, roles["a"].known_from) == ("billing", False, ("x", "y"))
    assert roles["b"].gui_only
    assert floor_of(roles) == read_role_floor(tmp_path) == {"a": UserType.POWER, "b": UserType.STANDARD}


GOOD = "{lowest: POWER, known_from: [x]}"
BAD = {
    "no file content": ("", ["roles.yaml:1: the file is empty"]),
    "the former form": ("POWER: [a, b]", ["roles.yaml:1: the catalogue has no key `POWER`"]),
    "a list in a category": ("core: [a]", ["roles.yaml:1: `core` must be a mapping"]),
    "an unknown key": (f"core:\n  a: {GOOD[:-1]}, floor: 1}}", ["roles.yaml:2: the role `a` has no key `floor`"]),
    "an unknown type": ("core:\n  a: {lowest: CLERK, known_from: [x]}", ["roles.yaml:2: `lowest` is not `CLERK`"]),
    "no type": ("core:\n  a: {known_from: [x]}", ["roles.yaml:2: the role `a` states no `lowest`: write it as in {lowest"]),
    "nothing": ("core:\n  a: {}", ["roles.yaml:2: the role `a` states no `lowest` and no `known_from`"]),
    "no source": ("core:\n  a: {lowest: POWER, known_from: []}", ["roles.yaml:2: `known_from` must not be empty"]),
    "a switch that is none": (f"core:\n  a: {GOOD[:-1]}, gui_only: 1}}", ["roles.yaml:2: `gui_only` must be `true` or `false`"]),
    "a name that cannot be given": (f"core:\n  Can: {GOOD}", ["roles.yaml:2: `Can` is no role: use up to 64 lower-case"]),
    "twice in a category": (f"core:\n  a: {GOOD}\n  a: {GOOD}", ["roles.yaml:3: `a` stands there twice"]),
    "in two categories": (f"core:\n  a: {GOOD}\nbilling:\n  a: {GOOD}", ["roles.yaml:4: the role `a` stands under `core` already"]),
    "two mistakes": ("core:\n  a: {}\n  B: {}", ["roles.yaml:2: ", "roles.yaml:3: `B` is no role", "roles.yaml:3: "]),
    "no YAML": ("core: {", ["roles.yaml:"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_no_catalogue_is_told_with_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    """Nothing is guessed: every mistake is told, each with its place."""
    found = problems(tmp_path, text)

    assert len(found) == len(said), found
    for each, start in zip(found, said, strict=True):
        assert each.startswith(start)


def test_a_missing_catalogue_is_a_mistake(tmp_path: Path) -> None:
    """Without it every role would be for POWER users only, which nobody meant."""
    with pytest.raises(PolicyFileError, match="No such file"):
        read_roles(tmp_path)
