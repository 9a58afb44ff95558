"""`mediagate api`: the description of what the gateway answers itself, OpenAPI 3.1."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import WRONG_USE, CommandError
from gateway.cli.options import examples

EXAMPLES = examples("mediagate api > openapi.json", "mediagate api acls users")


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("api", epilog=EXAMPLES)(api)


def api(
    context: typer.Context,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help="By default those that are local.", show_default=False),
    ] = None,
) -> None:
    """Prints the description of local services as JSON; of all of them if none is named and none is local."""
    from gateway.api.openapi import described
    from gateway.api.services import SERVICES
    from gateway.local_services import LOCAL
    from gateway.roles import read_role_floor
    from gateway.routes import RouteTable
    from gateway.shipped import shipped_policies

    desk = desk_of(context)
    settings = desk.settings()
    names = tuple(services or settings.services.local or SERVICES)
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise CommandError(
            f"there is no service `{unknown[0]}`: those are {', '.join(sorted(SERVICES))}", code=WRONG_USE
        )
    with tempfile.TemporaryDirectory(prefix="mediagate-api-") as empty:
        table = RouteTable.load(
            Path(empty),
            known_roles=read_role_floor(shipped_policies()),
            upstreams={LOCAL + name for name in names},
            prefix=settings.server.prefix,
        )
    document = described(table.rows, SERVICES)
    desk.tell(document, json.dumps(document, ensure_ascii=False, indent=2))
