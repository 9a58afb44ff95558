"""Access control lists: shown, asked about, and set for several objects at once.

Rules:

1. Whoever changes a list holds `change-acl` on the object, owns it or is admin; others need the documented role besides. Where the path
   names the object its row asks that; where keys come in the body, each is asked here, and those that are refused are left out and told.
2. What is told of the caller follows from the policy; of another principal from entries alone (`gateway.api.acl_entries`).
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.orm import Session

from gateway.api.acl_documents import (
    NAMES,
    Acl,
    Asked,
    CheckBody,
    Checked,
    EntriesBody,
    EntryBody,
    KeysBody,
    ManyEntriesBody,
    PermissionName,
    Permissions,
    RemovalBody,
    ShareEntriesBody,
    Updated,
    acl_of,
    held_of,
    principals,
    terms_of,
)
from gateway.api.call import Call
from gateway.api.operations import Answer, Service, bad_value
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models import changes
from models.changes import AclMode
from models.records import ObjectKey

SERVICE: Final = Service("acls")
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
    return Permissions([name for name in NAMES if call.may(name, key)])


@SERVICE.operation()
def check_own(call: Call) -> dict[str, Any]:
    """Whether the caller holds a permission on an object: 200, or 403."""
    key = call.key_of(call.parameter("object_type"), call.parameter("object_key"))
    if not call.may(permission_of(call), key):
        raise GatewayError(Reason.NO_GRANT, f"{key}")
    return {}


@SERVICE.operation()
def check_several(call: Call, body: KeysBody) -> Checked:
    """For which objects of a type the caller holds a permission."""
    asked = Asked(call.parameter("object_type"), body.object_keys, [permission_of(call)])
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
                warnings += warnings_of(session, some, body)
                whom = principals(body.user_ids, body.group_ids)
                changes.set_entries(
                    session, some, whom, terms_of(body), AclMode(body.mode or AclMode.OVERWRITE)
                )
    return Answer(_updated(every, allowed), 200, tuple(warnings))


def _updated(wanted: Sequence[ObjectKey], allowed: Sequence[ObjectKey]) -> Updated:
    return Updated([key.id for key in allowed], [key.id for key in wanted if key not in allowed])


def warnings_of(session: Session, keys: Sequence[ObjectKey], body: EntryBody) -> list[str]:
    """Returns what to tell whoever lets many objects be changed by one entry."""
    if not body.propagates:
        return []
    held = held_of(body.permissions)
    return [text for key in keys if (text := changes.far_reaching(session, key, held))]


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


def permission_of(call: Call) -> PermissionName:
    """Returns the permission that the path names.

    Raises:
        GatewayError: BAD_VALUE, there is none of this name.
    """
    name = call.parameter("permission")
    for known in NAMES:
        if name == known:
            return known
    raise bad_value(f"there is no such permission: use one of {', '.join(NAMES)}")
