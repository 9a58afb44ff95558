"""`mediagate explain`: the verdict that a request would meet, and where it comes from."""

from pathlib import Path
from typing import Any

import pytest

from commandline import ADA, CommandLine, initialised
from gateway.reload import Gate
from gateway.settings import Settings

STAN = "stan@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with an asset that editors read through its collection."""
    mediagate = initialised(tmp_path)
    mediagate.ok("group", "add", "editors", "--role", "can_read_assets")
    mediagate.ok("user", "add", STAN, "--group", "editors")
    mediagate.ok("collection", "add", "collection:news")
    mediagate.ok("object", "add", "asset:42", "--in", "collection:news")
    mediagate.ok("grant", "editors", "read", "collection:news", "--propagate")
    return mediagate


def explained(mediagate: CommandLine, *typed: str, code: int) -> Any:
    """Returns the document of an explanation that must end with `code`."""
    answer = mediagate("--json", "explain", *typed)
    assert (answer.code, answer.err) == (code, ""), answer
    return answer.document


def test_inherited_grant_is_traced_to_its_entry(mediagate: CommandLine) -> None:
    """The reason, the rule's place, and the entry of the collection are told."""
    document = explained(mediagate, STAN, "read", "asset:42", "--role", "can_read_assets", code=0)

    assert document["allowed"] is True
    assert document["reason"] == "inherited-acl"
    assert document["rule"].startswith("permits.polar:")
    assert document["grants"] == [
        {
            "permission": "read",
            "to": "group:editors",
            "on": "collection:news",
            "inherited": True,
            "expires": None,
        }
    ]


def test_every_gate_and_permit_is_listed_with_its_place(mediagate: CommandLine) -> None:
    """Gates come first, in their order, then permits; each with file and line."""
    steps = explained(mediagate, STAN, "read", "asset:42", code=0)["steps"]

    assert [step["kind"] for step in steps] == sorted(step["kind"] for step in steps)
    assert {"network", "role", "user-status"} <= {step["name"] for step in steps if step["kind"] == "gate"}
    assert all(".polar:" in step["rule"] for step in steps)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ((STAN, "write", "asset:42"), "no-grant"),
        ((STAN, "read", "asset:42", "--role", "can_delete_assets"), "role"),
        ((STAN, "read", "asset:43"), "unknown-object"),
        (("-", "read", "asset:42"), "signed-in"),
    ],
)
def test_refusal_has_the_precise_reason_and_code_1(
    mediagate: CommandLine, typed: tuple[str, ...], reason: str
) -> None:
    """The reason is the one that goes to the audit, not the coarse one told outside."""
    document = explained(mediagate, *typed, code=1)

    assert (document["allowed"], document["reason"]) == (False, reason)
    assert document["says"]


def test_an_entry_with_an_end_is_shown_until_then(mediagate: CommandLine) -> None:
    """`--at` asks before and after the end; the entry is named with its end, and afterwards not at all."""
    mediagate.ok("grant", STAN, "delete", "collection:news", "--propagate", "--until", "2999-01-01T00:00Z")
    ask = (STAN, "delete", "asset:42")

    before = explained(mediagate, *ask, "--at", "2998-12-31T23:59:59Z", code=0)
    after = explained(mediagate, *ask, "--at", "2999-01-01T00:00:00Z", code=1)

    assert [
        (grant["on"], grant["expires"]) for grant in before["grants"] if grant["permission"] == "delete"
    ] == [("collection:news", "2999-01-01T00:00:00+00:00")]
    assert (after["reason"], [each for each in after["grants"] if each["permission"] == "delete"]) == (
        "no-grant",
        [],
    )


def test_address_is_part_of_the_question(mediagate: CommandLine) -> None:
    """`--from` shows what the allow-list would do, for admins too."""
    mediagate.ok("allow-ip", "add", "10.0.0.0/8")
    mediagate.ok("allow-ip", "on")

    assert explained(mediagate, ADA, "read", "asset:42", code=1)["reason"] == "network"
    assert (
        explained(mediagate, ADA, "read", "asset:42", "--from", "::ffff:10.0.0.7", code=0)["from"]
        == "10.0.0.7"
    )


def test_application_is_part_of_the_question(mediagate: CommandLine) -> None:
    """A line for one application binds only its tokens; an unknown one is a failure."""
    mediagate.ok("token", "create", STAN, "--app", "player")
    mediagate.ok("allow-ip", "add", "10.1.0.0/16", "--app", "player", "--user", STAN)
    mediagate.ok("allow-ip", "on")

    assert explained(mediagate, STAN, "read", "asset:42", "--app", "player", code=1)["reason"] == "network"
    assert explained(mediagate, STAN, "read", "asset:42", code=0)["reason"] == "inherited-acl"
    assert "there is no application `plaier`" in mediagate.fails(
        "explain", STAN, "read", "asset:42", "--app", "plaier"
    )


