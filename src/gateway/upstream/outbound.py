"""A request for a backend, and the bytes that say it."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from gateway.errors import GatewayError
from gateway.links import Links
from gateway.reasons import Reason

_VISIBLE: Final = bytes(range(0x21, 0x7F))
_COLON: Final = b": "


class Outbound(msgspec.Struct, frozen=True, gc=False):
    """A request for a backend.

    Attributes:
        method: upper case.
        target: path and query, sent byte for byte.
        headers: all but the framing, `Host` among them; `gateway.headers` makes them.
        body: bytes in hand, or the pieces of a stream; None for no body.
        length: of a stream, None if it is not known (it is then sent in chunks); without a body, 0 is said to the backend
            and None is not.
        read_timeout: seconds, in place of the upstream's.
        request_id: named in the answer to the client.
        links: how links of the answer are told to the client; None as they are.
    """

    method: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
    read_timeout: float | None = None
    request_id: str = ""
    links: Links | None = None

    def head(self) -> bytes:
        """Returns request line and headers as they are sent, with the framing that fits the body.

        What is returned was checked as a whole: as many line ends as lines, so that no value can add one.

        Raises:
            GatewayError: a part of it would be read as something else.
        """
        method, target = self.method.encode(), self.target
        plain = target[:1] == b"/" or target == b"*"
        if not (plain and method.isalpha() and method.isupper()) or target.translate(None, _VISIBLE):
            raise GatewayError(Reason.BAD_TARGET, "a request line with two readings")
        lines = [b"%b %b HTTP/1.1" % (method, target)]
        lines.extend(map(_COLON.join, self.headers))
        if isinstance(self.body, bytes):
            lines.append(b"content-length: %d" % len(self.body))
        elif self.length is not None:
            lines.append(b"content-length: %d" % self.length)
        elif self.body is not None:
            lines.append(b"transfer-encoding: chunked")
        ends = len(lines) + 1
        lines.append(b"\r\n")
        head = b"\r\n".join(lines)
        if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
            raise GatewayError(Reason.BAD_HEADERS, "a header with a line end or a NUL")
        return head
