"""`mediagate allow-ip`: the addresses that a domain's users, a group's or a single user may come from."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, ForceOption, examples, guard_of
from gateway.cli.text import table
from models import changes, directory
from models.records import AllowListRule
from models.tables import Application, Group, Network, SystemDomain, User

CidrArgument = Annotated[
    str, typer.Argument(metavar="CIDR", help="An address or network, as in 10.1.0.0/16.", show_default=False)
]
GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="GROUP", help="The list of this group's members.", show_default=False),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="The list of this user.", show_default=False),
]
AppOption = Annotated[
    str | None,
    typer.Option("--app", metavar="NAME", help="Only with tokens of this application.", show_default=False),
]
KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="ADDRESS",
        help="Refuse if no active admin could come in from here.",
        show_default=False,
    ),
]
COLUMNS = ("cidr", "for", "app", "note")


@dataclass(frozen=True, slots=True)
class _Place:
    """Which list a command is about, and how that is told."""

    domain: SystemDomain
    line: changes.Line
    whose: str


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    networks = typer.Typer(
        name="allow-ip", help="Allow-lists of addresses and networks.", rich_markup_mode=None
    )
    networks.command("add", epilog=ADD_EXAMPLES)(add)
    networks.command("remove", epilog=examples("mediagate allow-ip remove 10.1.0.0/16"))(remove)
    networks.command("list")(list_)
    networks.command("on", epilog=examples("mediagate allow-ip on --keep 192.0.2.7"))(on)
    networks.command("off")(off)
    networks.command("rule", epilog=examples("mediagate allow-ip rule EVERY_LEVEL"))(rule)
    app.add_typer(networks)


ADD_EXAMPLES = examples(
    "mediagate allow-ip add 192.0.2.0/24",
    "mediagate allow-ip add 10.1.0.0/16 --group editors --note Office",
    "mediagate allow-ip add 203.0.113.9 --user stan@example.org --app player",
    "mediagate allow-ip on",
)


def add(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    cidr: CidrArgument,
    *,
    group: GroupOption = None,
    user: UserOption = None,
    app: AppOption = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is.", show_default=False)] = "",
    keep: KeepOption = None,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Allows a network, for everybody, for a group or for a user; it counts while the lists are on."""
    desk, guard = desk_of(context), guard_of(keep, force=force)
    with desk.writing() as commit:
        place = _place(commit.session, domain, group, user, app)
        row = changes.allow_network(
            commit.session, place.domain.id, cidr, note=note, guard=guard, **place.line
        )
        document = {**described(commit.session, row), "enabled": place.domain.allow_list_enabled}
    hint = "" if document["enabled"] else "; the list is off: turn it on with `mediagate allow-ip on`"
    desk.tell(document, f"allowed {row.cidr} for {place.whose or 'everybody'}{hint}")


def remove(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    cidr: CidrArgument,
    *,
    group: GroupOption = None,
    user: UserOption = None,
    app: AppOption = None,
    keep: KeepOption = None,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Takes a network off a list. An empty list restricts nobody."""
    desk, guard = desk_of(context), guard_of(keep, force=force)
    with desk.writing() as commit:
        place = _place(commit.session, domain, group, user, app)
        gone = changes.disallow_network(commit.session, place.domain.id, cidr, guard=guard, **place.line)
        left = [
            row.cidr
            for row in directory.list_networks(commit.session, place.domain.id)
            if (row.group_id, row.user_id) == (place.line["group_id"], place.line["user_id"])
        ]
    whose = f"the list of {place.whose}" if place.whose else "the list for everybody"
    document = {"cidr": cidr, "for": place.whose or "everybody", "changed": gone, "left": left}
    warning = "" if left else f"; {whose} is empty now and restricts nobody"
    desk.tell(document, f"removed {cidr} from {whose}{warning}" if gone else f"{cidr} was not on {whose}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists the allow-lists, how they combine and whether they are on."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain)
        rows = [described(session, row) for row in directory.list_networks(session, home.id)]
    state = "on" if home.allow_list_enabled else "off"
    text = table(rows, COLUMNS, "no entries: nobody is restricted")
    desk.tell(
        {"enabled": home.allow_list_enabled, "rule": str(home.allow_list_rule), "networks": rows},
        f"allow-lists of domain {home.name}: {state}, {SAID_OF_RULES[home.allow_list_rule]}\n{text}",
    )


def on(
    context: typer.Context,
    *,
    keep: KeepOption = None,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Turns the allow-lists on: who comes from elsewhere is refused, admins too."""
    _switch(context, domain, guard_of(keep, force=force), enabled=True)


def off(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Turns the allow-lists off; their entries stay."""
    _switch(context, domain, None, enabled=False)


SAID_OF_RULES = {
    AllowListRule.MOST_SPECIFIC: "the most specific one decides",
    AllowListRule.EVERY_LEVEL: "each one must admit",
}


def rule(
    context: typer.Context,
    rule_: Annotated[
        AllowListRule,
        typer.Argument(metavar="RULE", case_sensitive=False, help="MOST_SPECIFIC or EVERY_LEVEL."),
    ],
    *,
    keep: KeepOption = None,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Says how the lists of domain, groups and users combine: the most specific that has entries decides, or each must admit."""
    desk, guard = desk_of(context), guard_of(keep, force=force)
    with desk.writing() as commit:
        home = naming.the_domain(commit.session, domain)
        changes.set_allow_list_rule(commit.session, home.id, rule_, guard=guard)
    desk.tell(
        {"domain": home.name, "rule": str(rule_)},
        f"allow-lists of domain {home.name}: {SAID_OF_RULES[rule_]}",
    )


def described(session: Session, row: Network) -> dict[str, Any]:
    """Returns what is told of a line."""
    group = session.get(Group, row.group_id) if row.group_id else None
    user = session.get(User, row.user_id) if row.user_id else None
    app = session.get(Application, row.application_id) if row.application_id else None
    whose = f"group:{group.name}" if group else f"user:{user.email}" if user else "everybody"
    return {"cidr": row.cidr, "for": whose, "app": app.name if app else None, "note": row.note}


def _switch(
    context: typer.Context, domain: str | None, guard: changes.Guard | None, *, enabled: bool
) -> None:
    desk = desk_of(context)
    with desk.writing() as commit:
        home = naming.the_domain(commit.session, domain)
        changes.set_allow_list(commit.session, home.id, enabled=enabled, guard=guard)
    desk.tell(
        {"domain": home.name, "enabled": enabled},
        f"allow-lists of domain {home.name} are {'on' if enabled else 'off'}",
    )


def _place(
    session: Session, domain: str | None, group: str | None, user: str | None, app: str | None
) -> _Place:
    found = naming.the_user(session, user, domain) if user is not None else None
    home, home_group = naming.the_home(session, found.domain_id if found else domain, group)
    application = naming.known_application(session, home.id, app) if app is not None else None
    line = changes.Line(
        group_id=home_group.id if home_group else None,
        user_id=found.id if found else None,
        application_id=application.id if application else None,
    )
    return _Place(home, line, home_group.name if home_group else found.email if found else "")
