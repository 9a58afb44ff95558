"""Access control lists: who may do what with which object, shown and changed.

Rules:

1. Whoever changes a list holds `change-acl` on the object, owns it or is admin; others need the documented role besides. Where the path
   names the object its row asks that; where keys come in the body, each is asked here, and those that are refused are left out and told.
2. Entries that stay on the object and entries that hold on its content too are two lists. The documented operations set the first; with
   `propagates` they set the second.
3. What is told of a principal other than the caller follows from entries alone, those of its groups included; of the caller, from the policy.
4. Permissions are independent of each other: to write without reading can be granted, and is told as it was.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from sqlalchemy.orm import Session

from gateway.api.call import Call
from gateway.api.operations import Answer, Service, bad_value, told
from gateway.api.paging import Listed
from gateway.errors import GatewayError
from gateway.local_services import documented_of
from gateway.reasons import Reason
from models import changes, directory
from models.changes import AclMode, Terms
from models.records import PERMISSION_NAMES, ObjectKey, Permission
from models.tables import AclEntry, PrincipalKind

SERVICE: Final = Service("acls")

PermissionName = Literal["read", "write", "delete", "change-acl"]
Keys = Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]
Mode = Literal["OVERWRITE", "APPEND"]
Doc = TypeVar("Doc", bound=msgspec.Struct)


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


MAX_ASKED: Final = 2_000
"""Questions to the policy that one request may cause."""


@SERVICE.operation(tagged=True)
def get_acl(call: Call) -> Acl:
    """The list of an object."""
    with call.read() as session:
        return acl_of(session, call.key)


@SERVICE.operation()
def own_permissions(call: Call) -> Permissions:
    """What the caller may do with an object."""
    key = call.key_of(call.parameter("object_type"), call.parameter("object_key"))
    return Permissions([name for name in _NAMES if call.may(name, key)])


@SERVICE.operation()
def check_own(call: Call) -> dict[str, Any]:
    """Whether the caller holds a permission on an object: 200, or 403."""
    key = call.key_of(call.parameter("object_type"), call.parameter("object_key"))
    if not call.may(_permission_of(call), key):
        raise GatewayError(Reason.NO_GRANT, f"{key}")
    return {}


@SERVICE.operation()
def check_several(call: Call, body: KeysBody) -> Checked:
    """For which objects of a type the caller holds a permission."""
    asked = Asked(call.parameter("object_type"), body.object_keys, [_permission_of(call)])
    return _checked(call, [asked])


@SERVICE.operation()
def check_many(call: Call, body: CheckBody) -> Checked:
    """For which objects of several types the caller holds permissions."""
    return _checked(call, body.objects)


@SERVICE.operation()
def set_entries(call: Call, body: EntriesBody) -> Answer[Updated]:
    """Sets what users and groups may do with several objects of a type."""
    return _set(call, [(call.parameter("object_type"), body)])


@SERVICE.operation()
def set_many_entries(call: Call, body: ManyEntriesBody) -> Answer[Updated]:
    """Sets what users and groups may do with objects, differently for each."""
    if any(len(item.object_keys) != 1 for item in body.objects):
        raise bad_value("each of `objects` has one object key here")
    kind = call.parameter("object_type")
    return _set(call, [(item.object_type or kind, item) for item in body.objects])


@SERVICE.operation()
def remove_entries(call: Call, body: RemovalBody) -> Updated:
    """Removes the entries of users and groups from several objects of a type."""
    kind, whom = call.parameter("object_type"), principals(body.user_ids, body.group_ids)
    keys = [call.key_of(kind, id_) for id_ in dict.fromkeys(body.object_keys)]
    allowed = changeable(call, keys, "can_delete_acls")
    with call.write() as session:
        for key in allowed:
            for principal in whom:
                changes.revoke(session, key, principal, propagates=body.propagates)
    return _updated(keys, allowed)


@SERVICE.operation(tagged=True)
def get_user_entry(call: Call) -> UserEntryOf:
    """What a user's own entry on an object says."""
    with call.read() as session:
        return _the_entry(_found(session, call, PrincipalKind.USER), UserEntryOf)


@SERVICE.operation(200, 201, tagged=True)
def put_user_entry(call: Call, body: EntryBody) -> Answer[UserEntryOf]:
    """Sets what a user may do with an object."""
    return _put(call, PrincipalKind.USER, body, UserEntryOf)


@SERVICE.operation(204, tagged=True)
def delete_user_entry(call: Call) -> None:
    """Removes a user's entries from an object."""
    _delete(call, PrincipalKind.USER, UserEntryOf)


