"""A real Envoy on loopback, by a configuration that a test gives it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.servers import listening
from tools import needed_envoy

_OPTIONS: Final = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning")


@contextmanager
def envoy(folder: Path, configuration: str, port: int) -> Iterator[str]:
    """Runs Envoy until the block ends; yields its address.

    Args:
        folder: for its own files; it must exist.
        configuration: YAML, with a listener at `port` of the loopback.
        port: where it listens.
    """
    (folder / "envoy.yaml").write_text(configuration)
    command = (needed_envoy(), "-c", str(folder / "envoy.yaml"), *_OPTIONS)
    with listening(command, port, folder / "envoy.log") as url:
        yield url