def test_time_is_part_of_the_question(mediagate: CommandLine) -> None:
    """`--at` is told back in UTC."""
    document = explained(mediagate, STAN, "read", "asset:42", "--at", "2030-01-31T23:30:00+01:00", code=0)

    assert document["at"] == "2030-01-31T22:30:00+00:00"


def test_path_is_judged_by_its_folders(mediagate: CommandLine) -> None:
    """Creating below a folder asks about the folder, and the text says so."""
    mediagate.ok("collection", "add", "file:/masters")
    mediagate.ok("grant", STAN, "write", "file:/masters", "--propagate")

    assert explained(mediagate, STAN, "create", "file:/masters/a.mp4", code=0)["judged"] == "file:/masters"
    assert "judged: file:/masters\n" in mediagate("explain", STAN, "create", "file:/masters/a.mp4").out


def test_own_domain_is_explained_without_an_object(mediagate: CommandLine) -> None:
    """`-` stands for routes that name no object."""
    document = explained(mediagate, ADA, "read", "-", code=0)

    assert document["object"] is None
    assert "in the own domain" in mediagate("explain", ADA, "read", "-").out


def test_text_reads_from_verdict_to_detail(mediagate: CommandLine) -> None:
    """People read the verdict first, then why, then rule by rule."""
    answer = mediagate("explain", "-", "read", "asset:42")

    assert answer.code == 1
    first, second, third, *rest = answer.out.splitlines()
    assert first == "refused: nobody read asset:42 from 127.0.0.1"
    assert second.startswith("because: signed-in (gates.polar:")
    assert third.startswith("means: sign in")
    assert rest[1].split() == ["KIND", "NAME", "VERDICT", "RULE"]
    assert rest[-1] == "no entry grants anything"


def test_policy_error_is_shown_with_its_detail(mediagate: CommandLine) -> None:
    """A policy that fails refuses, and the explanation says how it failed."""
    path = mediagate.folder / "policies" / "permits.polar"
    path.write_text(
        path.read_text() + '\npermit(_, action, _, request, "broken") if request.from_network(action);\n'
    )

    answer = mediagate("explain", STAN, "write", "asset:42")

    assert answer.code == 1
    assert "because: policy-error" in answer.out
    assert "detail: " in answer.out
    assert "  broken: " in answer.out


def test_broken_policy_and_unknown_user_are_failures(mediagate: CommandLine) -> None:
    """What cannot be asked is no refusal."""
    assert "there is no user `eve@example.org`" in mediagate.fails(
        "explain", "eve@example.org", "read", "asset:42"
    )
    path = mediagate.folder / "policies" / "gates.polar"
    path.write_text(path.read_text() + "gate(")
    assert "gates.polar:" in mediagate.fails("explain", STAN, "read", "asset:42")


def go_live(mediagate: CommandLine) -> str:
    """Has the folder judged as a gateway does; returns the digest that is live."""
    return Gate(Settings.load(mediagate.folder / "mediagate.toml", environ={})).judged()[1].digest


def test_the_live_bundle_judges_and_a_folder_that_differs_is_told(mediagate: CommandLine) -> None:
    """An edit that is not live, whole or broken, changes no explanation; the notice names what the folder is."""
    live = go_live(mediagate)
    asked = (STAN, "read", "asset:42", "--role", "can_read_assets")
    assert explained(mediagate, *asked, code=0)["policy"] == {
        "digest": live,
        "judged_by": "live",
        "notice": None,
    }
    path = mediagate.folder / "policies" / "permits.polar"
    shipped = path.read_text()
    for text in (shipped.replace("permit(", "never("), shipped + "permit("):
        path.write_text(text)
        document = explained(mediagate, *asked, code=0)
        assert (document["reason"], document["policy"]["digest"]) == ("inherited-acl", live)
        assert "is not what is live" in document["policy"]["notice"]
    path.write_bytes(b"x" * 1_048_577)
    assert "permits.polar: larger than" in explained(mediagate, *asked, code=0)["policy"]["notice"]
    assert f"policy: {live}, live\nnotice: the folder cannot be read" in mediagate("explain", *asked).out


def test_a_damaged_record_leaves_the_folder_to_judge(mediagate: CommandLine) -> None:
    """A recorded bundle whose bytes are not its digest's judges nothing, and the explanation says that the folder did."""
    live = go_live(mediagate)
    kept = mediagate.folder / ".mediagate-policies" / "bundles" / live / "permits.polar"
    kept.write_text(kept.read_text().replace("permit(", "never("))

    policy = explained(mediagate, STAN, "read", "asset:42", code=0)["policy"]

    assert policy["judged_by"] == "folder"
    assert f"the files of the live bundle {live} are missing" in policy["notice"]
