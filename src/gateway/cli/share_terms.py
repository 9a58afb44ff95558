"""`mediagate share terms`: what a domain's shares are like when they are made, and what nobody may choose otherwise."""

from typing import Annotated

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, examples
from gateway.cli.share_options import NONE, WatermarkOption, span_of, terms_document
from gateway.cli.text import card
from models import changes

EXAMPLES = examples(
    "mediagate share terms",
    "mediagate share terms --at-most 30d --expires-after 7d --needs-password",
    "mediagate share terms --right comment --lock download --lock upload   (no share gives these two)",
    "mediagate share terms --lock none",
)


def add_command_to(shares: typer.Typer) -> None:
    """Adds the command below `share`."""
    shares.command("terms", epilog=EXAMPLES)(terms)


def terms(  # noqa: PLR0913 - one for each thing that is said of a domain's shares
    context: typer.Context,
    *,
    right: Annotated[
        list[str] | None,
        typer.Option("--right", metavar="RIGHT", help="Given if nothing is chosen; may repeat; or none."),
    ] = None,
    lock: Annotated[
        list[str] | None,
        typer.Option(
            "--lock", metavar="OPTION", help="A right, life or watermark: nobody chooses it; or none."
        ),
    ] = None,
    expires_after: Annotated[
        str | None,
        typer.Option("--expires-after", metavar="SPAN", help="How long one lasts if nothing is chosen."),
    ] = None,
    at_most: Annotated[
        str | None, typer.Option("--at-most", metavar="SPAN", help="How long one may last.")
    ] = None,
    needs_password: Annotated[
        bool | None,
        typer.Option(
            "--needs-password/--needs-no-password", help="Whether each needs a password.", show_default=False
        ),
    ] = None,
    watermark: WatermarkOption = None,
    domain: DomainOption = None,
) -> None:
    """Shows or changes what a domain's shares are like; those that are there stay as they are."""
    desk = desk_of(context)
    said = {
        "rights": _named(right),
        "locked": _named(lock),
        "life": span_of(expires_after),
        "longest_life": span_of(at_most),
        "needs_password": needs_password,
        "watermark": watermark,
    }
    if all(each is None for each in said.values()):
        with desk.reading() as session:
            home = naming.the_domain(session, domain)
            document = terms_document(home.name, changes.share_terms_of(session, home.id))
    else:
        with desk.writing() as commit:
            home = naming.the_domain(commit.session, domain)
            found = changes.set_share_terms(commit.session, home.id, **said)  # type: ignore[arg-type]
            document = terms_document(home.name, found)
    desk.tell(document, card(document))


def _named(names: list[str] | None) -> list[str] | None:
    return [name for name in names if name != NONE] if names is not None else None
