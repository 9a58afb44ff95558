"""Passwords on the command line: from a file or standard input, never as an argument, which everybody on the machine can read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.failures import CommandError

if TYPE_CHECKING:
    from models.passwords import Hashed

STANDARD_INPUT: Final = "-"
MAX_FILE: Final = 4_096
"""Characters that are read of the file of a password."""

PasswordOption = Annotated[
    str | None,
    typer.Option(
        "--password-file",
        metavar="PATH",
        help="Its first line is the password; - reads standard input.",
        show_default=False,
    ),
]


def password_of(path: str | None) -> "Hashed | None":
    """Returns what is kept of the password that stands in a file; None if no file is named."""
    if path is None:
        return None
    from models.passwords import PasswordError, hashed

    try:
        text = sys.stdin.read(MAX_FILE) if path == STANDARD_INPUT else _read(Path(path))
        return hashed(text.partition("\n")[0].removesuffix("\r"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandError(f"the password file `{path}` cannot be read: {why}") from None
    except PasswordError as error:
        raise CommandError(str(error)) from None


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_FILE)