@SERVICE.operation()
def check_user(call: Call) -> dict[str, Any]:
    """Whether a user's entries, or those of its groups, give a permission on an object: 200, or 403."""
    with call.read() as session:
        user = changes.the_user(session, call.parameter("user_id"), call.domain_id)
        groups = [f"group:{group.id}" for group in directory.list_groups_of(session, user.id)]
        return _check(session, call, [f"user:{user.id}", *groups])


@SERVICE.operation(tagged=True)
def get_group_entry(call: Call) -> GroupEntryOf:
    """What a group's entry on an object says."""
    with call.read() as session:
        return _the_entry(_found(session, call, PrincipalKind.GROUP), GroupEntryOf)


@SERVICE.operation(200, 201, tagged=True)
def put_group_entry(call: Call, body: EntryBody) -> Answer[GroupEntryOf]:
    """Sets what the members of a group may do with an object."""
    return _put(call, PrincipalKind.GROUP, body, GroupEntryOf)


@SERVICE.operation(204, tagged=True)
def delete_group_entry(call: Call) -> None:
    """Removes a group's entries from an object."""
    _delete(call, PrincipalKind.GROUP, GroupEntryOf)


@SERVICE.operation()
def check_group(call: Call) -> dict[str, Any]:
    """Whether a group's entries give a permission on an object: 200, or 403."""
    with call.read() as session:
        group = changes.the_group(session, call.parameter("group_id"), call.domain_id)
        return _check(session, call, [f"group:{group.id}"])


@SERVICE.operation()
def list_share_entries(call: Call) -> ShareEntries:
    """The entries on an object that speak of shares."""
    with call.read() as session:
        entries = _lasting(directory.list_entries(session, call.key))
        shares = [entry for entry in entries if entry.principal_kind is PrincipalKind.SHARE]
        return msgspec.convert(call.cut([_the_entry([entry], ShareEntry) for entry in shares]), ShareEntries)


@SERVICE.operation(tagged=True)
def get_share_entry(call: Call) -> ShareEntry:
    """What the visitors of a share may do with an object by an entry on it."""
    with call.read() as session:
        return _the_entry(_found(session, call, PrincipalKind.SHARE), ShareEntry)


@SERVICE.operation(201, tagged=True)
def create_share_entry(call: Call, body: EntryBody) -> Answer[ShareEntry]:
    """Lets the visitors of a share do something with an object."""
    return Answer(_put(call, PrincipalKind.SHARE, body, ShareEntry).document, 201)


@SERVICE.operation(tagged=True)
def put_share_entry(call: Call, body: EntryBody) -> Answer[ShareEntry]:
    """Sets what the visitors of a share may do with an object, where they may do something."""
    with call.read() as session:
        _the_entry(_found(session, call, PrincipalKind.SHARE), ShareEntry)
    return Answer(_put(call, PrincipalKind.SHARE, body, ShareEntry).document, 200)


@SERVICE.operation(204, tagged=True)
def delete_share_entry(call: Call) -> None:
    """Removes the entries of a share from an object."""
    _delete(call, PrincipalKind.SHARE, ShareEntry)


@SERVICE.operation()
def check_share(call: Call) -> dict[str, Any]:
    """Whether a share's entries give its visitors a permission on an object: 200, or 403."""
    with call.read() as session:
        share = changes.the_share(session, call.parameter("share_id"), call.domain_id)
        return _check(session, call, [f"share:{share.id}"])


@SERVICE.operation()
def set_share_entries(call: Call, body: ShareEntriesBody) -> Updated:
    """Sets what the visitors of a share may do with several objects of a type."""
    share_id, kind = call.parameter("share_id"), call.parameter("object_type")
    keys = [call.key_of(kind, id_) for id_ in dict.fromkeys(body.object_keys)]
    allowed = changeable(call, keys, "can_write_acls")
    with call.write() as session:
        changes.the_share(session, share_id, call.domain_id)
        changes.set_entries(session, allowed, [f"share:{share_id}"], terms_of(body), AclMode.OVERWRITE)
    return _updated(keys, allowed)


def acl_of(session: Session, key: ObjectKey) -> Acl:
    """Returns the list of an object as it is told."""
    own = _lasting(directory.list_entries(session, key))
    above = _lasting(directory.list_inherited_entries(session, key))
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


def changeable(call: Call, keys: Sequence[ObjectKey], role: str) -> list[ObjectKey]:
    """Returns those of `keys` whose lists the caller may change (rule 1).

    Raises:
        GatewayError: NO_GRANT, none of them.
    """
    _refuse_many(len(keys))
    allowed = [key for key in keys if call.may("change-acl", key, role)]
    if not allowed:
        raise GatewayError(Reason.NO_GRANT, "none of the objects that are named")
    return allowed


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


