"""`mediagate token`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised
from models.changes import token_digest
from models.records import TokenRecord
from models.store import Store
from models.tables import Token


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    return initialised(tmp_path)


def opened(mediagate: CommandLine) -> Store:
    """Opens the folder's store."""
    return Store.open(f"sqlite:///{mediagate.folder}/mediagate.db")


def record(mediagate: CommandLine, text: str) -> TokenRecord:
    """Returns what the gateway would know of a token."""
    store = opened(mediagate)
    key = f"token:{token_digest(text)}"
    found = store.load(None, [key]).records[key]
    store.close()
    assert isinstance(found, TokenRecord)
    return found


def test_token_is_what_the_gateway_will_look_up(mediagate: CommandLine) -> None:
    """The printed text, App-ID and expiry are those of the stored credential."""
    issued = mediagate.json("token", "create", ADA, "--app", "player", "--expires", "2h")

    found = record(mediagate, issued["token"])
    assert (found.id, found.application_id) == (issued["id"], issued["app_id"])
    assert found.expires is not None
    assert timedelta(minutes=118) < found.expires - datetime.now(UTC) <= timedelta(hours=2)


def test_token_without_end_is_asked_for(mediagate: CommandLine) -> None:
    """By default a token ends after a month; `never` has to be said."""
    assert record(mediagate, mediagate.json("token", "create", ADA)["token"]).expires is not None
    assert (
        record(mediagate, mediagate.json("token", "create", ADA, "--expires", "never")["token"]).expires
        is None
    )


def test_tokens_of_one_application_share_its_id(mediagate: CommandLine) -> None:
    """An application is made once for a name."""
    first = mediagate.json("token", "create", ADA, "--app", "player")
    second = mediagate.json("token", "create", ADA, "--app", "player")

    assert first["app_id"] == second["app_id"]
    assert first["token"] != second["token"]


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("", "http://127.0.0.1:8080/"),
        ('host = "0.0.0.0"\nport = 9', "http://127.0.0.1:9/"),
        ('host = "::"', "http://[::1]:8080/"),
        ('host = "2001:db8::1"', "http://[2001:db8::1]:8080/"),
        ('host = "gate.example.org"', "http://gate.example.org:8080/"),
    ],
)
def test_text_has_a_line_to_paste(mediagate: CommandLine, server: str, address: str) -> None:
    """The token comes with a `curl` line for where the gateway listens."""
    (mediagate.folder / "mediagate.toml").write_text(f"[server]\n{server}\n")

    lines = mediagate.ok("token", "create", ADA).splitlines()

    app_id, token = (
        next(line.split()[1] for line in lines if line.startswith(name)) for name in ("App-ID", "Auth-Token")
    )
    assert lines[-1].strip() == f"curl -H 'App-ID: {app_id}' -H 'Auth-Token: {token}' {address}"


def test_list_never_shows_the_text(mediagate: CommandLine) -> None:
    """A token can be told by its id, user, application and times."""
    issued = mediagate.json("token", "create", ADA, "--app", "player")

    listed = mediagate.json("token", "list", ADA)[-1]
    assert (listed["id"], listed["app"], listed["state"], listed["last_used"]) == (
        issued["id"],
        "player",
        "valid",
        None,
    )
    assert issued["token"] not in mediagate.ok("token", "list") + str(listed)


def test_last_use_is_listed(mediagate: CommandLine) -> None:
    """What workers note of a token's use is shown."""
    token_id = mediagate.json("token", "create", ADA)["id"]
    store = opened(mediagate)
    store.note_token_uses({token_id: datetime(2030, 1, 31, 12, tzinfo=UTC)})
    store.close()

    assert mediagate.json("token", "list")[-1]["last_used"] == "2030-01-31T12:00:00Z"


def test_revoked_token_stays_listed_as_revoked(mediagate: CommandLine) -> None:
    """Revoking is for good and leaves a trace; the gateway learns of it."""
    issued = mediagate.json("token", "create", ADA)

    assert mediagate.ok("token", "revoke", issued["id"]) == f"revoked token {issued['id']} of {ADA}\n"
    assert mediagate.json("token", "list")[-1]["state"] == "revoked"
    assert record(mediagate, issued["token"]).revoked


