"""`mediagate template`: entries that new objects get, once; and for whom each template is set."""

from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from gateway.cli import naming
from gateway.cli.desk import desk_of
from gateway.cli.grants import PermissionArgument, PrincipalArgument, domain_of
from gateway.cli.objects import principal_text
from gateway.cli.options import DomainOption, ObjectArgument, examples
from gateway.cli.text import card, table
from models import changes, directory
from models.changes import Applied, TemplateLevel
from models.records import ObjectKey
from models.tables import AclTemplate

TemplateArgument = Annotated[
    str, typer.Argument(metavar="TEMPLATE", help="A template's name or id.", show_default=False)
]
COLUMNS = ("name", "entries", "set_for", "id")
NONE = "none"


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this noun."""
    templates = typer.Typer(
        name="template", help="ACL templates: entries that new objects get.", rich_markup_mode=None
    )
    templates.command("add", epilog=examples("mediagate template add editorial"))(add)
    templates.command("list")(list_)
    templates.command("show")(show)
    templates.command("rename", epilog=examples("mediagate template rename editorial newsroom"))(rename)
    templates.command("remove")(remove)
    templates.command("give", epilog=GIVE_EXAMPLES)(give)
    templates.command("take", epilog=examples("mediagate template take editorial group:editors write"))(take)
    templates.command("set", epilog=SET_EXAMPLES)(set_)
    templates.command("apply", epilog=APPLY_EXAMPLES)(apply)
    app.add_typer(templates)


GIVE_EXAMPLES = examples(
    "mediagate template give editorial group:editors read,write",
    "mediagate template give editorial group:editors read --propagate   (for collections: also their content)",
)
SET_EXAMPLES = examples(
    "mediagate template set editorial --for-domain",
    "mediagate template set editorial --group editors   (who has it as primary group)",
    "mediagate template set editorial --user stan@example.org",
    "mediagate template set editorial --storage storage:nas",
    "mediagate template set none --user stan@example.org   (sets none)",
)
APPLY_EXAMPLES = examples(
    "mediagate template apply editorial asset:42",
    "mediagate template apply editorial asset:42 --within collection:news   (nothing that news does not give, too)",
)


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The template's name.", show_default=False)],
    *,
    domain: DomainOption = None,
) -> None:
    """Adds a template without entries."""
    desk = desk_of(context)
    with desk.writing() as commit:
        home = naming.the_domain(commit.session, domain)
        document = described(commit.session, changes.create_template(commit.session, home.id, name))
    desk.tell(document, f"added template {name} to domain {home.name}")


def list_(context: typer.Context, *, domain: DomainOption = None) -> None:
    """Lists templates."""
    desk = desk_of(context)
    with desk.reading() as session:
        home = naming.the_domain(session, domain).id if domain else None
        rows = [described(session, each) for each in directory.list_templates(session, home)]
    text = [{**row, "entries": len(row["entries"])} for row in rows]
    desk.tell(rows, table(text, COLUMNS, "no templates: add one with `mediagate template add NAME`"))


def show(context: typer.Context, template: TemplateArgument, *, domain: DomainOption = None) -> None:
    """Shows a template's entries and for whom it is set."""
    desk = desk_of(context)
    with desk.reading() as session:
        document = described(session, naming.the_template(session, template, domain))
    desk.tell(document, card(document))


