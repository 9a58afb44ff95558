"""`mediagate group join` and `mediagate group leave`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with one group."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors", "--role", "can_read_assets")
    return mediagate


def test_members_join_and_leave(mediagate: CommandLine) -> None:
    """Users are named by e-mail; the group's card lists them."""
    mediagate.ok("user", "add", "stan@example.org")

    assert (
        mediagate.ok("group", "join", "editors", ADA, "stan@example.org")
        == f"{ADA}, stan@example.org joined editors\n"
    )
    assert mediagate.json("group", "show", "editors")["members"] == [ADA, "stan@example.org"]
    assert mediagate.ok("group", "leave", "editors", ADA) == f"{ADA} left editors\n"
    assert "members      stan@example.org" in mediagate.ok("group", "show", "editors")


def test_a_list_of_the_group_lets_an_admin_in_or_is_forced(mediagate: CommandLine) -> None:
    """Joining a group whose list and the domain's share no address would leave no admin, so it wants --force."""
    mediagate.ok("allow-ip", "add", "10.0.0.0/8")
    mediagate.ok("allow-ip", "add", "192.0.2.0/24", "--group", "editors")
    mediagate.ok("allow-ip", "rule", "EVERY_LEVEL")
    mediagate.ok("allow-ip", "on")

    assert "no active admin" in mediagate.fails("group", "join", "editors", ADA)
    mediagate.ok("group", "join", "editors", ADA, "--force")
    mediagate.ok("group", "leave", "editors", ADA)
    mediagate.ok("group", "remove", "editors")


def test_unknown_names_are_failures(mediagate: CommandLine) -> None:
    """A misspelled user or group is answered with the nearest, and nobody joins."""
    assert "did you mean `ada@example.org`?" in mediagate.fails("group", "join", "editors", "ade@example.org")
    assert "did you mean `editors`?" in mediagate.fails("group", "leave", "editor", ADA)
