"""Applying entries to the content of collections: jobs that run behind the answer (`models.changes.jobs`)."""

from typing import Annotated

import msgspec

from gateway.api.acl_documents import EntryBody, Mode, principals, terms_of
from gateway.api.acls import SERVICE, changeable
from gateway.api.call import Call
from gateway.api.operations import told
from gateway.local_services import type_of
from gateway.reasons import Reason
from models import changes
from models.changes import AclMode, Terms
from models.records import Permission

Collections = Annotated[list[str], msgspec.Meta(min_length=1, max_length=500)]
CONTENT_OF = ("collection",)
"""Types of objects that have content here; that of saved searches only the backend knows."""


class ContentBody(EntryBody, kw_only=True):
    """What users and groups may do with the content of collections, at any depth."""

    object_ids: Collections
    include_assets: bool
    include_collections: bool
    user_ids: list[str] | None = None
    group_ids: list[str] | None = None
    mode: Mode | None = None


class ContentRemoval(msgspec.Struct):
    """Whose entries are removed from the content of collections."""

    object_ids: Collections
    include_assets: bool
    include_collections: bool
    user_ids: list[str] | None = None
    group_ids: list[str] | None = None


class Begun(msgspec.Struct):
    """The jobs that were begun, one for each collection; an addition to the documented answer."""

    job_ids: list[str]
    refused_object_ids: list[str]


@SERVICE.operation(202, partial=True)
def apply_to_content(call: Call, body: ContentBody) -> Begun:
    """Begins to give the content of collections entries of its own."""
    whom = principals(body.user_ids, body.group_ids)
    return _begun(call, body, whom, terms_of(body), AclMode(body.mode or AclMode.OVERWRITE), "can_write_acls")


@SERVICE.operation(200, partial=True)
def remove_from_content(call: Call, body: ContentRemoval) -> Begun:
    """Begins to remove entries from the content of collections."""
    whom = principals(body.user_ids, body.group_ids)
    return _begun(call, body, whom, Terms(Permission.NONE), AclMode.OVERWRITE, "can_delete_acls")


def _begun(
    call: Call, body: ContentBody | ContentRemoval, whom: list[str], terms: Terms, mode: AclMode, role: str
) -> Begun:
    kind = call.parameter("object_type")
    if type_of(kind) not in CONTENT_OF:
        raise told(Reason.NOT_SERVED, f"`{kind}` have no content that is known here")
    keys = [call.key_of(kind, id_) for id_ in dict.fromkeys(body.object_ids)]
    allowed = changeable(call, keys, role)
    types = {"asset": body.include_assets, "collection": body.include_collections}
    left_out = [name for name, is_included in types.items() if not is_included]
    with call.write() as session:
        jobs = [changes.start_job(session, key, whom, terms, mode, left_out=left_out) for key in allowed]
        return Begun([job.id for job in jobs], [key.id for key in keys if key not in allowed])
