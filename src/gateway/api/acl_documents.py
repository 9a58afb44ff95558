"""Access control lists as they are told and taken: their documents, and what the store's entries are in them.

Rules:

1. Entries that stay on the object and entries that hold on its content too are two lists. The documented operations set the first; with
   `propagates` they set the second. Those that have expired are told no more.
2. Permissions are independent of each other: to write without reading can be granted, and is told as it was.
3. What two entries of one principal say is told as one; an end only where both have it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from sqlalchemy.orm import Session

from gateway.api.operations import bad_value, told
from gateway.api.paging import Listed
from gateway.local_services import documented_of
from gateway.reasons import Reason
from models import directory
from models.changes import Terms
from models.records import PERMISSION_NAMES, ObjectKey, Permission
from models.tables import AclEntry, PrincipalKind

PermissionName = Literal["read", "write", "delete", "change-acl"]
Keys = Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]
Mode = Literal["OVERWRITE", "APPEND"]
Doc = TypeVar("Doc", bound=msgspec.Struct)
NAMES: Final[tuple[PermissionName, ...]] = ("read", "write", "delete", "change-acl")
"""All permissions, in the order in which they are told."""


class UserEntry(msgspec.Struct, omit_defaults=True):
    """What a user may do with an object."""

    user_id: str
    permissions: list[PermissionName]
    expires: datetime | None = None


class GroupEntry(msgspec.Struct, omit_defaults=True):
    """What the members of a group may do with an object."""

    group_id: str
    permissions: list[PermissionName]
    expires: datetime | None = None


class UserEntryOf(UserEntry, kw_only=True, omit_defaults=True):
    """What a user may do with an object, and where the entry stands."""

    object_type: str
    object_key: str


class GroupEntryOf(GroupEntry, kw_only=True, omit_defaults=True):
    """What the members of a group may do with an object, and where the entry stands."""

    object_type: str
    object_key: str


class ShareEntry(msgspec.Struct, omit_defaults=True):
    """What the visitors of a share may do with an object."""

    share_id: str
    object_type: str
    object_key: str
    permissions: list[PermissionName]
    expires: datetime | None = None


class Acl(msgspec.Struct):
    """The list of an object: entries on it, those that propagate, and those that it inherits."""

    users_acl: list[UserEntry]
    groups_acl: list[GroupEntry]
    inherited_users_acl: list[UserEntryOf]
    inherited_groups_acl: list[GroupEntryOf]
    propagating_users_acl: list[UserEntryOf]
    propagating_groups_acl: list[GroupEntryOf]


class Permissions(msgspec.Struct):
    """What the caller may do with an object."""

    permissions: list[PermissionName]


class EntryBody(msgspec.Struct):
    """What an entry is to say; `expires` and `propagates` are additions to the documented API."""

    permissions: Annotated[list[PermissionName], msgspec.Meta(min_length=1)]
    expires: datetime | None = None
    propagates: bool = False


class EntriesBody(EntryBody, kw_only=True):
    """What many entries are to say; in a list of such bodies each has one key and may name its own type."""

    object_keys: Keys
    object_type: str | None = None
    user_ids: list[str] | None = None
    group_ids: list[str] | None = None
    mode: Mode | None = None


class ManyEntriesBody(msgspec.Struct):
    """Entries that differ from object to object."""

    objects: Annotated[list[EntriesBody], msgspec.Meta(min_length=1, max_length=100)]


class RemovalBody(msgspec.Struct):
    """Whose entries are removed from which objects."""

    object_keys: Keys
    user_ids: list[str] | None = None
    group_ids: list[str] | None = None
    propagates: bool | None = None


class ShareEntriesBody(EntryBody, kw_only=True):
    """What the visitors of a share may do with several objects."""

    object_keys: Keys


class Updated(msgspec.Struct):
    """The keys of the objects that are as was asked; the others are refused to the caller."""

    updated_object_keys: list[str]
    refused_object_keys: list[str]


class KeysBody(msgspec.Struct):
    """Objects that are asked about."""

    object_keys: Annotated[list[str], msgspec.Meta(max_length=500)]


class Asked(msgspec.Struct):
    """Objects of one type, and permissions of which the caller must hold all."""

    object_type: str
    object_keys: Annotated[list[str], msgspec.Meta(max_length=500)]
    permissions: Annotated[list[PermissionName], msgspec.Meta(min_length=1)]


class CheckBody(msgspec.Struct):
    """Objects of several types that are asked about."""

    objects: Annotated[list[Asked], msgspec.Meta(max_length=500)]


class Checked(msgspec.Struct):
    """For which objects the caller holds what was asked."""

    access_granted: list[str]
    access_denied: list[str]


class ShareEntries(Listed, kw_only=True):
    """A page of the entries that speak of shares."""

    objects: list[ShareEntry]


def acl_of(session: Session, key: ObjectKey) -> Acl:
    """Returns the list of an object as it is told."""
    own = lasting(directory.list_entries(session, key))
    above = lasting(directory.list_inherited_entries(session, key))
    users = [entry for entry in own if entry.principal_kind is PrincipalKind.USER]
    groups = [entry for entry in own if entry.principal_kind is PrincipalKind.GROUP]

    def some(entries: Iterable[AclEntry], kind: type[Doc], *, propagates: bool) -> list[Doc]:
        return [_document(entry, kind) for entry in entries if entry.propagates is propagates]

    return Acl(
        some(users, UserEntry, propagates=False),
        some(groups, GroupEntry, propagates=False),
        [_document(entry, UserEntryOf) for entry in above if entry.principal_kind is PrincipalKind.USER],
        [_document(entry, GroupEntryOf) for entry in above if entry.principal_kind is PrincipalKind.GROUP],
        some(users, UserEntryOf, propagates=True),
        some(groups, GroupEntryOf, propagates=True),
    )


def principals(user_ids: Iterable[str] | None, group_ids: Iterable[str] | None) -> list[str]:
    """Returns the names of users and groups as entries have them; a list that is not there names nobody."""
    return [*(f"user:{id_}" for id_ in user_ids or ()), *(f"group:{id_}" for id_ in group_ids or ())]


def terms_of(body: EntryBody) -> Terms:
    """Returns what entries are to say."""
    if body.expires is not None and body.expires.utcoffset() is None:
        raise bad_value("`expires` has no time zone")
    return Terms(held_of(body.permissions), propagates=body.propagates, expires=body.expires)


def held_of(names: Iterable[PermissionName]) -> Permission:
    """Returns the set of the permissions that are named."""
    held = Permission.NONE
    for name in names:
        held |= PERMISSION_NAMES[name]
    return held


def the_entry(entries: Sequence[AclEntry], document: type[Doc]) -> Doc:
    """Returns the entries of one principal as one: what it may do, by whichever of them.

    Raises:
        GatewayError: NOT_FOUND, there is none.
    """
    if not entries:
        raise told(Reason.NOT_FOUND, "there is no such entry on this object")
    held = Permission.NONE
    for entry in entries:
        held |= entry.permissions
    ends = {entry.end for entry in entries}
    return _document(entries[0], document, held, ends.pop() if len(ends) == 1 else None)


def _document(
    entry: AclEntry, kind: type[Doc], held: Permission | None = None, end: datetime | None = None
) -> Doc:
    """Returns an entry as a `kind` of document."""
    values: dict[str, Any] = {
        f"{entry.principal_kind.value}_id": entry.principal_id,
        "permissions": list((entry.permissions if held is None else held).names),
        "object_type": documented_of(entry.object_type),
        "object_key": entry.object_id,
        "expires": entry.end if held is None else end,
    }
    names = {each.name for each in msgspec.structs.fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def lasting(entries: Iterable[AclEntry]) -> list[AclEntry]:
    """Returns the entries that have not expired."""
    now = datetime.now(UTC)
    return [entry for entry in entries if entry.expires > now]
