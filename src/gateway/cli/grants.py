"""`mediagate grant` and `mediagate revoke`: entries of access control lists. Entries only grant; there are no negative ones."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.objects import described
from gateway.cli.options import ObjectArgument, examples
from gateway.quantities import seconds
from models import changes
from models.records import ObjectKey

PrincipalArgument = Annotated[
    str,
    typer.Argument(
        metavar="WHO",
        help="user:E-MAIL, group:NAME, share:ID, or just the name where only one is meant.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="SPAN|TIME",
        help="When it ends: 12h or 7d from now, or 2030-01-31T18:00+01:00.",
        show_default=False,
    ),
]
PermissionArgument = Annotated[
    str,
    typer.Argument(
        metavar="PERMISSION[,PERMISSION]", help="read, write, delete, change-acl.", show_default=False
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("grant", epilog=GRANT_EXAMPLES)(grant)
    app.command("revoke", epilog=REVOKE_EXAMPLES)(revoke)


GRANT_EXAMPLES = examples(
    "mediagate grant stan@example.org read asset:42",
    "mediagate grant group:editors read,write collection:news --propagate",
    "mediagate grant stan@example.org write asset:42 --until 7d",
)
REVOKE_EXAMPLES = examples(
    "mediagate revoke stan@example.org read asset:42",
    "mediagate revoke group:editors write collection:news --propagate",
)


def grant(
    context: typer.Context,
    who: PrincipalArgument,
    permissions: PermissionArgument,
    object_: ObjectArgument,
    *,
    propagate: Annotated[
        bool, typer.Option("--propagate", help="Also for all content, at any depth.")
    ] = False,
    until: UntilOption = None,
) -> None:
    """Grants permissions on an object, in addition to what is granted already."""
    desk = desk_of(context)
    key, wanted, end = naming.object_named(object_), naming.permissions_named(permissions), end_of(until)
    with desk.writing() as commit:
        principal, shown = naming.the_principal(commit.session, who, domain_of(commit.session, key))
        new = changes.grant(commit.session, key, principal, wanted, propagates=propagate, expires=end)
        document = {**described(commit.session, key), "granted": list(new.names), "warning": None}
        if propagate and (warning := changes.far_reaching(commit.session, key, new)):
            document["warning"] = warning
    text = ", ".join(new.names)
    also = " and its content" if propagate else ""
    also += f" until {end:%Y-%m-%d %H:%M}Z" if end else ""
    said = f"{shown} may now {text} {key}{also}" if new else "granted already: nothing to change"
    desk.tell(document, f"{said}\nwarning: {document['warning']}" if document["warning"] else said)


def revoke(
    context: typer.Context,
    who: PrincipalArgument,
    permissions: PermissionArgument,
    object_: ObjectArgument,
    *,
    propagate: Annotated[
        bool | None,
        typer.Option(
            "--propagate/--no-propagate",
            help="Only the entry with or without content; both by default.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Takes permissions back; what is inherited from elsewhere or given to a group stays."""
    desk = desk_of(context)
    key, wanted = naming.object_named(object_), naming.permissions_named(permissions)
    with desk.writing() as commit:
        principal, shown = naming.the_principal(commit.session, who, domain_of(commit.session, key))
        taken = changes.revoke(commit.session, key, principal, wanted, propagates=propagate)
        document = {**described(commit.session, key), "revoked": list(taken.names)}
    text = ", ".join(taken.names)
    desk.tell(document, f"took {text} on {key} from {shown}" if taken else "no such entry: nothing to change")


def end_of(text: str | None) -> datetime | None:
    """Returns when a span that begins now ends, or the time that is named."""
    if text is None:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"`{text}` is no end: write a span such as 12h or 7d, or a time such as 2030-01-31T18:00+01:00"
        ) from None


def domain_of(session: Session, key: ObjectKey) -> str | None:
    """Returns the domain in which a principal is looked for: the object's."""
    from models.changes import rows

    return rows.domain_of(session, key)
