"""Tests of gateway.demo.media: the files are real, made once, and never half."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from gateway.demo.media import MADE, MediaError, make_media


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the media."""
    return make_media(tmp_path_factory.mktemp("media") / "media").folder


def streams(file: Path) -> str:
    """Returns what ffmpeg says of a file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_the_clip_has_picture_and_sound(folder: Path) -> None:
    """The MP4 is what players everywhere play."""
    said = streams(make_media(folder).clip)

    assert "Video: h264" in said
    assert "320x180" in said
    assert "Audio: aac" in said


def test_the_index_of_the_clip_stands_in_front(folder: Path) -> None:
    """A player can seek by ranges before it has the whole file."""
    content = make_media(folder).clip.read_bytes()

    assert content.index(b"moov") < content.index(b"mdat")


def test_the_playlist_plays(folder: Path) -> None:
    """The HLS playlist leads to segments with the same picture and sound."""
    media = make_media(folder)

    assert "Video: h264" in streams(media.hls / "index.m3u8")
    assert len(list(media.hls.glob("*.ts"))) == 2
    assert "Audio: mp3" in streams(media.tone)
    assert media.poster.read_bytes()[:2] == b"\xff\xd8"


def test_what_is_there_is_not_made_again(folder: Path) -> None:
    """A second run keeps the files of the first."""
    before = {name: (folder / name).stat().st_mtime_ns for name in MADE}
    make_media(folder)

    assert {name: (folder / name).stat().st_mtime_ns for name in MADE} == before


def test_what_is_incomplete_is_made_anew(tmp_path: Path) -> None:
    """A folder that lacks a file is not taken for a finished one."""
    made = make_media(tmp_path / "media")
    made.tone.unlink()

    assert make_media(tmp_path / "media").tone.is_file()


def test_a_failing_ffmpeg_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what failed, and no half-made folder is left under the name."""
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")

    with pytest.raises(MediaError, match=r"ffmpeg failed on `clip\.mp4`"):
        make_media(tmp_path / "media")
    assert not (tmp_path / "media").exists()


def test_a_missing_ffmpeg_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is not there is a sentence, not a traceback."""
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))

    with pytest.raises(MediaError, match="ffmpeg"):
        make_media(tmp_path / "media")
