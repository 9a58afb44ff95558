"""Where the rules stand: reads the heads of Polar rules with their file and line, without Oso.

Oso gives no file or line for a rule that held, so decisions are mapped to places by what a head says: a gate by its
name, a permit by its reason. Only heads are read; what they mean is Oso's alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r'(?P<skip>\s+|#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>[A-Za-z_][\w:]*)|(?P<other>.)', re.DOTALL
)
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Head:
    """One rule's head.

    Attributes:
        name: the rule's name, as `gate` or `permit`.
        arguments: each argument's text; a string literal keeps its quotes.
        place: `file:line`.
        line: the line alone.
    """

    name: str
    arguments: tuple[str, ...]
    place: str
    line: int

    def literal(self, at: int) -> str | None:
        """Returns the string literal that stands as argument number `at`; None if another thing does."""
        text = self.arguments[at] if -len(self.arguments) <= at < len(self.arguments) else ""
        return text[1:-1] if text.startswith('"') and text.endswith('"') and len(text) > 1 else None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str
    line: int


def rule_heads(file: str, text: str) -> list[Head]:
    """Returns the heads of all rules and facts in `text`, in order; broken text gives what could be read."""
    return [head for statement in _statements(text) if (head := _head(file, statement))]


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "skip":
            yield _Token(match.group(), kind, line)
        line += match.group().count("\n")


def _statements(text: str) -> Iterator[list[_Token]]:
    """Yields the tokens of each statement, cut at the `;` that stands outside brackets."""
    statement: list[_Token] = []
    depth = 0
    for token in _tokens(text):
        if token.kind == "other":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if token.text == ";" and depth <= 0:
            yield statement
            statement, depth = [], 0
        else:
            statement.append(token)


def _head(file: str, statement: list[_Token]) -> Head | None:
    if len(statement) < 2 or statement[0].kind != "name" or statement[1].text != "(":  # noqa: PLR2004 - name, bracket
        return None
    arguments: list[str] = [""]
    depth = 1
    for token in statement[2:]:
        depth += (token.text in _OPEN) - (token.text in _CLOSE) if token.kind == "other" else 0
        if depth == 0:
            break
        if token.text == "," and depth == 1:
            arguments.append("")
        else:
            arguments[-1] += token.text
    first = statement[0]
    return Head(first.text, tuple(arguments), f"{file}:{first.line}", first.line)
