"""YAML with places: every value knows its line, and every mistake is collected, none raised.

Rules:

1. A sheet is UTF-8 of at most `MAX_BYTES`, nested at most `MAX_NESTING` deep: the library crashes the process on deep
   nesting, so the tree is built here from its events.
2. Anchors, aliases, tags and several documents in one file are mistakes: each would give a line a second meaning.
3. A key that stands twice is a mistake, and so is one that nobody knows.
4. A text is a text by YAML's own rules: `on`, `12` and `~` unquoted are none.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from gateway.routes.templates import nearest

MAX_BYTES: Final = 4 * 1024 * 1024
"""Bytes of one file."""
MAX_NESTING: Final = 32
"""Levels of lists and mappings."""

_TEXT: Final = "tag:yaml.org,2002:str"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.SafeLoader("")


class _BrokenError(Exception):
    """The file is no sheet at all."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(slots=True)
class Sheet:
    """One file and the problems found in it, each `file:line: sentence`."""

    file: str
    problems: list[str] = field(default_factory=list)

    def report(self, line: int, sentence: str) -> None:
        """Adds a problem."""
        self.problems.append(f"{self.file}:{line}: {sentence}")

    def read(self, content: bytes) -> "Entry | None":
        """Returns the file's one value; None, and a problem, if it is none. An empty file has none."""
        try:
            return self._read(content)
        except _BrokenError as error:
            self.report(error.line, str(error))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.report(mark.line + 1 if mark else 1, _explained(error.problem or "cannot be read"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.report(1, f"not YAML in UTF-8: {str(error).splitlines()[0]}")
        return None

    def _read(self, content: bytes) -> "Entry | None":
        if len(content) > MAX_BYTES:
            raise _BrokenError(1, f"larger than {MAX_BYTES} bytes: split it into several files")
        events: Iterator[yaml.Event] = yaml.parse(content.decode("utf-8"), Loader=_LOADER)
        found: list[Entry] = []
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                if found:
                    raise _BrokenError(_line(event), "a second document: keep one in a file")
                found.append(self._entry(event, events, 0))
        if not found:
            self.report(1, "the file is empty")
        return found[0] if found else None

    def _entry(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], depth: int) -> "Entry":
        line = _line(event)
        if event.anchor is not None:
            raise _BrokenError(line, "anchors and aliases are not taken: write the value out")
        if depth > MAX_NESTING:
            raise _BrokenError(line, f"nested deeper than {MAX_NESTING} levels")
        if (tag := getattr(event, "tag", None)) is not None:
            raise _BrokenError(line, f"the tag `{tag}` is not taken")
        if isinstance(event, yaml.ScalarEvent):
            kind = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call] # stubs
            return Entry(self, line, text=event.value, kind=kind)
        if isinstance(event, yaml.SequenceStartEvent):
            return Entry(self, line, items=list(self._until(yaml.SequenceEndEvent, events, depth)))
        flat = list(self._until(yaml.MappingEndEvent, events, depth))
        return Entry(self, line, pairs=list(zip(flat[::2], flat[1::2], strict=True)))

    def _until(self, end: type, events: Iterator[yaml.Event], depth: int) -> Iterator["Entry"]:
        for event in events:
            if isinstance(event, end):
                return
            if isinstance(event, yaml.NodeEvent):
                yield self._entry(event, events, depth + 1)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


@dataclass(slots=True)
class Entry:
    """A value of a sheet: a text, a list or a mapping. Each reader returns None, and reports, if it is another thing."""

    sheet: Sheet
    line: int
    text: str | None = None
    kind: str = ""
    items: "list[Entry] | None" = None
    pairs: "list[tuple[Entry, Entry]] | None" = None

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.sheet.file}:{self.line}"

    def report(self, sentence: str) -> None:
        """Reports a problem at this value."""
        self.sheet.report(self.line, sentence)

    def as_text(self, what: str) -> str | None:
        """Returns the text that this value is; `what` names it in the report."""
        if self.text is not None and self.kind == _TEXT and self.text:
            return self.text
        if self.pairs is not None and len(self.pairs) == 1 and self.pairs[0][1].text == "":
            self.report(f'{what} starts with a brace: write it in quotes, as in "{{asset_id}}"')
        elif self.text and self.pairs is None:
            self.report(f'{what} must be text: write "{self.text}" in quotes')
        else:
            self.report(f"{what} must be text")
        return None

    def as_flag(self, what: str) -> bool | None:
        """Returns the `true` or `false` that this value is."""
        if self.kind.endswith(":bool") and self.text in ("true", "false"):
            return self.text == "true"
        self.report(f"{what} must be `true` or `false`")
        return None

    def as_number(self, what: str, least: int, most: int) -> int | None:
        """Returns the whole number from `least` to `most` that this value is."""
        text = self.text or ""
        if self.kind.endswith(":int") and text.isdecimal() and len(text) <= len(str(most)):
            number = int(text)
            if least <= number <= most:
                return number
        self.report(f"{what} must be a whole number from {least} to {most}")
        return None

    def as_list(self, what: str) -> "list[Entry]":
        """Returns the values of the list that this value is."""
        if self.items is None:
            self.report(f"{what} must be a list")
        return self.items or []

    def as_texts(self, what: str, *, may_be_empty: bool = False) -> list[str]:
        """Returns the texts of the list that this value is."""
        texts = [entry.as_text(f"each of {what}") for entry in self.as_list(what)]
        if self.items is not None and not texts and not may_be_empty:
            self.report(f"{what} must not be empty")
        return [text for text in texts if text is not None]

    def as_pairs(self, what: str) -> "list[tuple[str, Entry]]":
        """Returns the keys and values of the mapping that this value is; the line of a value is its key's."""
        if self.pairs is None:
            self.report(f"{what} must be a mapping of keys to values")
        found: dict[str, Entry] = {}
        for key, value in self.pairs or ():
            name = key.as_text("a key")
            if name in found:
                key.report(f"`{name}` stands there twice")
            elif name is not None:
                value.line = key.line
                found[name] = value
        return list(found.items())

    def as_fields(self, what: str, known: Collection[str]) -> "dict[str, Entry]":
        """Returns the values of the mapping by key; a key that is not `known` is reported."""
        fields = dict(self.as_pairs(what))
        for name in [name for name in fields if name not in known]:
            fields.pop(name).report(f"{what} has no key `{name}`{nearest(name, known)}")
        return fields

    def as_choice(self, what: str, choices: Collection[str]) -> str | None:
        """Returns the one of `choices` that this value is."""
        text = self.as_text(what)
        if text is None or text in choices:
            return text
        self.report(f"{what} is not `{text}`{nearest(text, choices)}")
        return None


def _explained(problem: str) -> str:
    if "flow" in problem or "expected ',' or '}'" in problem or "mapping values are not allowed" in problem:
        return f'not YAML: {problem}; inside {{ }} and after `- ` write texts with braces or colons in quotes, as in "{{asset_id}}"'
    return f"not YAML: {problem}"
