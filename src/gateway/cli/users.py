"""`mediagate user`: people's accounts."""

from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, UserArgument, examples
from gateway.cli.text import card, table
from models import changes, directory
from models.records import UserStatus, UserType
from models.tables import User

FirstName = Annotated[
    str | None, typer.Option("--first-name", metavar="TEXT", help="First name.", show_default=False)
]
LastName = Annotated[
    str | None, typer.Option("--last-name", metavar="TEXT", help="Last name.", show_default=False)
]
COLUMNS = ("email", "type", "status", "admin", "groups", "id")


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    users = typer.Typer(name="user", help="People's accounts.", rich_markup_mode=None)
    users.command("add", epilog=ADD_EXAMPLES)(add)
    users.command("list")(list_)
    users.command("show")(show)
    users.command("set", epilog=SET_EXAMPLES)(set_)
    app.add_typer(users)


ADD_EXAMPLES = examples(
    "mediagate user add stan@example.org --first-name Stan --group editors",
    "mediagate user add bea@example.org --type BROWSE_ONLY",
    "mediagate user add ada@example.org --type POWER --admin",
)
SET_EXAMPLES = examples(
    "mediagate user set stan@example.org --status BLOCKED",
    "mediagate user set ada@example.org --type POWER --admin",
)


def add(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail.", show_default=False)],
    *,
    first_name: FirstName = None,
    last_name: LastName = None,
    type_: Annotated[
        UserType, typer.Option("--type", case_sensitive=False, help="Caps the roles.")
    ] = UserType.STANDARD,
    admin: Annotated[
        bool, typer.Option("--admin", help="Domain owner: overrides roles and ACLs; POWER only.")
    ] = False,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="GROUP", help="Join it; may repeat.")
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Adds a user. A token to sign in with comes from `mediagate token create`."""
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        home = naming.the_domain(session, domain)
        names = _given(first_name=first_name, last_name=last_name)
        user = changes.create_user(session, home.id, email, type=type_, is_admin=admin, **names)
        for name in group or ():
            changes.add_member(session, naming.the_group(session, name, home.id).id, user.id)
        document = described(session, user)
    desk.tell(document, f"added user {user.email} to domain {home.name}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists users."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        rows = [described(session, user) for user in directory.list_users(session, home)]
    desk.tell(rows, table(rows, COLUMNS, "no users: add one with `mediagate user add EMAIL`"))


def show(context: typer.Context, user: UserArgument, *, domain: DomainOption = None) -> None:
    """Shows a user with groups and the roles that they give."""
    desk = desk_of(context)
    with desk.reading() as session:
        found = naming.the_user(session, user, domain)
        roles = {
            role
            for group in directory.list_groups_of(session, found.id)
            for role in directory.list_roles(session, group.id)
        }
        document = {**described(session, found), "roles": sorted(roles)}
    desk.tell(document, card(document))


def set_(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    user: UserArgument,
    *,
    status: Annotated[
        UserStatus | None,
        typer.Option("--status", case_sensitive=False, help="Only ACTIVE users may sign in."),
    ] = None,
    type_: Annotated[
        UserType | None, typer.Option("--type", case_sensitive=False, help="Caps the roles.")
    ] = None,
    admin: Annotated[
        bool | None,
        typer.Option("--admin/--no-admin", help="Domain owner, for POWER users.", show_default=False),
    ] = None,
    first_name: FirstName = None,
    last_name: LastName = None,
    domain: DomainOption = None,
) -> None:
    """Changes a user. The last active admin of a domain cannot be blocked or demoted."""
    wanted = _given(status=status, type=type_, is_admin=admin, first_name=first_name, last_name=last_name)
    if not wanted:
        raise typer.BadParameter("nothing to set: give at least one option, as in --status BLOCKED")
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_user(commit.session, user, domain)
        changes.update_user(commit.session, found.id, **wanted)
        document = described(commit.session, found)
    desk.tell(document, f"changed user {found.email}")


def described(session: Session, user: User) -> dict[str, Any]:
    """Returns what is told of a user."""
    groups = directory.list_groups_of(session, user.id)
    return {
        "id": user.id,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "type": str(user.type),
        "status": str(user.status),
        "admin": user.is_admin,
        "groups": [group.name for group in groups],
        "domain": directory.find_domain(session, user.domain_id).name,
    }


def _given(**values: Any) -> Any:  # noqa: ANN401 - attributes of several types
    """Returns the options that were given."""
    return {name: value for name, value in values.items() if value is not None}
