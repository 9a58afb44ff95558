"""Where the rules stand: reads the heads of Polar rules with their file and line, without Oso.

Oso gives no file or line for a rule that held, so decisions are mapped to places by what a head says: a gate by its
name, a permit by its reason. Only heads are read; what they mean is Oso's alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r'(?P<skip>\s+|#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
    r"|(?P<name>[A-Za-z_]\w*(?:::\w+)*)|(?P<other>:=|==|!=|<=|>=|\?=|.)",
    re.DOTALL,
)
_BLOCKS: Final = frozenset(("actor", "resource"))
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
class Token:
    """A piece of a statement: its text, what it is (`string`, `number`, `name`, `other`), and where it stands."""

    text: str
    kind: str
    line: int
    start: int


def rule_heads(file: str, text: str) -> list[Head]:
    """Returns the heads of all rules and facts in `text`, in order; broken text gives what could be read."""
    return [head for statement in statements(text) if (head := _head(file, statement))]


def statements(text: str) -> Iterator[list[Token]]:
    """Yields the tokens of each statement without its `;`; the rest comes last.

    Only within a resource block a `;` ends nothing; elsewhere it ends a rule even where a bracket is missing. A block has no `;` of
    its own: it ends with its last bracket.
    """
    statement: list[Token] = []
    depth = 0
    for token in _tokens(text):
        if token.kind == "other":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if token.text == ";" and (depth <= 0 or not is_block(statement)):
            yield statement
            statement, depth = [], 0
            continue
        statement.append(token)
        if token.text == "}" and depth == 0 and is_block(statement):
            yield statement
            statement = []
    if statement:
        yield statement


def is_block(statement: list[Token]) -> bool:
    """Tells whether a statement is a resource block, as `actor User { ... }`."""
    return len(statement) > 1 and statement[0].text in _BLOCKS and statement[1].kind == "name"


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "skip":
            yield Token(match.group(), kind, line, match.start())
        line += match.group().count("\n")


def _head(file: str, statement: list[Token]) -> Head | None:
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
