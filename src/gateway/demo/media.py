"""Real media, made once by the packaged ffmpeg: a test pattern with a tone, a few seconds long.

What is made is kept; a file that ffmpeg did not finish is never taken for a finished one.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = 4
SEGMENT_SECONDS: Final = 2
MADE: Final = ("clip.mp4", "tone.mp3", "poster.jpg", "hls/index.m3u8")
"""What stands in the folder when everything is made; beside the playlist its segments."""

_TIME_LIMIT: Final = 120
_QUIET: Final = ("-hide_banner", "-loglevel", "error", "-nostdin", "-y")


class MediaError(Exception):
    """The media could not be made; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Media:
    """The finished files."""

    folder: Path

    @property
    def clip(self) -> Path:
        """An MP4 with H.264 and AAC, its index in front so that players can seek."""
        return self.folder / "clip.mp4"

    @property
    def tone(self) -> Path:
        """The sound of the clip as MP3."""
        return self.folder / "tone.mp3"

    @property
    def poster(self) -> Path:
        """The first picture of the clip."""
        return self.folder / "poster.jpg"

    @property
    def hls(self) -> Path:
        """The folder of the HLS playlist and its segments; the playlist names them by relative URLs."""
        return self.folder / "hls"


def make_media(folder: Path) -> Media:
    """Returns the media in `folder`, made now if they are not there yet.

    Raises:
        MediaError: ffmpeg is missing or failed.
    """
    if not all((folder / name).is_file() for name in MADE):
        started = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(started, ignore_errors=True)
        (started / "hls").mkdir(parents=True)
        _make(started)
        shutil.rmtree(folder, ignore_errors=True)
        started.rename(folder)
    return Media(folder)


def _make(folder: Path) -> None:
    pattern = f"testsrc2=size=320x180:rate=25:duration={SECONDS}"
    tone = f"sine=frequency=440:duration={SECONDS}"
    video = (
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "30",
        "-g",
        str(25 * SEGMENT_SECONDS),
        "-pix_fmt",
        "yuv420p",
    )
    sound = ("-c:a", "aac", "-b:a", "64k")
    playlist = (
        "-f",
        "hls",
        "-hls_time",
        str(SEGMENT_SECONDS),
        "-hls_playlist_type",
        "vod",
        "-hls_list_size",
        "0",
    )
    _ffmpeg(
        folder,
        "-f",
        "lavfi",
        "-i",
        pattern,
        "-f",
        "lavfi",
        "-i",
        tone,
        *video,
        *sound,
        "-movflags",
        "+faststart",
        "clip.mp4",
    )
    _ffmpeg(
        folder,
        "-i",
        "clip.mp4",
        "-c",
        "copy",
        *playlist,
        "-hls_segment_filename",
        "hls/segment%03d.ts",
        "hls/index.m3u8",
    )
    _ffmpeg(folder, "-i", "clip.mp4", "-vn", "-c:a", "libmp3lame", "-b:a", "64k", "tone.mp3")
    _ffmpeg(folder, "-i", "clip.mp4", "-frames:v", "1", "poster.jpg")


def _ffmpeg(folder: Path, *arguments: str) -> None:
    command = [_program(), *_QUIET, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
            check=False,
            start_new_session=True,  # Ctrl-C is for the demo, which stops when this is done
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaError(f"ffmpeg did not run: {error}") from error
    if done.returncode:
        raise MediaError(f"ffmpeg failed on `{arguments[-1]}`: {done.stderr.strip().splitlines()[-1:]}")


def _program() -> str:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise MediaError("the demo's packages are missing: install `mediagate[demo]`") from error
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise MediaError(
            "the packaged ffmpeg does not fit this machine: set IMAGEIO_FFMPEG_EXE to one that does"
        ) from error
