"""`mediagate storage` and `mediagate ingest`."""

from pathlib import Path

import pytest

from commandline import CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a storage, whose template lets a group read, and a folder."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors")
    for name in ("storage:nas", "file:/masters"):
        mediagate.ok("object", "add", name)
    mediagate.ok("template", "add", "masters")
    mediagate.ok("template", "give", "masters", "editors", "read")
    mediagate.ok("template", "set", "masters", "--storage", "storage:nas")
    return mediagate


def test_a_folder_is_mapped_and_what_comes_in_it_gets_the_template(mediagate: CommandLine) -> None:
    """Ingest tells where the object came from and what it got; repeated, it changes nothing."""
    assert (
        mediagate.ok("storage", "map", "file:/masters", "storage:nas")
        == "file:/masters comes from storage:nas\n"
    )
    assert mediagate.json("storage", "list") == [{"folder": "file:/masters", "storage": "storage:nas"}]

    said = mediagate.ok("ingest", "file:/masters/a.mov")
    assert (
        said == "added file:/masters/a.mov from storage:nas\ngroup:editors may now read file:/masters/a.mov\n"
    )
    assert "stays as it is" in mediagate.ok("ingest", "file:/masters/a.mov")

    mediagate.ok("storage", "unmap", "file:/masters")
    assert mediagate.ok("storage", "list").startswith("no folders")
    assert mediagate.ok("ingest", "file:/masters/b.mov") == "added file:/masters/b.mov\nno template\n"


def test_an_asset_names_its_storage(mediagate: CommandLine) -> None:
    """What is no path comes from a storage only if that is said."""
    document = mediagate.json("ingest", "asset:1", "--storage", "storage:nas", "--title", "One")
    assert document == {
        "object": "asset:1",
        "new": True,
        "storage": "storage:nas",
        "template": "masters",
        "given": {"group:editors": ["read"]},
        "left_out": {},
    }
    assert "is no storage" in mediagate.fails("ingest", "asset:2", "--storage", "file:/masters", code=2)
    assert "does not exist" in mediagate.fails("ingest", "asset:2", "--storage", "storage:tape")
