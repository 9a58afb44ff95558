"""How a user is written on the command line: the options that say something of one, and what is told of one."""

import json
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from models import directory
from models.tables import User

FirstName = Annotated[
    str | None, typer.Option("--first-name", metavar="TEXT", help="First name.", show_default=False)
]
LastName = Annotated[
    str | None, typer.Option("--last-name", metavar="TEXT", help="Last name.", show_default=False)
]
Description = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="Who this is.", show_default=False)
]
Avatar = Annotated[
    str | None,
    typer.Option("--avatar", metavar="LINK", help="Picture: https://... or /PATH.", show_default=False),
]
Phone = Annotated[str | None, typer.Option("--phone", metavar="TEXT", help="Phone.", show_default=False)]
HideEmail = Annotated[
    bool | None, typer.Option("--hide-email/--show-email", help="From others.", show_default=False)
]
HidePhone = Annotated[
    bool | None, typer.Option("--hide-phone/--show-phone", help="From others.", show_default=False)
]
PrimaryGroup = Annotated[
    str | None,
    typer.Option(
        "--primary-group", metavar="GROUP", help="One of the user's; - for none.", show_default=False
    ),
]
Settings = Annotated[
    str | None,
    typer.Option("--settings", metavar="JSON", help="In place of all settings.", show_default=False),
]
Metadata = Annotated[
    str | None,
    typer.Option("--metadata", metavar="JSON", help="In place of all metadata.", show_default=False),
]


def described(session: Session, user: User) -> dict[str, Any]:
    """Returns what is told of a user in lists."""
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


def details(session: Session, user: User) -> dict[str, Any]:
    """Returns what is told of one user beside `described`."""
    groups = directory.list_groups_of(session, user.id)
    return {
        "primary_group": next((group.name for group in groups if group.id == user.primary_group_id), None),
        "domains": [domain.name for domain in directory.list_domains_of(session, user.email)],
        "description": user.description,
        "avatar": user.avatar_url,
        "phone": user.phone,
        "hide_email": user.hide_email,
        "hide_phone": user.hide_phone,
        "settings": user.settings,
        "metadata": user.user_metadata,
        "created": user.created.isoformat(timespec="seconds"),
        "modified": user.modified.isoformat(timespec="seconds"),
    }


def given(**values: Any) -> Any:  # noqa: ANN401 - attributes of several types
    """Returns the options that were given."""
    return {name: value for name, value in values.items() if value is not None}


def document(text: str | None, option: str) -> Any:  # noqa: ANN401 - what JSON holds
    """Returns the JSON that an option holds; what else it may not be, the store says."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        raise typer.BadParameter(f"{option} is no JSON: write it as in '{{\"a\": 1}}'") from None
