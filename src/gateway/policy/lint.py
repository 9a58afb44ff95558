"""Looks through Polar files for everything that is wrong, and says for each finding what to do.

Rules:

1. Everything is told in one go: syntax of every statement of every file, then what the rules say. Oso itself stops at its first.
2. An error is what could not load, could never do what it says, could take access away after a grant, or would answer `policy-error`.
   A warning is what is legal and likely a mistake or a danger; it stops nothing.
3. Nothing is concluded from text that could not be read.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.policy.book import Book, Finding
from gateway.policy.conditions import condition_findings
from gateway.policy.shape import shape_findings
from gateway.policy.source import Token, is_block, statements
from gateway.policy.strict import PolicySyntaxError, StrictPolar, StrictPolicyError
from gateway.policy.syntax import Rule, read_rule

MAX_TOKENS: Final = 2_000
"""Words and signs of one rule; Oso needs quadratic time, and its parser ends the process on what is nested far."""
MAX_BROKEN: Final = 20
"""Statements of a file whose syntax errors are told one by one."""
_PLACE: Final = re.compile(r"(?P<says>.*?) at line (?P<line>\d+), column \d+ of file ")
_ENDS: Final = re.compile(r"\s*(Get help with Oso.*)?$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    text: str
    statements: tuple[list[Token], ...]


def lint(
    sources: Mapping[str, str], roles: Collection[str] | None = None, *, max_tokens: int | None = None
) -> list[Finding]:
    """Returns what is wrong with the files, by file and line.

    Args:
        sources: file name → text.
        roles: the roles of the catalogue; None to leave roles unchecked.
        max_tokens: the longest rule that Oso is given here; None where the process is bounded and expendable.
    """
    files = [_File(name, text, tuple(statements(text))) for name, text in sorted(sources.items())]
    if max_tokens is not None and (long := list(_long(files, max_tokens))):
        return long  # Oso does not survive it
    rules: list[Rule] = []
    found: list[Finding] = []
    for file in files:
        found += _syntax(file)
        for statement in filter(None, file.statements):
            rule = read_rule(file.name, statement)
            if rule is not None:
                rules.append(rule)
            elif not found and not is_block(statement) and statement[0].text != "type":
                said = (
                    "this rule is not understood by the check, so look at it twice, or write it more plainly"
                )
                found.append(Finding(f"{file.name}:{statement[0].line}", said, error=False))
    broken = any(finding.error for finding in found)
    book = Book(rules, whole=not broken)
    found += [*shape_findings(book, home=files[0].name if files else ""), *condition_findings(book, roles)]
    return sorted(set(found), key=_order)


def errors_of(findings: list[Finding]) -> list[str]:
    """Returns the findings that stop a policy, as sentences with their place."""
    return [finding.text for finding in findings if finding.error]


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
        finding = _parsed(file.name, alone)
        if finding is not None:
            found.append(finding)
        if len(found) == MAX_BROKEN:
            break
    return found or [whole]


def _parsed(name: str, text: str) -> Finding | None:
    try:
        StrictPolar([(name, text)])
    except PolicySyntaxError as error:
        kinds = {kind.__name__ for kind in type(error.__cause__).__mro__}
        return _oso_finding(name, str(error)) if "ParserError" in kinds else None
    except StrictPolicyError:  # an inline query; the loader tells
        return None
    return None


def _oso_finding(name: str, message: str) -> Finding:
    found = _PLACE.match(" ".join(message.split()))
    if found is None:
        return Finding(f"{name}:1", _ENDS.sub("", " ".join(message.split()))[:200])
    said = found["says"].replace("\\0", "an open quotation mark")
    if "semi-colon" in said:
        return Finding(f"{name}:{found['line']}", "the file ends inside a rule: write the `;` that ends it")
    return Finding(f"{name}:{found['line']}", f"{said}: is a `;`, a comma, or a bracket before it missing?")
