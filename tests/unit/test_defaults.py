"""Tests of gateway.defaults: how a folder differs from the shipped one, and what was shipped anew."""

import json
import shutil
from pathlib import Path

import pytest

from gateway.defaults import RECORD, compare, record_shipped
from gateway.shipped import shipped_policies


@pytest.fixture(name="folder")
def copied_folder(tmp_path: Path) -> Path:
    """A folder as `init` makes it."""
    folder = tmp_path / "policies"
    shutil.copytree(shipped_policies(), folder)
    record_shipped(folder)
    return folder


def test_a_fresh_folder_does_not_differ(folder: Path) -> None:
    """What was just copied is as shipped."""
    compared = compare(folder)

    assert (compared.edited, compared.only_shipped, compared.only_here, compared.changed_since) == (
        (),
        (),
        (),
        (),
    )


def test_edits_are_shown_as_a_diff(folder: Path) -> None:
    """An edited file is shown line by line; own route maps and scenarios are nobody else's business."""
    (folder / "actions.polar").write_text((folder / "actions.polar").read_text() + 'needs("play", "read");')
    (folder / "mine.polar").write_text("# mine\n")
    (folder / "permits.polar").unlink()
    (folder / "routes" / "a.yaml").write_text("routes: []\n")
    (folder / "scenarios" / "own").mkdir(exist_ok=True)
    (folder / "scenarios" / "own" / "a.yaml").write_text("says: x\n")
    compared = compare(folder)

    assert [each.name for each in compared.edited] == ["actions.polar"]
    assert '+needs("play", "read");\n' in compared.edited[0].diff
    assert compared.edited[0].diff.startswith("--- shipped/actions.polar\n+++ here/actions.polar\n")
    assert (compared.only_here, compared.only_shipped) == (("mine.polar",), ("permits.polar",))


def test_what_was_shipped_anew_is_named(folder: Path) -> None:
    """A shipped file that is not as it was when the folder was made, one that is new, and one that is gone are named."""
    recorded = json.loads((folder / RECORD).read_text())
    recorded["gates.polar"] = "other"
    recorded["gone.polar"] = "other"
    del recorded["permits.polar"]
    (folder / RECORD).write_text(json.dumps(recorded))

    assert compare(folder).changed_since == ("gates.polar", "gone.polar", "permits.polar")


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_without_a_record_nothing_is_claimed(folder: Path, content: str | None) -> None:
    """A folder whose origin is not recorded, or not readable, is only compared."""
    (folder / RECORD).unlink()
    if content is not None:
        (folder / RECORD).write_text(content)

    assert compare(folder).changed_since is None
