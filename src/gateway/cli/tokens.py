"""`mediagate token`: credentials; the text of a token is printed once and kept nowhere."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import Desk, desk_of
from gateway.cli.groups import check_roles
from gateway.cli.options import DomainOption, UserArgument, examples
from gateway.cli.text import card, table
from gateway.quantities import seconds
from models import changes, directory
from models.tables import Application, SystemDomain, Token, TokenUse, User

DEFAULT_APP: Final = "command-line"
DEFAULT_EXPIRY: Final = "30d"
"""Unless the domain says otherwise."""
DEFAULT_OVERLAP: Final = "1h"
NO_OVERLAP: Final = "none"
NEVER: Final = "never"
COLUMNS = ("id", "user", "app", "state", "created", "expires", "last_used")


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    tokens = typer.Typer(name="token", help="Credentials of users.", rich_markup_mode=None)
    tokens.command("create", epilog=CREATE_EXAMPLES)(create)
    tokens.command("rotate", epilog=ROTATE_EXAMPLES)(rotate)
    tokens.command("list")(list_)
    tokens.command("revoke", epilog=examples("mediagate token revoke 3f1c0a52-..."))(revoke)
    app.add_typer(tokens)


CREATE_EXAMPLES = examples(
    "mediagate token create stan@example.org",
    "mediagate token create stan@example.org --app player --expires never",
    "mediagate token create stan@example.org --role can_read_assets   (good for nothing else)",
    "TOKEN=$(mediagate token create stan@example.org --bare)",
)
ROTATE_EXAMPLES = examples(
    "mediagate token rotate 3f1c0a52-...",
    "mediagate token rotate 3f1c0a52-... --overlap 1d --expires 90d",
)
ExpiresOption = Annotated[
    str | None,
    typer.Option(
        "--expires",
        metavar="SPAN",
        help="How long it is valid: 12h, 30d, never; what the domain says, else 30d, by default.",
        show_default=False,
    ),
]
BareOption = Annotated[bool, typer.Option("--bare", help="Print the token alone, for scripts.")]


def create(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    user: UserArgument,
    *,
    app: Annotated[
        str, typer.Option("--app", metavar="NAME", help="The application that will use it.")
    ] = DEFAULT_APP,
    expires: ExpiresOption = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="Good only where such roles are needed; may repeat.",
            show_default=False,
        ),
    ] = None,
    bare: BareOption = False,
    domain: DomainOption = None,
) -> None:
    """Makes a token for a user and prints it, once, with the App-ID that goes with it."""
    desk = desk_of(context)
    check_roles(desk, role or [])
    with desk.writing() as commit:
        found = naming.the_user(commit.session, user, domain)
        end = end_for(commit.session, found, expires)
        issued = issue(commit.session, found, app, end, role or None)
    desk.tell(issued, str(issued["token"]) if bare else told(desk, issued))


def rotate(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.", show_default=False)],
    *,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap", metavar="SPAN", help="How long the old one stays valid: 1h, at most 30d; or none."
        ),
    ] = DEFAULT_OVERLAP,
    expires: ExpiresOption = None,
    bare: BareOption = False,
) -> None:
    """Makes a token in place of another, for the same user, application and roles; the old one ends by itself."""
    desk = desk_of(context)
    both = timedelta() if overlap == NO_OVERLAP else span_from(overlap, "1h, 2d or none")
    with desk.writing() as commit:
        session = commit.session
        old = session.get(Token, token)
        user = session.get(User, old.user_id) if old is not None and old.user_id else None
        end = end_for(session, user, expires) if user is not None else None
        made, text = changes.rotate_token(session, token, overlap=both, expires=end)
        issued = {**_issued(session, made, text), "replaces": token, "old_expires": _end_of(session, token)}
    said = f"{told(desk, issued)}\n\nThe old one is valid until {issued['old_expires']}."
    desk.tell(issued, text if bare else said)


def list_(
    context: typer.Context,
    user: Annotated[
        str | None, typer.Argument(metavar="[USER]", help="Only this user's.", show_default=False)
    ] = None,
    *,
    domain: DomainOption = None,
) -> None:
    """Lists tokens, revoked and expired ones included; never their text."""
    desk = desk_of(context)
    with desk.reading() as session:
        owner = naming.the_user(session, user, domain).id if user else None
        rows = [_described(session, token) for token in directory.list_tokens(session, owner)]
    desk.tell(rows, table(rows, COLUMNS, "no tokens: make one with `mediagate token create USER`"))


def revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.", show_default=False)],
) -> None:
    """Revokes a token for good; requests that begin afterwards are refused."""
    desk = desk_of(context)
    with desk.writing() as commit:
        document = _described(commit.session, changes.revoke_token(commit.session, token))
    desk.tell(document, f"revoked token {token} of {document['user']}")


def issue(
    session: Session, user: User, app: str, end: datetime | None, scope: list[str] | None = None
) -> dict[str, Any]:
    """Makes a token for an application, which is made if there is none of this name; returns it with its text."""
    application = naming.the_application(session, user.domain_id, app) or changes.create_application(
        session, user.domain_id, app
    )
    token, text = changes.issue_token(session, user.id, application.id, expires=end, scope=scope)
    return _issued(session, token, text)


def end_for(session: Session, user: User, expires: str | None) -> datetime | None:
    """Returns when a token of a user ends: as is said, else as the domain says; None for never."""
    if expires is not None:
        return until(expires)
    lifetime = session.get_one(SystemDomain, user.domain_id).token_lifetime
    return until(DEFAULT_EXPIRY) if lifetime is None else datetime.now(UTC) + timedelta(seconds=lifetime)


def _issued(session: Session, token: Token, text: str) -> dict[str, Any]:
    described = _described(session, token)
    kept = ("id", "user", "app", "app_id", "expires", "roles")
    return {**{name: described[name] for name in kept}, "token": text}


def _end_of(session: Session, token_id: str) -> str | None:
    return when(session.get_one(Token, token_id).expires)


def told(desk: Desk, issued: dict[str, Any]) -> str:
    """Returns what a person is told of a fresh token: both halves, and a line to try them with."""
    lines = {
        "user": issued["user"],
        "App-ID": issued["app_id"],
        "Auth-Token": issued["token"],
        "expires": issued["expires"],
        **({"roles": issued["roles"]} if issued["roles"] is not None else {}),
    }
    curl = f"curl -H 'App-ID: {issued['app_id']}' -H 'Auth-Token: {issued['token']}' {_address(desk)}"
    return f"{card(lines)}\n\nThe token is shown only now. Try it:\n  {curl}"


def until(text: str) -> datetime | None:
    """Returns when a span that begins now ends; None for `never`."""
    if text == NEVER:
        return None
    try:
        return datetime.now(UTC) + timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"`{text}` is no span: write 12h, 30d or never") from None


def span_from(text: str, forms: str) -> timedelta:
    """Returns how long a span is; `forms` says how one is written."""
    try:
        return timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"`{text}` is no span: write {forms}") from None


def _address(desk: Desk) -> str:
    server = desk.settings().server
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(server.host, server.host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{server.port}/"


def _described(session: Session, token: Token) -> dict[str, Any]:
    user = session.get(User, token.user_id) if token.user_id else None
    application = session.get(Application, token.application_id) if token.application_id else None
    use = session.get(TokenUse, token.id)
    return {
        "id": token.id,
        "user": user.email if user else f"support:{token.support}",
        "app": application.name if application else None,
        "app_id": token.application_id,
        "roles": token.scope,
        "state": state_of(token),
        "created": when(token.created),
        "expires": when(token.expires) or NEVER,
        "last_used": when(use.last_used) if use else None,
    }


def state_of(token: Token) -> str:
    """Returns `valid`, `expired` or `revoked`."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= datetime.now(UTC) else "valid"


def when(time: datetime | None) -> str | None:
    """Returns how a time is told, in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None
