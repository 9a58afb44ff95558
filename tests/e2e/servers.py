"""Other people's servers as processes on loopback, for as long as a test wants them."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 30.0
"""Seconds in which such a server must listen, and end."""


@contextmanager
def listening(command: tuple[str, ...], port: int, log: Path) -> Iterator[str]:
    """Runs a server until the block ends; yields its address once it listens.

    Args:
        command: how it is started; it stays in the foreground.
        port: of the loopback.
        log: where what it says goes, for whoever wonders why it does not listen.
    """
    with log.open("a") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        _wait(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen:\n{log.read_text()}")
