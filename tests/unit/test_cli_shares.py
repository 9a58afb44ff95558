"""`mediagate share`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised

EVE = "eve@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with an asset in it."""
    mediagate = initialised(tmp_path)
    mediagate.ok("object", "add", "asset:clip")
    return mediagate


def test_a_share_is_made_with_its_links(mediagate: CommandLine) -> None:
    """The texts of the links are told then and never again."""
    rights = ("--right", "download", "--right", "custom-actions")
    made = mediagate.json(
        *("share", "add", "asset:clip", "--by", ADA, *rights, "--expires", "7d", "--title", "Press"),
        *("--network", "10.0.0.0/8", "--max-visits", "3", "--watermark", "--metadata-view", "public"),
        *("--to", EVE, "--link"),
    )
    assert [link["for"] for link in made["links"]] == [EVE, "whoever has it"]
    texts = [link["link"] for link in made["links"]]
    shown = mediagate.json("share", "show", made["id"])
    assert {name: shown[name] for name in ("object", "by", "rights", "networks", "max_visits", "state")} == {
        "object": "asset:clip",
        "by": ADA,
        "rights": ["custom-actions", "download", "view"],
        "networks": ["10.0.0.0/8"],
        "max_visits": 3,
        "state": "open",
    }
    assert (shown["watermark"], shown["metadata_views"], shown["password"]) == ("on", ["public"], "no")
    assert [(link["for"], link["visits"], link["last_visit"]) for link in shown["links"]] == [
        ("whoever has it", 0, None),
        (EVE, 0, None),
    ]
    listed = mediagate.ok("share", "list") + mediagate.ok("share", "show", made["id"])
    assert not any(text in listed for text in texts)
    assert made["id"] in listed


def test_shares_are_listed_by_user_object_and_domain(mediagate: CommandLine) -> None:
    """Without any, the list says what to do."""
    assert mediagate.ok("share", "list").startswith("no shares: make one")
    mediagate.ok("share", "add", "asset:clip", "--by", ADA)
    for which in (("--by", ADA), ("--of", "asset:clip"), ("--domain", "default")):
        assert len(mediagate.json("share", "list", *which)) == 1
    assert mediagate.json("share", "list", "--of", "asset:other") == []


def test_a_share_is_changed_and_its_lists_are_replaced(mediagate: CommandLine) -> None:
    """What is not named stays; a change of nothing is a mistake."""
    made = mediagate.json(
        "share", "add", "asset:clip", "--by", ADA, "--network", "10.0.0.0/8", "--max-visits", "3"
    )
    id_ = made["id"]
    assert (
        mediagate.ok("share", "set", id_, "--right", "comment", "--network", "") == f"changed share {id_}\n"
    )
    changed = mediagate.json("share", "set", id_, "--max-visits", "none", "--title", "New")
    assert (changed["rights"], changed["networks"], changed["max_visits"]) == (["comment", "view"], [], None)
    assert "nothing to set" in mediagate.fails("share", "set", id_, code=2)
    assert "no number" in mediagate.fails("share", "set", id_, "--max-visits", "many", code=2)
    assert "always ends" in mediagate.fails("share", "set", id_, "--expires", "never", code=2)


def test_a_password_comes_from_a_file_and_is_told_nowhere(mediagate: CommandLine) -> None:
    """Its first line counts; whether there is one is all that is told."""
    secret = mediagate.folder / "secret.txt"
    secret.write_text("correct horse\n")
    add = ("share", "add", "asset:clip", "--by", ADA, "--password-file", str(secret))
    made = mediagate.json(*add)
    told = mediagate.ok("share", "show", made["id"])
    assert made["password"] == "yes"
    assert "correct" not in told
    assert "argon2" not in told

    assert mediagate.json("share", "set", made["id"], "--no-password")["password"] == "no"
    both = ("share", "set", made["id"], "--no-password", "--password-file", str(secret))
    assert "give one of them" in mediagate.fails(*both, code=2)
    secret.write_text("short")
    assert "8 to 256 characters" in mediagate.fails(*add)
    secret.unlink()
    assert "cannot be read" in mediagate.fails(*add)


