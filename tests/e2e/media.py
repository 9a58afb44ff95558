"""Real media for players: a test pattern with a tone, as MP4 with its index in front and as HLS."""

import subprocess
from pathlib import Path
from typing import Final

from tools import needed_ffmpeg

SECONDS: Final = 4
FRAMES: Final = 25 * SECONDS
_VIDEO: Final = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50")
_SOUND: Final = ("-c:a", "aac", "-shortest", "-movflags", "+faststart")
_TIME_LIMIT: Final = 120


def make(folder: Path) -> None:
    """Makes `clip.mp4` and `hls/index.m3u8` with its segments in `folder`."""
    pattern = f"testsrc2=size=320x180:rate=25:duration={SECONDS}"
    tone = f"sine=frequency=440:duration={SECONDS}"
    coded = (*_VIDEO, *_SOUND)
    _ffmpeg("-f", "lavfi", "-i", pattern, "-f", "lavfi", "-i", tone, *coded, str(folder / "clip.mp4"))
    (folder / "hls").mkdir()
    split = ("-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod")
    _ffmpeg("-i", str(folder / "clip.mp4"), *split, str(folder / "hls" / "index.m3u8"))


def _ffmpeg(*options: str) -> None:
    command = (needed_ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIME_LIMIT)
    assert done.returncode == 0, done.stderr
