"""`mediagate storage` and `mediagate ingest`: which folders belong to a storage, and taking up what it brings."""

from typing import Annotated, Any

import typer

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.objects import InOption, OwnerOption, TitleOption
from gateway.cli.options import DomainOption, ObjectArgument, examples
from gateway.cli.templates import lines_of, told
from gateway.cli.text import table
from models import changes, directory

FolderArgument = Annotated[
    str,
    typer.Argument(metavar="FOLDER", help="A path, as in file:/masters.", show_default=False),
]
StorageArgument = Annotated[
    str, typer.Argument(metavar="STORAGE", help="A registered storage: storage:ID.", show_default=False)
]
INGEST_EXAMPLES = examples(
    "mediagate ingest file:/masters/new.mov   (from the storage that /masters is mapped to)",
    "mediagate ingest asset:42 --storage storage:nas --in collection:news",
)


def add_to(app: typer.Typer) -> None:
    """Adds both."""
    storages = typer.Typer(name="storage", help="Folders that belong to storages.", rich_markup_mode=None)
    storages.command("map", epilog=examples("mediagate storage map file:/masters storage:nas"))(map_)
    storages.command("unmap", epilog=examples("mediagate storage unmap file:/masters"))(unmap)
    storages.command("list")(list_)
    app.add_typer(storages)
    app.command("ingest", epilog=INGEST_EXAMPLES)(ingest)


def map_(context: typer.Context, folder: FolderArgument, storage: StorageArgument) -> None:
    """Says that a folder's content comes from a storage: what is new in it gets the storage's template."""
    desk, key, to = desk_of(context), naming.object_named(folder), naming.object_named(storage)
    with desk.writing() as commit:
        changes.map_folder(commit.session, key, to)
    desk.tell({"folder": str(key), "storage": str(to)}, f"{key} comes from {to}")


def unmap(context: typer.Context, folder: FolderArgument) -> None:
    """Says that a folder's content comes from no storage."""
    desk, key = desk_of(context), naming.object_named(folder)
    with desk.writing() as commit:
        changes.map_folder(commit.session, key, None)
    desk.tell({"folder": str(key), "storage": None}, f"{key} comes from no storage")


def list_(context: typer.Context) -> None:
    """Lists the folders that belong to storages."""
    desk = desk_of(context)
    with desk.reading() as session:
        rows: list[dict[str, Any]] = [
            {"folder": str(each.folder), "storage": str(each.storage)}
            for each in directory.list_storage_folders(session)
        ]
    desk.tell(rows, table(rows, ("folder", "storage"), "no folders: map one with `mediagate storage map`"))


def ingest(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    object_: ObjectArgument,
    *,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="STORAGE", help="Where it came from.", show_default=False),
    ] = None,
    owner: OwnerOption = None,
    in_: InOption = None,
    title: TitleOption = None,
    domain: DomainOption = None,
) -> None:
    """Registers an object that came from a storage and gives it the storage's template; one that is there stays as it is."""
    desk, key = desk_of(context), naming.object_named(object_)
    parents = [naming.object_named(name) for name in in_ or ()]
    with desk.writing() as commit:
        session = commit.session
        home = naming.the_domain(session, domain)
        ingested = changes.ingest(
            session,
            key,
            home.id,
            storage=naming.object_named(storage) if storage else None,
            parents=parents,
            owner_id=naming.the_user(session, owner, home.id).id if owner else None,
            title=title,
        )
        document = {
            "object": str(key),
            "new": ingested.is_new,
            "storage": str(ingested.storage) if ingested.storage else None,
            **told(session, ingested.applied),
        }
    if not ingested.is_new:
        desk.tell(document, f"{key} is there already and stays as it is")
        return
    came = f" from {document['storage']}" if document["storage"] else ""
    desk.tell(document, "\n".join([f"added {key}{came}", *lines_of(document, key)]))
