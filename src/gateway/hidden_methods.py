"""A body in which a framework may find another method: looked through while it is carried.

Rules:

1. An urlencoded form holds parameters; so do a body without a content type, which Rack takes for a form, a multipart body
   (`gateway.multipart`), and JSON, whose `_method` Laravel takes as well. Of other methods than POST it is the form alone: CakePHP
   takes a method from one that is PUT.
2. Such a body may be of any size and is looked through on its way. What names another method breaks the request off: the piece that says so
   is not sent on, so that the backend gets neither the method nor the end of the body. What is in hand is refused before the backend is asked.
3. The kind is told as loosely as the loosest backend tells it: by what stands anywhere in the content type. What could be a form and something
   else is refused; a multipart body is never JSON.
4. Such a body has no content coding, and no charset in which other bytes than ASCII's make ASCII (UTF-7, UTF-16, EBCDIC).
5. A row that says `allow: [method-parameter]` is for backends that take no method from a body: nothing is looked at.
"""

import re
from enum import StrEnum
from typing import Final, Protocol

from gateway.body_names import FormNames, JsonTexts
from gateway.errors import GatewayError
from gateway.multipart import Multipart, MultipartError
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
    """Returns how a body holds parameters; None if it holds none (rules 1 and 3)."""
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
    """Returns the search through a body.

    Raises:
        MultipartError: the content type can be read in two ways.
    """
    if kind is Kind.MULTIPART:
        return Multipart(content_type)
    return FormNames() if kind is Kind.FORM else JsonTexts()
