"""`mediagate group join` and `mediagate group leave`: who is in a group."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.groups import for_each
from gateway.cli.options import DomainOption, ForceOption, GroupArgument, examples, guard_of
from models import changes

UsersArgument = Annotated[
    list[str], typer.Argument(metavar="USER...", help="E-mails or ids.", show_default=False)
]


def add_commands_to(groups: typer.Typer) -> None:
    """Adds the commands to the noun `group`."""
    groups.command("join", epilog=examples("mediagate group join editors stan@example.org bea@example.org"))(
        join
    )
    groups.command("leave", epilog=examples("mediagate group leave editors stan@example.org"))(leave)


def join(
    context: typer.Context,
    group: GroupArgument,
    users: UsersArgument,
    *,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Makes users members of a group."""

    def add_member(session: Session, group_id: str, user: str) -> bool:
        member = _member(session, group_id, user)
        return changes.add_member(session, group_id, member, guard=guard_of(force=force))

    for_each(context, group, domain, users, add_member, "{names} joined {group}")


def leave(
    context: typer.Context,
    group: GroupArgument,
    users: UsersArgument,
    *,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Takes users out of a group."""

    def remove_member(session: Session, group_id: str, user: str) -> bool:
        member = _member(session, group_id, user)
        return changes.remove_member(session, group_id, member, guard=guard_of(force=force))

    for_each(context, group, domain, users, remove_member, "{names} left {group}")


def _member(session: Session, group_id: str, user: str) -> str:
    group = naming.the_group(session, group_id)
    return naming.the_user(session, user, group.domain_id).id
