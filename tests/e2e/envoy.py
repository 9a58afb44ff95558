"""A real Envoy on loopback, by a configuration that a test gives it."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tools import needed_envoy

PATIENCE: Final = 30.0


@contextmanager
def envoy(folder: Path, configuration: str, port: int) -> Iterator[str]:
    """Runs Envoy until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        configuration: YAML, with a listener at `port` of the loopback.
        port: where it listens.
    """
    (folder / "envoy.yaml").write_text(configuration)
    command = (
        needed_envoy(),
        "-c",
        str(folder / "envoy.yaml"),
        "--concurrency",
        "1",
        "--use-dynamic-base-id",
    )
    with (folder / "envoy.log").open("w") as log:
        process = subprocess.Popen((*command, "--log-level", "warning"), stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "envoy.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended with {process.returncode}:\n{log.read_text()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"Envoy does not listen:\n{log.read_text()}")
