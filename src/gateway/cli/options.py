"""The arguments and options that several commands share, and examples in their help."""

from typing import Annotated

import typer

UserArgument = Annotated[
    str, typer.Argument(metavar="USER", help="A user's e-mail or id.", show_default=False)
]
GroupArgument = Annotated[
    str, typer.Argument(metavar="GROUP", help="A group's name or id.", show_default=False)
]
ObjectArgument = Annotated[
    str,
    typer.Argument(
        metavar="OBJECT",
        help="TYPE:ID, as in asset:42, collection:news or file:/a/b.mp4.",
        show_default=False,
    ),
]
CollectionArgument = Annotated[
    str,
    typer.Argument(
        metavar="COLLECTION", help="The collection as TYPE:ID, as in collection:news.", show_default=False
    ),
]
DomainOption = Annotated[
    str | None,
    typer.Option(
        "--domain",
        metavar="NAME",
        help="The system domain; needed only if there are several.",
        show_default=False,
    ),
]


def examples(*lines: str) -> str:
    """Returns the end of a help text that shows how the command is used."""
    # The backspace tells the library to keep the line breaks of the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
