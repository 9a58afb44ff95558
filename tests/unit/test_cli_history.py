"""`mediagate history`."""

from pathlib import Path

from commandline import ADA, initialised


def test_who_changed_what_is_shown_with_before_and_after(tmp_path: Path) -> None:
    """The latest first, by the account that ran the command; found by an id; no token's text or digest."""
    mediagate = initialised(tmp_path)
    group = mediagate.json("group", "add", "editors")["id"]
    mediagate.ok("group", "set", group, "--name", "cutters")
    issued = mediagate.json("token", "create", ADA)

    latest, renamed = (
        mediagate.json("history", "--limit", "100")[0],
        mediagate.json("history", "--of", group)[0],
    )
    assert latest["kind"] in ("tokens", "applications")
    assert (renamed["before"], renamed["after"]) == ({"name": "editors"}, {"name": "cutters"})
    assert renamed["who"] == mediagate.authors()[-1]
    shown = mediagate.ok("history", "--limit", "100")
    assert "name: editors -> cutters" in shown
    assert issued["token"] not in shown
    assert mediagate.ok("history", "--of", "nothing-like-it") == "nothing was changed\n"
    assert len(mediagate.json("history", "--limit", "1")) == 1


def test_an_entry_is_traced_to_its_template(tmp_path: Path) -> None:
    """What an object got by a template stands in one commit with the template's name."""
    mediagate = initialised(tmp_path)
    mediagate.ok("object", "add", "asset:42")
    mediagate.ok("template", "add", "editorial")
    mediagate.ok("template", "give", "editorial", ADA, "read")
    mediagate.ok("template", "apply", "editorial", "asset:42")

    found = mediagate.json("history", "--of", "asset 42")
    latest = [each for each in found if each["revision"] == found[0]["revision"]]
    assert {each["kind"] for each in latest} == {"acl_entries", "applied_templates"}
    assert "template editorial" in mediagate.ok("history", "--of", "asset 42")
