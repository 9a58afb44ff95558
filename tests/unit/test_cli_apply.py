"""`mediagate apply`."""

from pathlib import Path

from commandline import ADA, initialised

STATE = f"""
domains:
  default:
    groups:
      editors: {{roles: [can_read_assets], members: [{ADA}]}}
"""


def test_a_file_is_shown_applied_and_then_changes_nothing(tmp_path: Path) -> None:
    """A dry run shows exactly the difference, changes nothing and ends with 1 if there is one."""
    mediagate = initialised(tmp_path)
    file = tmp_path / "state.yaml"
    file.write_text(STATE)
    before = mediagate.authors()

    shown = mediagate("apply", str(file), "--dry-run")
    assert shown.code == 1
    assert "groups" in shown.out
    assert shown.out.endswith("3 rows would change\n")
    assert mediagate.authors() == before
    document = mediagate.json("apply", str(file))
    assert (document["changed"], len(document["differences"])) == (True, 3)
    assert mediagate.json("group", "show", "editors")["roles"] == ["can_read_assets"]
    assert mediagate.ok("apply", str(file)) == "nothing to change\n"
    assert mediagate.ok("apply", str(file), "--dry-run") == "nothing to change\n"


def test_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    """Those of the file all at once, those of the model one by one; nothing is done."""
    mediagate = initialised(tmp_path)
    file = tmp_path / "state.yaml"
    file.write_text(STATE.replace("can_read_assets", "can_read_aset").replace("roles", "rols"))
    assert "state.yaml:5: a group has no key `rols`" in mediagate.fails("apply", str(file))
    file.write_text(STATE.replace(ADA, "eve@example.org"))
    assert mediagate.fails("apply", str(file)).startswith("state.yaml:5: there is no user `eve@example.org`")
    assert mediagate.json("group", "list") == []
