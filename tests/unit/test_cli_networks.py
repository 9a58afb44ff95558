"""`mediagate allow-ip`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a group in it."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors")
    return mediagate


def test_networks_are_listed_with_whom_they_bind(mediagate: CommandLine) -> None:
    """The domain's own lines come first, in one form, and the switch is shown."""
    said = mediagate.ok("allow-ip", "add", "10.1.0.0/16", "--group", "editors", "--note", "Office")
    assert (
        said == "allowed 10.1.0.0/16 for editors; the list is off: turn it on with `mediagate allow-ip on`\n"
    )
    mediagate.ok("allow-ip", "add", "192.0.2.7")

    assert mediagate.json("allow-ip", "list") == {
        "enabled": False,
        "rule": "MOST_SPECIFIC",
        "networks": [
            {"cidr": "192.0.2.7/32", "for": "everybody", "app": None, "note": ""},
            {"cidr": "10.1.0.0/16", "for": "group:editors", "app": None, "note": "Office"},
        ],
    }
    said = mediagate.ok("allow-ip", "list")
    assert said.startswith("allow-lists of domain default: off, the most specific one decides\nCIDR")


def test_users_and_applications_have_lines(mediagate: CommandLine) -> None:
    """A line is for one user, and for the tokens of one application, as said; removing it needs the same words."""
    mediagate.ok("token", "create", ADA, "--app", "player")
    said = mediagate.ok("allow-ip", "add", "192.0.2.7", "--user", ADA, "--app", "player")
    assert said.startswith(f"allowed 192.0.2.7/32 for {ADA};")
    assert mediagate.json("allow-ip", "list")["networks"] == [
        {"cidr": "192.0.2.7/32", "for": f"user:{ADA}", "app": "player", "note": ""}
    ]

    assert mediagate.json("allow-ip", "remove", "192.0.2.7", "--user", ADA)["changed"] is False
    assert (
        mediagate.json("allow-ip", "remove", "192.0.2.7", "--user", ADA, "--app", "player")["changed"] is True
    )
    assert "there is no application `panel`" in mediagate.fails(
        "allow-ip", "add", "192.0.2.7", "--app", "panel"
    )


def test_lists_combine_as_the_rule_says(mediagate: CommandLine) -> None:
    """The rule is set and shown."""
    said = mediagate.ok("allow-ip", "rule", "every_level")

    assert said == "allow-lists of domain default: each one must admit\n"
    assert mediagate.json("allow-ip", "list")["rule"] == "EVERY_LEVEL"


def test_no_admin_is_locked_out_unless_forced(mediagate: CommandLine) -> None:
    """--keep names an address that must go on letting an admin in, --force does it all the same."""
    mediagate.ok("allow-ip", "add", "192.0.2.0/24")

    said = mediagate.fails("allow-ip", "on", "--keep", "10.0.0.1")
    assert said.startswith("no active admin of the domain could come in from 10.0.0.1 any more")
    assert mediagate.json("allow-ip", "list")["enabled"] is False
    mediagate.ok("allow-ip", "on", "--keep", "192.0.2.8")
    mediagate.ok("allow-ip", "rule", "EVERY_LEVEL")
    assert "from any address" in mediagate.fails("allow-ip", "add", "10.0.0.1", "--user", ADA)
    mediagate.ok("allow-ip", "add", "10.0.0.1", "--user", ADA, "--force")
    assert "give one of them" in mediagate.fails("allow-ip", "on", "--force", "--keep", "10.0.0.1", code=2)
    assert "is not an IPv4 or IPv6 address" in mediagate.fails("allow-ip", "on", "--keep", "here", code=2)


def test_switch_turns_on_and_off(mediagate: CommandLine) -> None:
    """The switch is the domain's; entries stay."""
    mediagate.ok("allow-ip", "add", "10.1.0.0/16")

    assert mediagate.ok("allow-ip", "on") == "allow-lists of domain default are on\n"
    assert mediagate.json("allow-ip", "list")["enabled"] is True
    assert mediagate.ok("allow-ip", "add", "10.2.0.0/16") == "allowed 10.2.0.0/16 for everybody\n"
    assert mediagate.json("allow-ip", "off") == {"domain": "default", "enabled": False}


def test_removing_the_last_line_warns_that_nobody_is_restricted(mediagate: CommandLine) -> None:
    """An empty list restricts nobody, which somebody who removes a line may not expect."""
    mediagate.ok("allow-ip", "add", "10.1.0.0/16")
    mediagate.ok("allow-ip", "add", "10.2.0.0/16")
    mediagate.ok("allow-ip", "add", "10.3.0.0/16", "--group", "editors")

    assert (
        mediagate.ok("allow-ip", "remove", "10.1.0.0/16")
        == "removed 10.1.0.0/16 from the list for everybody\n"
    )
    said = mediagate.ok("allow-ip", "remove", "10.2.0.0/16")
    assert said.endswith("; the list for everybody is empty now and restricts nobody\n")
    assert mediagate.json("allow-ip", "remove", "10.3.0.0/16", "--group", "editors")["changed"] is True
    assert (
        mediagate.ok("allow-ip", "remove", "10.3.0.0/16", "--group", "editors")
        == "10.3.0.0/16 was not on the list of editors\n"
    )


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (("add", "10.1.2.3/16"), 2, "`10.1.2.3/16` has host bits set: `10.1.0.0/16` is the network"),
        (("add", "10.0.0.0/33"), 2, "needs a prefix length between 0 and 32"),
        (("add", "010.0.0.1"), 2, "`010.0.0.1` is not an IPv4 or IPv6 address"),
        (("remove", "office"), 2, "`office` is not an IPv4 or IPv6 address"),
        (("add", "10.0.0.1", "--group", "editor"), 3, "there is no group `editor`; did you mean `editors`?"),
        (("on", "--domain", "studio"), 3, "there is no domain `studio`"),
    ],
)
def test_refused_lines_say_why(mediagate: CommandLine, typed: tuple[str, ...], code: int, said: str) -> None:
    """What cannot be read as a network is wrong use, unknown names are failures; nothing is added."""
    assert said in mediagate.fails("allow-ip", *typed, code=code)
    assert mediagate.json("allow-ip", "list")["networks"] == []


def test_group_tells_its_domain(mediagate: CommandLine) -> None:
    """With several domains a group need not be named together with its domain."""
    mediagate.ok("domain", "add", "studio")
    mediagate.ok("group", "add", "crew", "--domain", "studio")

    mediagate.ok("allow-ip", "add", "10.1.0.0/16", "--group", "crew")

    assert len(mediagate.json("allow-ip", "list", "--domain", "studio")["networks"]) == 1
    assert "say which with --domain" in mediagate.fails("allow-ip", "list")
