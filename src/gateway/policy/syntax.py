"""Reads Polar statements into small trees, for those who look for mistakes; what a rule means is Oso's alone.

What Oso can load is read whole, but for resource blocks and type declarations. Text that this reader does not understand gives None,
so that nobody draws conclusions from half a rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.policy.source import Token

_LEVELS: Final = (
    frozenset(("or",)),
    frozenset(("and",)),
    frozenset(("=", ":=", "==", "!=", "<", ">", "<=", ">=", "in", "matches")),
    frozenset(("+", "-")),
    frozenset(("*", "/", "mod", "rem")),
)
_NOT_BEFORE: Final = 2
"""`not` binds less than a comparison, and more than `and`."""
_CONSTANTS: Final = {"true": True, "false": False}
MAX_DEPTH: Final = 50
"""Brackets and `not` within each other that are read; deeper text is not understood."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number or boolean of the policy."""

    value: str | float | bool
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list, a dictionary's values or a pattern's: things side by side."""

    items: "tuple[Term, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """`name(...)`, or `receiver.name(...)`, or `receiver.name` without brackets (`called` is False).

    Attributes:
        named: whether an argument is given by name.
    """

    receiver: "Term | None"
    name: str
    arguments: "tuple[Term, ...]"
    line: int
    called: bool = True
    named: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """What a called rule is found by: name and number of arguments."""
        return self.name, len(self.arguments)


@dataclass(frozen=True, slots=True)
class Op:
    """An operator with its operands: `and`, `or`, `not`, a comparison, arithmetic, `cut`, `new`, `forall`."""

    name: str
    operands: "tuple[Term, ...]"
    line: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """What stands after `matches`: a class, or a dictionary (no name), with the fields it reads."""

    name: str
    fields: "tuple[Term, ...]"
    line: int


Term = Name | Literal | Items | Call | Op | Pattern


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a head: a term, and the class or pattern it must match."""

    term: Term
    specializer: str = ""
    fields: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written; `name` is `?=` for an inline query."""

    name: str
    parameters: tuple[Parameter, ...]
    body: Term | None
    file: str
    line: int

    @property
    def key(self) -> tuple[str, int]:
        """What a call finds it by: name and number of arguments."""
        return self.name, len(self.parameters)

    def place(self, line: int | None = None) -> str:
        """Returns `file:line`."""
        return f"{self.file}:{line or self.line}"


def read_rule(file: str, statement: list[Token]) -> Rule | None:
    """Returns the rule, fact or inline query that the tokens are; None if this reader does not understand them."""
    reader = _Reader(statement)
    try:
        rule = reader.rule(file)
    except (_NotUnderstoodError, IndexError, RecursionError):
        return None
    return rule if reader.at_end() else None


def parts(term: Term) -> Iterator[Term]:
    """Yields a term and everything in it, outer before inner."""
    waiting = [term]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(inner(part)))


def inner(term: Term) -> tuple[Term, ...]:
    """Returns what a term is made of."""
    if isinstance(term, Op):
        return term.operands
    if isinstance(term, Items):
        return term.items
    if isinstance(term, Pattern):
        return term.fields
    if isinstance(term, Call):
        return (*(() if term.receiver is None else (term.receiver,)), *term.arguments)
    return ()


class _NotUnderstoodError(Exception):
    """The tokens are not what was expected."""


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def rule(self, file: str) -> Rule:
        line = self._tokens[0].line
        if self._take("?="):
            return Rule("?=", (), self._term(), file, line)
        name = self._name()
        self._need("(")
        parameters = [] if self._next_is(")") else [self._parameter()]
        while self._take(","):
            parameters.append(self._parameter())
        self._need(")")
        body = self._term() if self._take("if") else None
        return Rule(name, tuple(parameters), body, file, line)

    def _parameter(self) -> Parameter:
        term = self._term()
        if not self._take(":"):
            return Parameter(term)
        if self._next_is("{"):
            return Parameter(term, fields=self._dictionary())
        return Parameter(term, self._name(), self._dictionary() if self._next_is("{") else ())

    def _term(self, level: int = 0) -> Term:
        if level == _NOT_BEFORE and self._next_is("not"):
            line = self._advance().line
            self._deeper()
            operand = self._term(_NOT_BEFORE)
            self._depth -= 1
            return Op("not", (operand,), line)
        if level == len(_LEVELS):
            return self._unary()
        left = self._term(level + 1)
        while not self.at_end() and self._peek() in _LEVELS[level] and self._kind() != "string":
            operator = self._advance()
            right = self._pattern() if operator.text == "matches" else self._term(level + 1)
            left = Op(operator.text, (left, right), operator.line)
        return left

    def _pattern(self) -> Term:
        line = self._tokens[self._at].line
        name = "" if self._next_is("{") else self._name()
        return Pattern(name, self._dictionary() if self._next_is("{") else (), line)

    def _unary(self) -> Term:
        if self._peek() in ("-", "+") and self._kind() == "other":
            sign = self._advance()
            return Op(sign.text, (self._unary(),), sign.line)
        term = self._primary()
        while self._take("."):
            term = self._asked(term)
        return term

    def _asked(self, receiver: Term) -> Call:
        line = self._tokens[self._at].line
        if self._take("("):  # a word that is computed
            name, word = self._term(), ""
            self._need(")")
            return Call(receiver, word, (name,), line)
        word = self._name()
        if not self._next_is("("):
            return Call(receiver, word, (), line, called=False)
        arguments, named = self._arguments()
        return Call(receiver, word, arguments, line, named=named)

    def _primary(self) -> Term:
        token = self._advance()
        if token.kind == "string":
            return Literal(token.text[1:-1], token.line)
        if token.kind == "number":
            return Literal(float(token.text), token.line)
        if token.kind == "name":
            return self._named(token)
        self._deeper()
        term = self._bracketed(token)
        self._depth -= 1
        return term

    def _bracketed(self, token: Token) -> Term:
        if token.text == "(":
            term = self._term()
            self._need(")")
            return term
        if token.text == "[":
            return Items(self._items("]"), token.line)
        if token.text == "{":
            self._at -= 1
            return Items(self._dictionary(), token.line)
        raise _NotUnderstoodError

    def _named(self, token: Token) -> Term:
        if token.text in _CONSTANTS:
            return Literal(_CONSTANTS[token.text], token.line)
        if token.text == "cut":
            return Op("cut", (), token.line)
        if token.text == "new":
            return Op("new", (self._primary(),), token.line)
        if not self._next_is("("):
            return Name(token.text, token.line)
        self._deeper()
        arguments, named = self._arguments()
        self._depth -= 1
        if token.text == "forall":
            return Op("forall", arguments, token.line)
        return Call(None, token.text, arguments, token.line, named=named)

    def _arguments(self) -> tuple[tuple[Term, ...], bool]:
        self._need("(")
        found: list[Term] = []
        named = False
        while not self._take(")"):
            if found:
                self._need(",")
            if self._kind() == "name" and self._tokens[self._at + 1].text == ":":
                self._at += 2
                named = True
            found.append(self._term())
        return tuple(found), named

    def _items(self, end: str) -> tuple[Term, ...]:
        found: list[Term] = []
        while not self._take(end):
            if found:
                self._need(",")
            self._take("*")
            found.append(self._term())
        return tuple(found)

    def _dictionary(self) -> tuple[Term, ...]:
        self._need("{")
        found: list[Term] = []
        while not self._take("}"):
            if found:
                self._need(",")
            self._name()
            self._need(":")
            found.append(self._term())
        return tuple(found)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NotUnderstoodError

    def _peek(self) -> str:
        return self._tokens[self._at].text

    def _kind(self) -> str:
        return self._tokens[self._at].kind

    def _next_is(self, text: str) -> bool:
        return not self.at_end() and self._peek() == text

    def _advance(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, text: str) -> bool:
        found = self._next_is(text)
        self._at += found
        return found

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise _NotUnderstoodError

    def _name(self) -> str:
        token = self._advance()
        if token.kind != "name":
            raise _NotUnderstoodError
        return token.text
