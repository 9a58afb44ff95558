"""`mediagate export` and `mediagate import`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised
from models.store import Store


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    (tmp_path / "old").mkdir()
    return initialised(tmp_path / "old")


def fresh(mediagate: CommandLine, folder: Path) -> CommandLine:
    """Returns the command line of a folder with the same settings and an empty store."""
    (folder / "new").mkdir()
    (folder / "new" / "mediagate.toml").write_text((mediagate.folder / "mediagate.toml").read_text())
    Store.upgrade(f"sqlite:///{folder}/new/mediagate.db")
    return CommandLine(folder / "new")


def test_a_model_moves_to_a_new_store(mediagate: CommandLine, tmp_path: Path) -> None:
    """Into a file of the owner alone, and from there or from standard input into an empty store; tokens only if asked for."""
    token = mediagate.json("token", "create", ADA)["token"]
    file, again = tmp_path / "model.jsonl", tmp_path / "again.jsonl"
    assert mediagate.ok("export", str(file), "--secrets").endswith(f"rows to {file}\n")
    assert file.stat().st_mode & 0o777 == 0o600
    new = fresh(mediagate, tmp_path)

    assert new.json("import", str(file))["rows"] == len(file.read_bytes().splitlines()) - 2
    new.ok("export", str(again), "--secrets")
    assert again.read_bytes() == file.read_bytes()
    assert [row["state"] for row in new.json("token", "list")] == ["valid", "valid"]
    assert token.encode() not in file.read_bytes()
    assert "take up an import that broke off" in new.fails("import", str(file))
    assert new.ok("import", str(file), "--resume") == "imported 0 rows\n"


def test_files_are_not_written_over_nor_left_behind(mediagate: CommandLine, tmp_path: Path) -> None:
    """A file that exists, a folder that does not, a file that cannot be read or is none."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "cannot be made" in mediagate.fails("export", str(taken))
    assert "cannot be made" in mediagate.fails("export", str(tmp_path / "none" / "x"))
    assert taken.read_text() == "mine"
    new = fresh(mediagate, tmp_path)
    assert "cannot be read" in new.fails("import", str(tmp_path / "none"))
    assert "line 1: not as it was written" in new.fails("import", str(taken), code=2)


def test_standard_output_has_the_lines_and_nothing_else(mediagate: CommandLine) -> None:
    """So that it can be piped."""
    lines = mediagate.ok("export", "-").splitlines()
    assert lines[0].startswith('{"format":1,')
    assert '"sha256"' in lines[-1]
    assert not any("digest" in line for line in lines)