def test_links_and_shares_are_taken_back(mediagate: CommandLine) -> None:
    """One link, one share, all of a user, all of a domain."""
    made = [mediagate.json("share", "add", "asset:clip", "--by", ADA)["id"] for _ in range(4)]
    (link,) = mediagate.json("share", "invite", made[0], "--to", EVE)
    assert mediagate.ok("share", "remove", "--recipient", link["id"]) == f"removed link {link['id']}\n"
    assert mediagate.json("share", "show", made[0])["links"] == []
    assert mediagate.ok("share", "remove", made[0]) == "removed 1 share\n"
    assert mediagate.ok("share", "remove", "--by", ADA) == f"removed 3 shares of {ADA}\n"
    mediagate.ok("share", "add", "asset:clip", "--by", ADA)
    assert mediagate.ok("share", "remove", "--all-of", "default") == "removed 1 share of domain default\n"
    assert mediagate.json("share", "list") == []
    assert "name shares" in mediagate.fails("share", "remove", code=2)
    assert "name shares" in mediagate.fails("share", "remove", made[0], "--by", ADA, code=2)


def test_one_unknown_share_undoes_the_whole_command(mediagate: CommandLine) -> None:
    """None of those named is removed if one does not exist."""
    id_ = mediagate.json("share", "add", "asset:clip", "--by", ADA)["id"]
    assert "no share" in mediagate.fails("share", "remove", id_, "none")
    assert len(mediagate.json("share", "list")) == 1


@pytest.mark.parametrize(
    ("typed", "said", "code"),
    [
        (("add", "asset:none", "--by", ADA), "does not exist", 3),
        (("add", "asset:clip", "--by", "ade@example.org"), "did you mean", 3),
        (("add", "share:one", "--by", ADA), "cannot be shared", 2),
        (("add", "asset:clip", "--by", ADA, "--to", "eve"), "not an e-mail", 2),
        (("add", "asset:clip", "--by", ADA, "--right", "fly"), "fly", 2),
        (("add", "asset:clip", "--by", ADA, "--expires", "3000d"), "the longest", 2),
        (("show", "none"), "there is no share `none`", 3),
        (("invite", "none", "--link"), "no share", 3),
        (("invite", "none"), "nobody to invite", 2),
    ],
)
def test_refused_changes_say_why(
    mediagate: CommandLine, typed: tuple[str, ...], said: str, code: int
) -> None:
    """Nothing is made, and the sentence says what to do."""
    assert said in mediagate.fails("share", *typed, code=code)
    assert mediagate.json("share", "list") == []


def test_an_entry_names_a_share_by_its_id(mediagate: CommandLine) -> None:
    """It is granted, shown and taken back as one of a user is."""
    id_ = mediagate.json("share", "add", "asset:clip", "--by", ADA)["id"]
    mediagate.ok("object", "add", "asset:more")
    assert f"share:{id_} may now read asset:more" in mediagate.ok(
        "grant", f"share:{id_}", "read", "asset:more"
    )
    assert f"share:{id_}" in mediagate.ok("object", "show", "asset:more")
    assert "there is no share `none`" in mediagate.fails("grant", "share:none", "read", "asset:more")
    mediagate.ok("share", "remove", id_)
    assert "share:" not in mediagate.ok("object", "show", "asset:more")


def test_explain_says_what_a_visitor_would_meet(mediagate: CommandLine) -> None:
    """By the share's rights, the entries that name it, and what the sharer may."""
    id_ = mediagate.json("share", "add", "asset:clip", "--by", ADA)["id"]
    mediagate.ok("object", "add", "asset:more")
    mediagate.ok("grant", f"share:{id_}", "read", "asset:more")

    def explained(action: str, object_: str) -> tuple[int, str]:
        answer = mediagate("--json", "explain", f"share:{id_}", action, object_)
        return answer.code, answer.document["reason"]

    assert explained("read", "asset:clip") == (0, "share")
    assert explained("read", "asset:more") == (0, "share-entry")
    assert explained("download", "asset:clip") == (1, "no-grant")
    assert f"share:{id_}" in mediagate.ok("explain", f"share:{id_}", "read", "asset:more")
    mediagate.ok("domain", "set", "default", "--no-external-share")
    assert explained("read", "asset:clip") == (1, "share-off")
    assert "no share" in mediagate.fails("explain", "share:none", "read", "asset:clip")
