"""Links between client and backend, each told in its own terms: `Location` and `Content-Location` back, `Destination` there.

Rules:

1. A URL with an authority (RFC 3986 4.2, 4.3) is rewritten where that is the backend's own: host and port of the upstream's url;
   the `Host` that the backend was sent; or the name in that with the port of the url, which is what a server makes of
   them that adds the port it listens at (nginx, `port_in_redirect`). Its scheme is the url's or the client's.
2. It gets scheme and host as the client used them, so far as they are believed. What follows the authority stays byte for byte.
3. Anything else is the backend's word about somebody else, and passes: a relative reference, another host, a URL with a user, `https` from
   a backend that is asked by `http` for a client that came by `http` (told to come back by TLS, it must not be sent round in a circle).
4. A `Destination` (RFC 4918 10.3) that was judged names the client's host. A backend that gets a `Host` of its own gets that in it, too: it
   would refuse the other one, or take it for another of its hosts, which nobody judged. The path stays byte for byte.

RFC 9110 10.2.2 and 8.7 have both headers name the resource as the client reaches it. Who is asked next is not judged
here: whatever the client follows comes back as a request of its own.
"""

import re
from typing import Final

import msgspec

HEADERS: Final = (b"location", b"content-location")
"""Headers of an answer that hold such links."""

_URL: Final = re.compile(rb"(?:(https?):)?//([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY: Final = re.compile(rb"(\[[0-9a-f:.]+\]|[^:@\[\]]+)(?::([0-9]*))?", re.IGNORECASE)
_PORTS: Final = {b"http": b"80", b"https": b"443"}

Place = tuple[bytes, bytes]
"""A name, lower case, and a port."""


class Links(msgspec.Struct, frozen=True, gc=False):
    """How a backend may call itself, and how the client calls it; nothing is worked out before a link comes.

    Attributes:
        url: of the upstream, as it is set.
        sent: the `Host` that the backend got.
        scheme: `http` or `https` as the client used it.
        host: the host as the client used it.
    """

    url: str
    sent: bytes
    scheme: str
    host: bytes

    def told(self, link: bytes) -> bytes:
        """Returns the link as the client gets it (rules 1 to 3)."""
        found = _URL.fullmatch(link)
        if found is None:
            return link
        theirs = self.scheme.encode()
        scheme = found[1].lower() if found[1] else theirs
        upstream = _URL.fullmatch(self.url.lower().encode())
        schemes = (theirs, upstream[1] if upstream else b"http")
        if scheme not in schemes or _place(found[2], scheme) not in self._own(upstream, scheme):
            return link
        return b"%s://%s%s" % (theirs, self.host, found[3])

    def asked(self, link: bytes) -> bytes:
        """Returns a judged `Destination` as the backend gets it (rule 4)."""
        found = _URL.fullmatch(link)
        if found is None:
            return link
        return b"%s://%s%s" % (
            b"https" if self.url.lower().startswith("https:") else b"http",
            self.sent,
            found[3],
        )

    def _own(self, upstream: re.Match[bytes] | None, scheme: bytes) -> list[Place | None]:
        """Returns the places that are the backend; a Unix socket has no port of its own."""
        sent = _place(self.sent, scheme)
        listens = _place(upstream[2], upstream[1]) if upstream else None
        own = [sent, listens]
        if sent and listens:
            own.append((sent[0], listens[1]))
        return [each for each in own if each]


def _place(authority: bytes, scheme: bytes) -> Place | None:
    """Returns name and port; None for what is no plain authority."""
    found = _AUTHORITY.fullmatch(authority)
    return (found[1].lower(), found[2] or _PORTS[scheme]) if found else None