def _set(call: Call, wanted: Sequence[tuple[str, EntriesBody]]) -> Answer[Updated]:
    items = [
        ([call.key_of(kind, id_) for id_ in dict.fromkeys(body.object_keys)], body) for kind, body in wanted
    ]
    every = list(dict.fromkeys(key for keys, _ in items for key in keys))
    allowed = changeable(call, every, "can_write_acls")
    warnings: list[str] = []
    with call.write() as session:
        for keys, body in items:
            some = [key for key in keys if key in allowed]
            if some:
                warnings += _warnings(session, some, body)
                whom = principals(body.user_ids, body.group_ids)
                changes.set_entries(
                    session, some, whom, terms_of(body), AclMode(body.mode or AclMode.OVERWRITE)
                )
    return Answer(_updated(every, allowed), 200, tuple(warnings))


def _updated(wanted: Sequence[ObjectKey], allowed: Sequence[ObjectKey]) -> Updated:
    return Updated([key.id for key in allowed], [key.id for key in wanted if key not in allowed])


def _warnings(session: Session, keys: Sequence[ObjectKey], body: EntryBody) -> list[str]:
    """Returns what to tell whoever lets many objects be changed by one entry."""
    if not body.propagates:
        return []
    held = held_of(body.permissions)
    return [text for key in keys if (text := changes.far_reaching(session, key, held))]


def _put(call: Call, kind: PrincipalKind, body: EntryBody, document: type[Doc]) -> Answer[Doc]:
    principal = f"{kind.value}:{call.parameter(f'{kind.value}_id')}"
    with call.write() as session:
        before = _found(session, call, kind)
        call.unchanged(_the_entry(before, document) if before else None)
        changes.set_entries(session, [call.key], [principal], terms_of(body), AclMode.OVERWRITE)
        entry = _the_entry(_found(session, call, kind), document)
        return Answer(entry, 200 if before else 201, tuple(_warnings(session, [call.key], body)))


def _delete(call: Call, kind: PrincipalKind, document: type[msgspec.Struct]) -> None:
    with call.write() as session:
        before = _found(session, call, kind)
        call.unchanged(_the_entry(before, document))
        changes.revoke(session, call.key, before[0].principal)


def _found(session: Session, call: Call, kind: PrincipalKind) -> list[AclEntry]:
    """Returns the entries on the object of the principal that the path names, which is of the caller's domain."""
    id_ = call.parameter(f"{kind.value}_id")
    changes.check_principal(session, kind, id_, call.domain_id)
    own = _lasting(directory.list_entries(session, call.key))
    return [entry for entry in own if entry.principal_kind is kind and entry.principal_id == id_]


def _the_entry(entries: Sequence[AclEntry], document: type[Doc]) -> Doc:
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


def _lasting(entries: Iterable[AclEntry]) -> list[AclEntry]:
    now = datetime.now(UTC)
    return [entry for entry in entries if entry.expires > now]


def _check(session: Session, call: Call, names: Sequence[str]) -> dict[str, Any]:
    """Answers whether entries of `names` give what the path asks for (rule 3)."""
    wanted = PERMISSION_NAMES[_permission_of(call)]
    own = _lasting(directory.list_entries(session, call.key))
    above = _lasting(directory.list_inherited_entries(session, call.key))
    if not any(entry.permissions & wanted and entry.principal in names for entry in (*own, *above)):
        raise GatewayError(Reason.NO_GRANT, f"no entry gives it on {call.key}")
    return {}


def _checked(call: Call, asked: Sequence[Asked]) -> Checked:
    _refuse_many(sum(len(each.object_keys) * len(each.permissions) for each in asked))
    granted: list[str] = []
    denied: list[str] = []
    for each in asked:
        for id_ in dict.fromkeys(each.object_keys):
            key = call.key_of(each.object_type, id_)
            holds = all(call.may(name, key) for name in each.permissions)
            (granted if holds else denied).append(id_)
    return Checked(granted, denied)


def _refuse_many(count: int) -> None:
    if count > MAX_ASKED:
        raise bad_value(f"{count} questions are asked, at most {MAX_ASKED} are at once: ask in parts")


def _permission_of(call: Call) -> PermissionName:
    name = call.parameter("permission")
    for known in _NAMES:
        if name == known:
            return known
    raise bad_value(f"there is no such permission: use one of {', '.join(_NAMES)}")


_NAMES: Final[tuple[PermissionName, ...]] = ("read", "write", "delete", "change-acl")
