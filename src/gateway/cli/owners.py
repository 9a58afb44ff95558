"""`mediagate object owner` and `mediagate object transfer`: whose objects are."""

from typing import Annotated

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.objects import described
from gateway.cli.options import DomainOption, ObjectArgument, examples
from models import changes, directory

NOBODY = "-"


def add_commands_to(objects: typer.Typer) -> None:
    """Adds the commands to the noun `object`."""
    objects.command("owner", epilog=examples("mediagate object owner asset:42 stan@example.org"))(owner)
    objects.command(
        "transfer", epilog=examples("mediagate object transfer stan@example.org bea@example.org")
    )(transfer)


def owner(
    context: typer.Context,
    object_: ObjectArgument,
    user: Annotated[
        str, typer.Argument(metavar="USER", help="E-mail or id; `-` for nobody.", show_default=False)
    ],
) -> None:
    """Makes a user the object owner, who may always change who has access."""
    desk = desk_of(context)
    key = naming.object_named(object_)
    with desk.writing() as commit:
        session = commit.session
        present = directory.find_object(session, key)
        domain_id = present.domain_id if present else None
        owner_id = None if user == NOBODY else naming.the_user(session, user, domain_id).id
        changes.change_owner(session, key, owner_id)
        document = described(session, key)
    desk.tell(document, f"{key} is owned by {document['owner'] or 'nobody'}")


def transfer(
    context: typer.Context,
    user: Annotated[
        str, typer.Argument(metavar="FROM", help="Whose objects: e-mail or id.", show_default=False)
    ],
    heir: Annotated[
        str, typer.Argument(metavar="TO", help="E-mail or id; `-` for nobody.", show_default=False)
    ],
    *,
    domain: DomainOption = None,
) -> None:
    """Makes another user the owner of all that a user owns, who may be deleted already."""
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        found = naming.the_user(session, user, domain)
        to = None if heir == NOBODY else naming.the_user(session, heir, found.domain_id)
        count, left = changes.transfer_objects(session, found.id, to.id if to else None)
    document = {"from": found.email, "to": to.email if to else None, "transferred": count, "left": left}
    again = f"; {left} are left: run this again" if left else ""
    desk.tell(
        document, f"{count} objects of {found.email} are owned by {to.email if to else 'nobody'}{again}"
    )
