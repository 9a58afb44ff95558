r"""Names of parameters in a form or in JSON that streams: none of them may name another method (`gateway.overrides`).

Rules:

1. A name in a form stands between separators (`&`, or `;` as older Rack has it) and `=`, another separator, or the end. Any of its signs may be
   percent-encoded, blanks may stand around it, and an index behind it.
2. In JSON any text that is such a name is one, key or value, however it is escaped: which of them a parser takes for a key of
   the outermost object is not worth knowing. A NUL means that it is not UTF-8.
3. Pieces that were taken may be passed on: a name is refused with the piece in which it ends, before its value.
4. Bodies may be large and are mostly none of this. What is looked for everywhere is the word `method`, or a code that could stand for
   a sign of such a name; only where one is found the piece is read.
"""

import re
from collections.abc import Callable
from typing import Final

from gateway.overrides import NAMES, names_method

_MAX_NAME: Final = 256
"""Bytes kept of a name under way in a form, blanks before it aside; the longest has 22 signs."""
_HYPHENS: Final = b"-_."
"""What folds to `-`."""


def _names(code: str) -> bytes:
    """Returns the pattern of all such names, each sign as itself or by its code, in which `%s` are two hexadecimal digits."""

    def sign(value: int) -> bytes:
        signs = _HYPHENS if value == ord("-") else bytes({value, ord(chr(value).upper())})
        ways = [way for each in signs for way in (re.escape(bytes((each,))), (code % f"{each:02x}").encode())]
        return b"(?:%s)" % b"|".join(ways)

    return b"(?i:%s)" % b"|".join(b"".join(map(sign, name)) for name in sorted(NAMES))


_BLANK: Final = rb"(?:[\t-\r +]|%20|%0[9a-dA-D])*+"
_BLANKS: Final = re.compile(_BLANK)
_IN_FORM: Final = re.compile(rb"(?:\A|[&;])%b(?:%b)%b(?:[=&;\[]|%%5[bB])" % (_BLANK, _names("%%%s"), _BLANK))
_IN_JSON: Final = re.compile(rb'"(?=[-_.xX\\])%b"' % _names(r"\\u00%s"))
_LONGEST: Final = 2 + 6 * max(map(len, NAMES))
"""Bytes that such a name has at most in JSON, with all its signs escaped."""


def _may_name(coded: bytes) -> Callable[[bytes], bool]:
    """Returns what tells whether a piece is worth reading (rule 4); `coded` begins a code of ASCII."""
    search = re.compile(coded + rb"(?:2[dDeE]|[46][4-9d-fD-F]|[57][0-9a-fA-F])").search
    return lambda piece: b"method" in piece.lower() or search(piece) is not None


class FormNames:
    """An urlencoded form, looked through piece by piece."""

    __slots__ = ("_name",)
    _worth = staticmethod(_may_name(b"%"))

    def __init__(self) -> None:
        self._name: bytes | None = b""  # what is there of the name under way; None within a value

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            ValueError: a name that ends in this piece names another method.
        """
        held = (b"=" if self._name is None else self._name) + piece
        if self._worth(held) and _IN_FORM.search(held):
            raise ValueError("a parameter of the form names another method")
        last = held[max(held.rfind(b"&"), held.rfind(b";")) + 1 :]
        if b"=" in last:
            self._name = None
        else:
            blanks = _BLANKS.match(last)
            self._name = last[blanks.end() if blanks else 0 :][:_MAX_NAME]

    def end(self) -> None:
        """Is called at the end of the body.

        Raises:
            ValueError: the last name, without a value, names another method.
        """
        if names_method(self._name or b""):
            raise ValueError("a parameter of the form names another method")


class JsonTexts:
    """JSON, looked through piece by piece."""

    __slots__ = ("_tail",)
    _worth = staticmethod(_may_name(rb"\\u00"))

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            ValueError: a text that ends in this piece is such a name.
        """
        if b"\0" in piece:
            raise ValueError("a JSON body that is not UTF-8")
        held = self._tail + piece
        if self._worth(held) and _IN_JSON.search(held):
            raise ValueError("a text in the JSON body is a name by which frameworks take another method")
        self._tail = held[-_LONGEST:]

    def end(self) -> None:
        """Finds nothing more."""
