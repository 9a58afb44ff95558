"""`mediagate object unsettled` and `settle`: requests of which nobody knows whether the backend did what they asked.

Until such a request is settled its objects are locked, and what it was to delete is closed to all (DESIGN, "Effects").
"""

from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.failures import CommandError
from gateway.cli.options import examples
from gateway.cli.text import table
from models import changes, directory
from models.records import ObjectKey
from models.tables import Hold, Intent, IntentKind, IntentState, User

COLUMNS = ("intent", "kind", "state", "objects", "user", "since")


def add_commands_to(objects: typer.Typer) -> None:
    """Adds the commands to the noun `object`."""
    objects.command("unsettled")(unsettled)
    objects.command("settle", epilog=SETTLE_EXAMPLES)(settle)


SETTLE_EXAMPLES = examples(
    "mediagate object unsettled",
    "mediagate object settle file:/masters/old.mp4 --happened",
    "mediagate object settle asset:42 --did-not",
    "mediagate object settle 3f1c0a52-... --happened --object asset:43",
)


def unsettled(context: typer.Context) -> None:
    """Lists requests whose outcome is open or unknown."""
    desk = desk_of(context)
    with desk.reading() as session:
        rows = [_described(session, *found) for found in directory.list_intents(session)]
    desk.tell(rows, table(rows, COLUMNS, "nothing is unsettled"))


def settle(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="OBJECT", help="TYPE:ID, or an intent of `unsettled`.", show_default=False),
    ],
    *,
    happened: Annotated[
        bool | None,
        typer.Option("--happened/--did-not", help="Whether the backend did it.", show_default=False),
    ] = None,
    object_: Annotated[
        list[str] | None,
        typer.Option(
            "--object", metavar="TYPE:ID", help="What was created, if that is not known.", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also one that a worker may still be waiting for.")
    ] = False,
) -> None:
    """Settles a request by what you have seen in the backend."""
    if happened is None:
        raise typer.BadParameter("look into the backend, then say --happened or --did-not")
    desk, named = desk_of(context), [naming.object_named(name) for name in object_ or ()]
    with desk.writing() as commit:
        intent, holds = _the_intent(commit.session, what)
        if intent.state is IntentState.OPEN and not force:
            raise CommandError(
                f"a worker may still be waiting for the backend's answer about `{what}`: try again later, "
                "or use --force if no gateway is running"
            )
        document = {**_described(commit.session, intent, holds), "happened": happened}
        _settle(commit.session, intent, named or [hold.key for hold in holds], happened=happened)
    desk.tell(
        document, f"settled: the {document['kind']} of {what} {'happened' if happened else 'did not happen'}"
    )


def _settle(session: Session, intent: Intent, created: list[ObjectKey], *, happened: bool) -> None:
    if not happened:
        changes.abandon_intent(session, intent.id)
    elif intent.kind is IntentKind.DELETE:
        changes.settle_delete(session, intent.id)
    elif created:
        settled = changes.settle_create(
            session, intent.id, [changes.Created(key, intent.user_id) for key in created]
        )
        if settled.left_out:
            raise CommandError(*(f"`{key}`: {why}" for key, why in settled.left_out))
    else:
        raise CommandError("what was created is not written down: name it with --object TYPE:ID")


def _the_intent(session: Session, what: str) -> tuple[Intent, tuple[Hold, ...]]:
    found = directory.list_intents(session)
    key = None if any(intent.id == what for intent, _ in found) else naming.object_named(what)
    for intent, holds in found:
        if intent.id == what or any(hold.key == key for hold in holds):
            return intent, holds
    raise CommandError(f"nothing about `{what}` is unsettled; see `mediagate object unsettled`")


def _described(session: Session, intent: Intent, holds: tuple[Hold, ...]) -> dict[str, Any]:
    user = session.get(User, intent.user_id) if intent.user_id else None
    return {
        "intent": intent.id,
        "kind": str(intent.kind),
        "state": str(intent.state),
        "objects": [str(hold.key) for hold in holds],
        "user": user.email if user else intent.user_id,
        "since": intent.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "request": intent.request_id,
    }
