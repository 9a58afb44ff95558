"""The body of a POST in which a framework may find another method: looked through before or while it is carried.

Rules:

1. An urlencoded form is read whole before anything is judged. So is a body without a content type, which Rack takes for a form.
2. A multipart body (`gateway.multipart`) and JSON, whose `_method` Laravel takes as well, may be of any size and are looked through on
   their way. What names another method breaks the request off: the piece that says so is not sent on, and the backend never
   gets the end that it needs before it acts. A body in hand is refused before the backend is asked.
3. The kind is told as loosely as the loosest backend tells it: by what stands anywhere in the content type. What could be a form and something
   else is refused; a multipart body is never JSON.
4. Such a body has no content coding, and no charset in which other bytes than ASCII's make ASCII (UTF-7, UTF-16, EBCDIC).
5. In JSON any text that is such a name is one, key or value, however it is escaped: which of them a parser takes for a key of
   the outermost object is not worth knowing.
6. A row that says `allow: [method-parameter]` is for backends that take no method from a body: nothing is looked at.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol

from gateway.errors import GatewayError
from gateway.multipart import Multipart, MultipartError
from gateway.overrides import NAMES, overrides_method
from gateway.reasons import Reason

_CHARSETS: Final = frozenset((b"utf-8", b"utf8", b"us-ascii", b"iso-8859-1", b"windows-1252"))
_CHARSET: Final = re.compile(rb"charset\s*=\s*[\"']?([^\s\"';,]*)", re.IGNORECASE)


class Kind(StrEnum):
    """How a body holds parameters."""

    FORM = "form"
    MULTIPART = "multipart body"
    JSON = "JSON"


class Search(Protocol):
    """A body, looked through piece by piece: a piece may be passed on once `feed` took it, the end once `end` did."""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            ValueError: it names another method, or can be read in two ways.
        """
        ...

    def end(self) -> None:
        """Is called at the end of the body.

        Raises:
            ValueError: there is more to come by the body's own rules.
        """
        ...


def kind_of(content_type: bytes | None) -> Kind | None:
    """Returns how the body of a POST holds parameters; None if it holds none (rules 1 and 3)."""
    if content_type is None or not content_type.strip():
        return Kind.FORM
    plain = content_type.lower()
    for word, kind in ((b"multipart", Kind.MULTIPART), (b"form-urlencoded", Kind.FORM), (b"json", Kind.JSON)):
        if word in plain:
            return kind
    return None


def check_whole(kind: Kind, content_type: bytes | None, body: bytes) -> None:
    """Looks through a body in hand.

    Raises:
        GatewayError: BAD_BODY, it names another method or can be read in two ways.
    """
    if kind is Kind.FORM:
        if overrides_method(body):
            raise GatewayError(Reason.BAD_BODY, "a parameter of the form names another method")
        return
    try:
        search = search_for(kind, content_type or b"")
        search.feed(body)
        search.end()
    except ValueError as error:
        raise GatewayError(Reason.BAD_BODY, str(error)) from error


def check_head(kind: Kind, content_type: bytes | None, content_encoding: bytes | None) -> None:
    """Looks at what the headers say of a body that holds parameters (rule 4).

    Raises:
        GatewayError: BAD_BODY, it can be read in two ways.
    """
    if content_encoding is not None and content_encoding.strip().lower() != b"identity":
        raise GatewayError(Reason.BAD_BODY, f"a {kind} has a content coding")
    charsets = {found.lower() for found in _CHARSET.findall(content_type or b"")}
    plain = (content_type or b"").lower()
    if b"form-urlencoded" in plain and (b"multipart" in plain or b"json" in plain):
        raise GatewayError(Reason.BAD_BODY, "the content type can be that of a form or of something else")
    if not charsets <= _CHARSETS:
        raise GatewayError(Reason.BAD_BODY, f"a {kind} in a charset that is not based on ASCII")
    if kind is Kind.MULTIPART:
        try:
            Multipart(content_type or b"")
        except MultipartError as error:
            raise GatewayError(Reason.BAD_BODY, str(error)) from error


def search_for(kind: Kind, content_type: bytes) -> Search:
    """Returns the search through a body that streams: multipart or JSON.

    Raises:
        MultipartError: the content type can be read in two ways.
    """
    return Multipart(content_type) if kind is Kind.MULTIPART else JsonTexts()


class JsonTexts:
    """JSON in which no text is the name of a parameter that names a method (rule 5)."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            ValueError: a text, up to the end of this piece, is such a name.
        """
        held = self._tail + piece
        if b"\0" in piece:
            raise ValueError("a JSON body that is not UTF-8")
        if (b"method" in held.lower() or _ESCAPED.search(held)) and _NAMED.search(held):
            raise ValueError("a text in the JSON body is a name by which frameworks take another method")
        self._tail = held[-_LONGEST:]

    def end(self) -> None:
        """Finds nothing more."""


def _escaped(name: bytes) -> bytes:
    """Returns the pattern of a name in JSON: each sign as itself or by its code, `-` also as what folds to it."""
    return b"".join(_any_of(b"-_." if sign == 0x2D else bytes((sign,))) for sign in name)  # noqa: PLR2004


def _any_of(signs: Iterable[int]) -> bytes:
    codes = {code for sign in signs for code in (ord(chr(sign).lower()), ord(chr(sign).upper()))}
    ways = [way for code in sorted(codes) for way in (re.escape(bytes((code,))), rb"\\u%04x" % code)]
    return b"(?:%s)" % b"|".join(ways)


_NAMED: Final = re.compile(rb'"(?=[-_.xX\\])(?i:%s)"' % b"|".join(map(_escaped, sorted(NAMES))))
_ESCAPED: Final = re.compile(rb"\\u00[2-7]")
"""ASCII by its code: without it a name is found at once or not at all."""
_LONGEST: Final = 2 + 6 * max(map(len, NAMES))
"""Bytes that such a name has at most, with all its signs escaped."""
