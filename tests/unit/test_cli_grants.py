"""`mediagate grant` and `mediagate revoke`, and the names that they take."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised

STAN = "stan@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a user, a group and an asset in a collection."""
    mediagate = initialised(tmp_path)
    mediagate.ok("user", "add", STAN)
    mediagate.ok("group", "add", "editors")
    mediagate.ok("collection", "add", "collection:news")
    mediagate.ok("object", "add", "asset:42", "--in", "collection:news")
    return mediagate


def entries(mediagate: CommandLine, object_: str) -> list[tuple[str, list[str], bool]]:
    """Returns the entries on an object."""
    shown = mediagate.json("object", "show", object_)["entries"]
    return [(entry["principal"], entry["permissions"], entry["propagates"]) for entry in shown]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (STAN, f"user:{STAN}"),
        (f"user:{STAN}", f"user:{STAN}"),
        ("Stan@Example.org", f"user:{STAN}"),
        ("editors", "group:editors"),
        ("group:editors", "group:editors"),
    ],
)
def test_principal_is_named_as_people_write_it(mediagate: CommandLine, typed: str, meant: str) -> None:
    """Users by e-mail, groups by name, with or without the kind in front."""
    said = mediagate.ok("grant", typed, "read", "asset:42")

    assert said == f"{meant} may now read asset:42\n"
    assert entries(mediagate, "asset:42") == [(meant, ["read"], False)]


def test_principal_is_named_by_id(mediagate: CommandLine) -> None:
    """Scripts use ids."""
    group_id = mediagate.json("group", "show", "editors")["id"]
    user_id = mediagate.json("user", "show", STAN)["id"]

    mediagate.ok("grant", f"group:{group_id}", "read", "asset:42")
    mediagate.ok("grant", user_id, "read", "asset:42")
    assert {entry[0] for entry in entries(mediagate, "asset:42")} == {"group:editors", f"user:{STAN}"}


def test_name_that_is_a_user_and_a_group_must_say_which(mediagate: CommandLine) -> None:
    """Both spellings are offered; nothing is guessed."""
    mediagate.ok("group", "add", STAN)

    said = mediagate.fails("grant", STAN, "read", "asset:42")

    assert said == f"`{STAN}` is a user and a group: write `user:{STAN}` or `group:{STAN}`"
    mediagate.ok("grant", f"group:{STAN}", "read", "asset:42")
    assert entries(mediagate, "asset:42") == [(f"group:{STAN}", ["read"], False)]


def test_grants_add_up(mediagate: CommandLine) -> None:
    """To grant again adds; what was there is not told as new."""
    mediagate.ok("grant", STAN, "read", "asset:42")

    assert mediagate.json("grant", STAN, "read,write,change-acl", "asset:42")["granted"] == [
        "write",
        "change-acl",
    ]
    assert mediagate.ok("grant", STAN, "read", "asset:42") == "granted already: nothing to change\n"
    assert entries(mediagate, "asset:42") == [(f"user:{STAN}", ["read", "write", "change-acl"], False)]


def test_propagating_entry_stands_beside_the_other(mediagate: CommandLine) -> None:
    """An entry for the content is an entry of its own."""
    mediagate.ok("grant", "editors", "read", "collection:news")
    said = mediagate.ok("grant", "editors", "write", "collection:news", "--propagate")

    assert said == "group:editors may now write collection:news and its content\n"
    assert entries(mediagate, "collection:news") == [
        ("group:editors", ["read"], False),
        ("group:editors", ["write"], True),
    ]


def test_an_entry_may_end(mediagate: CommandLine) -> None:
    """By a span or a time; to grant for longer is to grant anew, and the list shows each end."""
    said = mediagate.ok("grant", STAN, "read", "asset:42", "--until", "2999-01-31T18:00+01:00")
    assert said == f"user:{STAN} may now read asset:42 until 2999-01-31 17:00Z\n"

    assert mediagate.ok("grant", STAN, "read", "asset:42", "--until", "7d") == (
        "granted already: nothing to change\n"
    )
    mediagate.ok("grant", STAN, "read,write", "asset:42", "--until", "2999-02-01T00:00Z")
    shown = mediagate.json("object", "show", "asset:42")["entries"]
    assert [(each["permissions"], each["expires"]) for each in shown] == [
        (["read", "write"], "2999-02-01T00:00:00+00:00")
    ]


