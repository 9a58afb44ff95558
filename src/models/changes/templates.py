"""Changes to ACL templates: entries that a new object gets, once.

Rules:

1. A template is copied. What an object got are entries like any other: changing a template, setting another or removing it changes
   nothing that exists.
2. It is applied when a member creates an object, and when one is ingested from a storage; never to what a visitor uploads, and never
   later unless somebody asks for it (`apply_template`).
3. One template is applied: that of the storage in whose folder the object stands or from which it is ingested, else the creator's own,
   else that of the creator's primary group or team, else the domain's. Of folders of storages the nearest counts.
4. Its entries speak of users and groups of its domain. A group that is removed is taken out of every template with it; a user who is
   DELETED gets nothing, and may come back.
5. What cannot be given (a user who was deleted, a bound that is met) is left out and told; the object is there all the same.
6. Restricted to a collection, a template gives each principal only what the collection's own entries give it, too
   (`restrict_acls_collection_id`): normally the parent, so that nothing new is opened by what stands in it.
7. An entry does not name its template, and no decision asks for it. The history of the commit that gave it does (`models.told`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.changes.acl import entries_of, grant, parse_principal
from models.changes.errors import ConflictError, InvalidError, UnknownError
from models.changes.names import checked_id, checked_key, checked_name, new_id, plain_form, shown
from models.changes.rows import (
    add,
    chunks,
    remove,
    the_access_group,
    the_domain,
    the_domain_of,
    the_group,
    the_present_user,
    the_template,
    the_user,
)
from models.door import WriteSession
from models.records import ObjectKey, Permission
from models.tables import (
    AclTemplate,
    AclTemplateEntry,
    AclTemplateUse,
    PrincipalKind,
    StorageFolder,
    TemplateLevel,
    User,
)
from models.told import APPLIED

STORAGE: Final = "storage"
"""The type of an object that is a storage."""
MAX_ENTRIES: Final = 500
"""Entries of one template."""
MAX_TEMPLATES: Final = 1_000
"""Templates of one domain."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a template came to.

    Attributes:
        template: its name; None if there was none to apply.
        given: principals that got entries, each with the permissions that are new.
        left_out: principals that got none, each with the reason (rule 5).
    """

    template: str | None = None
    given: tuple[tuple[str, Permission], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


NOTHING: Final = Applied()
"""No template, and nothing given."""


def create_template(session: Session, domain_id: str, name: str, *, id_: str | None = None) -> AclTemplate:
    """Makes a template without entries.

    Raises:
        ConflictError: the domain has one of this name already.
        InvalidError: the name or id has a form that is not allowed, or the domain has too many.
        UnknownError: there is no such domain.
    """
    the_domain(session, domain_id)
    count = select(func.count()).where(AclTemplate.domain_id == domain_id)
    if (session.scalar(count) or 0) >= MAX_TEMPLATES:
        raise InvalidError(f"the domain has {MAX_TEMPLATES} templates, which is the most: remove one first")
    checked = _free_name(session, domain_id, name)
    id_, now = new_id() if id_ is None else checked_id(id_, "template"), datetime.now(UTC)
    if session.get(AclTemplate, id_):
        raise ConflictError(f"there is a template with the id {shown(id_)} already")
    return add(session, AclTemplate(id=id_, domain_id=domain_id, name=checked, created=now, modified=now))


def rename_template(session: Session, template_id: str, name: str) -> AclTemplate:
    """Gives a template another name; raises as `create_template`."""
    template = the_template(session, template_id)
    template.name = _free_name(session, template.domain_id, name, template)
    return _modified(session, template)


def delete_template(session: Session, template_id: str) -> None:
    """Removes a template wherever it is set; what it has given stays (rule 1).

    Raises:
        UnknownError: there is no such template.
    """
    template = the_template(session, template_id)
    for kind in (AclTemplateUse, AclTemplateEntry):
        remove(session, session.scalars(select(kind).where(kind.template_id == template_id)).all())
    remove(session, [template])


def give_in_template(
    session: Session, template_id: str, principal: str, permissions: Permission, *, propagates: bool
) -> Permission:
    """Adds permissions to what a template gives a principal; returns those that are new.

    Args:
        session: of the write door.
        template_id: the template.
        principal: `user:ID` or `group:ID`.
        permissions: what to add.
        propagates: whether they hold on the content of a collection that gets the template.

    Raises:
        ConflictError: the principal is of another domain, deleted, or a role group.
        InvalidError: nothing is given, the principal is malformed or a share, or the template has too many entries.
        UnknownError: there is no such template, user or group.
    """
    if not permissions:
        raise InvalidError("no permission is named: use read, write, delete or change-acl")
    template = the_template(session, template_id)
    kind, id_ = parse_principal(principal)
    if kind is PrincipalKind.USER:
        the_present_user(session, id_, template.domain_id)
    elif kind is PrincipalKind.GROUP:
        the_access_group(session, id_, template.domain_id)
    else:
        raise InvalidError("a share ends and a template does not: name users and groups")
    entry = session.get(AclTemplateEntry, (template_id, kind, id_, propagates))
    new = permissions & ~(entry.permissions if entry else Permission.NONE)
    if not new:
        return new
    if entry is not None:
        entry.permissions |= new
    else:
        _refuse_many(session, template)
        add(
            session,
            AclTemplateEntry(
                template_id=template_id,
                principal_kind=kind,
                principal_id=id_,
                propagates=propagates,
                permissions=new,
            ),
        )
    _modified(session, template)
    return new


def take_from_template(
    session: Session, template_id: str, principal: str, permissions: Permission | None = None
) -> Permission:
    """Takes permissions of a principal out of a template, of both its entries; returns those that it gave.

    Raises:
        InvalidError: the principal is malformed.
        UnknownError: there is no such template.
    """
    template = the_template(session, template_id)
    kind, id_ = parse_principal(principal)
    wanted, taken = ~Permission.NONE if permissions is None else permissions, Permission.NONE
    entries = select(AclTemplateEntry).where(
        AclTemplateEntry.template_id == template_id,
        AclTemplateEntry.principal_kind == kind,
        AclTemplateEntry.principal_id == id_,
    )
    for entry in session.scalars(entries).all():
        taken |= entry.permissions & wanted
        entry.permissions &= ~wanted
        if not entry.permissions:
            remove(session, [entry])
    if taken:
        _modified(session, template)
    return taken


def set_template(
    session: Session, level: TemplateLevel, subject: str | ObjectKey, template_id: str | None
) -> None:
    """Sets the template of a domain, group, user or storage; None sets none.

    Args:
        session: of the write door.
        level: what `subject` is.
        subject: the id of a domain, group or user, or the key of a storage.
        template_id: of the same domain.

    Raises:
        ConflictError: the template is of another domain, or the group is a role group.
        InvalidError: the key is not that of a storage.
        UnknownError: there is no such template or subject.
    """
    type_, id_, domain_id = _the_subject(session, level, subject)
    template = the_template(session, template_id, domain_id) if template_id is not None else None
    use = session.get(AclTemplateUse, (level, type_, id_))
    if template is None:
        remove(session, [use] if use is not None else [])
    elif use is not None:
        use.template_id = template.id
        session.flush()
    else:
        add(session, AclTemplateUse(level=level, subject_type=type_, subject_id=id_, template_id=template.id))


def map_folder(session: Session, folder: ObjectKey, storage: ObjectKey | None) -> None:
    """Says that a folder's content comes from a storage; None says that it comes from none.

    Raises:
        ConflictError: they belong to different domains.
        InvalidError: one of them is no folder or no storage.
        UnknownError: one of them does not exist.
    """
    if not checked_key(folder).id.startswith("/"):
        raise InvalidError(f"{shown(str(folder))} is no folder: name a path, as in file:/masters")
    present = session.get(StorageFolder, tuple(folder))
    if storage is None:
        remove(session, [present] if present is not None else [])
        return
    the_domain_of(session, _checked_storage(storage), the_domain_of(session, folder))
    remove(session, [present] if present is not None else [])
    add(
        session,
        StorageFolder(
            object_type=folder.type,
            object_id=folder.id,
            storage_type=storage.type,
            storage_id=storage.id,
        ),
    )


def template_for(
    session: Session, key: ObjectKey, creator_id: str | None, storage: ObjectKey | None = None
) -> AclTemplate | None:
    """Returns the template that a new object gets (rule 3); None if it gets none."""
    domain_id = the_domain_of(session, key)
    for level, type_, id_ in _subjects(session, key, creator_id, storage, domain_id):
        use = session.get(AclTemplateUse, (level, type_, id_))
        if use is not None:
            return the_template(session, use.template_id)
    return None


def apply_template(
    session: Session, template_id: str, key: ObjectKey, *, within: ObjectKey | None = None
) -> Applied:
    """Gives an object the entries of a template, beside those that it has.

    Args:
        session: of the write door.
        template_id: of the object's domain.
        key: the object.
        within: a collection to whose own entries the template is restricted (rule 6).

    Raises:
        ConflictError: the template or the collection is of another domain.
        UnknownError: there is no such template, object or collection.
    """
    domain_id = the_domain_of(session, checked_key(key))
    template = the_template(session, template_id, domain_id)
    if within is not None:
        the_domain_of(session, checked_key(within), domain_id)
    given: list[tuple[str, Permission]] = []
    left_out: list[tuple[str, str]] = []
    for entry in _entries(session, template_id):
        permissions = entry.permissions
        if within is not None:
            permissions &= _held(session, within, entry)
        if not permissions:
            left_out.append((entry.principal, f"has nothing of it on {within}"))
            continue
        try:
            if entry.principal_kind is PrincipalKind.USER:
                the_present_user(session, entry.principal_id, domain_id)
            new = grant(session, key, entry.principal, permissions, propagates=entry.propagates)
        except (ConflictError, InvalidError, UnknownError) as error:  # rule 5
            left_out.append((entry.principal, str(error)))
        else:
            given.append((entry.principal, new))
    applied = Applied(template.name, tuple(given), tuple(left_out))
    _tell(session, template, key, applied, within)
    return applied


def apply_default(
    session: Session, key: ObjectKey, creator_id: str | None, storage: ObjectKey | None = None
) -> Applied:
    """Gives a new object the template that is meant for it (rule 3), if there is one."""
    template = template_for(session, key, creator_id, storage)
    return apply_template(session, template.id, key) if template is not None else NOTHING


def forget_principal(session: Session, kind: PrincipalKind, id_: str) -> None:
    """Takes who is removed out of every template (rule 4), and its own template from it."""
    entries = select(AclTemplateEntry).where(
        AclTemplateEntry.principal_kind == kind, AclTemplateEntry.principal_id == id_
    )
    remove(session, session.scalars(entries).all())
    if kind.value in list(TemplateLevel):
        use = session.get(AclTemplateUse, (TemplateLevel(kind.value), "", id_))
        remove(session, [use] if use is not None else [])


def _subjects(
    session: Session, key: ObjectKey, creator_id: str | None, storage: ObjectKey | None, domain_id: str
) -> Iterator[tuple[TemplateLevel, str, str]]:
    """Yields for whom a template may be set that a new object gets, the first one first (rule 3)."""
    at = _checked_storage(storage) if storage is not None else storage_of(session, key)
    if at is not None:
        yield TemplateLevel.STORAGE, at.type, at.id
    creator = session.get(User, creator_id) if creator_id is not None else None
    if creator is not None:
        yield TemplateLevel.USER, "", creator.id
        if creator.primary_group_id is not None:
            yield TemplateLevel.GROUP, "", creator.primary_group_id
    yield TemplateLevel.DOMAIN, "", domain_id


def storage_of(session: Session, key: ObjectKey) -> ObjectKey | None:
    """Returns the storage from which a path's nearest mapped folder comes; None if there is none."""
    ids: list[str] = []
    at: ObjectKey | None = key
    while at is not None and at.id.startswith("/"):
        ids.append(at.id)
        at = at.folder()
    for chunk in chunks(ids):
        rows = select(StorageFolder).where(
            StorageFolder.object_type == key.type, StorageFolder.object_id.in_(chunk)
        )
        if found := session.scalars(rows).all():
            return max(found, key=lambda row: len(row.object_id)).storage
    return None


