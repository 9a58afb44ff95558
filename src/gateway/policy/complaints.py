"""Turns what Oso says about policies that it cannot load into sentences with file and line that say what to do.

Rules:

1. The place is where the mistake can be mended: Oso names none for a resource block that lacks a rule, and for a `type` declaration that
   no rule matches it names the rule.
2. What is not foreseen here is told in Oso's words, without its excerpt and its link.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from gateway.policy.book import Finding
from gateway.policy.source import Token, is_block, statements
from gateway.policy.strict import PolicySyntaxError, StrictPolar, StrictPolicyError
from gateway.policy.words import POLAR_NAMES, nearest

QUIET: Final = ("", "allow_request(_subject, _request) if false;")
"""Oso warns about policies without a rule of its own kinds."""
_CLOSES: Final = {")": "(", "]": "[", "}": "{"}
_PLACE: Final = re.compile(r"(?P<says>.*?) at line (?P<line>\d+), column \d+ of file (?P<file>.+?):")
_ENDS: Final = re.compile(r"\s*;?\s*(Get help with Oso.*)?$")
_REQUIRED: Final = re.compile(r"Missing implementation for required rule (?P<rule>\w+)\(")
_FORMS: Final = {
    "has_permission": "has_permission(subject: Subject, permission: String, resource: Object)",
    "has_role": "has_role(subject: Subject, role: String, resource: Object)",
    "has_relation": "has_relation(one: Object, relation: String, other: Object)",
}
_UNASKED: Final = "uses resource blocks but does not call the has_permission rule"
_INVALID: Final = re.compile(r"Invalid rule: (?P<rule>\w+)\(")

_SENTENCES: Final[Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]]] = (
    (
        re.compile(r"Undeclared term \"(?P<term>[^\"]*)\" referenced in rule in '(?P<block>\w+)'"),
        lambda found: (
            f'"{found["term"]}" is not declared in the block of `{found["block"]}`: '
            "add it there to `roles`, `permissions` or `relations`"
        ),
    ),
    (
        re.compile(r"Unregistered class: (?P<name>\w+)"),
        lambda found: f"`{found['name']}` is no class{nearest(found['name'], POLAR_NAMES)}",
    ),
    (
        re.compile(r"Multiple '(?P<list>\w+)' declarations in '(?P<block>\w+)'"),
        lambda found: f"the block of `{found['block']}` has `{found['list']}` twice: write one list",
    ),
    (
        re.compile(
            r"Cannot overwrite existing (?P<one>\w+) declaration \"(?P<term>[^\"]*)\" in resource (?P<block>\w+) with (?P<other>\w+)"
        ),
        lambda found: (
            f'"{found["term"]}" is a {found["one"]} and a {found["other"]} in the block of `{found["block"]}`: rename one'
        ),
    ),
    (
        re.compile(r"Unexpected declaration '(?P<list>\w+)'"),
        lambda found: (
            f"a block has `roles`, `permissions` and `relations`, and no `{found['list']}`: write one of these"
        ),
    ),
)


def complaint_of(sources: Mapping[str, str]) -> Finding | None:
    """Returns why Oso does not load the files together; None if it does, or if an inline query is to blame."""
    try:
        StrictPolar([*sorted(sources.items()), QUIET])
    except PolicySyntaxError as error:
        return complaint(str(error), sources)
    except StrictPolicyError:
        return None
    return None


def complaint(message: str, sources: Mapping[str, str]) -> Finding:
    """Returns Oso's message about these files as a finding (rules 1 and 2)."""
    text = " ".join(message.split())
    if found := _REQUIRED.search(text):
        form = _FORMS.get(found["rule"], found["rule"])
        said = f"Oso asks the rule `{found['rule']}` for this block, and there is none: write `actor Subject {{}}` and {form} if ..., or take the block out"
        return Finding(_first_block(sources), said)
    if _UNASKED in text:
        said = "no rule asks `has_permission`, so this block allows nothing: call has_permission(subject, action, resource) in a permit, or take the block out"
        return Finding(_first_block(sources), said)
    place = _PLACE.match(text)
    if place is None:
        return Finding(f"{min(sources, default='')}:1", _ENDS.sub("", text)[:300])
    at, says = f"{place['file']}:{place['line']}", place["says"]
    if invalid := _INVALID.match(says if _INVALID.match(says) else text):
        return _unlike(invalid["rule"], at, sources)
    for pattern, sentence in _SENTENCES:
        if found := pattern.match(says):
            return Finding(at, sentence(found))
    return Finding(at, says)


def open_bracket(statement: Sequence[Token]) -> Token | None:
    """Returns the innermost bracket that a statement opens and does not close; None if there is none, or one closes that is not open."""
    waiting: list[Token] = []
    for token in statement:
        if token.kind != "other":
            continue
        if token.text in _CLOSES.values():
            waiting.append(token)
        elif token.text in _CLOSES and (not waiting or waiting.pop().text != _CLOSES[token.text]):
            return None
    return waiting[-1] if waiting else None


def _unlike(rule: str, at: str, sources: Mapping[str, str]) -> Finding:
    """Returns the finding about a `type` declaration that a rule does not match."""
    declared = next((place for place, name in _types(sources) if name == rule), None)
    if declared is None:  # Oso's own type for the rules that blocks ask
        said = f"beside resource blocks this rule must read {_FORMS.get(rule, rule)}, with `actor Subject {{}}` declared"
        return Finding(at, said)
    said = f"the rule `{rule}` at {at} has not the form that `type {rule}(...)` states: take the declaration out, or write the form that every `{rule}` has"
    return Finding(declared, said)


def _types(sources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for file, text in sorted(sources.items()):
        for statement in statements(text):
            if len(statement) > 1 and statement[0].text == "type":
                yield f"{file}:{statement[0].line}", statement[1].text


def _first_block(sources: Mapping[str, str]) -> str:
    for file, text in sorted(sources.items()):
        for statement in statements(text):
            if is_block(statement):
                return f"{file}:{statement[0].line}"
    return f"{min(sources, default='')}:1"
