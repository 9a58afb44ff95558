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
from functools import cache
from typing import Any, Final

from models import vocabulary

_CONSTANT: Final = "v_"
"""Before the name of a constant, so that it meets no other name of a compiled path."""


_ADMITTED: Final = (
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
    ast.Call,
    ast.expr_context,
)
"""What an expression may be made of."""


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
    found = _expression(method)
    if found is None or not all(name.isidentifier() for name in names):
        return None
    parameters, expression = found
    parts = _Parts(dict(zip(parameters, names, strict=True)))
    text = ast.unparse(parts.visit(ast.parse(expression, mode="eval")))
    known |= {_CONSTANT + name: vars(vocabulary)[name] for name in parts.constants}
    return text


@cache
def _expression(method: Any) -> tuple[list[str], str] | None:  # noqa: ANN401 - a function, or what stands for one
    """Returns the parameters of a method and its expression; None if it says more. Its source is read when it is first asked for."""
    if getattr(method, "__module__", "") != vocabulary.__name__:
        return None  # the names in it would be another module's
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
    value = said[0].value if len(said) == 1 and isinstance(said[0], ast.Return) else None
    parameters = [each.arg for each in tree.args.args]
    return (parameters, ast.unparse(value)) if value is not None and _is_plain(value, parameters) else None


def _is_plain(value: ast.expr, parameters: list[str]) -> bool:
    """Tells whether an expression may stand in a path (rule 1)."""
    known = {*parameters, *vars(vocabulary)}
    return all(
        isinstance(node, _ADMITTED) and (not isinstance(node, ast.Name) or node.id in known)
        for node in ast.walk(value)
    )
