"""`mediagate apply`: brings domains, groups, templates, allow-lists and access to a declared state."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.desk import desk_of
from gateway.cli.failures import REFUSED
from gateway.cli.groups import known_roles
from gateway.cli.history import change_of
from gateway.cli.options import ForceOption, examples, guard_of
from models.told import Told

EXAMPLES = examples(
    "mediagate apply access.yaml --dry-run   (shows what would change; 1 if anything would)",
    "mediagate apply access.yaml",
)


class _DryRunError(Exception):
    """Ends the commit without its being one."""


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("apply", epilog=EXAMPLES)(apply)


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file.", show_default=False)],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    force: ForceOption = False,
) -> None:
    """Makes what a file names as it says, in one commit, and shows the difference; what it does not name stays."""
    from gateway.declared import bring_about, read_declared

    desk = desk_of(context)
    declared = read_declared(file, known_roles(desk))
    told: list[Told] = []
    try:
        with desk.writing() as commit:
            bring_about(commit.session, declared, guard_of(force=force))
            commit.session.flush()
            told = list(commit.session.changed.entries())
            _end(dry_run=dry_run)
    except _DryRunError:
        pass
    document = {
        "changed": not dry_run and bool(told),
        "dry_run": dry_run,
        "differences": [_described(each) for each in told],
    }
    would = "would change" if dry_run else "changed"
    lines = [f"{each.kind} {each.key}: {change_of(each.before, each.after)}" for each in told]
    desk.tell(document, "\n".join([*lines, f"{len(told)} rows {would}"]) if told else "nothing to change")
    if dry_run and told:
        raise typer.Exit(REFUSED)


def _end(*, dry_run: bool) -> None:
    """Lets the commit be one, or not."""
    if dry_run:
        raise _DryRunError


def _described(told: Told) -> dict[str, Any]:
    return {"kind": told.kind, "key": told.key, "before": told.before, "after": told.after}
