"""`mediagate domain`: system domains, the hard walls around users, groups and objects."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import examples
from gateway.cli.text import table
from gateway.cli.tokens import span_from, until, when
from models import changes, directory
from models.records import DomainStatus, RoleModel
from models.tables import SystemDomain

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The domain's name.", show_default=False)]

OFF: Final = "off"
SAID_OF_ROLES: Final = {
    RoleModel.GROUPS: "users of domain {domain} hold the roles that their groups give",
    RoleModel.ROLE_GROUPS: "users of domain {domain} hold all roles of their type, unless they are in a role group that has roles",
}


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    domains = typer.Typer(name="domain", help="System domains.", rich_markup_mode=None)
    domains.command("add", epilog=examples("mediagate domain add studio"))(add)
    domains.command("list")(list_)
    domains.command(
        "set",
        epilog=examples(
            "mediagate domain set studio --status FROZEN",
            "mediagate domain set studio --role-model ROLE_GROUPS",
            "mediagate domain set studio --support 8h",
            "mediagate domain set studio --max-propagating 2000",
        ),
    )(set_)
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
    desk.tell(
        rows,
        table(
            rows,
            ("name", "status", "role_model", "allow_list", "support_until", "id"),
            "no domains: run `mediagate init`",
        ),
    )


def set_(  # noqa: PLR0913 - one for each thing that can be set
    context: typer.Context,
    name: NameArgument,
    *,
    status: Annotated[
        DomainStatus | None,
        typer.Option(
            "--status", case_sensitive=False, help="FROZEN lets members only read, DEACTIVATED nothing."
        ),
    ] = None,
    role_model: Annotated[
        RoleModel | None,
        typer.Option(
            "--role-model", case_sensitive=False, help="Groups give roles, or role groups narrow the type's."
        ),
    ] = None,
    max_propagating: Annotated[
        int | None,
        typer.Option(
            "--max-propagating",
            metavar="COUNT",
            help="The most collections with entries that propagate.",
            show_default=False,
        ),
    ] = None,
    warn_above: Annotated[
        int | None,
        typer.Option(
            "--warn-above",
            metavar="COUNT",
            help="Warn if write or delete propagates over more objects.",
            show_default=False,
        ),
    ] = None,
    external_share: Annotated[
        bool | None,
        typer.Option(
            "--external-share/--no-external-share",
            help="Whether users may share with visitors, who have no account.",
            show_default=False,
        ),
    ] = None,
    token_lifetime: Annotated[
        str | None,
        typer.Option(
            "--token-lifetime",
            metavar="SPAN",
            help="How long tokens are valid where nobody says otherwise: 90d; or off.",
            show_default=False,
        ),
    ] = None,
    support: Annotated[
        str | None,
        typer.Option(
            "--support",
            metavar="SPAN",
            help="Lets support look at assets for so long: 8h, at most 30d; or off.",
        ),
    ] = None,
) -> None:
    """Changes a system domain."""
    given = (status, role_model, max_propagating, warn_above, external_share, token_lifetime, support)
    if all(each is None for each in given):
        raise typer.BadParameter("nothing to set: give at least one option, as in --status FROZEN")
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_domain(commit.session, name)
        said = []
        if status is not None:
            changes.set_domain_status(commit.session, found.id, status)
            said.append(f"domain {found.name} is {status}")
        if role_model is not None:
            changes.set_role_model(commit.session, found.id, role_model)
            said.append(SAID_OF_ROLES[role_model].format(domain=found.name))
        said += _bounded(commit.session, found, max_propagating, warn_above)
        if external_share is not None:
            changes.set_external_share(commit.session, found.id, on=external_share)
            said.append(
                f"domain {found.name} {'shares' if external_share else 'does not share'} with visitors"
            )
        if token_lifetime is not None:
            lasting = None if token_lifetime == OFF else span_from(token_lifetime, "90d, or off")
            changes.set_token_lifetime(commit.session, found.id, lasting)
            said.append(
                f"tokens of domain {found.name} are issued for {token_lifetime}"
                if lasting
                else f"domain {found.name} says nothing of how long tokens last"
            )
        if support is not None:
            changes.let_support_in(commit.session, found.id, _end_of(support))
            ends = when(found.support_until)
            said.append(
                f"domain {found.name} {f'lets support in until {ends}' if ends else 'lets no support in'}"
            )
        document = described(found)
    desk.tell(document, "\n".join(said))


def _bounded(session: Session, domain: SystemDomain, most: int | None, warn_above: int | None) -> list[str]:
    """Sets the bounds on entries that propagate, as far as they are given; returns what to say of them."""
    changes.set_propagation_bounds(session, domain.id, max_propagating=most, warn_above=warn_above)
    said = []
    if most is not None:
        said.append(f"at most {most} collections of domain {domain.name} have entries that propagate")
    if warn_above is not None:
        said.append(f"write or delete over more than {warn_above} objects of domain {domain.name} warns")
    return said


def _end_of(span: str) -> datetime | None:
    """Returns when support access that begins now ends; None for `off`."""
    if span == OFF:
        return None
    end = until(span)
    if end is None:
        raise typer.BadParameter("support access always ends: write 8h, at most 30d, or off")
    return end


def described(domain: SystemDomain) -> dict[str, Any]:
    """Returns what is told of a domain."""
    return {
        "id": domain.id,
        "name": domain.name,
        "status": str(domain.status),
        "role_model": str(domain.role_model),
        "allow_list": "on" if domain.allow_list_enabled else "off",
        "max_propagating": domain.max_propagating,
        "warn_above": domain.warn_above,
        "external_share": "on" if domain.external_share else "off",
        "token_lifetime": str(timedelta(seconds=domain.token_lifetime)) if domain.token_lifetime else None,
        "support_until": when(domain.support_until),
    }