def _the_subject(session: Session, level: TemplateLevel, subject: str | ObjectKey) -> tuple[str, str, str]:
    """Returns type, id and domain of what a template is set for."""
    if isinstance(subject, ObjectKey):
        if level is not TemplateLevel.STORAGE:
            raise InvalidError(f"{shown(str(subject))} is no {level.value}")
        return subject.type, subject.id, the_domain_of(session, _checked_storage(subject))
    if level is TemplateLevel.DOMAIN:
        return "", subject, the_domain(session, subject).id
    if level is TemplateLevel.GROUP:
        the_access_group(session, subject)
        return "", subject, the_group(session, subject).domain_id
    if level is TemplateLevel.USER:
        return "", subject, the_user(session, subject).domain_id
    raise InvalidError(f"{shown(subject)} is no storage: write storage:ID")


def _checked_storage(key: ObjectKey) -> ObjectKey:
    if checked_key(key).type != STORAGE:
        raise InvalidError(f"{shown(str(key))} is no storage: write storage:ID")
    return key


def _entries(session: Session, template_id: str) -> list[AclTemplateEntry]:
    entries = select(AclTemplateEntry).where(AclTemplateEntry.template_id == template_id)
    order = (AclTemplateEntry.principal_kind, AclTemplateEntry.principal_id, AclTemplateEntry.propagates)
    return list(session.scalars(entries.order_by(*order)))


