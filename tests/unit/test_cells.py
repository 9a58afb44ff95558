"""Tests of gateway.cells: which scenarios the table of capabilities gives, and that they guard the policy."""

from pathlib import Path

from gateway.bundle import polar_sources
from gateway.capabilities import VISITOR, read_capabilities
from gateway.cells import cells_of
from gateway.policy import Policy
from gateway.proving import prove
from gateway.roles import floor_of, read_roles
from gateway.scenarios import scenario_of
from models.records import UserType

POLICIES = Path(__file__).parents[2] / "policies"
ROLES = read_roles(POLICIES)
TABLE = read_capabilities(POLICIES, ROLES)
CELLS = dict(cells_of(TABLE))
SCENARIOS = [scenario_of(name, content, folder="") for name, content in CELLS.items()]


def test_every_cell_has_a_scenario() -> None:
    """One for each row and kind; what a visitor cannot do is asked of nobody, what a share may give of two visitors."""
    shared = [name for name, cell in CELLS.items() if name.endswith(VISITOR) and "shares" in cell["facts"]]

    assert len(CELLS) == 21 * 4
    assert len(shared) == sum(each.cells[VISITOR] != "not" for each in TABLE) == 6


def test_a_visitors_cell_asks_one_who_is_given_all_and_one_who_may_look() -> None:
    """Who may only look cannot download; both can look."""
    download = scenario_of("x", CELLS["capabilities.yaml/download/VISITOR"])
    view = scenario_of("x", CELLS["capabilities.yaml/view_shared_assets/VISITOR"])

    assert [(case.who, case.because) for case in download.cases] == [("all", "share"), ("look", "role")]
    assert [(case.who, case.because) for case in view.cases] == [("all", "share"), ("look", "share")]


def test_a_cell_asks_those_with_and_without_the_roles() -> None:
    """Whoever a group gives the roles can, whoever has none cannot; an admin needs no group; API users are asked too."""
    power = scenario_of("x", CELLS["capabilities.yaml/delete_assets/POWER"])
    browse = scenario_of("x", CELLS["capabilities.yaml/delete_assets/BROWSE_ONLY"])

    assert [(case.who, case.because) for case in power.cases] == [
        ("with_power", "own-acl"), ("admin", "admin"), ("without_power", "role"),
    ]  # fmt: skip
    assert {case.who for case in browse.cases} == {
        f"{group}_{type_}" for group in ("with", "without") for type_ in ("browse_only", "browse_api_only")
    }
    assert {case.because for case in browse.cases} == {"role"}


def failing(sources: dict[str, str], floor: dict[str, UserType]) -> set[str]:
    """Returns the rows of which a cell fails."""
    failures = prove(Policy(sources), floor, SCENARIOS).failures
    return {failure.place.split("/")[1] for failure in failures}


def test_a_policy_that_forgets_the_roles_breaks_the_table() -> None:
    """If the gate asked for no role, every row would fail but the one that is display only."""
    sources = polar_sources(POLICIES)
    sources["gates.polar"] = sources["gates.polar"].replace(
        "request.roles_held_by(subject)", "subject.is_signed_in()"
    )

    assert len(failing(sources, floor_of(ROLES))) == 20
    assert failing(polar_sources(POLICIES), floor_of(ROLES)) == set()


def test_a_floor_that_is_too_low_breaks_the_table() -> None:
    """If BROWSE_ONLY held everything, each row that it cannot do would fail."""
    floor = dict.fromkeys(ROLES, UserType.BROWSE_ONLY)
    cannot = [each for each in TABLE if each.refuses and each.cells["BROWSE_ONLY"] == "not"]

    assert len(failing(polar_sources(POLICIES), floor)) == len(cannot) == 11
