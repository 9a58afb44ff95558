"""What the client sees of a refusal: JSON with a sentence, the public reason and the request id."""

import msgspec

from gateway.caching import VARY
from gateway.errors import GatewayError
from gateway.reasons import TABLE, Reason, status_of

_CHALLENGES = (
    (b"www-authenticate", b'Basic realm="mediagate", charset="UTF-8"'),
    (b"www-authenticate", b"Bearer"),
)
_UNAUTHENTICATED = 401
_LATER = frozenset((429, 503))
_FRAMED_WRONGLY = frozenset((400, 408, 413, 431))

Headers = list[tuple[bytes, bytes]]


def refusal(error: GatewayError, request_id: str, hidden: frozenset[Reason]) -> tuple[int, Headers, bytes]:
    """Returns status, headers and body for an error.

    Args:
        error: why the request is refused; its detail is not told, only what it has to tell.
        request_id: names the request in audit and log.
        hidden: public reasons whose 403 becomes 404.
    """
    row = TABLE[error.reason]
    status = status_of(error.reason, hidden)
    body = msgspec.json.encode(
        {"errors": [error.told or row.says], "reason": row.public.value, "request_id": request_id}
    )
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        VARY,
        (b"x-request-id", request_id.encode()),
    ]
    if status == _UNAUTHENTICATED:
        headers.extend(_CHALLENGES)
    if (
        status in _FRAMED_WRONGLY
    ):  # whoever reads it in another way, or not to its end, reads what follows so too
        headers.append((b"connection", b"close"))
    if status in _LATER:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return status, headers, body
