"""`mediagate domain`: system domains, the hard walls around users, groups and objects."""

from typing import Annotated, Any

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import examples
from gateway.cli.text import table
from models import changes, directory
from models.records import DomainStatus
from models.tables import SystemDomain

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The domain's name.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    domains = typer.Typer(name="domain", help="System domains.", rich_markup_mode=None)
    domains.command("add", epilog=examples("mediagate domain add studio"))(add)
    domains.command("list")(list_)
    domains.command("set", epilog=examples("mediagate domain set studio --status FROZEN"))(set_)
    app.add_typer(domains)


def add(context: typer.Context, name: NameArgument) -> None:
    """Adds a system domain."""
    desk = desk_of(context)
    with desk.writing() as commit:
        document = described(changes.create_domain(commit.session, name))
    desk.tell(document, f"added domain {name}")


def list_(context: typer.Context) -> None:
    """Lists the system domains."""
    desk = desk_of(context)
    with desk.reading() as session:
        rows = [described(domain) for domain in directory.list_domains(session)]
    desk.tell(rows, table(rows, ("name", "status", "allow_list", "id"), "no domains: run `mediagate init`"))


def set_(
    context: typer.Context,
    name: NameArgument,
    *,
    status: Annotated[
        DomainStatus,
        typer.Option(
            "--status", case_sensitive=False, help="FROZEN lets members only read, DEACTIVATED nothing."
        ),
    ],
) -> None:
    """Changes a system domain."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_domain(commit.session, name)
        document = described(changes.set_domain_status(commit.session, found.id, status))
    desk.tell(document, f"domain {found.name} is {status}")


def described(domain: SystemDomain) -> dict[str, Any]:
    """Returns what is told of a domain."""
    return {
        "id": domain.id,
        "name": domain.name,
        "status": str(domain.status),
        "allow_list": "on" if domain.allow_list_enabled else "off",
    }
