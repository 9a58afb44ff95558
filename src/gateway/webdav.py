"""WebDAV's `If` header: whether its tagged lists ask about other resources than the request names (RFC 4918 10.4).

Rules:

1. A tag may name the request's own path and, of COPY and MOVE, the `Destination`, which is judged too; a slash at the end
   makes no difference. A tag is compared as bytes: another spelling of the same path is another resource here.
2. Any other tag, one of another host, and a header that cannot be read ask about something that nobody judged: whether it
   exists, its entity tag and its locks would show in the answer.
"""

import re
from typing import Final

_QUOTED: Final = re.compile(rb'"[^"]*"')
_LIST: Final = re.compile(rb"\([^()]*\)")
_TAGS: Final = re.compile(rb"(?:\s*<[^<>\s]*>)*\s*")
_TAG: Final = re.compile(rb"<([^<>\s]*)>")
_URL: Final = re.compile(rb"(?:https?://([^/?#@]*))?(/[^?#]*)", re.IGNORECASE)


def asks_about_others(value: bytes, host: bytes, path: bytes, destination: bytes | None) -> bool:
    """Tells whether an `If` header asks about a resource that the request does not name otherwise.

    Args:
        value: of the header.
        host: of the request.
        path: of the request, raw.
        destination: of a COPY or MOVE, as it came.
    """
    left = _LIST.sub(b" ", _QUOTED.sub(b'""', value))
    if not _TAGS.fullmatch(left):
        return True
    known = {_bare(path)}
    if destination is not None and (named := _path_of(destination, host)) is not None:
        known.add(named)
    return any(_path_of(tag, host) not in known for tag in _TAG.findall(left))


def _path_of(url: bytes, host: bytes) -> bytes | None:
    """Returns the path of a URL of this host; None if it is none."""
    found = _URL.fullmatch(url)
    if found is None or (found[1] is not None and found[1].lower() != host.lower()):
        return None
    return _bare(found[2])


def _bare(path: bytes) -> bytes:
    return path.rstrip(b"/")
