"""`mediagate allow-ip`: the addresses that a domain's users, or a group's, may come from."""

from typing import Annotated

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, examples
from gateway.cli.text import table
from models import changes, directory
from models.tables import Group

CidrArgument = Annotated[
    str, typer.Argument(metavar="CIDR", help="An address or network, as in 10.1.0.0/16.", show_default=False)
]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", help="Only for this group's members.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    networks = typer.Typer(
        name="allow-ip", help="Allow-lists of addresses and networks.", rich_markup_mode=None
    )
    networks.command("add", epilog=ADD_EXAMPLES)(add)
    networks.command("remove", epilog=examples("mediagate allow-ip remove 10.1.0.0/16"))(remove)
    networks.command("list")(list_)
    networks.command("on")(on)
    networks.command("off")(off)
    app.add_typer(networks)


ADD_EXAMPLES = examples(
    "mediagate allow-ip add 192.0.2.0/24",
    "mediagate allow-ip add 10.1.0.0/16 --group editors --note Office",
    "mediagate allow-ip on",
)


def add(
    context: typer.Context,
    cidr: CidrArgument,
    *,
    group: GroupOption = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is.", show_default=False)] = "",
    domain: DomainOption = None,
) -> None:
    """Allows a network, for everybody or for a group; it counts while the list is on."""
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        home, home_group = naming.the_home(session, domain, group)
        group_id = home_group.id if home_group else None
        row = changes.allow_network(session, home.id, cidr, group_id=group_id, note=note)
        enabled = home.allow_list_enabled
    document = {
        "cidr": row.cidr,
        "group": home_group.name if home_group else None,
        "note": row.note,
        "enabled": enabled,
    }
    hint = "" if enabled else "; the list is off: turn it on with `mediagate allow-ip on`"
    desk.tell(document, f"allowed {row.cidr} for {home_group.name if home_group else 'everybody'}{hint}")


def remove(
    context: typer.Context, cidr: CidrArgument, *, group: GroupOption = None, domain: DomainOption = None
) -> None:
    """Takes a network off a list. An empty list restricts nobody."""
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        home, home_group = naming.the_home(session, domain, group)
        group_id = home_group.id if home_group else None
        gone = changes.disallow_network(session, home.id, cidr, group_id=group_id)
        left = [row.cidr for row in directory.list_networks(session, home.id) if row.group_id == group_id]
    document = {"cidr": cidr, "group": home_group.name if home_group else None, "changed": gone, "left": left}
    whose = f"the list of {home_group.name}" if home_group else "the list for everybody"
    warning = "" if left else f"; {whose} is empty now and restricts nobody"
    desk.tell(document, f"removed {cidr} from {whose}{warning}" if gone else f"{cidr} was not on {whose}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists the allow-lists and whether they are on."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain)
        rows = []
        for row in directory.list_networks(session, home.id):
            group = session.get(Group, row.group_id) if row.group_id else None
            rows.append(
                {"cidr": row.cidr, "for": f"group:{group.name}" if group else "everybody", "note": row.note}
            )
    state = "on" if home.allow_list_enabled else "off"
    text = table(rows, ("cidr", "for", "note"), "no entries: nobody is restricted")
    desk.tell(
        {"enabled": home.allow_list_enabled, "networks": rows},
        f"allow-lists of domain {home.name}: {state}\n{text}",
    )


def on(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Turns the allow-lists on: who comes from elsewhere is refused, admins too."""
    _switch(context, domain, enabled=True)


def off(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Turns the allow-lists off; their entries stay."""
    _switch(context, domain, enabled=False)


def _switch(context: typer.Context, domain: str | None, *, enabled: bool) -> None:
    desk = desk_of(context)
    with desk.writing() as commit:
        home = naming.the_domain(commit.session, domain)
        changes.set_allow_list(commit.session, home.id, enabled=enabled)
    desk.tell(
        {"domain": home.name, "enabled": enabled},
        f"allow-lists of domain {home.name} are {'on' if enabled else 'off'}",
    )
