"""`mediagate acl`: entries on many objects at once, done or refused as a whole."""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.grants import UntilOption, domain_of, end_of
from gateway.cli.options import examples
from models import changes
from models.records import Permission

NONE = "none"
STDIN = "-"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    acl = typer.Typer(name="acl", help="Entries on many objects at once.", rich_markup_mode=None)
    acl.command(
        "set",
        epilog=examples(
            "mediagate acl set read,write asset:1 asset:2 --to group:editors --append",
            "mediagate acl set read collection:news collection:sport --to stan@example.org --propagate",
            "mediagate acl set none - --to group:guests < assets.txt",
        ),
    )(set_)
    app.add_typer(acl)


def set_(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    permissions: Annotated[
        str,
        typer.Argument(
            metavar="PERMISSION[,PERMISSION]",
            help="read, write, delete, change-acl, or none.",
            show_default=False,
        ),
    ],
    objects: Annotated[
        list[str],
        typer.Argument(
            metavar="OBJECT...",
            help="TYPE:ID, up to 500; - reads them from standard input.",
            show_default=False,
        ),
    ],
    *,
    to: Annotated[
        list[str],
        typer.Option(
            "--to", metavar="WHO", help="user:E-MAIL or group:NAME; may be repeated.", show_default=False
        ),
    ],
    append: Annotated[
        bool, typer.Option("--append", help="Add to what they have, instead of replacing it.")
    ] = False,
    propagate: Annotated[
        bool, typer.Option("--propagate", help="The entries that also hold on all content.")
    ] = False,
    until: UntilOption = None,
) -> None:
    """Sets exactly what users and groups may do with objects; what others may do stays."""
    desk = desk_of(context)
    wanted = Permission.NONE if permissions == NONE else naming.permissions_named(permissions)
    keys = [naming.object_named(text) for text in _named(objects)]
    terms = changes.Terms(wanted, propagate, end_of(until))
    mode = changes.AclMode.APPEND if append else changes.AclMode.OVERWRITE
    if not keys:
        raise typer.BadParameter("no object is named: write TYPE:ID, as in asset:42")
    with desk.writing() as commit:
        home = domain_of(commit.session, keys[0])
        found = dict(naming.the_principal(commit.session, who, home) for who in to)
        changed = changes.set_entries(commit.session, keys, list(found), terms, mode)
    document = {
        "changed": [str(key) for key in changed],
        "to": list(found.values()),
        "permissions": list(wanted.names),
    }
    desk.tell(
        document,
        f"changed the entries of {', '.join(found.values())} on {len(changed)} of {len(set(keys))} objects",
    )


def _named(objects: list[str]) -> list[str]:
    """Returns the objects as typed, those of standard input in the place of `-`."""
    lines = [line.strip() for line in _lines() if line.strip()] if STDIN in objects else []
    return [name for text in objects for name in (lines if text == STDIN else (text,))]


def _lines() -> Iterable[str]:
    return sys.stdin
