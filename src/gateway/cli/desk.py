"""What every command works with: the settings, the store, and where its answer goes.

Rules:

1. A command answers once: a JSON document with `--json`, else text. Errors go to standard error.
2. Changes go through `models.changes` within one commit, so that a command is done or nothing of it is.
"""

import getpass
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.failures import CommandError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gateway.settings import Settings
    from gateway.settings.reading import Keys
    from models.store import Commit, Store

logging.getLogger("models").addHandler(
    logging.NullHandler()
)  # `serve` sets up logging; other commands only answer


@dataclass(frozen=True, slots=True)
class Desk:
    """The global options of one call.

    Attributes:
        config: the TOML file that `--config` names.
        as_json: whether `--json` was given.
    """

    config: Path | None = None
    as_json: bool = False

    def settings(
        self, options: Mapping["Keys", tuple[str, Any]] | None = None, *, serving: bool = False
    ) -> "Settings":
        """Returns the settings, as `Settings.load` does."""
        from gateway.settings import Settings

        return Settings.load(self.config, options=options, serving=serving)

    @contextmanager
    def store(self) -> "Iterator[Store]":
        """Opens the store of the settings for the length of a block."""
        from models.store import Store

        settings = self.settings().store
        store = Store.open(settings.url, busy_timeout=settings.busy_timeout)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def reading(self) -> "Iterator[Session]":
        """Opens a snapshot of the store for the length of a block."""
        with self.store() as store, store.read() as session:
            yield session

    @contextmanager
    def writing(self) -> "Iterator[Commit]":
        """Opens one commit for the length of a block; it holds if the block ends without an exception."""
        with self.store() as store, store.write(author()) as commit:
            yield commit

    def tell(self, document: Mapping[str, Any] | Sequence[Any], text: str) -> None:
        """Prints the command's answer (rule 1).

        Raises:
            CommandError: whoever reads it has closed the pipe; there is nothing to say about that.
        """
        answer = json.dumps(document, ensure_ascii=False, indent=2, default=str) if self.as_json else text
        try:
            print(answer, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise CommandError from None


def desk_of(context: typer.Context) -> Desk:
    """Returns the desk that the global options made."""
    desk = context.obj
    return desk if isinstance(desk, Desk) else Desk()


def author() -> str:
    """Returns the name under which commands stand in the revision log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container may run under a number that has no name
        return "cli"
