r"""A multipart body on its way: each part's head is looked at before it is passed on, and none may name another method.

Parsers differ in what a part is and what it is called, so only what all of them read alike passes.

Rules:

1. The content type is `multipart/…` with parameters of which one is `boundary`; the word stands nowhere before it (PHP takes the first).
2. The body begins with a delimiter (or CRLF and one), so that it is nothing else to anybody. The boundary stands in delimiters only: behind CRLF,
   before CRLF or, once and for the last time, before `--`.
3. The head of a part ends with an empty line, within `MAX_HEAD` bytes. Its lines are `Name: value` without folding or control
   characters.
4. `Content-Disposition` comes once at most, with each of `name`, `filename` and `filename*` once at most, and no other parameter:
   no `name*0` or `name*` (RFC 2231), no `\"` (readers differ in where the text ends), no encoded word (`=?`; Commons FileUpload decodes it).
5. What a reader may take for the part's name is looked at (`gateway.overrides`): `name`, else the filename, and `Content-ID` (both Rack).
6. A part is not a multipart body itself.

Content is searched for the boundary and for nothing else, so an upload of any size costs one pass. RFC 2046 5.1.1, RFC 7578.
"""

import re
from typing import Final

from gateway.overrides import names_method

MAX_HEAD: Final = 8192
"""Bytes of the head of one part."""

_LINE_END, _EMPTY_LINE, _LAST = b"\r\n", b"\r\n\r\n", b"--"
_FOLLOWS: Final = re.compile(rb"(?:\r\n?|--?)?")
_TYPE: Final = re.compile(
    rb'multipart/[a-z0-9.+-]+((?:[ \t]*;[ \t]*[a-z0-9-]+=(?:"[^"\\\x00-\x1f\x7f]*"|[^\s"\\;,]+))+)',
    re.IGNORECASE,
)
_TYPE_PARAMETER: Final = re.compile(rb';[ \t]*([a-z0-9-]+)=("[^"]*"|[^\s";]+)', re.IGNORECASE)
_BOUNDARY: Final = re.compile(rb"[0-9A-Za-z'()+_./:=?-]{1,70}")
_LINE: Final = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([^\x00-\x1f\x7f]*)")
_DISPOSITION: Final = re.compile(
    rb'[a-z-]+((?:[ \t]*;[ \t]*[a-z*]+=(?:"(?:[^"\\]|\\(?!"))*"|[^\s"\\;,]+))*)', re.IGNORECASE
)
_PARAMETER: Final = re.compile(rb';[ \t]*([a-z*]+)=("(?:[^"\\]|\\(?!"))*"|[^\s"\\;,]+)', re.IGNORECASE)
_KNOWN: Final = frozenset((b"name", b"filename", b"filename*"))


class MultipartError(ValueError):
    """The body has two readings, or a part of it names another method; the message says why."""


class Multipart:
    """One body, looked through piece by piece: a piece may be passed on once `feed` took it, the end once `end` did."""

    __slots__ = ("_at", "_begun", "_closed", "_delimiter", "_held", "_in_head")

    def __init__(self, content_type: bytes) -> None:
        """Takes the value of the header.

        Raises:
            MultipartError: rule 1.
        """
        self._delimiter = b"--" + _boundary(content_type)
        self._held = _LINE_END  # the beginning of the body is the beginning of a line
        self._at = 0
        self._begun = self._in_head = self._closed = False

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            MultipartError: one of the rules is broken, up to the end of this piece.
        """
        self._held = self._held[self._at :] + piece
        self._at = 0
        while self._read_head() if self._in_head else self._find_delimiter():
            pass

    def end(self) -> None:
        """Is called at the end of the body.

        Raises:
            MultipartError: the last delimiter did not come.
        """
        if not self._closed:
            raise MultipartError("a multipart body ends before its last delimiter")

    def _find_delimiter(self) -> bool:
        """Goes on to behind the next delimiter; False if it is not there yet."""
        held, delimiter = self._held, self._delimiter
        at = held.find(delimiter, self._at)
        if not self._begun and (at if at >= 0 else len(held) - len(delimiter)) > len(_EMPTY_LINE):
            raise MultipartError("a multipart body does not begin with its boundary")
        if at < 0:
            if self._begun:  # the delimiter may have begun, and the line end before it
                self._at = max(self._at, len(held) - len(delimiter) - 1)
            return False
        behind = at + len(delimiter)
        follows = held[behind : behind + 2]
        if self._closed or not held.endswith(_LINE_END, 0, at) or not _FOLLOWS.fullmatch(follows):
            raise MultipartError("the boundary of a multipart body stands where it is no delimiter")
        if len(follows) < len(_LAST):
            return False
        self._begun, self._closed, self._in_head = True, follows == _LAST, follows == _LINE_END
        self._at = behind
        return True

    def _read_head(self) -> bool:
        """Goes on to the content of the part; False if its head is not there yet."""
        end = self._held.find(_EMPTY_LINE, self._at)
        if (end if end >= 0 else len(self._held)) - self._at > MAX_HEAD:
            raise MultipartError(f"the head of a part is longer than {MAX_HEAD} bytes")
        if end < 0:
            return False
        _check_head(self._held[self._at + len(_LINE_END) : end])
        self._in_head = False
        self._at = end + len(_LINE_END)
        return True


def _boundary(content_type: bytes) -> bytes:
    """Returns the boundary that a content type states (rule 1)."""
    value = content_type.strip()
    found = _TYPE.fullmatch(value)
    if found is None:
        raise MultipartError("the content type of a multipart body can be read in two ways")
    stated = list(_TYPE_PARAMETER.finditer(value, found.start(1)))
    fields = {match[1].lower(): match for match in stated}
    boundary = fields.get(b"boundary")
    if boundary is None or len(fields) < len(stated) or value.lower().find(b"boundary") != boundary.start(1):
        raise MultipartError("a multipart body does not state one boundary")
    text = boundary[2].strip(b'"')
    if not _BOUNDARY.fullmatch(text):
        raise MultipartError("the boundary of a multipart body can be read in two ways")
    return text


def _check_head(head: bytes) -> None:
    """Looks at the head of one part (rules 3 to 6)."""
    disposed = False
    for line in head.split(b"\r\n") if head else ():
        found = _LINE.fullmatch(line)
        if found is None:
            raise MultipartError("the head of a part has a line that is no header")
        field, value = found[1].lower(), found[2].strip()
        if field == b"content-disposition":
            if disposed:
                raise MultipartError("a part has two dispositions")
            disposed = True
            _check_name(_name_in(value))
        elif field == b"content-id":
            _check_name(value.strip(b"<>"))
        elif field == b"content-type" and value.lower().startswith(b"multipart"):
            raise MultipartError("a part is a multipart body itself")


def _name_in(disposition: bytes) -> bytes:
    """Returns what a `Content-Disposition` calls its part (rules 4 and 5)."""
    found = _DISPOSITION.fullmatch(disposition)
    if found is None:
        raise MultipartError("the disposition of a part can be read in two ways")
    stated = [(match[1].lower(), match[2]) for match in _PARAMETER.finditer(found[1])]
    fields = dict(stated)
    if len(fields) < len(stated) or not _KNOWN.issuperset(fields):
        raise MultipartError("the disposition of a part has an unknown or repeated parameter")
    return fields.get(b"name") or fields.get(b"filename") or b""


def _check_name(name: bytes) -> None:
    plain = name.strip(b"\"'")
    if b"\\" in plain or b"=?" in plain:
        raise MultipartError("the name of a part can be read in two ways")
    if names_method(plain):
        raise MultipartError("a part of the body names another method")
