"""What the client sees of a refusal: JSON with a sentence, the public reason and the request id."""

import msgspec

from gateway.caching import VARY
from gateway.errors import GatewayError
from gateway.reasons import TABLE, Reason, status_of

_CHALLENGES = (
    (b"www-authenticate", b'Basic realm="mediagate", charset="UTF-8"'),
    (b"www-authenticate", b"Bearer"),
)
_BAD_REQUEST = 400
_UNAUTHENTICATED = 401
_UNAVAILABLE = 503

Headers = list[tuple[bytes, bytes]]


def refusal(error: GatewayError, request_id: str, hidden: frozenset[Reason]) -> tuple[int, Headers, bytes]:
    """Returns status, headers and body for an error.

    Args:
        error: why the request is refused; its detail is not told.
        request_id: names the request in audit and log.
        hidden: public reasons whose 403 becomes 404.
    """
    row = TABLE[error.reason]
    status = status_of(error.reason, hidden)
    body = msgspec.json.encode({"errors": [row.says], "reason": row.public.value, "request_id": request_id})
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        VARY,
        (b"x-request-id", request_id.encode()),
    ]
    if status == _UNAUTHENTICATED:
        headers.extend(_CHALLENGES)
    if status == _BAD_REQUEST:  # whoever reads it in another way reads what follows in another way too
        headers.append((b"connection", b"close"))
    if status == _UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    return status, headers, body
