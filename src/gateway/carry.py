"""Stages forward and settle, joined: one allowed request is carried to its backend, and its effects are settled on the way back.

Every way out ends the effects exactly once: settled by the answer, abandoned where the backend saw nothing, else unknown.
"""

from typing import Final

import msgspec
from starlette.types import Receive

from gateway.effects import Effects
from gateway.errors import ClientGoneError, GatewayError
from gateway.forward import FRAMING, Client, ClientBody, body_of, forward
from gateway.headers import Forwarding, Pair, request_headers
from gateway.identity import Identity
from gateway.identity_token import IdentityTokens
from gateway.inbound import Inbound
from gateway.links import Links
from gateway.looking import looked_through
from gateway.routes import Operation
from gateway.upstream import (
    Answer,
    Outbound,
    UploadBrokenError,
    Upstream,
    UpstreamError,
    UpstreamSettings,
)

_ACCEPT_ENCODING: Final = b"accept-encoding"


class Passage(msgspec.Struct, frozen=True, gc=False):
    """An allowed request on its way.

    Attributes:
        inbound: what was judged, and so what is forwarded.
        identity: who asks.
        operation: what it is.
        effects: what a success makes true; None if nothing.
        body: the whole body where the row has read it; None to stream it.
        answer_limit: bytes of an answer that an id is read from.
        tokens: sign who asks for backends that want proof.
    """

    inbound: Inbound
    identity: Identity
    operation: Operation
    effects: Effects | None
    body: bytes | None
    answer_limit: int
    tokens: IdentityTokens


async def carry(passage: Passage, upstream: Upstream, client: Client) -> None:
    """Forwards the request, settles its effects when the answer's head is there, then lets the client see the answer.

    Raises:
        GatewayError: the backend gave no usable answer, or what it did cannot be recorded.
    """
    effects = passage.effects
    receive = looked_through(passage.operation.row, passage.inbound, client.receive)
    shared = passage.operation.row.public and passage.identity.is_anonymous
    if effects is None:
        await forward(_outbound(passage, upstream, receive), upstream, client, shared=shared)
        return

    async def settle(answer: Answer) -> Answer:
        body = await answer.read(passage.answer_limit) if effects.needs_answer_body else None
        await effects.settle(answer.status, answer.headers, body)
        return answer

    try:
        outbound = _outbound(passage, upstream, receive)
        await forward(outbound, upstream, client, settle, detached=effects.must_finish)
    except BaseException as error:
        if not effects.ended:
            await _unsettled(effects, error)
        raise


async def _unsettled(effects: Effects, error: BaseException) -> None:
    """Ends effects whose request got no usable answer: nothing happened only if the backend surely saw nothing."""
    built = isinstance(error, GatewayError) and not isinstance(error, (UpstreamError, UploadBrokenError))
    if built or (isinstance(error, (UpstreamError, UploadBrokenError, ClientGoneError)) and not error.sent):
        await effects.abandon()
    else:
        await effects.leave_unknown(f"no answer: {type(error).__name__}")


def _outbound(passage: Passage, upstream: Upstream, receive: Receive) -> Outbound:
    """Builds the request for the backend: the judged target, our headers, and the body as read or as it streams."""
    inbound = passage.inbound
    headers = headers_for(passage, upstream.settings)
    if passage.effects is not None and passage.effects.needs_answer_body:
        headers = [pair for pair in headers if pair[0] != _ACCEPT_ENCODING]
        headers.append((_ACCEPT_ENCODING, b"identity"))
    body: bytes | ClientBody | None = passage.body
    length = None
    if body is None and not FRAMING.isdisjoint(inbound.fields):
        body, length = body_of(inbound.headers, receive)
    links = links_for(inbound, upstream.settings)
    return Outbound(inbound.method, inbound.target, headers, body, length, None, inbound.request_id, links)


def links_for(inbound: Inbound, settings: UpstreamSettings) -> Links:
    """Returns how the backend calls itself and the client calls it."""
    return Links(settings.url, _host_for(inbound, settings), inbound.scheme, inbound.host)


def _host_for(inbound: Inbound, settings: UpstreamSettings) -> bytes:
    return settings.host_header.encode() if settings.host_header else inbound.host


def headers_for(
    passage: Passage, settings: UpstreamSettings, drop: frozenset[bytes] = frozenset()
) -> list[Pair]:
    """Returns the headers that the backend gets, all but framing: for requests and for handshakes of WebSockets.

    Args:
        passage: the allowed request.
        settings: of the backend.
        drop: names that go beside those that the row removes.
    """
    inbound, user = passage.inbound, passage.identity.user
    forwarding = Forwarding(
        inbound.client_text,
        inbound.scheme,
        inbound.host,
        inbound.request_id,
        user.id if user else "",
        user.domain_id if user else "",
        passage.identity.owns_authorization,
        passage.identity.share,
        passage.identity.recipient_id,
    )
    unwanted = passage.operation.row.drop_headers
    if passage.tokens.removed or drop:
        unwanted = unwanted | passage.tokens.removed | drop
    host = settings.host_header.encode() if settings.host_header else None
    headers = request_headers(inbound.headers, forwarding, settings.credential, host, unwanted)
    if host is not None:
        asked = links_for(inbound, settings).asked
        headers = [(name, asked(value) if name == b"destination" else value) for name, value in headers]
    identity = passage.identity
    headers += passage.tokens.headers(settings.name, user, identity.share, identity.recipient_id)
    return headers