def test_expired_token_is_listed_as_expired(mediagate: CommandLine) -> None:
    """A token that has ended is told from a valid one."""
    issued = mediagate.json("token", "create", ADA)
    store = opened(mediagate)
    with store.write("test") as commit:
        token = commit.session.get(Token, issued["id"])
        assert token is not None
        token.expires = datetime.now(UTC) - timedelta(seconds=1)
    store.close()

    assert mediagate.json("token", "list")[-1]["state"] == "expired"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("create", "eve@example.org"), "there is no user `eve@example.org`"),
        (("list", "eve@example.org"), "there is no user `eve@example.org`"),
        (("revoke", "nothing"), "there is no token with id `nothing`"),
    ],
)
def test_unknown_names_are_failures(mediagate: CommandLine, typed: tuple[str, ...], said: str) -> None:
    """What is not there is said not to be there."""
    assert said in mediagate.fails("token", *typed)


def test_a_bare_token_is_all_that_is_printed(mediagate: CommandLine) -> None:
    """For a script's variable: the text of the token and nothing else."""
    said = mediagate.ok("token", "create", ADA, "--bare")

    assert record(mediagate, said.strip()).expires is not None


def test_a_token_for_some_roles_is_good_for_nothing_else(mediagate: CommandLine) -> None:
    """The roles are told with the token and in the list; one that the catalogue does not know is refused."""
    issued = mediagate.json("token", "create", ADA, "--role", "can_read_assets", "--role", "can_search")

    assert issued["roles"] == ["can_read_assets", "can_search"]
    assert record(mediagate, issued["token"]).scope == frozenset(issued["roles"])
    assert issued["roles"] in [row["roles"] for row in mediagate.json("token", "list")]
    assert "can_read_assets, can_search" in mediagate.ok("token", "create", ADA, *("--role", "can_read_assets"), "--role", "can_search")  # fmt: skip
    assert "did you mean `can_search`?" in mediagate.fails("token", "create", ADA, "--role", "can_serach")


def test_a_token_is_replaced_and_the_old_one_ends(mediagate: CommandLine) -> None:
    """The new one is shown once, for the same user, application and roles; until when the old one holds is told."""
    old = mediagate.json("token", "create", ADA, "--app", "player", "--role", "can_search")
    new = mediagate.json("token", "rotate", old["id"], "--overlap", "2h")

    assert (new["user"], new["app"], new["roles"], new["replaces"]) == (
        ADA,
        "player",
        ["can_search"],
        old["id"],
    )
    found = record(mediagate, old["token"])
    assert found.expires is not None
    assert timedelta(minutes=118) < found.expires - datetime.now(UTC) <= timedelta(hours=2)
    assert "The old one is valid until" in mediagate.ok("token", "rotate", new["id"], "--overlap", "none")
    assert "not valid any more" in mediagate.fails("token", "rotate", new["id"])
    assert "write 1h, 2d or none" in mediagate.fails(
        "token", "rotate", new["id"], "--overlap", "soon", code=2
    )
    assert mediagate.ok("token", "rotate", mediagate.json("token", "create", ADA)["id"], "--bare").startswith(
        "mg_"
    )


def test_the_domain_says_how_long_a_token_lasts(mediagate: CommandLine) -> None:
    """Unless somebody says otherwise."""
    assert "issued for 2h" in mediagate.ok("domain", "set", "default", "--token-lifetime", "2h")
    ends = record(mediagate, mediagate.json("token", "create", ADA)["token"]).expires
    assert ends is not None
    assert ends - datetime.now(UTC) <= timedelta(hours=2)
    assert (
        record(mediagate, mediagate.json("token", "create", ADA, "--expires", "never")["token"]).expires
        is None
    )
    assert mediagate.json("domain", "list")[0]["token_lifetime"] == "2:00:00"
    mediagate.ok("domain", "set", "default", "--token-lifetime", "off")
    assert mediagate.json("domain", "list")[0]["token_lifetime"] is None
