"""A body that is read whole before anything is done with it, within a bound."""

from starlette.types import Receive

from gateway.errors import GatewayError
from gateway.reasons import Reason


async def read_body(receive: Receive, limit: int) -> bytes:
    """Returns the whole body of a request whose row reads it.

    Raises:
        GatewayError: it is longer than `limit` bytes, or the client left.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise GatewayError(Reason.BAD_BODY, "the client left before the body was complete")
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > limit:
            raise GatewayError(Reason.BODY_TOO_LARGE, f"more than {limit} bytes")
    return b"".join(parts)
