"""`mediagate share terms`."""

from pathlib import Path

from commandline import ADA, initialised


def test_terms_are_shown_and_changed(tmp_path: Path) -> None:
    """They hold for shares that are made afterwards; what is not named stays."""
    mediagate = initialised(tmp_path)
    mediagate.ok("object", "add", "asset:clip")
    assert mediagate.json("share", "terms") == {
        "domain": "default",
        "rights": ["view"],
        "locked": [],
        "expires_after": "30d",
        "at_most": "1830d",
        "needs_password": False,
        "watermark": "off",
    }
    mediagate.ok(
        "share", "terms", "--right", "comment", "--lock", "download", "--at-most", "36h", "--watermark"
    )
    changed = mediagate.json("share", "terms", "--needs-password")
    assert (changed["rights"], changed["locked"], changed["expires_after"]) == (
        ["comment", "view"],
        ["download"],
        "36h",
    )

    assert "need a password" in mediagate.fails("share", "add", "asset:clip", "--by", ADA)
    mediagate.ok("share", "terms", "--needs-no-password")
    made = mediagate.json("share", "add", "asset:clip", "--by", ADA, "--right", "download")
    assert (made["rights"], made["watermark"]) == (["view"], "on")
    assert mediagate.json("share", "terms", "--lock", "none", "--right", "none")["locked"] == []


def test_terms_name_what_there_is(tmp_path: Path) -> None:
    """A misspelled option would silently lock nothing."""
    mediagate = initialised(tmp_path)
    assert "no option of a share" in mediagate.fails("share", "terms", "--lock", "downloads", code=2)
    assert "no right of a share" in mediagate.fails("share", "terms", "--right", "fly", code=2)
    assert "no span" in mediagate.fails("share", "terms", "--at-most", "soon", code=2)
