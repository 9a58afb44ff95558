"""Tests of gateway.folder: one consistent reading, within bounds, and writing one back."""

import os
import threading
import time
from pathlib import Path

import pytest

from gateway.bundle import bundle_digest
from gateway.errors import PolicyFileError
from gateway.folder import USUAL, Bounds, read_once, restore, settled, write_files

NEVER = threading.Event()


def small(folder: Path) -> Path:
    """Writes a folder of two files."""
    write_files({"a.polar": b"one", "routes/r.yaml": b"two"}, folder)
    return folder


def test_a_reading_has_the_bundles_files_and_their_digest(tmp_path: Path) -> None:
    """Names and bytes are those of the bundle; what editors leave beside and hidden files are not part of it."""
    small(tmp_path)
    (tmp_path / "a.polar~").write_text("old")
    (tmp_path / ".#a.polar").symlink_to("someone@somewhere:1")
    (tmp_path / "README.md").write_text("words")

    reading = read_once(tmp_path)

    assert reading.files == {"a.polar": b"one", "routes/r.yaml": b"two"}
    assert reading.digest == bundle_digest(tmp_path)
    assert reading.problems == ()


def test_what_cannot_be_read_is_told_and_nothing_else_is_used(tmp_path: Path) -> None:
    """A pipe, a large file and a dangling link are named together; the good files beside them are left out."""
    small(tmp_path)
    os.mkfifo(tmp_path / "b.polar")
    (tmp_path / "c.polar").write_bytes(b"#" * (USUAL.max_file + 1))
    (tmp_path / "roles.yaml").symlink_to("nowhere")

    reading = read_once(tmp_path)

    assert [problem.partition(":")[0] for problem in reading.problems] == ["b.polar", "c.polar", "roles.yaml"]
    assert (reading.digest, reading.files) == ("", {})


def test_too_much_and_no_folder_are_problems(tmp_path: Path) -> None:
    """Number and size of files are bounded, each by its setting, and a folder that is gone is told."""
    small(tmp_path)
    assert read_once(tmp_path, Bounds(max_files=2, max_bytes=6)).problems == ()
    assert "more than 1 files (`policies.max_files`)" in read_once(tmp_path, Bounds(max_files=1)).problems[0]
    assert (
        "more than 5 bytes together (`policies.max_bytes`)"
        in read_once(tmp_path, Bounds(max_bytes=5)).problems[0]
    )
    assert (
        "a.polar: larger than 2 bytes (`policies.max_file`)"
        in read_once(tmp_path, Bounds(max_file=2)).problems[0]
    )
    assert "no such folder" in read_once(tmp_path / "gone").problems[0]


def test_a_folder_without_route_maps_may_be_empty_but_must_be_there(tmp_path: Path) -> None:
    """Losing the folder of route maps by accident is a problem, not a gateway without routes."""
    write_files({"a.polar": b"one"}, tmp_path)
    assert read_once(tmp_path).problems == ()
    (tmp_path / "routes").rmdir()

    assert "no such folder of route maps" in read_once(tmp_path).problems[0]


def test_a_folder_settles_when_its_writer_is_through(tmp_path: Path) -> None:
    """While files change there is no reading; then it is the last state, whole."""
    small(tmp_path)

    def write() -> None:
        for number in range(10):
            (tmp_path / "a.polar").write_text(f"edit {number}")
            (tmp_path / f"{number}.polar").write_text("passing")
            time.sleep(0.02)
            (tmp_path / f"{number}.polar").unlink()

    writer = threading.Thread(target=write)
    writer.start()
    reading = settled(tmp_path, 0.05, NEVER)
    writer.join()

    assert reading.files == {"a.polar": b"edit 9", "routes/r.yaml": b"two"}


def test_a_folder_that_never_stands_still_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endless changes end as a sentence; so does being told to stop."""
    small(tmp_path)
    count = iter(range(1_000))
    over = threading.Event()

    class Restless(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            (tmp_path / "a.polar").write_text(str(next(count)))
            return super().wait(0 if timeout else None)

    monkeypatch.setattr("gateway.folder.MAX_READINGS", 5)
    over.set()

    assert "keep changing" in settled(tmp_path, 0.01, Restless()).problems[0]
    assert settled(tmp_path, 60, over).problems


def test_restoring_makes_the_folder_be_the_files(tmp_path: Path) -> None:
    """Files are replaced, made and taken away; modes and what is not of the bundle stay."""
    small(tmp_path)
    (tmp_path / "a.polar").chmod(0o640)
    (tmp_path / "b.polar").write_text("new")
    (tmp_path / "notes.txt").write_text("mine")
    files = {"a.polar": b"old", "scenarios/s.yaml": b"says"}

    restore(files, tmp_path)

    assert read_once(tmp_path).files == files
    assert (tmp_path / "a.polar").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("linked", ["a.polar", "routes"])
def test_restoring_leaves_links_alone(tmp_path: Path, linked: str) -> None:
    """Where something else owns the files, nothing is written."""
    small(tmp_path / "real")
    (tmp_path / "real" / linked).rename(tmp_path / "elsewhere")
    (tmp_path / "real" / linked).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(PolicyFileError, match="symbolic link"):
        restore({"b.polar": b"x"}, tmp_path / "real")
    assert read_once(tmp_path / "real").files == {"a.polar": b"one", "routes/r.yaml": b"two"}
