"""What goes wrong in a command: which exit code it has, and the one sentence that says what to do.

Exit codes: 0 done or allowed, 1 refused or differs, 2 wrong use, 3 failure (of the store, a file, a backend, a name);
130 if it was interrupted.
"""

from typing import Final

import typer

DONE: Final = 0
REFUSED: Final = 1
WRONG_USE: Final = 2
FAILED: Final = 3


class CommandError(Exception):
    """A command cannot do what was asked.

    Attributes:
        sentences: what is wrong and what to do; lower case, no final period.
        code: the exit code.
    """

    def __init__(self, *sentences: str, code: int = FAILED) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.code = code


def failure_of(error: Exception) -> CommandError:
    """Returns what a command tells about `error`, whatever it is; never a traceback."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, typer.TyperException):
        return CommandError(_usage(error), code=error.exit_code)
    said = next(iter(str(error).splitlines()), "")
    return _known_failure(error) or CommandError(
        f"this is a fault of mediagate itself: {type(error).__name__}: {said}"
    )


def _usage(error: typer.TyperException) -> str:
    said = " ".join(error.format_message().split()).rstrip(".").replace("'", "`").replace("Value error, ", "")
    said = said.replace(". Did you mean", "; did you mean")
    context = getattr(error, "ctx", None)
    hint = f"see `{context.command_path} --help`" if context else ""
    return f"{said[:1].lower()}{said[1:]}{(' ' if said.endswith('?') else '; ') + hint if hint else ''}"


def _known_failure(error: Exception) -> CommandError | None:
    from gateway.errors import ConfigurationError
    from models.changes import ChangeError, InvalidError
    from models.store import StoreError

    if isinstance(error, ConfigurationError):
        return CommandError(*error.problems)
    if isinstance(error, InvalidError):
        return CommandError(str(error), code=WRONG_USE)
    if isinstance(error, ChangeError | StoreError):
        return CommandError(str(error))
    if isinstance(error, OSError):
        name = f"`{error.filename}`: " if error.filename else ""
        return CommandError(f"{name}{(error.strerror or str(error)).lower()}")
    return None
