"""What the gateway itself answers to `OPTIONS`, on a row that says `answered` (RFC 9110 9.3.7).

Rules:

1. The answer is 204 with `Allow`: the methods that rows of the row's shape state, `HEAD` among them where `GET` is. It follows
   from the route maps alone, so that it tells nothing about objects or about what the caller may do with them.
2. It comes after the verdict and its audit line, as every answer does.
3. CORS headers (`Access-Control-*`) are a backend's to say. Without them a browser takes the answer to its preflight for a no.
"""

from starlette.types import Send

from gateway.caching import VARY
from gateway.case import Case


async def tell_methods(case: Case, send: Send) -> None:
    """Answers an allowed request whose row says `answered`."""
    methods = case.bundle.routes.methods_beside(case.decided.row)
    headers = [
        (b"allow", ", ".join(methods).encode()),
        (b"cache-control", b"private"),
        VARY,
        (b"x-request-id", case.inbound.request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
