"""Entries of one principal on one object: a user's, a group's, a share's.

What is told of a principal other than the caller follows from entries alone, those of its groups and inherited ones included.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from gateway.api.acl_documents import (
    Doc,
    EntryBody,
    GroupEntryOf,
    ShareEntries,
    ShareEntry,
    UserEntryOf,
    lasting,
    terms_of,
    the_entry,
)
from gateway.api.acls import SERVICE, permission_of, warnings_of
from gateway.api.call import Call
from gateway.api.operations import Answer
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models import changes, directory
from models.changes import AclMode
from models.records import PERMISSION_NAMES
from models.tables import AclEntry, PrincipalKind


@SERVICE.operation(tagged=True)
def get_user_entry(call: Call) -> UserEntryOf:
    """What a user's own entry on an object says."""
    with call.read() as session:
        return the_entry(_found(session, call, PrincipalKind.USER), UserEntryOf)


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
        return the_entry(_found(session, call, PrincipalKind.GROUP), GroupEntryOf)


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
        entries = lasting(directory.list_entries(session, call.key))
        shares = [entry for entry in entries if entry.principal_kind is PrincipalKind.SHARE]
        return msgspec.convert(call.cut([the_entry([entry], ShareEntry) for entry in shares]), ShareEntries)


@SERVICE.operation(tagged=True)
def get_share_entry(call: Call) -> ShareEntry:
    """What the visitors of a share may do with an object by an entry on it."""
    with call.read() as session:
        return the_entry(_found(session, call, PrincipalKind.SHARE), ShareEntry)


@SERVICE.operation(201, tagged=True)
def create_share_entry(call: Call, body: EntryBody) -> Answer[ShareEntry]:
    """Lets the visitors of a share do something with an object."""
    return Answer(_put(call, PrincipalKind.SHARE, body, ShareEntry).document, 201)


@SERVICE.operation(tagged=True)
def put_share_entry(call: Call, body: EntryBody) -> Answer[ShareEntry]:
    """Sets what the visitors of a share may do with an object, where they may do something."""
    with call.read() as session:
        the_entry(_found(session, call, PrincipalKind.SHARE), ShareEntry)
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


def _put(call: Call, kind: PrincipalKind, body: EntryBody, document: type[Doc]) -> Answer[Doc]:
    principal = f"{kind.value}:{call.parameter(f'{kind.value}_id')}"
    with call.write() as session:
        before = _found(session, call, kind)
        call.unchanged(the_entry(before, document) if before else None)
        changes.set_entries(session, [call.key], [principal], terms_of(body), AclMode.OVERWRITE)
        entry = the_entry(_found(session, call, kind), document)
        return Answer(entry, 200 if before else 201, tuple(warnings_of(session, [call.key], body)))


def _delete(call: Call, kind: PrincipalKind, document: type[msgspec.Struct]) -> None:
    with call.write() as session:
        before = _found(session, call, kind)
        call.unchanged(the_entry(before, document))
        changes.revoke(session, call.key, before[0].principal)


def _found(session: Session, call: Call, kind: PrincipalKind) -> list[AclEntry]:
    """Returns the entries on the object of the principal that the path names, which is of the caller's domain."""
    id_ = call.parameter(f"{kind.value}_id")
    changes.check_principal(session, kind, id_, call.domain_id)
    own = lasting(directory.list_entries(session, call.key))
    return [entry for entry in own if entry.principal_kind is kind and entry.principal_id == id_]


def _check(session: Session, call: Call, names: Sequence[str]) -> dict[str, Any]:
    """Answers whether entries of `names` give what the path asks for."""
    wanted = PERMISSION_NAMES[permission_of(call)]
    own = lasting(directory.list_entries(session, call.key))
    above = lasting(directory.list_inherited_entries(session, call.key))
    if not any(entry.permissions & wanted and entry.principal in names for entry in (*own, *above)):
        raise GatewayError(Reason.NO_GRANT, f"no entry gives it on {call.key}")
    return {}
