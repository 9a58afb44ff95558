"""`mediagate policy status`, `history`, `diff` and `rollback`, over what a gateway has recorded."""

import json
from pathlib import Path

import pytest

from commandline import CommandLine, initialised
from gateway.reload import Gate
from gateway.settings import Settings
from gateways import following
from policy_folders import thin


@pytest.fixture(name="mediagate")
def fresh_folder(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    mediagate = initialised(tmp_path)
    thin(tmp_path / "policies")
    return mediagate


def save(mediagate: CommandLine, name: str, text: str) -> str:
    """Saves a policy file and has it judged as a gateway does; returns the digest."""
    (mediagate.folder / "policies" / name).write_text(text)
    return Gate(Settings.load(mediagate.folder / "mediagate.toml", environ={})).judged()[1].digest


def test_nothing_is_told_before_a_gateway_ran(mediagate: CommandLine) -> None:
    """Status and history are empty, a digest that never was is a failure."""
    status = mediagate.json("policy", "status")

    assert (status["live"], status["problems"]) == (None, [])
    assert status["folder"]
    assert "nothing went live yet" in mediagate.ok("policy", "history")
    assert "no bundle that went live: `abc`" in mediagate.fails("policy", "rollback", "abc")


def test_status_tells_what_is_live_and_why_the_folder_is_not(mediagate: CommandLine) -> None:
    """A refused folder is exit code 1 with its problems; mended, it is 0."""
    actions = (mediagate.folder / "policies" / "actions.polar").read_text()
    live = save(mediagate, "actions.polar", actions)
    refused = save(mediagate, "actions.polar", actions + "needs(")

    answer = mediagate("--json", "policy", "status")
    assert answer.code == 1
    assert (answer.document["live"], answer.document["refused"]) == (live, refused)
    assert "actions.polar" in answer.document["problems"][0]
    assert "actions.polar" in mediagate("policy", "status").out
    save(mediagate, "actions.polar", actions)
    assert mediagate.json("policy", "status")["problems"] == []


def test_history_diff_and_the_way_back(mediagate: CommandLine) -> None:
    """What went live is listed, latest first; two can be compared; going back makes the folder be what it was."""
    path = mediagate.folder / "policies" / "actions.polar"
    actions = path.read_text()
    first = save(mediagate, "actions.polar", actions)
    second = save(mediagate, "actions.polar", f"{actions}# a remark\n")

    assert [row["digest"] for row in mediagate.json("policy", "history")] == [second, first]
    differs = mediagate("policy", "diff", first[:6], second[:6])
    assert (differs.code, differs.out.splitlines()[-1]) == (1, "+# a remark")
    assert mediagate.ok("policy", "diff", second) == "no difference\n"
    assert mediagate.json("policy", "rollback", first[:6])["digest"] == first
    assert path.read_text() == actions
    assert mediagate.ok("policy", "diff", first, "folder") == "no difference\n"


def test_a_folder_that_cannot_be_read_is_told(mediagate: CommandLine) -> None:
    """Comparing with a folder that is broken says what is wrong with it."""
    first = save(mediagate, "actions.polar", (mediagate.folder / "policies" / "actions.polar").read_text())
    (mediagate.folder / "policies" / "x.polar").symlink_to("nowhere")

    assert "x.polar: cannot be read" in mediagate.fails("policy", "diff", first)


def test_a_damaged_record_is_not_gone_back_to(mediagate: CommandLine) -> None:
    """A bundle whose recorded bytes changed is a failure; the folder stays."""
    path = mediagate.folder / "policies" / "actions.polar"
    first = save(mediagate, "actions.polar", path.read_text())
    kept = mediagate.folder / ".mediagate-policies" / "bundles" / first / "actions.polar"
    kept.write_text("changed")

    assert "missing or changed" in mediagate.fails("policy", "rollback", first)
    assert path.read_text() != "changed"


def test_following_prints_one_document_for_each_save(mediagate: CommandLine) -> None:
    """With --json each save is one line of JSON."""
    actions = (mediagate.folder / "policies" / "actions.polar").read_text()
    save(mediagate, "actions.polar", actions)
    with following(mediagate.folder, "--json", "policy", "status", "--follow") as said:
        assert json.loads(said.readline())["live"] is True
        save(mediagate, "actions.polar", actions + "needs(")
        assert json.loads(said.readline())["problems"]
