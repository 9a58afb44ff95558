"""Tests of gateway.capabilities: the shipped table is the published one, and one that contradicts the roles does not load."""

import shutil
from pathlib import Path

import pytest

from gateway.bundle import load_bundle
from gateway.capabilities import FILE, KINDS, VISITOR, read_capabilities
from gateway.errors import ConfigurationError, PolicyFileError
from gateway.proving import prove
from gateway.roles import read_roles

POLICIES = Path(__file__).parents[2] / "policies"
ROLES = read_roles(POLICIES)
SHIPPED = read_capabilities(POLICIES, ROLES)
PUBLISHED = """
View Shared Assets                      x x x x
View Shared Collections                 x x x x
Participate in Review and Approve       x x x x
Time-based Commenting                   x x x shared
Download                                x x x enabled
Upload / Ingest                         x x - enabled
Browse Assets                           x x x -
Discovery View                          x x x -
Search                                  x x x -
Collections                             x x x -
Jobs Overview                           x x - -
Edit Metadata                           x x - -
Delete Assets                           x x - -
Delete Collections                      x x - -
ACL Management                          x x - -
Initiate & Manage Review and Approve    x x - -
Initiate Video and Image Analysis       x x - -
Recycle Bin Management                  x x - -
Adobe CC Workflows                      x x - -
Administrate Billing                    x - - -
Administrative Tasks                    x - - -
""".strip().splitlines()
"""The table as published; its blank cells, which the text lost, as `-`, and over whom "if enabled" stands as we read it."""
MARKS = {"x": "may", "-": "not", "shared": "shared assets only", "enabled": "if enabled"}
UPLOAD = "BROWSE_ONLY: not, VISITOR: if enabled}"
TURNED = "BROWSE_ONLY: if enabled, VISITOR: not}"


def test_the_shipped_table_is_the_published_one() -> None:
    """Twenty-one rows by four kinds of user, in order, each cell with its mark."""
    assert [each.name for each in SHIPPED] == [line[:40].strip() for line in PUBLISHED]
    for each, line in zip(SHIPPED, PUBLISHED, strict=True):
        assert [each.cells[kind] for kind in KINDS] == [MARKS[mark] for mark in line[40:].split()], each.name


def test_only_the_row_of_the_panel_is_display_only() -> None:
    """Every other row has roles that refuse."""
    assert [each.name for each in SHIPPED if not each.refuses] == ["Adobe CC Workflows"]


def copy(folder: Path, old: str = "", new: str = "", file: str = FILE) -> Path:
    """Returns a copy of the shipped policies in which `new` stands for the one `old`."""
    shutil.copytree(POLICIES, folder / "policies")
    text = (folder / "policies" / file).read_text()
    assert not old or text.count(old) == 1
    (folder / "policies" / file).write_text(text.replace(old, new) if old else text)
    return folder / "policies"


def test_who_may_upload_if_enabled_is_one_line(tmp_path: Path) -> None:
    """Turned, the line asks for the roles to follow; when they do, the table and its scenarios hold."""
    folder = copy(tmp_path, UPLOAD, TURNED)
    with pytest.raises(ConfigurationError) as caught:
        load_bundle(folder, {"media"})
    assert [problem.partition(" in")[0] for problem in caught.value.problems] == [
        f"capabilities.yaml:{caught.value.problems[0].split(':')[1]}: `Upload / Ingest`: BROWSE_ONLY can, but cannot hold "
        f"`{role}`, which roles.yaml gives to STANDARD and above: change one of the two"
        for role in ("can_create_assets", "can_create_formats", "can_write_files")
    ]

    text = (folder / "roles.yaml").read_text()
    for role in ("can_create_assets", "can_create_formats", "can_write_files"):
        text = text.replace(f"  {role}: {{lowest: STANDARD", f"  {role}: {{lowest: BROWSE_ONLY")
    (folder / "roles.yaml").write_text(text)
    bundle = load_bundle(folder, {"media"})
    assert not prove(bundle.policy, bundle.role_floor, bundle.scenarios).failures
    row = next(
        each for each in read_capabilities(folder, read_roles(folder)) if each.name == "Upload / Ingest"
    )
    assert (row.cells["BROWSE_ONLY"], row.cells[VISITOR]) == ("if enabled", "not")


def test_a_floor_that_the_table_denies_does_not_load(tmp_path: Path) -> None:
    """Lowering a role in roles.yaml alone gives users of a type what the table says they cannot do."""
    folder = copy(
        tmp_path, "can_read_jobs: {lowest: STANDARD", "can_read_jobs: {lowest: BROWSE_ONLY", "roles.yaml"
    )

    with pytest.raises(
        ConfigurationError, match="`Jobs Overview`: BROWSE_ONLY cannot, but can hold `can_read_jobs`"
    ):
        load_bundle(folder, {"media"})


def test_a_folder_may_do_without_the_table(tmp_path: Path) -> None:
    """No file, no cells: the folder loads."""
    folder = copy(tmp_path)
    (folder / FILE).unlink()

    assert read_capabilities(folder, ROLES) == ()
    assert load_bundle(folder, {"media"}).scenarios


ROW = """rows:
  - row: Search
    roles: [can_search]
    example: {operation: POST /search, action: list}
    effect: refuses
    cells: {POWER: may, STANDARD: may, BROWSE_ONLY: may, VISITOR: not}
"""
BAD = {
    "nothing": (ROW, "", "the file is empty"),
    "a key of no row": ("    effect:", "    efect: x\n    effect:", "a row has no key `efect`"),
    "a row without cells": ("    cells:", "    cell:", "a row states `cells`"),
    "no example": ("example: {operation: POST /search, action: list}", "example: {}", "`example` states `operation`, `action`"),
    "a kind too many": ("VISITOR: not", "VISITOR: not, CLERK: may", "`cells` has no key `CLERK`"),
    "a kind too few": (", VISITOR: not", "", "`cells` states `VISITOR`"),
    "an unknown mark": ("VISITOR: not", "VISITOR: perhaps", "`VISITOR` is not `perhaps`"),
    "an unknown effect": ("effect: refuses", "effect: hides", "`effect` is not `hides`"),
    "no roles": ("[can_search]", "[]", "`roles` must not be empty"),
    "an unknown role": ("[can_search]", "[can_find]", "`Search`: roles.yaml has no role `can_find`"),
    "a role of the interface": ("[can_search]", "[web_can_upload]", "`Search`: `web_can_upload` only switches an interface"),
    "a role that decides": ("effect: refuses", "effect: display only", "`Search`: `can_search` decides: write the other"),
    "a type that cannot": ("[can_search]", "[can_read_jobs]", "BROWSE_ONLY can, but cannot hold `can_read_jobs`"),
    "a type that can": ("BROWSE_ONLY: may", "BROWSE_ONLY: not", "BROWSE_ONLY cannot, but can hold `can_search`"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_no_table_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    """A mistake, or a contradiction of the catalogue, is told with its place and what to do."""
    assert old in ROW
    (tmp_path / FILE).write_text(ROW.replace(old, new, 1))

    with pytest.raises(PolicyFileError) as caught:
        read_capabilities(tmp_path, ROLES)
    assert any(each.startswith(f"{FILE}:") and said in each for each in caught.value.problems), (
        caught.value.problems
    )
