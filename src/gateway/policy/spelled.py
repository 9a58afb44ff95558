"""The words that a compiled path asks without a call: those whose method is one plain expression.

A call costs more than what most words do. The expression is taken from the method's own source, so there is no second meaning
to keep in step; a method that says more than `return EXPRESSION`, or whose source is not at hand, is called.

Rules:

1. The expression may name its parameters, what they have, and constants of the module that registers the words; nothing else.
2. A parameter that stands in it several times must be given as a name: an argument is never evaluated twice, nor out of order.
"""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from models import vocabulary

_CONSTANT: Final = "v_"
"""Before the name of a constant, so that it meets no other name of a compiled path."""


class _Parts(ast.NodeTransformer):
    """Puts arguments in the place of parameters, and notes which constants are named."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given = given
        self.constants: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.given:
            return ast.Name(self.given[node.id], ast.Load())
        self.constants.add(node.id)
        return ast.Name(_CONSTANT + node.id, ast.Load())


def spelled(cls: type, word: str, names: Sequence[str], known: dict[str, object]) -> str | None:
    """Returns the expression of `word`; None if it must be called.

    Args:
        cls: whose word it is.
        word: a word of the vocabulary.
        names: the receiver and the arguments, as plain names.
        known: gets the constants that the expression names.
    """
    method = vars(cls).get(word)
    found = _EXPRESSIONS.get((cls, word))
    if found is None or found[0] is not method or not all(name.isidentifier() for name in names):
        return None
    parameters, expression = found[1:]
    parts = _Parts(dict(zip(parameters, names, strict=True)))
    text = ast.unparse(parts.visit(ast.parse(expression, mode="eval")))
    known |= {_CONSTANT + name: vars(vocabulary)[name] for name in parts.constants}
    return text


def _expression(method: Any) -> tuple[Any, list[str], str] | None:  # noqa: ANN401 - a function, or what stands for one
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(method))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(tree, ast.FunctionDef) or tree.decorator_list:
        return None
    said = [
        each
        for each in tree.body
        if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
    ]
    if len(said) != 1 or not isinstance(said[0], ast.Return) or said[0].value is None:
        return None
    value = said[0].value
    parameters = [each.arg for each in tree.args.args]
    plain = (
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.UnaryOp,
        ast.Not,
        ast.Compare,
        ast.cmpop,
        ast.Attribute,
        ast.Name,
        ast.Constant,
        ast.expr_context,
    )
    calls = (ast.Call,)
    for node in ast.walk(value):
        if not isinstance(node, (*plain, *calls)):
            return None
        if isinstance(node, ast.Name) and node.id not in parameters and node.id not in vars(vocabulary):
            return None
    return method, parameters, ast.unparse(value)


_EXPRESSIONS: Final[dict[tuple[type, str], tuple[Any, list[str], str]]] = {
    (cls, name): found
    for cls in (vocabulary.Subject, vocabulary.Resource, vocabulary.Request)
    for name, method in inspect.getmembers(cls, inspect.isfunction)
    if not name.startswith("_") and (found := _expression(method)) is not None
}
