"""Findings about the shape of a policy: entry points, gates and their order, permits and their reasons, rules that nobody uses."""

from collections.abc import Iterator
from typing import Final

from gateway.policy.book import ROOTS, Book, Finding, Key, predicate_calls, terms_of
from gateway.policy.syntax import Items, Literal, Name, Rule
from gateway.policy.words import POLAR_NAMES, nearest
from gateway.reasons import TABLE
from models.records import PERMISSION_NAMES

_ARITY: Final = 5
_GATE_FORM: Final = 'gate("name", subject, action, resource, request)'
_PERMIT_FORM: Final = 'permit(subject, action, resource, request, "reason")'
_ORDER_FORM: Final = 'gates(["user-status", "network", "role"])'
_BUILT_IN: Final = frozenset(("print", "debug"))
REFUSALS: Final = frozenset(
    reason.value for reason, row in TABLE.items() if row.stage == "authorize" and row.is_refusal
)


def shape_findings(book: Book, home: str) -> Iterator[Finding]:
    """Yields what is wrong with the shape; `home` is the file that what is missing is told of."""
    if book.whole:
        yield from _missing(book, home)
        yield from _unused(book)
        yield from _undefined(book)
        yield from _recursion(book)
    yield from _order(book)
    yield from _permits(book)
    yield from _needs(book)
    for rule in book.rules:
        yield from _singletons(rule)


def _missing(book: Book, home: str) -> Iterator[Finding]:
    if not book.named("gates"):
        yield Finding(f"{home}:1", f"no rule states the order of the gates: write {_ORDER_FORM}")
    if not book.named("gate"):
        yield Finding(f"{home}:1", f"no gate exists: write {_GATE_FORM} for each name in gates([...])")
    if not book.named("permit"):
        yield Finding(f"{home}:1", f"no permit exists, so everything would be refused: write {_PERMIT_FORM}")


def _order(book: Book) -> Iterator[Finding]:
    orders = book.named("gates")
    for rule in orders[1:]:
        yield Finding(
            rule.place(), f"the order of the gates is already stated at {orders[0].place()}: keep one"
        )
    listed = _listed(orders[0]) if orders else None
    if orders and listed is None:
        yield Finding(orders[0].place(), f"state the names of the gates as texts, as in {_ORDER_FORM}")
    gates = {name: rule for rule in book.named("gate") if (name := _text(rule, 0)) is not None}
    seen: set[str] = set()
    for name, line in listed or ():
        place = orders[0].place(line)
        if name in seen:
            yield Finding(place, f'gates([...]) names "{name}" twice: take one out')
        seen.add(name)
        if name not in gates and book.whole:
            yield Finding(
                place,
                f'no rule gate("{name}", ...) exists: write it or take the name out{_like(name, gates)}',
            )
        if name not in REFUSALS:
            yield Finding(place, f'"{name}" is no reason of refusal{nearest(name, REFUSALS)}')
    for rule in book.named("gate"):
        yield from _gate(rule, seen if listed else None)


def _like(name: str, known: dict[str, Rule]) -> str:
    said = nearest(name, known)
    return said.replace(":", ";", 1) if "did you mean" in said else ""


def _gate(rule: Rule, listed: set[str] | None) -> Iterator[Finding]:
    name = _text(rule, 0)
    if len(rule.parameters) != _ARITY or name is None:
        yield Finding(rule.place(), f"write {_GATE_FORM}")
    elif listed is not None and name not in listed:
        yield Finding(
            rule.place(), f'gate "{name}" is not in gates([...]) and would never be asked: add it there'
        )


def _permits(book: Book) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for rule in book.named("permit"):
        reason = _text(rule, _ARITY - 1)
        if len(rule.parameters) != _ARITY or not reason:
            yield Finding(rule.place(), f"write {_PERMIT_FORM} with a reason in quotation marks")
        elif reason in seen:
            said = f'the reason "{reason}" is already given at {seen[reason]}: give each permit its own'
            yield Finding(rule.place(), said)
        elif reason in TABLE:
            yield Finding(rule.place(), f'"{reason}" is a reason of refusal: give the permit another')
        else:
            seen[reason] = rule.place()


