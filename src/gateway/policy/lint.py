"""Looks through Polar files for everything that is wrong, and says for each finding what to do.

Rules:

1. Everything is told in one go: syntax of every statement of every file, then what the rules say. Oso itself stops at its first.
   What only Oso knows, about resource blocks and declarations of types, is told when nothing else is wrong.
2. An error is what could not load, could never do what it says, could take access away after a grant, or would answer `policy-error`.
   A warning is what is legal and likely a mistake or a danger; it stops nothing.
3. Nothing is concluded from text that could not be read.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.policy.book import Book, Finding
from gateway.policy.complaints import complaint_of, open_bracket
from gateway.policy.conditions import condition_findings
from gateway.policy.shape import shape_findings
from gateway.policy.source import Token, is_block, statements
from gateway.policy.strict import PolicySyntaxError, StrictPolar, StrictPolicyError
from gateway.policy.syntax import Call, Name, Op, Parameter, Rule, read_rule

MAX_TOKENS: Final = 2_000
"""Words and signs of one rule; Oso needs quadratic time, and its parser ends the process on what is nested far."""
MAX_BROKEN: Final = 20
"""Statements of a file whose syntax errors are told one by one."""
_PLACE: Final = re.compile(r"(?P<says>.*?) at line (?P<line>\d+), column \d+ of file ")
_ASKED_BY_BLOCKS: Final = frozenset((("has_role", 3), ("has_relation", 3)))
_ENDS: Final = re.compile(r"\s*(Get help with Oso.*)?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    text: str
    statements: tuple[list[Token], ...]


def lint(
    sources: Mapping[str, str],
    roles: Collection[str] | None = None,
    *,
    gui_only: Collection[str] = (),
    max_tokens: int | None = None,
) -> list[Finding]:
    """Returns what is wrong with the files, by file and line.

    Args:
        sources: file name → text.
        roles: the roles of the catalogue; None to leave roles unchecked.
        gui_only: roles that decide nothing.
        max_tokens: the longest rule that Oso is given here; None where the process is bounded and expendable.
    """
    files = [_File(name, text, tuple(statements(text))) for name, text in sorted(sources.items())]
    if max_tokens is not None and (long := list(_long(files, max_tokens))):
        return long  # Oso does not survive it
    rules: list[Rule] = []
    blocks: list[Rule] = []
    found: list[Finding] = []
    for file in files:
        found += _syntax(file)
        for statement in filter(None, file.statements):
            rule = read_rule(file.name, statement)
            if rule is not None:
                rules.append(rule)
            elif is_block(statement):
                blocks.append(Rule("has_permission", (), None, file.name, statement[0].line))
            elif not found and not _is_osos(statement):
                said = (
                    "this rule is not understood by the check, so look at it twice, or write it more plainly"
                )
                found.append(Finding(f"{file.name}:{statement[0].line}", said, error=False))
    broken = any(finding.error for finding in found)
    book = Book([*rules, *_implied(blocks, rules)], whole=not broken)
    found += shape_findings(book, home=files[0].name if files else "")
    found += condition_findings(book, roles, gui_only)
    if not any(finding.error for finding in found) and any(
        map(_is_osos, (each for file in files for each in file.statements))
    ):
        found += filter(None, [complaint_of(sources)])
    return sorted(set(found), key=_order)


def errors_of(findings: list[Finding]) -> list[str]:
    """Returns the findings that stop a policy, as sentences with their place."""
    return [finding.text for finding in findings if finding.error]


def _implied(blocks: list[Rule], rules: list[Rule]) -> Iterator[Rule]:
    """Yields what Oso makes of each resource block, as far as the check needs it: who is asked when `has_permission` is."""
    names = {rule.name for rule in rules if rule.key in _ASKED_BY_BLOCKS}
    for block in blocks:
        given = tuple(Name(name, block.line) for name in ("_subject", "_permission", "_resource"))
        calls = tuple(Call(None, name, given, block.line) for name in sorted(names))
        body = Op("or", calls, block.line) if calls else None
        yield replace(block, parameters=tuple(map(Parameter, given)), body=body)


def _is_osos(statement: list[Token]) -> bool:
    """Tells whether only Oso knows what a statement means: a resource block or a declaration of a type."""
    return bool(statement) and (is_block(statement) or statement[0].text == "type")


def _order(finding: Finding) -> tuple[str, int, str]:
    name, _, line = finding.place.rpartition(":")
    return (name, int(line), finding.says) if line.isdigit() else (finding.place, 0, finding.says)


def _long(files: list[_File], bound: int) -> Iterator[Finding]:
    for file in files:
        for statement in file.statements:
            if len(statement) > bound:
                said = f"a rule of more than {bound} words and signs: split it into several rules"
                yield Finding(f"{file.name}:{statement[0].line}", said)


def _syntax(file: _File) -> list[Finding]:
    """Returns what Oso's parser finds, asking it again for each statement if the file as a whole does not parse."""
    whole = _parsed(file.name, file.text)
    if whole is None:
        return []
    found: list[Finding] = []
    for at, statement in enumerate(file.statements):
        following = file.statements[at + 1 : at + 2]
        end = following[0][0].start if following and following[0] else len(file.text)
        alone = "\n" * (statement[0].line - 1) + file.text[statement[0].start : end] if statement else ""
        finding = _parsed(file.name, alone, statement)
        if finding is not None:
            found.append(finding)
        if len(found) == MAX_BROKEN:
            break
    return found or [whole]


def _parsed(name: str, text: str, statement: list[Token] | None = None) -> Finding | None:
    try:
        StrictPolar([(name, text)])
    except PolicySyntaxError as error:
        kinds = {kind.__name__ for kind in type(error.__cause__).__mro__}
        return _oso_finding(name, str(error), statement or []) if "ParserError" in kinds else None
    except StrictPolicyError:  # an inline query; the loader tells
        return None
    return None


def _oso_finding(name: str, message: str, statement: list[Token]) -> Finding:
    found = _PLACE.match(" ".join(message.split()))
    if found is None:
        return Finding(f"{name}:1", _ENDS.sub("", " ".join(message.split()))[:200])
    said = found["says"].replace("\\0", "an open quotation mark")
    if "semi-colon" in said and (bracket := open_bracket(statement)):
        return Finding(
            f"{name}:{bracket.line}",
            f"the bracket `{bracket.text}` that opens here is never closed: close it",
        )
    if "semi-colon" in said:
        return Finding(f"{name}:{found['line']}", "the file ends inside a rule: write the `;` that ends it")
    return Finding(f"{name}:{found['line']}", f"{said}: is a `;`, a comma, or a bracket before it missing?")
