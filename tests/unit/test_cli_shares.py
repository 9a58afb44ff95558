"""`mediagate share`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised
from models import changes, passwords
from models.store import Store
from models.tables import Share

SECRET = "press day 2026"
PRESS = "collection:press"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a collection to share."""
    mediagate = initialised(tmp_path)
    mediagate.ok("collection", "add", PRESS)
    return mediagate


def test_a_link_is_shown_once_for_each_person(mediagate: CommandLine) -> None:
    """What is listed and shown afterwards has no link's text; the link signs its visitor in, and that is counted."""
    made = mediagate.json("share", "make", PRESS, "--by", ADA, "--until", "7d", "--to", "ann@example.org", "--to", "bob@example.org", "--right", "download")  # fmt: skip

    assert [link["for"] for link in made["links"]] == ["ann@example.org", "bob@example.org"]
    assert (made["object"], made["by"], made["rights"]) == (PRESS, ADA, ["download", "view"])
    text = made["links"][0]["link"]
    assert text not in mediagate.ok("share", "show", made["id"]) + mediagate.ok("share", "list")
    store = Store.open(f"sqlite:///{mediagate.folder}/mediagate.db")
    with store.write("test") as commit:
        changes.visit(commit.session, text)
    store.close()
    shown = mediagate.json("share", "show", made["id"])
    assert (shown["visits"], [link["visits"] for link in shown["links"]]) == (1, [1, 0])
    assert mediagate.ok("share", "list").splitlines()[1].split()[1:3] == [PRESS, ADA]


def test_a_link_for_anyone_is_made_if_nobody_is_named(mediagate: CommandLine) -> None:
    """More can be made later, and taken back one by one."""
    made = mediagate.json("share", "make", PRESS, "--by", ADA, "--until", "1d")
    assert [link["for"] for link in made["links"]] == ["anyone"]

    more = mediagate.json("share", "link", made["id"], "--to", "ann@example.org")["links"]
    mediagate.ok("share", "unlink", made["links"][0]["id"])
    assert [link["id"] for link in mediagate.json("share", "show", made["id"])["links"]] == [more[0]["id"]]
    assert "Links are shown only now" in mediagate.ok("share", "link", made["id"])


def test_a_password_comes_on_standard_input_and_is_kept_as_a_hash(mediagate: CommandLine) -> None:
    """It stands in no argument, answer or list; changed or taken away it is another."""
    answer = mediagate("--json", "share", "make", PRESS, "--by", ADA, "--until", "1d", "--password", typed=SECRET + "\n")
    assert (answer.code, answer.document["password"]) == (0, True)
    assert SECRET not in answer.out + mediagate.ok("share", "show", answer.document["id"])
    store = Store.open(f"sqlite:///{mediagate.folder}/mediagate.db")
    with store.read() as session:
        stored = session.get_one(Share, answer.document["id"]).password
    store.close()
    assert stored is not None
    assert passwords.matches(stored, SECRET)

    assert mediagate.json("share", "set", answer.document["id"], "--no-password")["password"] is False
    short = mediagate("share", "set", answer.document["id"], "--password", typed="short\n")
    assert "8 to 1024 bytes" in short.err


def test_shares_are_changed_and_taken_back(mediagate: CommandLine) -> None:
    """One, all of a user, all of a domain."""
    ids = [mediagate.json("share", "make", PRESS, "--by", ADA, "--until", "1d")["id"] for _ in range(4)]
    changed = mediagate.json("share", "set", ids[0], "--title", "Press", "--right", "comment", "--network", "10.0.0.0/8", "--max-visits", "3")  # fmt: skip
    assert (changed["title"], changed["rights"], changed["networks"], changed["max_visits"]) == ("Press", ["comment", "view"], ["10.0.0.0/8"], 3)  # fmt: skip

    assert mediagate.ok("share", "remove", ids[0]) == "took 1 share back\n"
    assert mediagate.ok("share", "remove", "--by", ADA) == "took 3 shares back\n"
    mediagate.ok("share", "make", PRESS, "--by", ADA, "--until", "1d")
    assert mediagate.json("share", "remove", "--all") == {"removed": 1}
    assert mediagate.ok("share", "list").startswith("nothing is shared")


def test_a_domain_locks_and_defaults(mediagate: CommandLine) -> None:
    """What is shown is what holds; what goes beyond is refused with the rule."""
    said = mediagate.json("share", "rules", "--longest", "7d", "--usual", "1d", "--needs-password", "--most", "comment", "--usual-right", "comment")  # fmt: skip
    assert said == mediagate.json("share", "rules") == {
        "longest": "7 days, 0:00:00",
        "usual": "1 day, 0:00:00",
        "needs_password": True,
        "most_rights": ["comment", "view"],
        "usual_rights": ["comment"],
    }
    assert "have a password" in mediagate.fails("share", "make", PRESS, "--by", ADA)
    made = mediagate("--json", "share", "make", PRESS, "--by", ADA, "--password", typed=SECRET + "\n")
    assert made.document["rights"] == ["comment", "view"]
    assert "last at most 7 days" in mediagate("share", "make", PRESS, "--by", ADA, "--until", "8d", "--password", typed=SECRET + "\n").err  # fmt: skip
    open_ = mediagate.json("share", "rules", "--longest", "off", "--usual", "off", "--no-needs-password", "--any-right")
    assert open_["usual"] is None
    assert "upload" in open_["most_rights"]


def test_mistakes_are_answered_with_what_to_do(mediagate: CommandLine) -> None:
    """No end, nothing to set, two things at once, a share that is not there."""
    assert "say when" in mediagate.fails("share", "make", PRESS, "--by", ADA)
    assert "nothing to set" in mediagate.fails("share", "set", "x", code=2)
    assert "--no-password" in mediagate.fails("share", "set", "x", "--password", "--no-password", code=2)
    assert "say which" in mediagate.fails("share", "remove", code=2)
    assert "there is no share" in mediagate.fails("share", "show", "x")
    mediagate.fails("share", "make", PRESS, "--by", ADA, "--until", "1d", "--right", "fly", code=2)
    assert "is no span" in mediagate.fails("share", "rules", "--longest", "soon", code=2)
