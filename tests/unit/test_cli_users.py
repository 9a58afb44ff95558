"""`mediagate user`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised

STAN = "stan@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    return initialised(tmp_path)


def test_user_is_added_with_names_type_and_groups(mediagate: CommandLine) -> None:
    """What was said of a user is what is shown, and the e-mail is kept in lower case."""
    mediagate.ok("group", "add", "editors", "--role", "can_read_assets")
    mediagate.ok("group", "add", "night shift")
    said = mediagate.ok(
        "user", "add", "Stan@Example.org", "--first-name", "Stan", "--last-name", "Ek", "--type", "browse_only",
        "--group", "editors", "--group", "night shift",
    )  # fmt: skip

    assert said == f"added user {STAN} to domain default\n"
    shown = mediagate.json("user", "show", STAN)
    assert shown == {
        "id": shown["id"],
        "email": STAN,
        "first_name": "Stan",
        "last_name": "Ek",
        "type": "BROWSE_ONLY",
        "status": "ACTIVE",
        "admin": False,
        "groups": ["editors", "night shift"],
        "domain": "default",
        "primary_group": None,
        "domains": ["default"],
        "description": "",
        "avatar": "",
        "phone": "",
        "hide_email": False,
        "hide_phone": False,
        "settings": {},
        "metadata": {},
        "created": shown["created"],
        "modified": shown["created"],
        "roles": ["can_read_assets"],
    }
    assert mediagate.json("user", "show", shown["id"]) == shown


def test_commit_bears_the_name_of_the_caller(mediagate: CommandLine) -> None:
    """The revision log says that the command line did it, and who ran it."""
    mediagate.ok("user", "add", STAN)

    assert mediagate.authors()[-1].startswith("cli")


def test_caller_without_a_name_is_no_obstacle(
    mediagate: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run under a number that no account has."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    mediagate.ok("user", "add", STAN)

    assert mediagate.authors()[-1] == "cli"


def test_nothing_is_added_if_one_group_is_unknown(mediagate: CommandLine) -> None:
    """A command is done, or nothing of it is."""
    before = mediagate.authors()

    assert mediagate.fails("user", "add", STAN, "--group", "editors") == "there is no group `editors`"
    assert mediagate.authors() == before
    assert [user["email"] for user in mediagate.json("user", "list")] == [ADA]


def test_list_is_a_table_for_people(mediagate: CommandLine) -> None:
    """Columns are aligned under their names."""
    mediagate.ok("user", "add", STAN)

    heading, ada, stan = mediagate.ok("user", "list").splitlines()
    assert heading.split() == ["EMAIL", "TYPE", "STATUS", "ADMIN", "GROUPS", "ID"]
    assert ada.split()[:5] == [ADA, "POWER", "ACTIVE", "yes", "-"]
    assert stan.index("STANDARD") == heading.index("TYPE")


def test_user_is_changed_only_in_what_is_named(mediagate: CommandLine) -> None:
    """`set` leaves alone what it does not name."""
    mediagate.ok("user", "add", STAN, "--first-name", "Stan")

    assert mediagate.ok("user", "set", STAN, "--status", "blocked") == f"changed user {STAN}\n"
    mediagate.ok("user", "set", STAN, "--type", "POWER", "--admin", "--last-name", "Ek")
    shown = mediagate.json("user", "show", STAN)
    assert [shown[name] for name in ("first_name", "last_name", "type", "status", "admin")] == [
        "Stan", "Ek", "POWER", "BLOCKED", True,
    ]  # fmt: skip
    assert mediagate.json("user", "set", STAN, "--no-admin")["admin"] is False


def test_all_that_is_kept_of_a_user_is_set_and_shown(mediagate: CommandLine) -> None:
    """Each option of `set` is what `show` then says; `-` takes the primary group away."""
    mediagate.ok("group", "add", "editors")
    mediagate.ok("user", "add", STAN, "--group", "editors", "--description", "cuts", "--phone", "1")
    mediagate.ok(
        "user", "set", STAN, "--email", "Stan.Ek@example.org", "--avatar", "/stan.png", "--phone", "+46 2", "--hide-email",
        "--hide-phone", "--primary-group", "editors", "--settings", '{"theme": "dark"}', "--metadata", '{"desk": 7}',
    )  # fmt: skip
    shown = mediagate.json("user", "show", "stan.ek@example.org")

    told = {
        "description": "cuts", "avatar": "/stan.png", "phone": "+46 2", "hide_email": True, "hide_phone": True,
        "primary_group": "editors", "settings": {"theme": "dark"}, "metadata": {"desk": 7},
    }  # fmt: skip
    assert {name: shown[name] for name in told} == told
    assert '{"theme": "dark"}' in mediagate.ok("user", "show", "stan.ek@example.org")
    mediagate.ok("user", "set", "stan.ek@example.org", "--primary-group", "-", "--show-email")
    shown = mediagate.json("user", "show", "stan.ek@example.org")
    assert (shown["primary_group"], shown["hide_email"], shown["hide_phone"]) == (None, False, True)


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        (("add", ADA), 3, "there is a user `ada@example.org` in this domain already: change that one"),
        (("add", "stan"), 2, "`stan` is not an e-mail address: write NAME@HOST"),
        (("add", STAN, "--admin"), 2, "only POWER users may be admin"),
        (("show", "ade@example.org"), 3, "there is no user `ade@example.org`; did you mean `ada@example.org`?"),
        (("set", ADA, "--no-admin"), 3, "`ada@example.org` is the last active admin of its domain: make another one first"),
        (("set", ADA, "--status", "BLOCKED"), 3, "is the last active admin of its domain"),
        (("set", ADA, "--status", "DELETED"), 3, "is the last active admin of its domain"),
        (("set", ADA, "--type", "STANDARD"), 2, "only POWER users may be admin"),
        (("set", ADA, "--avatar", "javascript:alert(1)"), 2, "is no link of a user: write https://HOST/PATH"),
        (("set", ADA, "--settings", "{a}"), 2, "--settings is no JSON"),
        (("set", ADA, "--settings", "[1]"), 2, "are no JSON object"),
        (("set", ADA, "--primary-group", "nobody"), 3, "there is no group `nobody`"),
        (("set", ADA, "--email", "ada"), 2, "`ada` is not an e-mail address"),
        (("list", "--domain", "studio"), 3, "there is no domain `studio`"),
    ],
)  # fmt: skip
def test_refused_changes_say_why(
    mediagate: CommandLine, typed: tuple[str, ...], code: int, said: str
) -> None:
    """A rule of the store is told in its own sentence; wrong forms are wrong use, wrong names failures."""
    assert said in mediagate.fails("user", *typed, code=code)


def test_same_email_in_two_domains_must_be_told_apart(mediagate: CommandLine) -> None:
    """Each domain gives an e-mail its own user, so a command says which is meant."""
    mediagate.ok("domain", "add", "studio")
    assert "there are several domains (`default`, `studio`): say which with --domain" in mediagate.fails(
        "user", "add", STAN
    )
    mediagate.ok("user", "add", STAN, "--domain", "studio")
    mediagate.ok("user", "add", STAN, "--domain", "default")

    assert mediagate.json("user", "show", STAN, "--domain", "studio")["domain"] == "studio"
    assert "several domains have a user `stan@example.org`" in mediagate.fails("user", "show", STAN)
    assert [user["email"] for user in mediagate.json("user", "list", "--domain", "studio")] == [STAN]


def test_a_password_comes_from_a_file_and_is_kept_as_a_hash(mediagate: CommandLine, tmp_path: Path) -> None:
    """The first line of the file is the password; neither command nor history tells it, and it can be taken away again."""
    mediagate.ok("user", "add", STAN)
    secret = tmp_path / "secret.txt"
    secret.write_text("a long password\nnot this\n")
    assert (
        mediagate.ok("user", "password", STAN, "--password-file", str(secret))
        == f"set the password of {STAN}\n"
    )
    assert "a long password" not in mediagate.ok("history")
    assert "argon2" not in mediagate.ok("history")
    assert "argon2" not in str(mediagate.json("user", "show", STAN))
    assert mediagate.ok("user", "password", STAN, "--remove") == f"removed the password of {STAN}\n"


@pytest.mark.parametrize("options", [(), ("--remove", "--password-file", "x")])
def test_a_password_is_set_or_removed(mediagate: CommandLine, options: tuple[str, ...]) -> None:
    """Neither or both of the two ways is wrong use, and a password that is too short is refused."""
    mediagate.ok("user", "add", STAN)
    mediagate.fails("user", "password", STAN, *options, code=2)


def test_a_short_password_is_refused(mediagate: CommandLine, tmp_path: Path) -> None:
    """A password that nobody should have is refused, and nothing is kept."""
    mediagate.ok("user", "add", STAN)
    (tmp_path / "short.txt").write_text("short")
    said = mediagate.fails("user", "password", STAN, "--password-file", str(tmp_path / "short.txt"))
    assert "a password has 8 to 256 characters" in said
