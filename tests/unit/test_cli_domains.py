"""`mediagate domain`."""

from pathlib import Path

from commandline import CommandLine, initialised


def test_domains_are_added_frozen_and_listed(tmp_path: Path) -> None:
    """A second domain stands beside the first, with a status of its own."""
    mediagate = initialised(tmp_path)

    assert mediagate.ok("domain", "add", "studio") == "added domain studio\n"
    assert mediagate.ok("domain", "set", "studio", "--status", "frozen") == "domain studio is FROZEN\n"
    assert [(row["name"], row["status"], row["allow_list"]) for row in mediagate.json("domain", "list")] == [
        ("default", "ACTIVE", "off"),
        ("studio", "FROZEN", "off"),
    ]


def test_a_domain_says_how_roles_come(tmp_path: Path) -> None:
    """The role model is set and listed, and what a user then holds is shown."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "narrow", "--role-group", "--role", "can_search")
    mediagate.ok("user", "add", "stan@example.org")

    def held() -> object:
        return mediagate.json("user", "show", "stan@example.org")["roles"]

    assert held() == []
    said = mediagate.ok(
        "domain", "set", "default", "--role-model", "role_groups", "--status", "warning"
    ).splitlines()
    assert said[0] == "domain default is WARNING"
    assert said[1].startswith("users of domain default hold all roles of their type, unless")
    assert mediagate.json("domain", "list")[0]["role_model"] == "ROLE_GROUPS"
    assert held() is None
    assert "all that the type may hold" in mediagate.ok("user", "show", "stan@example.org")
    mediagate.ok("group", "join", "narrow", "stan@example.org")
    assert held() == ["can_search"]
    assert "nothing to set" in mediagate.fails("domain", "set", "default", code=2)


def test_a_domain_stops_sharing_with_visitors(tmp_path: Path) -> None:
    """The switch is on in a new domain, and its state is listed."""
    mediagate = initialised(tmp_path)

    assert mediagate.json("domain", "list")[0]["external_share"] == "on"
    said = mediagate.ok("domain", "set", "default", "--no-external-share")
    assert said == "domain default does not share with visitors\n"
    assert mediagate.json("domain", "list")[0]["external_share"] == "off"
    assert "shares with visitors" in mediagate.ok("domain", "set", "default", "--external-share")


def test_taken_and_unknown_names_are_failures(tmp_path: Path) -> None:
    """A name is given once; a misspelled one is answered with the nearest."""
    mediagate = initialised(tmp_path)

    assert "there is a domain `default` already" in mediagate.fails("domain", "add", "default")
    said = mediagate.fails("domain", "set", "defalt", "--status", "ACTIVE")
    assert said == "there is no domain `defalt`; did you mean `default`?"


def test_store_without_a_domain_says_so(tmp_path: Path) -> None:
    """An upgraded but empty store lists nothing and tells what to do."""
    (tmp_path / "mediagate.toml").write_text("")
    mediagate = CommandLine(tmp_path)
    mediagate.ok("upgrade")

    assert mediagate.ok("domain", "list") == "no domains: run `mediagate init`\n"
    assert mediagate.fails("allow-ip", "list") == "there is no domain: run `mediagate init`"
