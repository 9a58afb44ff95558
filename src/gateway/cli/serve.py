"""`mediagate serve` and `mediagate upgrade`: running the gateway, and bringing its store up to date."""

import os
import socket
from typing import Annotated, Any

import typer

from gateway.cli.desk import Desk, desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import examples
from gateway.settings.reading import CONFIG_VARIABLE, PREFIX, Keys, chosen_file

EXAMPLES = examples(
    "mediagate serve",
    "mediagate --config /etc/mediagate.toml serve --workers 2",
    "MEDIAGATE_SERVER__PORT=8081 mediagate serve",
)


def add_to(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("serve", epilog=EXAMPLES)(serve)
    app.command("upgrade", epilog=examples("mediagate upgrade"))(upgrade)


def serve(
    context: typer.Context,
    *,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="ADDRESS", help="Instead of `server.host`.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="PORT", help="Instead of `server.port`.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Instead of `server.workers`.", show_default=False),
    ] = None,
) -> None:
    """Serves until it is told to stop. Everything that can be wrong is found, and told together, before it starts."""
    desk = desk_of(context)
    given = {"host": host, "port": port, "workers": workers}
    options: dict[Keys, tuple[str, Any]] = {
        ("server", name): (f"--{name}", value) for name, value in given.items() if value is not None
    }
    settings = desk.settings(options, serving=True)
    _refuse_taken(settings.server.host, settings.server.port)
    _hand_to_workers(desk, options)
    from gateway.server import serve as serve_forever

    serve_forever(settings)


def upgrade(context: typer.Context) -> None:
    """Brings the store's schema to what this version needs; run it after installing a new version."""
    from models.store import Store

    desk = desk_of(context)
    url = desk.settings().store.url
    Store.upgrade(url)
    with desk.store():
        pass
    desk.tell({"upgraded": True}, "the store is up to date")


def _refuse_taken(host: str, port: int) -> None:
    """Raises CommandError if nobody can listen there; the server itself would say so in 80 lines."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        said = (error.strerror or "error").lower()
        raise CommandError(
            f"cannot listen on {host} port {port}: {said}: choose another with --host and --port"
        ) from error


def _hand_to_workers(desk: Desk, options: dict[Keys, tuple[str, Any]]) -> None:
    """Puts into the environment what a worker process must read in the same way."""
    file = chosen_file(desk.config, os.environ)
    if file is not None:
        os.environ[CONFIG_VARIABLE] = str(file.absolute())
    for keys, (_, value) in options.items():
        os.environ[PREFIX + "__".join(keys).upper()] = str(value)
