"""`mediagate group`."""

import shutil
from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a group in it."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors", "--role", "can_read_assets")
    return mediagate


def test_group_and_team_are_added(mediagate: CommandLine) -> None:
    """A team is a group of another kind."""
    assert mediagate.ok("group", "add", "crew", "--team") == "added team crew to domain default\n"

    assert [(group["name"], group["kind"]) for group in mediagate.json("group", "list")] == [
        ("crew", "TEAM"),
        ("editors", "GROUP"),
    ]
    assert mediagate.ok("group", "list").splitlines()[2].split()[:4] == [
        "editors",
        "GROUP",
        "0",
        "can_read_assets",
    ]


def test_roles_are_given_and_taken(mediagate: CommandLine) -> None:
    """Several roles change in one commit, and only what is new is told."""
    said = mediagate.ok("group", "give", "editors", "can_search", "can_read_assets")
    assert said == "editors now gives can_search\n"
    assert mediagate.json("group", "show", "editors")["roles"] == ["can_read_assets", "can_search"]

    assert mediagate.json("group", "take", "editors", "can_search")["changed"] == ["can_search"]
    assert mediagate.ok("group", "take", "editors", "can_search") == "nothing to change\n"


def test_one_unknown_name_undoes_the_whole_command(mediagate: CommandLine) -> None:
    """Nobody joins if one of those named does not exist."""
    said = mediagate.fails("group", "join", "editors", ADA, "eve@example.org")

    assert said.startswith("there is no user `eve@example.org`")
    assert mediagate.json("group", "show", "editors")["members"] == []


def test_role_that_the_catalogue_does_not_know_is_refused(mediagate: CommandLine) -> None:
    """A misspelled role would silently give nothing."""
    expected = "there is no role `can_read_asset` in roles.yaml; did you mean `can_read_assets`?"

    assert mediagate.fails("group", "give", "editors", "can_read_asset") == expected
    assert mediagate.fails("group", "add", "other", "--role", "can_read_asset") == expected
    assert len(mediagate.json("group", "list")) == 1


def test_role_is_not_compared_where_there_is_no_catalogue(mediagate: CommandLine) -> None:
    """On a machine without the policies, any well-formed role may be given."""
    shutil.rmtree(mediagate.folder / "policies")

    assert mediagate.json("group", "give", "editors", "can_do_anything")["changed"] == ["can_do_anything"]
    assert "`Can Do` is no role" in mediagate.fails("group", "give", "editors", "Can Do", code=2)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("add", "editors"), "there is a group `editors` in this domain already: choose another name"),
        (("show", "editor"), "there is no group `editor`; did you mean `editors`?"),
        (("leave", "nobodies", ADA), "there is no group `nobodies`"),
    ],
)
def test_refused_changes_say_why(mediagate: CommandLine, typed: tuple[str, ...], said: str) -> None:
    """Names that are taken or unknown are failures with a sentence."""
    assert said in mediagate.fails("group", *typed)


def test_groups_of_two_domains_are_told_apart(mediagate: CommandLine) -> None:
    """The same name in two domains is two groups."""
    mediagate.ok("domain", "add", "studio")
    mediagate.ok("group", "add", "editors", "--domain", "studio")

    assert mediagate.json("group", "show", "editors", "--domain", "studio")["domain"] == "studio"
    assert "several domains have a group `editors`" in mediagate.fails("group", "show", "editors")
    assert len(mediagate.json("group", "list", "--domain", "default")) == 1
    assert "there is no user" in mediagate.fails("group", "join", "editors", ADA, "--domain", "studio")


def test_groups_are_of_three_kinds(mediagate: CommandLine) -> None:
    """A role group has roles and no access, a team access and no roles; one is not both."""
    mediagate.ok("object", "add", "asset:clip")

    said = mediagate.ok("group", "add", "narrow", "--role-group", "--role", "can_search")
    assert said == "added role group narrow to domain default\n"
    assert "is a team, which has no roles" in mediagate.fails(
        "group", "add", "crew", "--team", "--role", "can_search"
    )
    assert "is a role group" in mediagate.fails("grant", "group:narrow", "read", "asset:clip")
    assert "one kind" in mediagate.fails("group", "add", "both", "--team", "--role-group", code=2)
    assert "there is a group `narrow`" in mediagate.fails("group", "add", "NARROW")


def test_groups_are_renamed_and_removed(mediagate: CommandLine) -> None:
    """A group keeps roles and members under another name, and is gone with them when removed."""
    mediagate.ok("group", "join", "editors", ADA)
    assert (
        mediagate.ok("group", "set", "editors", "--name", "cutters", "--description", "cut")
        == "changed group cutters\n"
    )
    shown = mediagate.json("group", "show", "cutters")
    assert (shown["roles"], shown["members"], shown["description"]) == (["can_read_assets"], [ADA], "cut")
    assert "nothing to set" in mediagate.fails("group", "set", "cutters", code=2)

    assert mediagate.ok("group", "remove", "cutters") == "removed group cutters\n"
    assert mediagate.json("user", "show", ADA)["groups"] == []
    assert mediagate.fails("group", "show", "cutters") == "there is no group `cutters`"
