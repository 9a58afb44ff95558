"""`mediagate client-ip`: which address the gateway would believe a request comes from, hop by hop."""

from typing import Annotated

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import REFUSED, WRONG_USE, CommandError
from gateway.cli.options import examples

EXAMPLES = examples(
    "mediagate client-ip --peer 10.0.0.2 --header 'X-Forwarded-For: 203.0.113.9, 10.0.0.3'",
)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("client-ip", epilog=EXAMPLES)(client_ip)


def client_ip(
    context: typer.Context,
    *,
    peer: Annotated[
        str,
        typer.Option(
            "--peer", metavar="ADDRESS", help="The other end of the connection.", show_default=False
        ),
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="LINE", help="A header line; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """Shows whose word about the client's address is believed, and why, by `proxies.trusted` and the gateway's own code."""
    from gateway.client_address import Step, believed_caller
    from gateway.errors import GatewayError

    desk = desk_of(context)
    steps: list[Step] = []
    headers = (*(_pair(line) for line in header or ()), (b"host", b"localhost"))
    try:
        caller = believed_caller(peer, "http", headers, desk.settings().proxies.networks, steps)
    except GatewayError as error:
        raise CommandError(f"such a request is refused: {error.detail}", code=REFUSED) from None
    told = [
        {
            "address": str(step.address),
            "why": "a configured proxy" if step.is_proxy else "not a configured proxy",
        }
        for step in steps
    ]
    lines = [f"{step['address']}: {step['why']}" for step in told]
    desk.tell(
        {"client": str(caller.address), "steps": told},
        "\n".join([*lines, f"the client is {caller.address}"]),
    )


def _pair(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise CommandError("a header is `NAME: VALUE`", code=WRONG_USE)
    return name.strip().lower().encode(), value.strip().encode()
