"""`mediagate object unsettled` and `settle`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised
from models import changes, directory
from models.changes import Lock
from models.records import ObjectKey
from models.store import Store
from models.tables import IntentKind

CLIP = ObjectKey("file", "/masters/clip.mp4")


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line with a registered folder and file."""
    mediagate = initialised(tmp_path)
    mediagate.ok("collection", "add", "file:/masters")
    mediagate.ok("object", "add", str(CLIP), "--owner", ADA)
    return mediagate


def left_open(mediagate: CommandLine, kind: IntentKind, *keys: ObjectKey, unknown: bool = True) -> str:
    """Leaves behind what a request leaves whose backend gave no answer; returns the intent's id."""
    store = Store.open(f"sqlite:///{mediagate.folder}/mediagate.db")
    with store.write("request:r1") as commit:
        user = directory.find_user(commit.session, None, ADA)
        locks = [Lock(key, kind is IntentKind.DELETE) for key in keys]
        intent = changes.open_intent(commit.session, kind, locks, user_id=user.id, request_id="r1")
        if unknown:
            changes.mark_unknown(commit.session, intent.id)
    store.close()
    return intent.id


def known(mediagate: CommandLine, key: ObjectKey) -> bool:
    """Tells whether an object is registered."""
    return bool(mediagate.json("object", "show", str(key))["registered"])


def test_unsettled_requests_are_listed(mediagate: CommandLine) -> None:
    """An administrator sees what waits, since when, and for whom it was asked."""
    assert mediagate.ok("object", "unsettled") == "nothing is unsettled\n"
    intent = left_open(mediagate, IntentKind.DELETE, CLIP)

    (row,) = mediagate.json("object", "unsettled")
    assert (row["intent"], row["kind"], row["state"], row["objects"], row["user"], row["request"]) == (
        intent, "delete", "unknown", [str(CLIP)], ADA, "r1",
    )  # fmt: skip


def test_deletion_that_happened_forgets_the_object(mediagate: CommandLine) -> None:
    """What is gone in the backend is gone here."""
    left_open(mediagate, IntentKind.DELETE, CLIP)

    said = mediagate.ok("object", "settle", str(CLIP), "--happened")

    assert said == f"settled: the delete of {CLIP} happened\n"
    assert not known(mediagate, CLIP)
    assert mediagate.json("object", "unsettled") == []


def test_deletion_that_did_not_happen_opens_the_object_again(mediagate: CommandLine) -> None:
    """What is still there is as before."""
    left_open(mediagate, IntentKind.DELETE, CLIP)

    mediagate.ok("object", "settle", str(CLIP), "--did-not")

    assert known(mediagate, CLIP)
    assert mediagate.json("object", "unsettled") == []


def test_creation_that_happened_belongs_to_who_asked(mediagate: CommandLine) -> None:
    """What the backend has made is named, since an unknown creation keeps no lock, and gets its creator as owner."""
    fresh = "file:/masters/new.mp4"
    intent = left_open(mediagate, IntentKind.CREATE)

    assert "name it with --object TYPE:ID" in mediagate.fails("object", "settle", intent, "--happened")
    mediagate.ok("object", "settle", intent, "--happened", "--object", fresh)

    assert mediagate.json("object", "show", fresh)["owner"] == ADA
    assert mediagate.json("object", "unsettled") == []


def test_creation_of_a_dead_worker_is_found_by_its_object(mediagate: CommandLine) -> None:
    """An intent that is still open names its object itself."""
    fresh = ObjectKey("file", "/masters/new.mp4")
    left_open(mediagate, IntentKind.CREATE, fresh, unknown=False)

    mediagate.ok("object", "settle", str(fresh), "--happened", "--force")

    assert mediagate.json("object", "show", str(fresh))["owner"] == ADA


def test_creation_that_did_not_happen_leaves_nothing(mediagate: CommandLine) -> None:
    """The intent ends and no object appears."""
    intent = left_open(mediagate, IntentKind.CREATE)

    mediagate.ok("object", "settle", intent, "--did-not")

    assert mediagate.json("object", "unsettled") == []


def test_creation_that_cannot_be_taken_up_stays_unsettled(mediagate: CommandLine) -> None:
    """If the facts refuse it, the reason is told and nothing changes."""
    intent = left_open(mediagate, IntentKind.CREATE)
    mediagate.ok("domain", "add", "studio")
    mediagate.ok("collection", "add", "file:/studio", "--domain", "studio")

    said = mediagate.fails("object", "settle", intent, "--happened", "--object", "file:/studio/new.mp4")

    assert "cannot be in the domain" in said
    assert len(mediagate.json("object", "unsettled")) == 1


def test_request_that_may_still_run_needs_force(mediagate: CommandLine) -> None:
    """An open intent belongs to a worker, unless no gateway runs any more."""
    left_open(mediagate, IntentKind.DELETE, CLIP, unknown=False)

    assert "a worker may still be waiting" in mediagate.fails("object", "settle", str(CLIP), "--did-not")
    mediagate.ok("object", "settle", str(CLIP), "--did-not", "--force")


def test_settled_object_has_nothing_to_settle(mediagate: CommandLine) -> None:
    """A second try says where to look."""
    assert "see `mediagate object unsettled`" in mediagate.fails("object", "settle", str(CLIP), "--happened")
