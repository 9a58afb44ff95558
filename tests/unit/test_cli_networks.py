"""`mediagate allow-ip`."""

from pathlib import Path

import pytest

from commandline import CommandLine, initialised


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
        "networks": [
            {"cidr": "192.0.2.7/32", "for": "everybody", "note": ""},
            {"cidr": "10.1.0.0/16", "for": "group:editors", "note": "Office"},
        ],
    }
    assert mediagate.ok("allow-ip", "list").startswith("allow-lists of domain default: off\nCIDR")


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
