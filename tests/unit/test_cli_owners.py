"""`mediagate object owner` and `mediagate object transfer`."""

from pathlib import Path

import pytest

from commandline import ADA, CommandLine, initialised

STAN = "stan@example.org"


@pytest.fixture
def mediagate(tmp_path: Path) -> CommandLine:
    """A fresh folder's command line."""
    return initialised(tmp_path)


def test_owner_changes_and_may_be_nobody(mediagate: CommandLine) -> None:
    """The object owner is set and removed."""
    mediagate.ok("object", "add", "asset:42")

    assert mediagate.ok("object", "owner", "asset:42", ADA) == f"asset:42 is owned by {ADA}\n"
    assert mediagate.ok("object", "owner", "asset:42", "-") == "asset:42 is owned by nobody\n"


def test_all_that_somebody_owned_is_transferred(mediagate: CommandLine) -> None:
    """What a deleted user owned is another's after one command."""
    mediagate.ok("user", "add", STAN)
    mediagate.ok("object", "add", "asset:1", "--owner", STAN)
    mediagate.ok("object", "add", "asset:2", "--owner", STAN)
    mediagate.ok("user", "set", STAN, "--status", "DELETED")

    assert mediagate.json("object", "show", "asset:1")["owner"] == STAN
    said = mediagate.ok("object", "transfer", STAN, ADA)
    assert said == f"2 objects of {STAN} are owned by {ADA}\n"
    assert mediagate.json("object", "show", "asset:2")["owner"] == ADA
    assert mediagate.json("object", "transfer", ADA, "-") == {
        "from": ADA,
        "to": None,
        "transferred": 2,
        "left": 0,
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ((ADA, ADA), "owns these objects already"),
        ((ADA, "nobody"), "there is no user `nobody`"),
        ((ADA, STAN), f"the user `{STAN}` is deleted: choose another"),
    ],
)
def test_a_transfer_that_cannot_be_says_why(
    mediagate: CommandLine, typed: tuple[str, str], said: str
) -> None:
    """Nothing changes hands."""
    mediagate.ok("user", "add", STAN)
    mediagate.ok("user", "set", STAN, "--status", "DELETED")

    assert said in mediagate.fails("object", "transfer", *typed)
