"""JSON with one reading: strict parsing, and the values that a pointer names.

Rules (law 1: a body with two readings is refused, not repaired):

1. A body is JSON in UTF-8, sent as `application/json`, without a content coding.
2. No object has two keys that are equal once letter case and Unicode form are folded: parsers differ in which one wins.
   Nor may a key that is looked for be there in another letter case: some parsers take it all the same.
3. `NaN` and `Infinity` are refused, and nesting beyond `MAX_DEPTH`.
4. An id is a string, or a whole number that every parser reads alike (53 bits), taken as its decimal text.
5. A pointer is written as RFC 6901 says; a part `*` stands for every item of a list, at most `MAX_IDS` in all.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from gateway.routes.forms import folded

MAX_DEPTH: Final = 64
"""Levels of nesting in a body."""
MAX_IDS: Final = 500
"""Ids that one list in a body may name."""
MAX_WHOLE: Final = 2**53 - 1
"""The largest whole number that is taken as an id."""

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET: Final = re.compile(r"[\[\]{}]")
_JSON_TYPE: Final = re.compile(rb'application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8"))?', re.IGNORECASE)


class BodyError(ValueError):
    """The body has no reading, or two; the message says why."""


def check_coding(content_type: bytes | None, content_encoding: bytes | None) -> None:
    """Checks that headers state what `parse` takes (rule 1).

    Raises:
        BodyError: another content type, or any content coding.
    """
    if content_type is None or not _JSON_TYPE.fullmatch(content_type.strip()):
        raise BodyError("the content type is not `application/json` in UTF-8")
    if content_encoding is not None:
        raise BodyError("the body has a content coding")


def parse(body: bytes) -> object:
    """Returns the one value that `body` states.

    Raises:
        BodyError: it breaks rule 1, 2 or 3.
    """
    try:
        text = body.decode("utf-8")
        _check_depth(text)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except BodyError:
        raise
    except ValueError as error:
        raise BodyError("the body is not JSON in UTF-8") from error


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_DEPTH:
            raise BodyError(f"the body is nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({folded(key) for key, _ in pairs}) < len(pairs):
        raise BodyError("an object in the body has a key twice, letter case aside")
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise BodyError(f"`{name}` is not JSON")


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where in a JSON document ids stand (rule 5)."""

    text: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Pointer":
        """Returns the pointer that `text` writes.

        Raises:
            ValueError: it writes none; the message says what to write.
        """
        if not text.startswith("/") or text == "/":
            raise ValueError(f"`{text}` is not a JSON pointer: write it as in `/name` or `/list/*/id`")
        if re.search(r"~(?![01])", text):
            raise ValueError(
                f"`{text}` is not a JSON pointer: `~` is written `~0` and `/` within a name `~1`"
            )
        return cls(text, tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")))

    @property
    def is_list(self) -> bool:
        """Whether it may name several ids."""
        return "*" in self.parts

    def ids(self, document: object) -> tuple[str, ...]:
        """Returns the ids found there, as text; none if the place is missing or null.

        Raises:
            BodyError: what stands there is not ids (rule 4), or it is there in another spelling (rule 2).
        """
        found: list[str] = []
        for value in self._values(document, self.parts):
            found.append(_id_text(value, self.text))
            if len(found) > MAX_IDS:
                raise BodyError(f"`{self.text}` names more than {MAX_IDS} ids")
        return tuple(dict.fromkeys(found))

    def _values(self, value: object, parts: tuple[str, ...]) -> Iterator[object]:
        for at, part in enumerate(parts):
            if part == "*":
                yield from self._items(value, parts[at + 1 :])
                return
            if not isinstance(value, dict):
                raise BodyError(f"`{self.text}` leads through something that is not an object")
            value = _member(value, part)
            if value is None:
                return
        yield value

    def _items(self, value: object, rest: tuple[str, ...]) -> Iterator[object]:
        if not isinstance(value, list):
            raise BodyError(f"`{self.text}` leads to something that is not a list")
        for item in value:
            found = list(self._values(item, rest))
            if not found:
                raise BodyError(f"an item at `{self.text}` has no id")
            yield from found


def _member(value: dict[str, object], name: str) -> object:
    if name in value:
        return value[name]
    wanted = folded(name)
    if any(folded(key) == wanted for key in value):
        raise BodyError(f"`{name}` is there in another letter case or Unicode form")
    return None


def _id_text(value: object, pointer: str) -> str:
    if isinstance(value, str):
        return value
    if type(value) is int and abs(value) <= MAX_WHOLE:
        return str(value)
    raise BodyError(f"`{pointer}` is neither a string nor a whole number of 53 bits")
