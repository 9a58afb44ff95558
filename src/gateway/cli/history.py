"""`mediagate history`: who changed what and when, with before and after."""

from typing import Annotated, Any

import typer

from gateway.cli.desk import desk_of
from gateway.cli.options import examples
from gateway.cli.text import table
from gateway.cli.tokens import when
from models import directory
from models.tables import ChangeEntry

COLUMNS = ("when", "who", "what", "change")
EXAMPLES = examples(
    "mediagate history",
    "mediagate history --of asset 42   (what was done to what has that in its name)",
    "mediagate history --by cli:root --limit 10",
)


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("history", epilog=EXAMPLES)(history)


def history(
    context: typer.Context,
    *,
    of: Annotated[
        str | None,
        typer.Option("--of", metavar="ID", help="Only what this id is part of.", show_default=False),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="WHO", help="Only what this author did, as it is shown.", show_default=False
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="COUNT", min=1, max=10_000, help="At most so many.")
    ] = 50,
) -> None:
    """Shows the latest changes to users, groups, tokens, shares, objects and access, the latest first; never a secret."""
    desk = desk_of(context)
    with desk.reading() as session:
        rows = [_told(entry) for entry in directory.list_changes(session, key=of, author=by, limit=limit)]
    text = [
        {
            **row,
            "what": f"{row['kind']} {row['key']}".strip(),
            "change": change_of(row["before"], row["after"]),
        }
        for row in rows
    ]
    desk.tell(rows, table(text, COLUMNS, "nothing was changed"))


def _told(entry: ChangeEntry) -> dict[str, Any]:
    return {
        "revision": entry.revision,
        "when": when(entry.at),
        "who": entry.author,
        "kind": entry.kind,
        "key": entry.key,
        "before": entry.before,
        "after": entry.after,
    }


def change_of(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """Returns in one line what became of a row; None is a row that was not there."""
    if before is None:
        return f"made {_pairs(after or {})}".strip()
    if after is None:
        return f"removed {_pairs(before)}".strip()
    differing = [name for name, value in after.items() if before.get(name) != value]
    return "; ".join(f"{name}: {_value(before.get(name))} -> {_value(after[name])}" for name in differing)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {_value(value)}" for name, value in values.items() if value not in (None, "", [], {})
    )


def _value(value: object) -> str:
    if isinstance(value, list):
        return "+".join(map(str, value)) or "nothing"
    return "nothing" if value is None or value == "" else str(value)
