r"""Forms of ids: from what a request says, one canonical id, or an error; never a repaired one.

Rules:

1. An id is opaque or a path, as the map states for its object type. Text comes here percent-decoded, once.
2. An opaque id is the text itself: not empty, no `/` at its start. If the map states a pattern, all of it matches.
3. A path id is `/` and the segments joined by `/`: no empty, `.` or `..` segment, no `/` or `\` within one. The slash
   at the end is dropped where the map says `same` and kept where it says `distinct`; `/` alone stays. Dots and spaces
   at the end of a segment stay as they are: whoever thinks otherwise has another path.
4. Letter case and Unicode form are as the map states. `nfc` and `fold` together are Unicode's canonical caseless form.
5. No id holds a control character, a lone surrogate, a percent code that a second decoding would turn into a
   separator, dot or control character, or more than `MAX_ID` bytes (law 10).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.routes.patterns import Pattern
from models.records import ObjectKey

MAX_ID: Final = 1024
"""Bytes of an id in UTF-8."""

_BAD: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|%(?:2[eEfF]|5[cC]|25|[01][0-9a-fA-F]|7[fF])")
_BAD_PATH: Final = re.compile(r"//|/\.{1,2}(?:/|\Z)|\\")


class IdError(ValueError):
    """What came is not an id of the stated form; the message says why."""


def folded(text: str) -> str:
    """Returns the form in which two names are the same but for letter case and Unicode form."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


@dataclass(frozen=True, slots=True)
class ObjectForm:
    """How the ids of one object type are written.

    Attributes:
        type: the object type.
        is_path: whether ids are paths, whose folders are collections.
        keeps_slash: whether `/a/b` and `/a/b/` are two ids.
        folds_case: whether letter case is no part of an id.
        composes: whether the Unicode form is no part of an id.
        pattern: what an opaque id must match; None for any.
    """

    type: str
    is_path: bool = False
    keeps_slash: bool = False
    folds_case: bool = False
    composes: bool = False
    pattern: Pattern | None = None
    _as_it_is: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        as_it_is = not self.is_path and not self.folds_case and self.pattern is None
        object.__setattr__(self, "_as_it_is", as_it_is)

    def of_text(self, text: str) -> ObjectKey:
        """Returns the key that one whole text names.

        Raises:
            IdError: it is not of this form.
        """
        if self._as_it_is and _is_plain(text) and text[0] != "/":
            return ObjectKey(self.type, text)
        return self._of_path(text) if self.is_path else self._of_opaque(text)

    def of_segments(self, segments: Sequence[str]) -> ObjectKey:
        """Returns the key of the path with these decoded segments; one that is empty at the end is a slash.

        Raises:
            IdError: they do not make a path.
        """
        path = "/" + "/".join(segments)
        if path.count("/") != max(len(segments), 1):
            raise IdError("a part of the path has a `/` within")
        return self._of_path(path)

    def _of_opaque(self, text: str) -> ObjectKey:
        if not text or text[0] == "/":
            raise IdError("the id is empty or starts with `/`")
        if self.pattern is not None and not self.pattern.matches(text):
            raise IdError(f"the id does not match `{self.pattern.text}`")
        return ObjectKey(self.type, self._canonical(text))

    def _of_path(self, text: str) -> ObjectKey:
        if not text.startswith("/"):
            raise IdError("the path does not start with `/`")
        path = self._canonical(text)
        if ("/." in path or "//" in path or "\\" in path) and _BAD_PATH.search(path):
            raise IdError("the path has an empty or dot segment or a backslash")
        if path[-1] == "/" and not self.keeps_slash:
            path = path[:-1] or "/"
        return ObjectKey(self.type, path)

    def _canonical(self, text: str) -> str:
        """Applies rules 4 and 5."""
        if self.folds_case:
            text = folded(text) if self.composes else text.casefold()
        elif self.composes and not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if _is_plain(text):
            return text
        if _BAD.search(text):
            raise IdError(
                "the id has a control character, half a surrogate pair or a second percent-encoding"
            )
        if len(text) > MAX_ID or (not text.isascii() and len(text.encode()) > MAX_ID):
            raise IdError(f"the id has more than {MAX_ID} bytes")
        return text


def _is_plain(text: str) -> bool:
    """Tells whether rules 4 and 5 have nothing to say of a text that is as its form wants it; at most what they take."""
    return text.isascii() and text.isprintable() and "%" not in text and 0 < len(text) <= MAX_ID
