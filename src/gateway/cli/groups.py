"""`mediagate group`: groups, teams and role groups, their roles and the users in them."""

from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import Desk, desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import DomainOption, ForceOption, GroupArgument, examples, guard_of
from gateway.cli.policy_store import placed
from gateway.cli.text import card, table
from gateway.settings.reading import nearest
from models import changes, directory
from models.records import GroupKind
from models.tables import Group

RolesArgument = Annotated[
    list[str], typer.Argument(metavar="ROLE...", help="Roles, as in can_read_assets.", show_default=False)
]
Description = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="What it is for.", show_default=False)
]
COLUMNS = ("name", "kind", "members", "roles", "id")


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    groups = typer.Typer(
        name="group", help="Groups, teams and role groups: roles and members.", rich_markup_mode=None
    )
    groups.command(
        "add", epilog=examples("mediagate group add editors --role can_read_assets --role can_write_assets")
    )(add)
    groups.command("list")(list_)
    groups.command("show")(show)
    groups.command("set", epilog=examples("mediagate group set editors --name cutters"))(set_)
    groups.command("remove")(remove)
    groups.command("give", epilog=examples("mediagate group give editors can_read_assets can_search"))(give)
    groups.command("take", epilog=examples("mediagate group take editors can_delete_assets"))(take)
    from gateway.cli import members

    members.add_commands_to(groups)
    app.add_typer(groups)


def add(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The group's name.", show_default=False)],
    *,
    team: Annotated[bool, typer.Option("--team", help="Make it a team: access, no roles.")] = False,
    role_group: Annotated[
        bool, typer.Option("--role-group", help="Make it a role group: roles, no access.")
    ] = False,
    description: Description = None,
    role: Annotated[
        list[str] | None, typer.Option("--role", metavar="ROLE", help="Give it; may repeat.")
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Adds a group, team or role group."""
    if team and role_group:
        raise typer.BadParameter("a group is of one kind: give --team or --role-group, not both")
    desk = desk_of(context)
    check_roles(desk, role or [])
    with desk.writing() as commit:
        session = commit.session
        home = naming.the_domain(session, domain)
        kind = GroupKind.TEAM if team else GroupKind.ROLE_GROUP if role_group else GroupKind.GROUP
        group = changes.create_group(session, home.id, name, kind=kind, description=description or "")
        for each in role or ():
            changes.give_role(session, group.id, each)
        document = described(session, group)
    desk.tell(document, f"added {_spoken(group)} {group.name} to domain {home.name}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists groups, teams and role groups."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        rows = [described(session, group) for group in directory.list_groups(session, home)]
    text = [{**row, "members": len(row["members"])} for row in rows]
    desk.tell(rows, table(text, COLUMNS, "no groups: add one with `mediagate group add NAME`"))


def show(context: typer.Context, group: GroupArgument, *, domain: DomainOption = None) -> None:
    """Shows a group with its roles and members."""
    desk = desk_of(context)
    with desk.reading() as session:
        document = described(session, naming.the_group(session, group, domain))
    desk.tell(document, card(document))


def set_(
    context: typer.Context,
    group: GroupArgument,
    *,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Another name.", show_default=False)
    ] = None,
    description: Description = None,
    domain: DomainOption = None,
) -> None:
    """Changes the name or description of a group."""
    if name is None and description is None:
        raise typer.BadParameter("nothing to set: give at least one option, as in --name cutters")
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_group(commit.session, group, domain)
        changes.update_group(commit.session, found.id, name=name, description=description)
        document = described(commit.session, found)
    desk.tell(document, f"changed {_spoken(found)} {found.name}")


def remove(
    context: typer.Context, group: GroupArgument, *, force: ForceOption = False, domain: DomainOption = None
) -> None:
    """Removes a group with its roles, members, networks and entries."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_group(commit.session, group, domain)
        document = described(commit.session, found)
        changes.delete_group(commit.session, found.id, guard=guard_of(force=force))
    desk.tell(document, f"removed {_spoken(found)} {document['name']}")


def give(
    context: typer.Context, group: GroupArgument, roles: RolesArgument, *, domain: DomainOption = None
) -> None:
    """Gives roles to a group."""
    check_roles(desk_of(context), roles)
    for_each(context, group, domain, roles, changes.give_role, "{group} now gives {names}")


def take(
    context: typer.Context, group: GroupArgument, roles: RolesArgument, *, domain: DomainOption = None
) -> None:
    """Takes roles from a group."""
    for_each(context, group, domain, roles, changes.take_role, "{group} no longer gives {names}")


def described(session: Session, group: Group) -> dict[str, Any]:
    """Returns what is told of a group."""
    return {
        "id": group.id,
        "name": group.name,
        "kind": str(group.kind),
        "description": group.description,
        "roles": list(directory.list_roles(session, group.id)),
        "members": [user.email for user in directory.list_members(session, group.id)],
        "domain": directory.find_domain(session, group.domain_id).name,
    }


def check_roles(desk: Desk, roles: list[str]) -> None:
    """Refuses a role that the policies' catalogue does not know: it would silently give nothing.

    Where the catalogue cannot be read (the policies stand on another machine, or nothing is published), nothing is refused.
    """
    known = known_roles(desk)
    if known is None:
        return
    unknown = [
        f"there is no role `{role}` in roles.yaml{nearest(role, known)}"
        for role in roles
        if role not in known
    ]
    if unknown:
        raise CommandError(*unknown)


def known_roles(desk: Desk) -> Collection[str] | None:
    """Returns the roles of the policies' catalogue; None where it cannot be read."""
    from gateway.errors import PolicyFileError
    from gateway.roles import read_roles

    try:
        with placed(desk) as place:
            return read_roles(place.folder)
    except (PolicyFileError, CommandError):
        return None


def _spoken(group: Group) -> str:
    return group.kind.lower().replace("_", " ")


def for_each(
    context: typer.Context,
    group: str,
    domain: str | None,
    names: list[str],
    change: Callable[[Session, str, str], bool],
    said: str,
) -> None:
    """Makes one change for each name, all in one commit, and tells what is new."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_group(commit.session, group, domain)
        changed = [name for name in names if change(commit.session, found.id, name)]
        document = {**described(commit.session, found), "changed": changed}
    sentence = said.format(group=found.name, names=", ".join(changed)) if changed else "nothing to change"
    desk.tell(document, sentence)