def _held(session: Session, within: ObjectKey, entry: AclTemplateEntry) -> Permission:
    """Returns what a collection's own entries give a principal now and for good; to its content, where the template's entry is for content."""
    found = Permission.NONE
    reaching = True if entry.propagates else None  # what does not reach the content opens none
    for own in entries_of(session, within, entry.principal_kind, entry.principal_id, propagates=reaching):
        if own.end is None:  # one that ends would be given for longer than it lasts
            found |= own.permissions
    return found


def _tell(
    session: Session, template: AclTemplate, key: ObjectKey, applied: Applied, within: ObjectKey | None
) -> None:
    """Lets the history say which template gave what this commit gives (rule 7); who got what stands there in rows."""
    if isinstance(session, WriteSession) and any(new for _, new in applied.given):
        values = {"template": template.name, "within": str(within) if within is not None else None}
        session.changed.tell(APPLIED, f"{key.type} {key.id} {template.id}", values)


def _free_name(session: Session, domain_id: str, name: str, template: AclTemplate | None = None) -> str:
    """Returns the name; raises ConflictError if another template of the domain looks like it."""
    checked = checked_name(name, "template")
    for other in session.scalars(select(AclTemplate).where(AclTemplate.domain_id == domain_id)):
        if other is not template and plain_form(other.name) == plain_form(checked):
            raise ConflictError(f"there is a template {shown(other.name)} in this domain already")
    return checked


def _refuse_many(session: Session, template: AclTemplate) -> None:
    count = select(func.count()).where(AclTemplateEntry.template_id == template.id)
    if (session.scalar(count) or 0) >= MAX_ENTRIES:
        raise InvalidError(f"the template has {MAX_ENTRIES} entries, which is the most: name groups instead")


def _modified(session: Session, template: AclTemplate) -> AclTemplate:
    template.modified = datetime.now(UTC)
    session.flush()
    return template
