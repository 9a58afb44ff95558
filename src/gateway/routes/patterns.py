r"""Patterns of parameters and ids: a small regular language, matched in linear time, whose overlaps are known at load.

Rules:

1. A pattern is written with characters, `.`, `[a-z]`, `[^a-z]`, `\d`, `\w`, `\s`, `\` before a sign, `( )`, `|`, and
   the quantifiers `?`, `*`, `+`, `{m}`, `{m,}`, `{m,n}`. `\d`, `\w` and `\s` mean ASCII. Anything else is an error.
2. It always matches a whole text: `^` and `$` are errors, since they would say nothing.
3. It becomes a deterministic automaton of bounded size, so no text can make a match explode (law 10), and whether one
   text can match two patterns is known at load (`gateway.routes.automaton`).
"""

import re
from typing import Final

from gateway.routes.automaton import LAST, Automaton, Chain, Choice, Ranges, Repeat, Set, SizeError, Tree

MAX_PATTERN: Final = 256
"""Characters of a pattern."""
MAX_TEXT: Final = 1024
"""Characters of a text; a longer one matches no pattern."""

_CLASSES: Final[dict[str, Ranges]] = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 13), (32, 32)),
}
_COUNT: Final = re.compile(r"\{([0-9]{1,4})(,([0-9]{0,4}))?\}")
_QUANTIFIERS: Final[dict[str, tuple[int, int | None]]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}


class PatternError(ValueError):
    """The text is not a pattern; the message says what to write instead."""


class Pattern:
    """A compiled pattern; two are equal if they are written alike."""

    __slots__ = ("_automaton", "text")

    def __init__(self, text: str) -> None:
        """Compiles `text`.

        Raises:
            PatternError: it breaks one of the rules above.
        """
        if len(text) > MAX_PATTERN:
            raise PatternError(f"a pattern has at most {MAX_PATTERN} characters")
        self.text = text
        try:
            self._automaton = Automaton.of(_Parser(text).tree())
        except SizeError as error:
            raise PatternError(str(error)) from error

    def matches(self, text: str) -> bool:
        """Tells whether the whole of `text` matches, in time linear in its length."""
        return len(text) <= MAX_TEXT and self._automaton.matches(text)

    def overlaps(self, other: "Pattern") -> bool:
        """Tells whether some text, the empty one aside, matches both."""
        return self._automaton.overlaps(other._automaton)  # noqa: SLF001 - another of this class

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


class _Parser:
    """Reads the text of a pattern into a tree, by recursive descent."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def tree(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._text):
            raise PatternError("a `)` closes nothing: write `\\)` for the sign itself")
        return tree

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        sign = self._peek()
        if not sign:
            raise PatternError("the pattern ends too early")
        self._at += 1
        return sign

    def _choice(self) -> Tree:
        parts = [self._chain()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._chain())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _chain(self) -> Tree:
        parts: list[Tree] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return Chain(tuple(parts))

    def _repeated(self, part: Tree) -> Tree:
        sign = self._peek()
        if sign == "{":
            count = _COUNT.match(self._text, self._at)
            if count is None:
                raise PatternError("after `{` comes a count, as in `{3}` or `{1,8}`")
            self._at = count.end()
            least = int(count[1])
            most = least if count[2] is None else int(count[3]) if count[3] else None
            if most is not None and most < least:
                raise PatternError(f"`{count[0]}` counts backwards")
        elif sign in _QUANTIFIERS and sign:
            self._at += 1
            least, most = _QUANTIFIERS[sign]
        else:
            return part
        if self._peek() in ("?", "*", "+", "{") and self._peek():
            raise PatternError("one quantifier cannot follow another")
        return Repeat(part, least, most)

    def _atom(self) -> Tree:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign == "[":
            return Set(self._bracket())
        if sign == "\\":
            return Set(self._escape())
        if sign == ".":
            return Set(((0, LAST),))
        if sign in "^$":
            raise PatternError(f"a pattern matches the whole text anyway: leave out `{sign}`")
        if sign in "?*+{":
            raise PatternError(f"`{sign}` has nothing before it to repeat")
        return Set(((ord(sign), ord(sign)),))

    def _group(self) -> Tree:
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise PatternError("a group is written `(...)` or `(?:...)`")
            self._at += 2
        tree = self._choice()
        if not self._peek():
            raise PatternError("a `(` is not closed")
        self._at += 1
        return tree

    def _escape(self) -> Ranges:
        sign = self._next()
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign.isalnum():
            raise PatternError(f"`\\{sign}` is not known here; write \\d, \\w, \\s or a character class")
        return ((ord(sign), ord(sign)),)

    def _bracket(self) -> Ranges:
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        while (sign := self._next()) != "]":
            if sign == "[":
                raise PatternError("write `\\[` for the sign itself inside `[...]`")
            first = self._escape() if sign == "\\" else ((ord(sign), ord(sign)),)
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                end = self._next()
                last = self._escape() if end == "\\" else ((ord(end), ord(end)),)
                first = (_span(first, last),)
            ranges.extend(first)
        if not ranges:
            raise PatternError("`[]` matches nothing")
        merged = _merged(ranges)
        return _complement(merged) if negated else merged


def _span(first: Ranges, last: Ranges) -> tuple[int, int]:
    low, high = first[0][0], last[0][1]
    if len(first) > 1 or len(last) > 1 or first[0][0] != first[0][1] or last[0][0] != last[0][1]:
        raise PatternError("a range in `[...]` goes from one character to another")
    if high < low:
        raise PatternError(f"the range `{chr(low)}-{chr(high)}` goes backwards")
    return low, high


def _merged(ranges: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: Ranges) -> Ranges:
    starts = [0, *(high + 1 for _, high in ranges)]
    ends = [*(low - 1 for low, _ in ranges), LAST]
    return tuple((low, high) for low, high in zip(starts, ends, strict=True) if low <= high)
