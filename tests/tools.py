"""Programs that some tests need and a newcomer's machine may lack: a clear skip there, a failure in CI."""

import os
import shutil
from pathlib import Path
from typing import Final, NoReturn

import pytest

CI: Final = "MEDIAGATE_CI"
PACKAGES: Final = {"nginx": "nginx", "ffprobe": "ffmpeg", "curl": "curl"}
"""Programs and the Debian packages that bring them."""


def needed(program: str) -> str:
    """Returns the path of a program; without it the test is skipped, or fails in CI."""
    return shutil.which(program) or _lacking(
        f"`{program}` is not installed: install the Debian package `{PACKAGES[program]}` to run this test"
    )


def needed_ffmpeg() -> str:
    """Returns the path of ffmpeg: the system's, else the one that the Python package `imageio-ffmpeg` brings."""
    import imageio_ffmpeg

    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())


def needed_proc() -> Path:
    """Returns the folder in which Linux describes processes; without it the test is skipped, or fails in CI."""
    proc = Path("/proc")
    if (proc / "self" / "stat").is_file():
        return proc
    _lacking(
        "processes are measured through `/proc`, which this system does not have: run this test on Linux"
    )


def _lacking(sentence: str) -> NoReturn:
    if os.environ.get(CI):
        pytest.fail(f"{sentence} (a skip is a failure while {CI} is set)")
    pytest.skip(sentence)