def test_what_reaches_far_warns(mediagate: CommandLine) -> None:
    """Write over more objects than the domain says is granted with a warning; a collection too many is refused."""
    said = mediagate.ok(
        "domain", "set", "default", "--warn-above", "0", "--max-propagating", "1"
    ).splitlines()
    assert said == [
        "at most 1 collections of domain default have entries that propagate",
        "write or delete over more than 0 objects of domain default warns",
    ]
    said = mediagate.ok("grant", "editors", "read,write", "collection:news", "--propagate").splitlines()
    assert said[1] == "warning: write on `collection:news` holds on more than 0 objects that stand in it"
    mediagate.ok("collection", "add", "collection:old")

    assert "have entries that propagate" in mediagate.fails(
        "grant", STAN, "read", "collection:old", "--propagate"
    )


@pytest.mark.parametrize(
    ("end", "said"), [("soon", "is no end"), ("2020-01-01T00:00Z", "is over"), ("0d", "is no end")]
)
def test_an_end_must_be_one(mediagate: CommandLine, end: str, said: str) -> None:
    """What is no time to come is refused, and nothing is granted."""
    told = mediagate("grant", STAN, "read", "asset:42", "--until", end)

    assert told.code != 0
    assert said in " ".join(told.err.split())
    assert entries(mediagate, "asset:42") == []


def test_revoking_takes_back_what_is_named(mediagate: CommandLine) -> None:
    """Without a choice both entries lose it, with one only that."""
    for propagate in ((), ("--propagate",)):
        mediagate.ok("grant", "editors", "read,write", "collection:news", *propagate)

    assert mediagate.json("revoke", "editors", "write", "collection:news", "--propagate")["revoked"] == [
        "write"
    ]
    assert entries(mediagate, "collection:news") == [
        ("group:editors", ["read", "write"], False),
        ("group:editors", ["read"], True),
    ]
    assert (
        mediagate.ok("revoke", "editors", "read", "collection:news")
        == "took read on collection:news from group:editors\n"
    )
    assert mediagate.ok("revoke", "editors", "write", "collection:news", "--no-propagate").startswith(
        "took write"
    )
    assert entries(mediagate, "collection:news") == []
    assert (
        mediagate.ok("revoke", "editors", "read", "collection:news") == "no such entry: nothing to change\n"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("grant", "stam@example.org", "read", "asset:42"), f"there is no user `stam@example.org`; did you mean `{STAN}`?"),
        (("grant", "editor", "read", "asset:42"), "there is no group `editor`; did you mean `editors`?"),
        (("grant", "user:editors", "read", "asset:42"), "there is no user `editors`"),
        (("grant", f"group:{STAN}", "read", "asset:42"), f"there is no group `{STAN}`"),
        (("grant", ADA, "read", "asset:43"), "the object `asset:43` does not exist: register it first"),
        (("revoke", "editor", "read", "asset:42"), "there is no group `editor`"),
    ],
)  # fmt: skip
def test_unknown_names_are_failures_with_the_nearest(
    mediagate: CommandLine, typed: tuple[str, ...], said: str
) -> None:
    """A misspelled name is answered with what was probably meant."""
    assert said in mediagate.fails(*typed)


def test_principal_is_looked_for_in_the_domain_of_the_object(mediagate: CommandLine) -> None:
    """An e-mail in two domains means the user of the object's domain."""
    mediagate.ok("domain", "add", "studio")
    mediagate.ok("user", "add", STAN, "--domain", "studio")
    mediagate.ok("object", "add", "asset:7", "--domain", "studio")

    mediagate.ok("grant", STAN, "read", "asset:42")
    mediagate.ok("grant", STAN, "read", "asset:7")
    assert "there is no group `editors`" in mediagate.fails("grant", "editors", "read", "asset:7")
