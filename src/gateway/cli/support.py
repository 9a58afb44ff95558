"""`mediagate support`: credentials of support, which stand outside all domains and open only those that let support in."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from gateway.cli.desk import desk_of
from gateway.cli.options import examples
from gateway.cli.text import card, table
from gateway.cli.tokens import state_of, until, when
from models import changes, directory

DEFAULT_EXPIRY: Final = "8h"
COLUMNS = ("id", "name", "state", "created", "expires")
EXAMPLES = examples(
    "mediagate support token sam",
    "TOKEN=$(mediagate support token sam --expires 2h --bare)",
    "mediagate domain set studio --support 2h   (lets support look at that domain)",
)


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    support = typer.Typer(name="support", help="Credentials of support.", rich_markup_mode=None)
    support.command("token", epilog=EXAMPLES)(token)
    support.command("list")(list_)
    app.add_typer(support)


def token(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who of support will use it.", show_default=False)
    ],
    *,
    expires: Annotated[
        str, typer.Option("--expires", metavar="SPAN", help="How long it is valid: 2h, at most 30d.")
    ] = DEFAULT_EXPIRY,
    bare: Annotated[bool, typer.Option("--bare", help="Print the token alone, for scripts.")] = False,
) -> None:
    """Makes a credential of support and prints it, once; it opens nothing but domains that let support in."""
    desk = desk_of(context)
    end = until(expires)
    if end is None:
        raise typer.BadParameter("a credential of support always ends: write 2h, at most 30d")
    with desk.writing() as commit:
        row, text = changes.issue_support_token(commit.session, name, expires=end)
        issued = {"id": row.id, "name": name, "token": text, "expires": when(row.expires)}
    told = card({"support": name, "Bearer": text, "expires": issued["expires"]})
    desk.tell(
        issued,
        text if bare else f"{told}\n\nThe token is shown only now. It comes as `Authorization: Bearer`.",
    )


def list_(context: typer.Context) -> None:
    """Lists the credentials of support and the domains that let support in now."""
    desk = desk_of(context)
    with desk.reading() as session:
        now = datetime.now(UTC)
        rows: list[dict[str, Any]] = [
            {
                "id": each.id,
                "name": each.support,
                "state": state_of(each),
                "created": when(each.created),
                "expires": when(each.expires),
            }
            for each in directory.list_support_tokens(session)
        ]
        open_ = {
            domain.name: when(domain.support_until)
            for domain in directory.list_domains(session)
            if domain.support_until is not None and now < domain.support_until
        }
    said = [f"domain {name} lets support in until {end}" for name, end in open_.items()]
    listed = table(rows, COLUMNS, "no credentials: make one with `mediagate support token NAME`")
    desk.tell(
        {"tokens": rows, "domains": open_}, "\n".join([listed, *(said or ["no domain lets support in"])])
    )
