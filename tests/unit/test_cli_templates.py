"""`mediagate template`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a group, a collection, an asset, and a template that lets the group read."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors")
    mediagate.ok("collection", "add", "collection:news")
    mediagate.ok("object", "add", "asset:42", "--in", "collection:news")
    mediagate.ok("template", "add", "editorial")
    mediagate.ok("template", "give", "editorial", "group:editors", "read,write")
    return mediagate


def test_a_template_is_shown_with_its_entries_and_uses(mediagate: CommandLine) -> None:
    """Who gets what, and for whom it is set, by the names that people know."""
    mediagate.ok("template", "give", "editorial", ADA, "delete", "--propagate")
    assert (
        mediagate.ok("template", "set", "editorial", "--for-domain") == "domain default: template editorial\n"
    )
    mediagate.ok("template", "set", "editorial", "--group", "editors")
    mediagate.ok("template", "set", "editorial", "--user", ADA)

    shown = mediagate.json("template", "show", "editorial")
    assert shown["entries"] == [
        {"who": "group:editors", "permissions": ["read", "write"], "propagates": False},
        {"who": f"user:{ADA}", "permissions": ["delete"], "propagates": True},
    ]
    assert len(shown["set_for"]) == 3
    assert {"group:editors", f"user:{ADA}"} < set(shown["set_for"])
    assert "group:editors" in mediagate.ok("template", "show", "editorial")
    assert mediagate.ok("template", "list").splitlines()[1].split()[:2] == ["editorial", "2"]
    assert mediagate.ok("template", "set", "none", "--user", ADA) == f"user {ADA}: no template\n"
    assert len(mediagate.json("template", "show", "editorial")["set_for"]) == 2


def test_it_is_applied_on_request_and_told(mediagate: CommandLine) -> None:
    """Beside what is there; within a collection only what that gives, too; each who is left out with the reason."""
    assert "left out: group:editors: has nothing of it on collection:news" in mediagate.ok(
        "template", "apply", "editorial", "asset:42", "--within", "collection:news"
    )
    said = mediagate.ok("template", "apply", "editorial", "asset:42")
    assert said == "group:editors may now read, write asset:42\n"
    assert (
        mediagate.ok("template", "apply", "editorial", "asset:42") == "group:editors had all of it already\n"
    )


def test_editing_tells_that_objects_keep_theirs(mediagate: CommandLine) -> None:
    """Taking, renaming and removing change the template alone."""
    mediagate.ok("template", "apply", "editorial", "asset:42")
    assert "objects keep theirs" in mediagate.ok("template", "take", "editorial", "group:editors", "write")
    assert mediagate.ok("template", "take", "editorial", "group:editors", "write").startswith("no such entry")
    assert mediagate.ok("template", "give", "editorial", "editors", "read").startswith("given already")
    mediagate.ok("template", "rename", "editorial", "newsroom")
    assert "what it gave stays" in mediagate.ok("template", "remove", "newsroom")
    assert mediagate.ok("template", "list").startswith("no templates")
    assert "editors" in mediagate.ok("object", "show", "asset:42")


def test_mistakes_are_answered_with_what_to_do(mediagate: CommandLine) -> None:
    """A misspelled template, nobody or too many to set it for, a permission that is none."""
    assert "did you mean `editorial`?" in mediagate.fails("template", "show", "editorail")
    assert "say for whom" in mediagate.fails("template", "set", "editorial", code=2)
    assert "say for whom" in mediagate.fails(
        "template", "set", "editorial", "--for-domain", "--user", ADA, code=2
    )
    mediagate.fails("template", "give", "editorial", "editors", "reed", code=2)
    assert "storage" in mediagate.fails("template", "set", "editorial", "--storage", "asset:42", code=2)
