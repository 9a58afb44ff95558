"""`mediagate acl`: entries on many objects at once, done or refused as a whole."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import author, desk_of
from gateway.cli.grants import UntilOption, domain_of, end_of
from gateway.cli.objects import principal_text
from gateway.cli.options import CollectionArgument, examples
from gateway.cli.text import table
from gateway.jobs import work
from models import changes, directory
from models.records import Permission
from models.tables import AclJob, AclMode, JobState

NONE = "none"
HERE = "cli"
COLUMNS = ("state", "done", "total", "collection", "permissions", "to", "created", "failure")
WhoOption = Annotated[
    list[str],
    typer.Option(
        "--to", metavar="WHO", help="user:E-MAIL or group:NAME; may be repeated.", show_default=False
    ),
]
AppendOption = Annotated[
    bool, typer.Option("--append", help="Add to what they have, instead of replacing it.")
]
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
    acl.command(
        "apply",
        epilog=examples(
            "mediagate acl apply read collection:news --to group:guests --append",
            "mediagate acl apply none collection:news --to group:guests --here",
        ),
    )(apply)
    acl.command("jobs")(jobs)
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
    to: WhoOption,
    append: AppendOption = False,
    propagate: Annotated[
        bool, typer.Option("--propagate", help="The entries that also hold on all content.")
    ] = False,
    until: UntilOption = None,
) -> None:
    """Sets exactly what users and groups may do with objects; what others may do stays."""
    desk = desk_of(context)
    wanted = _permissions(permissions)
    keys = [naming.object_named(text) for text in _named(objects)]
    terms = changes.Terms(wanted, propagate, end_of(until))
    mode = _mode(append=append)
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


def apply(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    permissions: Annotated[
        str,
        typer.Argument(
            metavar="PERMISSION[,PERMISSION]",
            help="read, write, delete, change-acl, or none.",
            show_default=False,
        ),
    ],
    collection: CollectionArgument,
    *,
    to: WhoOption,
    append: AppendOption = False,
    until: UntilOption = None,
    here: Annotated[
        bool, typer.Option("--here", help="Work it off now, instead of leaving it to a gateway that runs.")
    ] = False,
) -> None:
    """Gives all that stands in a collection entries of its own, which stay when it leaves; a job of the gateway does it."""
    desk = desk_of(context)
    terms = changes.Terms(_permissions(permissions), expires=end_of(until))
    key = naming.object_named(collection)
    with desk.store() as store:
        with store.write(author()) as commit:
            home = domain_of(commit.session, key)
            found = dict(naming.the_principal(commit.session, who, home) for who in to)
            started = changes.start_job(commit.session, key, list(found), terms, _mode(append=append))
        while here and work(store, HERE):
            pass
        with store.read() as session:
            document = _described(session, session.get_one(AclJob, started.id))
    told = "see `mediagate acl jobs`" if document["state"] == JobState.OPEN else document["failure"] or ""
    desk.tell(
        document, f"{document['state']}: {document['done']} of {document['total']} objects {told}".rstrip()
    )


def jobs(context: typer.Context) -> None:
    """Lists the jobs that apply entries to content, newest first, with how far they are."""
    desk = desk_of(context)
    with desk.reading() as session:
        rows = [_described(session, job) for job in directory.list_jobs(session)]
    desk.tell(rows, table(rows, COLUMNS, "no jobs: `mediagate acl apply` starts one"))


def _described(session: Session, job: AclJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": str(job.state),
        "done": job.done,
        "total": job.total,
        "collection": str(job.key),
        "permissions": list(job.permissions.names),
        "to": [principal_text(session, who) for who in job.principals],
        "mode": str(job.mode),
        "expires": job.expires.isoformat() if job.expires else None,
        "created": job.created.isoformat(),
        "failure": job.failure,
    }


def _permissions(text: str) -> Permission:
    return Permission.NONE if text == NONE else naming.permissions_named(text)


def _mode(*, append: bool) -> AclMode:
    return AclMode.APPEND if append else AclMode.OVERWRITE


def _named(objects: list[str]) -> list[str]:
    """Returns the objects as typed, those of standard input in the place of `-`."""
    lines = [line.strip() for line in _lines() if line.strip()] if STDIN in objects else []
    return [name for text in objects for name in (lines if text == STDIN else (text,))]


def _lines() -> Iterable[str]:
    return sys.stdin
