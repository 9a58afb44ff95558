"""`mediagate identity-key`: a new key for identity tokens, in a file that only its owner may read."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import examples
from gateway.signing_keys import Algorithm, write_key

EXAMPLES = examples(
    "mediagate identity-key identity-2026-11.pem",
    "mediagate identity-key /etc/mediagate/identity-b.pem --algorithm EdDSA",
)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("identity-key", epilog=EXAMPLES)(identity_key)


def identity_key(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where; it must not exist.", show_default=False)
    ],
    *,
    algorithm: Annotated[
        Algorithm,
        typer.Option(
            "--algorithm", help="ES256 (P-256), which every library knows, or EdDSA.", case_sensitive=False
        ),
    ] = Algorithm.ES256,
) -> None:
    """Makes a private key that signs identity tokens (`identity_token.keys`); it overwrites nothing."""
    try:
        key = write_key(file, algorithm)
    except FileExistsError:
        raise CommandError(f"`{file}` exists: a key is never overwritten; choose another name") from None
    desk_of(context).tell(
        {"file": str(file), "algorithm": key.algorithm.value, "kid": key.kid},
        f"wrote {file}: a private key ({key.algorithm.value}) called {key.kid}\n"
        "name it in identity_token.keys: as the only key, else behind the one that signs now until backends know it",
    )
