"""`mediagate policy`: checking a folder of policies before it is used."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import REFUSED, CommandError
from gateway.cli.options import examples
from gateway.cli.policy_live import add_live


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    policy = typer.Typer(
        name="policy", help="Polar files, roles, route maps and scenarios.", rich_markup_mode=None
    )
    policy.callback()(_noun)
    policy.command(
        "check", epilog=examples("mediagate policy check", "mediagate policy check ./new-policies")
    )(check)
    add_live(policy)
    app.add_typer(policy)


def _noun() -> None:
    """Polar files, roles, route maps and scenarios."""


def check(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="The folder of the settings by default.", show_default=False),
    ] = None,
) -> None:
    """Loads the folder as `serve` would and prints every problem with its file and line.

    Exit code 0: it loads, 1: it does not. Upstreams are compared with the settings where no folder is named.
    """
    from gateway.bundle import load_bundle
    from gateway.errors import ConfigurationError

    desk = desk_of(context)
    settings = desk.settings()
    place = folder or settings.policies.folder
    if not place.is_dir():
        raise CommandError(f"`{place}` is not a folder: `mediagate init` writes the shipped policies")
    upstreams = None if folder else set(settings.upstreams) or None
    try:
        bundle = load_bundle(place, upstreams=upstreams, prefix=settings.server.prefix)
    except ConfigurationError as error:
        desk.tell({"folder": str(place), "problems": error.problems}, "\n".join(error.problems))
        raise typer.Exit(REFUSED) from None
    desk.tell(
        {"folder": str(place), "problems": [], "digest": bundle.digest},
        f"{place} loads; its digest is {bundle.digest}",
    )
