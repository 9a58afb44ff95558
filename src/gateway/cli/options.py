"""The arguments and options that several commands share, and examples in their help."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.changes import Guard

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
ForceOption = Annotated[
    bool, typer.Option("--force", help="Do it even if the allow-lists let no admin in then.")
]


def guard_of(keep: str | None = None, *, force: bool) -> "Guard | None":
    """Returns whom the allow-lists must still let in after a change: an admin, from the address `keep` or from anywhere."""
    from models.changes import Guard
    from models.networks import AddressError, canonical_address

    if force and keep is not None:
        raise typer.BadParameter("--keep asks for a check and --force for none: give one of them")
    try:
        address = canonical_address(keep) if keep is not None else None
    except AddressError as error:
        raise typer.BadParameter(str(error)) from error
    return None if force else Guard(address)


def examples(*lines: str) -> str:
    """Returns the end of a help text that shows how the command is used."""
    # The backspace tells the library to keep the line breaks of the paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
