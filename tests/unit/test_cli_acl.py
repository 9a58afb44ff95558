"""`mediagate acl`: entries on many objects at once."""

from pathlib import Path

import pytest

from commandline import CommandLine, initialised

STAN = "stan@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a user, a group and two assets."""
    mediagate = initialised(tmp_path)
    mediagate.ok("user", "add", STAN)
    mediagate.ok("group", "add", "editors")
    for asset in ("asset:1", "asset:2"):
        mediagate.ok("object", "add", asset)
    return mediagate


def entries(mediagate: CommandLine, object_: str) -> dict[str, list[str]]:
    """Returns what each principal may do with an object."""
    shown = mediagate.json("object", "show", object_)["entries"]
    return {entry["principal"]: entry["permissions"] for entry in shown}


def test_entries_are_set_on_all_objects(mediagate: CommandLine) -> None:
    """What was there is replaced, or added to; `none` takes it away; others keep what they have."""
    mediagate.ok("grant", "editors", "delete", "asset:1")
    said = mediagate.ok("acl", "set", "read", "asset:1", "asset:2", "--to", STAN, "--to", "group:editors")
    assert said == f"changed the entries of user:{STAN}, group:editors on 2 of 2 objects\n"
    assert entries(mediagate, "asset:1") == {f"user:{STAN}": ["read"], "group:editors": ["read"]}

    document = mediagate.json(
        "acl", "set", "read,write", "asset:1", "--to", STAN, "--append", "--until", "7d"
    )
    assert document["changed"] == ["asset:1"]
    mediagate.ok("acl", "set", "none", "asset:2", "--to", "editors")
    assert entries(mediagate, "asset:2") == {f"user:{STAN}": ["read"]}


def test_one_mistake_changes_nothing(mediagate: CommandLine) -> None:
    """An object that does not exist refuses the whole."""
    said = mediagate.fails("acl", "set", "read", "asset:1", "asset:9", "--to", STAN)

    assert said.startswith("the object `asset:9` does not exist")
    assert entries(mediagate, "asset:1") == {}


def test_entries_are_applied_to_content(mediagate: CommandLine) -> None:
    """A job is left to the gateway, or worked off here; the list says how far each is."""
    assert mediagate.ok("acl", "jobs") == "no jobs: `mediagate acl apply` starts one\n"
    mediagate.ok("collection", "add", "collection:news")
    for asset in ("asset:1", "asset:2"):
        mediagate.ok("collection", "put", asset, "collection:news")
    said = mediagate.ok("acl", "apply", "read", "collection:news", "--to", STAN)
    assert said == "open: 0 of 2 objects see `mediagate acl jobs`\n"
    assert entries(mediagate, "asset:1") == {}

    said = mediagate.ok("acl", "apply", "write", "collection:news", "--to", STAN, "--append", "--here")
    assert said == "done: 2 of 2 objects\n"
    assert entries(mediagate, "asset:2") == {f"user:{STAN}": ["read", "write"]}
    assert entries(mediagate, "collection:news") == {}
    assert [(job["state"], job["done"], job["to"]) for job in mediagate.json("acl", "jobs")] == [
        ("done", 2, [f"user:{STAN}"])
    ] * 2


def test_objects_come_from_standard_input(mediagate: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash stands for as many lines; none at all is a mistake."""
    monkeypatch.setattr("gateway.cli.acl._lines", lambda: ["asset:1\n", "\n", "asset:2\n"])
    mediagate.ok("acl", "set", "read", "-", "--to", STAN)
    assert entries(mediagate, "asset:1") == entries(mediagate, "asset:2") == {f"user:{STAN}": ["read"]}

    monkeypatch.setattr("gateway.cli.acl._lines", list)
    assert "no object is named" in mediagate.fails("acl", "set", "read", "-", "--to", STAN, code=2)
