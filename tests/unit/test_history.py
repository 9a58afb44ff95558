"""Tests of gateway.history: the record of what went live is whole, bounded and written by one at a time."""

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.folder import Reading, read_once, write_files
from gateway.history import REFUSAL_HOLDS, History, Save, StopError


def reading(tmp_path: Path, text: str) -> Reading:
    """Returns the reading of a folder of one file."""
    write_files({"a.polar": text.encode()}, tmp_path / "made")
    return read_once(tmp_path / "made")


def live(past: History, given: Reading) -> str:
    """Records a bundle as live."""
    with past.locked(), past.copied(given) as copy:
        past.keep(copy, given.digest)
        past.went_live(given.digest)
    return given.digest


@pytest.fixture(name="past")
def empty_history(tmp_path: Path) -> History:
    """A record that keeps three bundles."""
    return History(tmp_path / "state", keep=3)


def test_what_went_live_is_kept_with_its_bytes(past: History, tmp_path: Path) -> None:
    """Digest, order and files are there; going live again at once adds no line; only the owner may look."""
    first, second = (live(past, reading(tmp_path, text)) for text in ("one", "two"))
    live(past, reading(tmp_path, "two"))

    assert [each.digest for each in past.lives()] == [first, second]
    assert past.files(first).files == {"a.polar": b"one"}
    assert stat.S_IMODE(past.folder.stat().st_mode) == 0o700
    assert not list(past.folder.glob("trying-*"))


def test_the_number_of_bundles_is_bounded(past: History, tmp_path: Path) -> None:
    """The oldest go, files and line."""
    digests = [live(past, reading(tmp_path, str(number))) for number in range(5)]

    assert [each.digest for each in past.lives()] == digests[2:]
    assert {path.name for path in (past.folder / "bundles").iterdir()} == set(digests[2:])


def test_a_bundle_whose_bytes_changed_is_not_used(past: History, tmp_path: Path) -> None:
    """What no longer gives its digest is not there, and is no last good one."""
    digest = live(past, reading(tmp_path, "one"))
    assert past.last_good(60) is not None
    (past.folder / "bundles" / digest / "a.polar").write_text("permit everything")

    assert past.bundle(digest) is None
    assert past.last_good(60) is None


def test_the_age_of_the_last_good_one_counts_from_when_the_folder_was_it(
    past: History, tmp_path: Path
) -> None:
    """A bundle that served for a long time is not old as long as the folder was that bundle lately."""
    digest = live(past, reading(tmp_path, "one"))
    old = time.time() - 1000
    (past.folder / "history.jsonl").write_text(f'{{"digest": "{digest}", "at": {old}}}\nhalf a li')

    assert past.last_good(500) is not None
    os.utime(past.folder / "seen", (old, old))
    assert past.last_good(500) is None


def test_a_save_is_noted_once_for_all_workers(past: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same outcome of the same bytes is one line; another is another; the oldest go."""
    monkeypatch.setattr("gateway.history.MAX_SAVES", 10)
    with past.locked():
        for number in (1, 1, 2, 1):
            past.note(Save(0.0, str(number), live=False, problems=("wrong",)))
        assert [save.digest for save in past.saves()] == ["1", "2", "1"]
        for number in range(20):
            past.note(Save(0.0, str(number), live=True))

    assert [save.digest for save in past.saves()][-1] == "19"
    assert len(past.saves()) <= 10


def test_a_refusal_is_believed_for_a_moment_and_a_pass_for_good(past: History) -> None:
    """Several workers share one trial; later a refused bundle is tried again."""
    with past.locked():
        past.remember_trial("bad", ["wrong"])
        past.remember_trial("good", [])
        assert (past.trial("bad"), past.trial("good"), past.trial("new")) == (["wrong"], [], None)
        old = time.time() - REFUSAL_HOLDS - 1
        for path in (past.folder / "trials").iterdir():
            os.utime(path, (old, old))
        assert (past.trial("bad"), past.trial("good")) == (None, [])


def test_one_writes_at_a_time_and_who_stops_does_not_wait(past: History) -> None:
    """The lock excludes; waiting for it ends when told to stop."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    with past.locked(), pytest.raises(StopError), History(past.folder).locked(stop):
        pass


def test_a_state_folder_that_others_may_write_is_refused(past: History) -> None:
    """What stands there may decide, so it is the owner's alone; one that cannot be made is told too."""
    past.folder.mkdir()
    past.folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match="chmod 700"), past.locked():
        pass
    with pytest.raises(ConfigurationError, match="cannot be written"), History(Path("/dev/null/x")).locked():
        pass
