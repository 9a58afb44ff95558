"""`mediagate object` and `mediagate collection`: what there is, whose it is, and in which collections it stands.

A collection is an object that others stand in; both nouns speak of the same things.
"""

from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.options import CollectionArgument, DomainOption, ObjectArgument, examples
from gateway.cli.text import card, table
from models import changes, directory
from models.records import ObjectKey
from models.tables import AclEntry, Group, User

OwnerOption = Annotated[
    str | None,
    typer.Option("--owner", metavar="USER", help="The object owner: e-mail or id.", show_default=False),
]
InOption = Annotated[
    list[str] | None,
    typer.Option("--in", metavar="COLLECTION", help="Put it there; may repeat.", show_default=False),
]
TitleOption = Annotated[
    str | None, typer.Option("--title", metavar="TEXT", help="A title.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of both nouns."""
    collections = typer.Typer(
        name="collection", help="Collections and what stands in them.", rich_markup_mode=None
    )
    collections.command("add", epilog=COLLECTION_EXAMPLES)(add)
    collections.command("put", epilog=examples("mediagate collection put asset:42 collection:news"))(put)
    collections.command("take", epilog=examples("mediagate collection take asset:42 collection:news"))(take)
    collections.command("show")(show)
    app.add_typer(collections)
    objects = typer.Typer(name="object", help="Registered objects of the backends.", rich_markup_mode=None)
    objects.command("add", epilog=OBJECT_EXAMPLES)(add)
    objects.command("list")(list_)
    objects.command("show")(show)
    objects.command("remove", epilog=examples("mediagate object remove file:/masters/old"))(remove)
    from gateway.cli import owners, unsettled

    owners.add_commands_to(objects)
    unsettled.add_commands_to(objects)
    app.add_typer(objects)


COLLECTION_EXAMPLES = examples(
    "mediagate collection add collection:news --title News",
    "mediagate collection add collection:sports --in collection:news --owner stan@example.org",
    "mediagate collection add file:/masters",
)
OBJECT_EXAMPLES = examples(
    "mediagate object add asset:42 --owner stan@example.org --in collection:news",
    "mediagate object add file:/   (the folder that all paths stand in)",
)


def add(
    context: typer.Context,
    object_: ObjectArgument,
    *,
    title: TitleOption = None,
    owner: OwnerOption = None,
    in_: InOption = None,
    domain: DomainOption = None,
) -> None:
    """Registers an object or collection of the backend."""
    desk = desk_of(context)
    key, parents = naming.object_named(object_), [naming.object_named(name) for name in in_ or ()]
    with desk.writing() as commit:
        session = commit.session
        home = naming.the_domain(session, domain)
        owner_id = naming.the_user(session, owner, home.id).id if owner else None
        changes.register_object(session, key, home.id, owner_id=owner_id, title=title)
        for parent in parents:
            changes.place(session, key, parent)
        document = described(session, key)
    desk.tell(document, f"added {key} to domain {home.name}")


def put(context: typer.Context, object_: ObjectArgument, collection: CollectionArgument) -> None:
    """Puts an object, or a collection, into a collection; it may stand in several."""
    desk = desk_of(context)
    key, parent = naming.object_named(object_), naming.object_named(collection)
    with desk.writing() as commit:
        is_new = changes.place(commit.session, key, parent)
        document = {**described(commit.session, key), "changed": is_new}
    desk.tell(document, f"{key} {'now' if is_new else 'already'} stands in {parent}")


def take(context: typer.Context, object_: ObjectArgument, collection: CollectionArgument) -> None:
    """Takes an object out of a collection; it loses what it inherited there."""
    desk = desk_of(context)
    key, parent = naming.object_named(object_), naming.object_named(collection)
    with desk.writing() as commit:
        stood = changes.unplace(commit.session, key, parent)
        document = {**described(commit.session, key), "changed": stood}
    desk.tell(document, f"{key} {'no longer stands' if stood else 'did not stand'} in {parent}")


def list_(
    context: typer.Context,
    *,
    type_: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Only this type.", show_default=False)
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Lists registered objects."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        rows = [
            {"object": str(row.key), "title": row.title, "owner": _email(session, row.owner_id)}
            for row in directory.list_objects(session, home, type_)
        ]
    desk.tell(
        rows,
        table(rows, ("object", "title", "owner"), "no objects: add one with `mediagate object add TYPE:ID`"),
    )


def show(context: typer.Context, object_: ObjectArgument) -> None:
    """Shows an object: owner, collections, content, and the entries on it."""
    desk = desk_of(context)
    key = naming.object_named(object_)
    with desk.reading() as session:
        document = described(session, key)
    desk.tell(document, card(document))


def remove(context: typer.Context, object_: ObjectArgument) -> None:
    """Forgets an object with its entries and placements, a path with all below it; the backend is not touched."""
    desk = desk_of(context)
    key = naming.object_named(object_)
    with desk.writing() as commit:
        rows = changes.delete_object(commit.session, key)
    desk.tell({"object": str(key), "removed_rows": rows}, f"removed {key}")


def described(session: Session, key: ObjectKey) -> dict[str, Any]:
    """Returns what is told of an object, registered or not."""
    row = directory.find_object(session, key)
    folder = key.folder()
    return {
        "object": str(key),
        "registered": row is not None,
        "title": row.title if row else None,
        "owner": _email(session, row.owner_id) if row else None,
        "domain": directory.find_domain(session, row.domain_id).name if row else None,
        "in": [
            str(parent)
            for parent in ((folder,) if folder else ()) + tuple(directory.list_parents(session, key))
        ],
        "content": [str(child) for child in directory.list_content(session, key)],
        "entries": [_entry(session, entry) for entry in directory.list_entries(session, key)],
    }


def _entry(session: Session, entry: AclEntry) -> dict[str, Any]:
    return {
        "principal": principal_text(session, entry.principal),
        "permissions": list(entry.permissions.names),
        "propagates": entry.propagates,
        "expires": entry.end.isoformat() if entry.end else None,
    }


def principal_text(session: Session, principal: str) -> str:
    """Returns a principal's fact key as people write it: `user:E-MAIL`, `group:NAME`; what has no other name, such as a share, as it is."""
    kind, _, id_ = principal.partition(":")
    if kind == "user":
        return f"user:{_email(session, id_)}"
    group = session.get(Group, id_) if kind == "group" else None
    return f"group:{group.name}" if group else principal


def _email(session: Session, user_id: str | None) -> str | None:
    user = session.get(User, user_id) if user_id else None
    return user.email if user else user_id
