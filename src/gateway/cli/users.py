"""`mediagate user`: people's accounts."""

import json
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import DomainOption, ForceOption, UserArgument, examples, guard_of
from gateway.cli.passwords import PasswordOption, password_of
from gateway.cli.text import card, table
from gateway.cli.user_forms import (
    Avatar,
    Description,
    FirstName,
    HideEmail,
    HidePhone,
    LastName,
    Metadata,
    Phone,
    PrimaryGroup,
    Settings,
    described,
    details,
    document,
    given,
)
from models import changes, directory
from models.records import UserStatus, UserType
from models.tables import User

COLUMNS = ("email", "type", "status", "admin", "groups", "id")


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    users = typer.Typer(name="user", help="People's accounts.", rich_markup_mode=None)
    users.command("add", epilog=ADD_EXAMPLES)(add)
    users.command("list")(list_)
    users.command("show")(show)
    users.command("set", epilog=SET_EXAMPLES)(set_)
    users.command("password", epilog=PASSWORD_EXAMPLES)(password)
    app.add_typer(users)


ADD_EXAMPLES = examples(
    "mediagate user add stan@example.org --first-name Stan --group editors",
    "mediagate user add bea@example.org --type BROWSE_ONLY",
    "mediagate user add ada@example.org --type POWER --admin",
)


SET_EXAMPLES = examples(
    "mediagate user set stan@example.org --status BLOCKED",
    "mediagate user set ada@example.org --type POWER --admin",
    """mediagate user set stan@example.org --primary-group editors --settings '{"theme": "dark"}'""",
)


PASSWORD_EXAMPLES = examples(
    "mediagate user password ada@example.org --password-file secret.txt",
    "mediagate user password stan@example.org --remove",
)


def add(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The user's e-mail.", show_default=False)],
    *,
    first_name: FirstName = None,
    last_name: LastName = None,
    description: Description = None,
    avatar: Avatar = None,
    phone: Phone = None,
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
        about = given(
            first_name=first_name,
            last_name=last_name,
            description=description,
            avatar_url=avatar,
            phone=phone,
        )
        user = changes.create_user(session, home.id, email, type=type_, is_admin=admin, **about)
        for name in group or ():
            changes.add_member(session, naming.the_group(session, name, home.id).id, user.id)
        told = described(session, user)
    desk.tell(told, f"added user {user.email} to domain {home.name}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists users."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        rows = [described(session, user) for user in directory.list_users(session, home)]
    desk.tell(rows, table(rows, COLUMNS, "no users: add one with `mediagate user add EMAIL`"))


def show(context: typer.Context, user: UserArgument, *, domain: DomainOption = None) -> None:
    """Shows all that is kept of a user, with the groups and the roles that come of them; the user type still caps these."""
    desk = desk_of(context)
    with desk.reading() as session:
        found = naming.the_user(session, user, domain)
        roles = directory.list_roles_of(session, found)
        told = {**described(session, found), **details(session, found), "roles": roles}
    shown = {name: json.dumps(each) if isinstance(each, dict) else each for name, each in told.items()}
    shown["roles"] = "all that the type may hold" if roles is None else roles
    desk.tell(told, card(shown))


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
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="Another e-mail.", show_default=False)
    ] = None,
    first_name: FirstName = None,
    last_name: LastName = None,
    description: Description = None,
    avatar: Avatar = None,
    phone: Phone = None,
    hide_email: HideEmail = None,
    hide_phone: HidePhone = None,
    primary_group: PrimaryGroup = None,
    settings: Settings = None,
    metadata: Metadata = None,
    force: ForceOption = False,
    domain: DomainOption = None,
) -> None:
    """Changes a user. The last active admin of a domain, or the last who can come in, cannot be blocked or demoted."""
    wanted = given(
        status=status,
        type=type_,
        is_admin=admin,
        email=email,
        first_name=first_name,
        last_name=last_name,
        description=description,
        avatar_url=avatar,
        phone=phone,
        hide_email=hide_email,
        hide_phone=hide_phone,
        settings=document(settings, "--settings"),
        user_metadata=document(metadata, "--metadata"),
    )
    if not wanted and primary_group is None:
        raise typer.BadParameter("nothing to set: give at least one option, as in --status BLOCKED")
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_user(commit.session, user, domain)
        if primary_group is not None:
            wanted["primary_group_id"] = _group_id(commit.session, primary_group, found)
        changes.update_user(commit.session, found.id, guard=guard_of(force=force), **wanted)
        told = described(commit.session, found)
    desk.tell(told, f"changed user {found.email}")


def password(
    context: typer.Context,
    user: UserArgument,
    *,
    password_file: PasswordOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Leave the user none.")] = False,
    domain: DomainOption = None,
) -> None:
    """Sets the password by which a user signs in over the management API; tokens stay as they are."""
    if (password_file is None) is not remove:
        raise typer.BadParameter("name either --password-file or --remove")
    kept = password_of(password_file)
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_user(commit.session, user, domain)
        changes.set_password(commit.session, found.id, kept)
    desk.tell(
        {"user": found.email, "password": kept is not None},
        f"{'set' if kept else 'removed'} the password of {found.email}",
    )


def _group_id(session: Session, name: str, user: User) -> str | None:
    return None if name == "-" else naming.the_group(session, name, user.domain_id).id