def _needs(book: Book) -> Iterator[Finding]:
    for rule in book.named("needs"):
        permission = _text(rule, 1)
        if permission is not None and permission not in PERMISSION_NAMES:
            yield Finding(
                rule.place(), f"`{permission}` is no permission{nearest(permission, PERMISSION_NAMES)}"
            )


def _unused(book: Book) -> Iterator[Finding]:
    reached = _reached_from(book, {key for key in book.by_key if key[0] in ROOTS})
    for key in book.by_key.keys() - reached:
        rule = book.by_key[key][0]
        said = f"no gate or permit uses the rule `{rule.name}`: use it or take it out"
        yield Finding(rule.place(), said, error=False)


def _undefined(book: Book) -> Iterator[Finding]:
    names = {rule.name for rule in book.rules}
    for rule in book.rules:
        for call in predicate_calls(rule):
            if call.key in book.by_key or call.name in _BUILT_IN:
                continue
            if call.name in names:
                wanted = " or ".join(sorted({str(len(each.parameters)) for each in book.named(call.name)}))
                said = f"the rule `{call.name}` takes {wanted} arguments, not {len(call.arguments)}"
            else:
                said = f"no rule is called `{call.name}`{nearest(call.name, names - ROOTS)}"
            yield Finding(rule.place(call.line), said)


def _recursion(book: Book) -> Iterator[Finding]:
    for key in _near_cycles(book):
        if key in _reached_from(book, set(book.calls[key])):
            rule = book.by_key[key][0]
            said = f"`{rule.name}` leads back to itself, which may never end: ask `resource.inherits` for what contains an object"
            yield Finding(rule.place(), said, error=False)


def _near_cycles(book: Book) -> list[Key]:
    """Returns the rules that are in a cycle or lead to one: what is left when those that end are taken away."""
    left = {key: len(called) for key, called in book.calls.items()}
    callers = book.callers()
    waiting = [key for key, count in left.items() if count == 0]
    while waiting:
        key = waiting.pop()
        del left[key]
        for caller in callers[key]:
            left[caller] -= 1
            if left[caller] == 0:
                waiting.append(caller)
    return list(left)


def _reached_from(book: Book, start: set[Key]) -> set[Key]:
    reached, waiting = set(start), list(start)
    while waiting:
        more = book.calls.get(waiting.pop(), set()) - reached
        reached |= more
        waiting.extend(more)
    return reached


def _singletons(rule: Rule) -> Iterator[Finding]:
    counts: dict[str, int] = {}
    lines: dict[str, int] = {}
    for term in terms_of(rule):
        if isinstance(term, Name):
            counts[term.text] = counts.get(term.text, 0) + 1
            lines[term.text] = term.line
    for name, count in counts.items():
        if count == 1 and not name.startswith("_") and name not in POLAR_NAMES:
            others = counts.keys() - {name}
            said = nearest(name, others) if others else ""
            hint = said if "did you mean" in said else f": write `_{name}` if it is not used"
            yield Finding(rule.place(lines[name]), f"`{name}` stands only once in this rule{hint}")


def _text(rule: Rule, at: int) -> str | None:
    term = rule.parameters[at].term if at < len(rule.parameters) else None
    return term.value if isinstance(term, Literal) and isinstance(term.value, str) else None


def _listed(rule: Rule) -> list[tuple[str, int]] | None:
    term = rule.parameters[0].term if len(rule.parameters) == 1 and rule.body is None else None
    if not isinstance(term, Items) or not term.items:
        return None
    names = [
        (item.value, item.line)
        for item in term.items
        if isinstance(item, Literal) and isinstance(item.value, str)
    ]
    return names if len(names) == len(term.items) else None