def rename(
    context: typer.Context,
    template: TemplateArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.", show_default=False)],
    *,
    domain: DomainOption = None,
) -> None:
    """Gives a template another name."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_template(commit.session, template, domain)
        document = described(commit.session, changes.rename_template(commit.session, found.id, name))
    desk.tell(document, f"{template} is {name} now")


def remove(context: typer.Context, template: TemplateArgument, *, domain: DomainOption = None) -> None:
    """Removes a template wherever it is set; what it has given stays."""
    desk = desk_of(context)
    with desk.writing() as commit:
        found = naming.the_template(commit.session, template, domain)
        document = described(commit.session, found)
        changes.delete_template(commit.session, found.id)
    desk.tell(document, f"removed template {document['name']}: what it gave stays")


def give(
    context: typer.Context,
    template: TemplateArgument,
    who: PrincipalArgument,
    permissions: PermissionArgument,
    *,
    propagate: Annotated[
        bool, typer.Option("--propagate", help="On collections also for all content, at any depth.")
    ] = False,
    domain: DomainOption = None,
) -> None:
    """Adds permissions to what new objects will give somebody."""
    desk, wanted = desk_of(context), naming.permissions_named(permissions)
    with desk.writing() as commit:
        session = commit.session
        found = naming.the_template(session, template, domain)
        principal, shown = naming.the_principal(session, who, found.domain_id)
        new = changes.give_in_template(session, found.id, principal, wanted, propagates=propagate)
        document = {**described(session, found), "given": list(new.names)}
    said = f"new objects of template {document['name']} will give {shown} {', '.join(new.names)}"
    desk.tell(document, said if new else "given already: nothing to change")


def take(
    context: typer.Context,
    template: TemplateArgument,
    who: PrincipalArgument,
    permissions: PermissionArgument,
    *,
    domain: DomainOption = None,
) -> None:
    """Takes permissions out of a template; objects that exist keep theirs."""
    desk, wanted = desk_of(context), naming.permissions_named(permissions)
    with desk.writing() as commit:
        session = commit.session
        found = naming.the_template(session, template, domain)
        principal, shown = naming.the_principal(session, who, found.domain_id)
        taken = changes.take_from_template(session, found.id, principal, wanted)
        document = {**described(session, found), "taken": list(taken.names)}
    said = f"took {', '.join(taken.names)} of {shown} out of template {document['name']}: objects keep theirs"
    desk.tell(document, said if taken else "no such entry: nothing to change")


def set_(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE|none", help="A template's name or id.", show_default=False)
    ],
    *,
    for_domain: Annotated[bool, typer.Option("--for-domain", help="For the whole domain.")] = False,
    group: Annotated[
        str | None, typer.Option("--group", metavar="GROUP", help="For a group or team.", show_default=False)
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="USER", help="For a user.", show_default=False)
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="STORAGE", help="For a storage: storage:ID.", show_default=False),
    ] = None,
    domain: DomainOption = None,
) -> None:
    """Sets the template of a domain, group, user or storage; `none` sets none.

    A new object gets one: its storage's, else its creator's, else that of the creator's primary group, else the domain's.
    """
    given = [each for each in (for_domain or None, group, user, storage) if each is not None]
    if len(given) != 1:
        raise typer.BadParameter("say for whom: one of --for-domain, --group, --user and --storage")
    desk = desk_of(context)
    with desk.writing() as commit:
        session = commit.session
        level, subject, shown, home = _subject(session, domain, group, user, storage)
        found = naming.the_template(session, template, home) if template != NONE else None
        changes.set_template(session, level, subject, found.id if found else None)
    document = {"level": level.value, "for": shown, "template": found.name if found else None}
    desk.tell(document, f"{shown}: template {found.name}" if found else f"{shown}: no template")


def apply(
    context: typer.Context,
    template: TemplateArgument,
    object_: ObjectArgument,
    *,
    within: Annotated[
        str | None,
        typer.Option(
            "--within",
            metavar="COLLECTION",
            help="Give nobody what the collection's own entries do not give, too.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Gives an object that exists the entries of a template, beside those that it has."""
    desk, key = desk_of(context), naming.object_named(object_)
    bound = naming.object_named(within) if within else None
    with desk.writing() as commit:
        session = commit.session
        found = naming.the_template(session, template, domain_of(session, key))
        applied = changes.apply_template(session, found.id, key, within=bound)
        document = {"object": str(key), **told(session, applied)}
    desk.tell(document, "\n".join(lines_of(document, key)))


def told(session: Session, applied: Applied) -> dict[str, Any]:
    """Returns what applying a template came to, as a document."""
    return {
        "template": applied.template,
        "given": {principal_text(session, who): list(new.names) for who, new in applied.given},
        "left_out": {principal_text(session, who): why for who, why in applied.left_out},
    }


def lines_of(document: dict[str, Any], key: ObjectKey) -> list[str]:
    """Returns the same in words."""
    said = [
        f"{who} may now {', '.join(names)} {key}" if names else f"{who} had all of it already"
        for who, names in document["given"].items()
    ]
    said += [f"left out: {who}: {why}" for who, why in document["left_out"].items()]
    return said or [
        f"template {document['template']} has no entries" if document["template"] else "no template"
    ]


def described(session: Session, template: AclTemplate) -> dict[str, Any]:
    """Returns a template as a document."""
    return {
        "id": template.id,
        "name": template.name,
        "domain": template.domain_id,
        "entries": [
            {
                "who": principal_text(session, entry.principal),
                "permissions": list(entry.permissions.names),
                "propagates": entry.propagates,
            }
            for entry in directory.list_template_entries(session, template.id)
        ],
        "set_for": [
            principal_text(session, f"{use.level.value}:{use.subject_id}")
            for use in directory.list_template_uses(session, template.id)
        ],
    }


def _subject(
    session: Session, domain: str | None, group: str | None, user: str | None, storage: str | None
) -> tuple[TemplateLevel, str | ObjectKey, str, str | None]:
    """Returns for whom a template is set: level, subject, how it is shown, and the domain."""
    if group is not None:
        found = naming.the_group(session, group, domain)
        return TemplateLevel.GROUP, found.id, f"group {found.name}", found.domain_id
    if user is not None:
        person = naming.the_user(session, user, domain)
        return TemplateLevel.USER, person.id, f"user {person.email}", person.domain_id
    if storage is not None:
        key = naming.object_named(storage)
        return TemplateLevel.STORAGE, key, str(key), domain_of(session, key)
    home = naming.the_domain(session, domain)
    return TemplateLevel.DOMAIN, home.id, f"domain {home.name}", home.id
