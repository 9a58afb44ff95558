"""The command line itself: global options anywhere, one exit code and one sentence for every failure.

Rules:

1. `--config PATH` and `--json` may stand before or after the command; after `--` nothing is an option.
2. Whatever goes wrong ends as an exit code and sentences on standard error, each starting with `mediagate:`; with
   `--json` also as a document on standard output.
3. A command that only runs later is imported only then: `mediagate --help` stays quick.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from gateway.cli.failures import DONE, WRONG_USE, CommandError, failure_of

_WITH_VALUE: Final = ("--config",)
_FLAGS: Final = ("--json",)


@dataclass(frozen=True, slots=True)
class Noun:
    """A first word of the command line, before it is imported.

    Attributes:
        module: has a function `add_to` that adds the word and what stands below it.
        says: one line for the list of commands.
    """

    module: str
    says: str


class Root(TyperGroup):
    """The group of all commands; see the rules above."""

    nouns: ClassVar[Mapping[str, Noun]] = {}

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's signature
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=noun.says) for name, noun in self.nouns.items()}
        self._imported: set[str] = set()

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Returns the command of this name, imported now if it was not before (rule 3)."""
        if cmd_name in self.nouns and cmd_name not in self._imported:
            app = typer.Typer(rich_markup_mode=None)
            app.callback()(_nothing)
            import_module(self.nouns[cmd_name].module).add_to(app)
            added = get_group(app).commands
            self._imported.update(added)
            self.commands.update(added)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401, ARG002
        """Writes the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.says) for name, noun in self.nouns.items()])

    # The modes that typer's signature has besides are set here, and nobody else calls it.
    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401
    ) -> NoReturn:
        """Runs one command and ends the process with its exit code."""
        given = globals_first(list(sys.argv[1:] if args is None else args))
        extra["standalone_mode"] = False
        try:
            code = super().main(given or ["--help"], prog_name or "mediagate", **extra)
        except Exception as error:  # noqa: BLE001 - rule 2: no failure leaves as a traceback
            code = _told(failure_of(error), given)
        sys.exit(WRONG_USE if not given else code if isinstance(code, int) else DONE)


def _nothing() -> None:
    """Stands for the global options, which `Root` reads."""


def globals_first(args: list[str]) -> list[str]:
    """Returns the arguments with the global options moved to the front (rule 1)."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        if arg == "--":
            rest += [arg, *waiting]
        elif arg in _FLAGS or arg.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(arg)
        elif arg in _WITH_VALUE:
            value = next(waiting, None)
            if value is None:
                return [arg]  # whose value is missing; nothing else matters
            front += [arg, value]
        else:
            rest.append(arg)
    return front + rest


def _told(failure: CommandError, args: list[str]) -> int:
    for sentence in failure.sentences:
        print(f"mediagate: {sentence}", file=sys.stderr)
    if failure.sentences and "--json" in args[: args.index("--") if "--" in args else None]:
        document = {"error": failure.sentences[0], "errors": failure.sentences, "exit_code": failure.code}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    return failure.code
