"""Visits: signing in by a link, and what the token of a visit is, with the documented names.

Rules:

1. Link and password are tried as at the gateway's own page: the same bounds, the same work, the same answer whatever is wrong
   (`gateway.reception`, `gateway.link_desk`). An App-ID or application that is named says nothing of a share.
2. A visit is looked at, made longer and ended by its token alone: in `Share-Auth-Token`, else as the credential of the request. A user's token is
   no visit's.
3. `roles` are those that a route may demand of the visitor by the policy that ships; what decides is the policy and not this list.
   A visitor has no account, so `user_id` is empty, and so is `email` where the link is for whoever has it.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec

from gateway.api.call import Call
from gateway.api.share_documents import Mark, mark_of
from gateway.api.shares import SERVICE
from gateway.errors import GatewayError
from gateway.identity import Identity, credential_in
from gateway.local_services import documented_of
from gateway.reasons import Reason
from models.records import Right
from models.sign_in import Visit

LENT: Final = {
    Right.VIEW: ("can_read_assets", "can_read_collections", "can_read_proxies", "can_read_segments", "can_read_metadata_values", "can_read_metadata_views"),
    Right.DOWNLOAD: ("can_read_assets", "can_read_formats", "can_read_files"),
    Right.DOWNLOAD_PROXY: ("can_read_assets", "can_read_proxies", "can_read_formats"),
    Right.COMMENT: ("can_read_assets", "can_read_segments", "can_create_segments"),
    Right.APPROVE: ("can_read_assets", "can_read_approval_request", "can_write_approval_status"),
    Right.UPLOAD: ("can_create_assets", "can_create_formats", "can_write_files"),
    Right.VERSIONS: ("can_read_assets", "can_read_versions"),
    Right.TRANSCRIPTIONS: ("can_read_assets", "can_read_transcriptions", "can_read_asset_subtitles"),
    Right.CUSTOM_ACTIONS: ("can_read_assets", "can_read_collections", "can_read_custom_actions"),
}  # fmt: skip
"""The roles of each right, as `policies/sharing.polar` has them; a test compares the two."""
_HEADER: Final = b"share-auth-token"


class ShareLogin(msgspec.Struct):
    """A link's text, and the password where the share has one."""

    hash: str
    password: str | None = None


class ShareToken(msgspec.Struct, kw_only=True):
    """A visit; its token is told when it begins, and to who shows it."""

    token: str
    app_id: str
    email: str
    expires: datetime
    object_type: str
    object_id: str
    roles: list[str]
    share_id: str
    share_user_id: str
    system_domain_id: str
    watermark: Mark
    user_id: str = ""
    is_internal_user: bool = False
    drm: Literal["none"] = "none"


@SERVICE.operation(200)
async def sign_in(call: Call, body: ShareLogin) -> ShareToken:
    """Signs a visitor in by a link."""
    inbound = call.case.inbound
    visit = await call.reception.sign_in(body.hash, body.password or "", inbound.client, inbound.request_id)
    return _document(call, visit, visit.text)


@SERVICE.operation(200)
async def get_visit(call: Call) -> ShareToken:
    """What the visit of a token is."""
    identity, text = await _visitor(call)
    return _document(call, await call.reception.shown(identity), text)


@SERVICE.operation(200)
async def prolong_visit(call: Call) -> ShareToken:
    """Makes a visit longer; its token stays the same."""
    identity, text = await _visitor(call)
    inbound = call.case.inbound
    visit = await call.reception.prolonged(identity, inbound.client, inbound.request_id)
    return _document(call, visit, text)


@SERVICE.operation(204)
async def end_visit(call: Call) -> None:
    """Ends a visit."""
    identity, _ = await _visitor(call)
    await call.reception.ended(identity, call.case.inbound.request_id)


async def _visitor(call: Call) -> tuple[Identity, str]:
    """Returns the visitor whom the request is about, and the text of its token where that came in a header (rule 2).

    Raises:
        GatewayError: it names none, or several.
    """
    inbound = call.case.inbound
    lines = [value for name, value in inbound.headers if name == _HEADER]
    if len(lines) > 1:
        raise GatewayError(Reason.BAD_HEADERS, "`share-auth-token` came several times")
    if lines:
        credential = credential_in(lines[0])
        return await call.reception.visitor(credential, inbound.client, []), lines[0].decode("ascii")
    identity = call.case.identity
    if identity.share is None:
        raise GatewayError(Reason.SIGNED_IN, "the request names no visit")
    return identity, (inbound.fields.get(b"auth-token") or b"").decode("ascii")


def _document(call: Call, visit: Visit, text: str) -> ShareToken:
    fields = call.case.inbound.fields
    named = fields.get(b"app-id", b"").decode("ascii", "replace")
    roles = {role for right in visit.rights for role in LENT[Right(right)]}
    return ShareToken(
        token=text,
        app_id=named,
        email=visit.email,
        expires=datetime.fromisoformat(visit.expires),
        object_type=documented_of(visit.key.type),
        object_id=visit.key.id,
        roles=sorted(roles),
        share_id=visit.share_id,
        share_user_id=visit.recipient_id,
        system_domain_id=visit.domain_id,
        watermark=mark_of(watermark=visit.watermark),
    )
