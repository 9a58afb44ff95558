"""ACL templates: their names on the documented paths, and applying one to an object.

The documented template is a name; its entries are ours to tell (`entries`, an addition), and are set with it where they are sent.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from sqlalchemy.orm import Session

from gateway.api.acl_documents import PermissionName, held_of
from gateway.api.acls import SERVICE
from gateway.api.call import Call
from gateway.local_services import documented_of
from models import changes, directory
from models.changes import Applied
from models.records import Permission
from models.tables import AclTemplate

MAX_ENTRIES = 500


class TemplateEntry(msgspec.Struct):
    """What a template gives one user or group; `principal` is `user:ID` or `group:ID`."""

    principal: str
    permissions: list[PermissionName]
    propagates: bool = False


Entries = Annotated[list[TemplateEntry], msgspec.Meta(max_length=MAX_ENTRIES)]


class Template(msgspec.Struct):
    """A template."""

    id: str
    name: str
    date_created: datetime
    date_modified: datetime
    entries: list[TemplateEntry]


class Templates(msgspec.Struct):
    """All templates of the domain."""

    objects: list[Template]


class TemplateBody(msgspec.Struct):
    """What a template is to be."""

    name: str
    entries: Entries | msgspec.UnsetType = msgspec.UNSET


class TemplateChange(msgspec.Struct):
    """What is to change of a template."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    entries: Entries | msgspec.UnsetType = msgspec.UNSET


class ApplyQuery(msgspec.Struct):
    """How a template is applied."""

    restrict_acls_collection_id: str | None = None
    ignore_reindexing: bool | None = None


class AppliedTemplate(msgspec.Struct):
    """What applying a template came to; an addition to the documented answer."""

    object_type: str
    object_key: str
    template: str
    given: list[TemplateEntry]
    left_out: list[str]


@SERVICE.operation()
def list_templates(call: Call) -> Templates:
    """All templates of the domain."""
    with call.read() as session:
        found = directory.list_templates(session, call.domain_id)
        return Templates([_document(session, template) for template in found])


@SERVICE.operation(201, tagged=True)
def create_template(call: Call, body: TemplateBody) -> Template:
    """Makes a template."""
    with call.write() as session:
        template = changes.create_template(session, call.domain_id, body.name)
        _set_entries(session, template, body.entries)
        return _document(session, template)


@SERVICE.operation(tagged=True)
def get_template(call: Call) -> Template:
    """A template."""
    with call.read() as session:
        return _document(session, _the(session, call))


@SERVICE.operation(tagged=True)
def replace_template(call: Call, body: TemplateBody) -> Template:
    """Replaces a template's name, and its entries where they are sent."""
    return _changed(call, body.name, body.entries)


@SERVICE.operation(tagged=True)
def change_template(call: Call, body: TemplateChange) -> Template:
    """Changes what is sent of a template."""
    return _changed(call, body.name, body.entries)


@SERVICE.operation(204, tagged=True)
def delete_template(call: Call) -> None:
    """Removes a template; what it has given stays."""
    with call.write() as session:
        template = _the(session, call)
        call.unchanged(_document(session, template))
        changes.delete_template(session, template.id)


@SERVICE.operation(needs_body=False)
def apply_template(call: Call, query: ApplyQuery) -> AppliedTemplate:
    """Gives an object the entries of a template, beside those that it has."""
    only = query.restrict_acls_collection_id
    within = call.key_of("collections", only) if only is not None else None
    with call.write() as session:
        template = _the(session, call)
        return _applied(call, changes.apply_template(session, template.id, call.key, within=within))


def _applied(call: Call, applied: Applied) -> AppliedTemplate:
    return AppliedTemplate(
        documented_of(call.key.type),
        call.key.id,
        applied.template or "",
        [TemplateEntry(principal, _names(held)) for principal, held in applied.given],
        [principal for principal, _ in applied.left_out],
    )


def _changed(
    call: Call, name: str | msgspec.UnsetType, entries: list[TemplateEntry] | msgspec.UnsetType
) -> Template:
    with call.write() as session:
        template = _the(session, call)
        call.unchanged(_document(session, template))
        if not isinstance(name, msgspec.UnsetType) and name != template.name:
            changes.rename_template(session, template.id, name)
        _set_entries(session, template, entries)
        return _document(session, template)


def _set_entries(
    session: Session, template: AclTemplate, entries: list[TemplateEntry] | msgspec.UnsetType
) -> None:
    """Makes `entries` those of a template; what is there and not among them goes."""
    if isinstance(entries, msgspec.UnsetType):
        return
    for entry in directory.list_template_entries(session, template.id):
        changes.take_from_template(session, template.id, entry.principal)
    for given in entries:
        held = held_of(given.permissions)
        changes.give_in_template(session, template.id, given.principal, held, propagates=given.propagates)


def _the(session: Session, call: Call) -> AclTemplate:
    return changes.the_template(session, call.parameter("template_id"), call.domain_id)


def _document(session: Session, template: AclTemplate) -> Template:
    entries = [
        TemplateEntry(entry.principal, _names(entry.permissions), entry.propagates)
        for entry in directory.list_template_entries(session, template.id)
    ]
    return Template(template.id, template.name, template.created, template.modified, entries)


def _names(held: Permission) -> list[Any]:
    return list(held.names)
