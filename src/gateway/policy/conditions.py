"""Findings about single conditions: words and their arguments, comparisons that never hold, and `not` over what a grant makes true."""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.policy.book import ACTION, Book, Finding, Kinds, terms_of
from gateway.policy.strict import VOCABULARY
from gateway.policy.syntax import Call, Items, Literal, Name, Op, Parameter, Pattern, Rule, Term, parts
from gateway.policy.words import CLASSES, POLAR_NAMES, nearest, refusal_of

_INSTANCES: Final = frozenset(POLAR_NAMES)
_SPOKEN: Final = {"Subject": "subject", "Object": "resource", "Request": "request"}
_COMPARISONS: Final = frozenset(("=", ":=", "==", "!=", "<", ">", "<=", ">=", "in"))
_LOGIC: Final = frozenset(("and", "or", "not", "forall"))
_OSO_CLASSES: Final = frozenset(("String", "Integer", "Float", "Boolean", "List", "Dictionary"))


def condition_findings(
    book: Book, roles: Collection[str] | None, gui_only: Collection[str] = ()
) -> Iterator[Finding]:
    """Yields what is wrong in heads and bodies; roles are compared with the catalogue unless it is None."""
    actions = {text for rule in book.named("needs") if (text := _string(_argument(rule, 0))) is not None}
    for rule in book.rules:
        kinds = book.kinds(rule)
        for at, parameter in enumerate(rule.parameters):
            yield from _parameter(rule, parameter, book.kind_at(rule, at, parameter))
        for term in terms_of(rule):
            if isinstance(term, Call) and term.receiver is not None:
                yield from (Finding(rule.place(term.line), said) for said in _question(term, kinds))
                yield from _role(rule, term, roles)
            elif isinstance(term, Call):
                yield from _built_in(rule, term)
            elif isinstance(term, Op):
                yield from _operator(rule, term, kinds, actions if book.whole else None)
            elif isinstance(term, Literal) and term.value in gui_only:
                yield Finding(
                    rule.place(term.line),
                    f"the role `{term.value}` only switches something of a graphical interface, so no rule may "
                    "ask for it: ask for the role of the operation itself",
                )
        yield from _denials(book, rule)


def _argument(rule: Rule, at: int) -> Term | None:
    return rule.parameters[at].term if at < len(rule.parameters) else None


def _string(term: Term | None) -> str | None:
    return term.value if isinstance(term, Literal) and isinstance(term.value, str) else None


def _parameter(rule: Rule, parameter: Parameter, kind: str) -> Iterator[Finding]:
    if kind in _INSTANCES and isinstance(parameter.term, Literal | Items):
        yield Finding(rule.place(), _never(kind))
    if parameter.specializer and parameter.specializer not in _INSTANCES | _OSO_CLASSES:
        known = nearest(parameter.specializer, _INSTANCES)
        yield Finding(rule.place(), f"`{parameter.specializer}` is no class{known}")
    if parameter.fields:
        yield Finding(
            rule.place(), "fields cannot be read: ask a question of the instance in the body instead"
        )


def _never(kind: str) -> str:
    ask = {"Subject": '`subject.in_group("...")`', "Object": '`resource.is_type("...")`'}.get(
        kind, '`request.from_network("...")`'
    )
    return f"the {_SPOKEN[kind]} is no text and never equals one: ask {ask}, or grant with an entry, which is data"


def _question(call: Call, kinds: Kinds) -> Iterator[str]:
    """Yields what is wrong with one question."""
    receiver = call.receiver
    kind = kinds.get(receiver.text, "") if isinstance(receiver, Name) else ""
    spoken = receiver.text if isinstance(receiver, Name) else "..."
    if not call.name or isinstance(receiver, Literal | Items) or kind == ACTION:
        yield "only subject, resource and request answer questions: a text or a list does not"
        return
    classes = [POLAR_NAMES[kind]] if kind in _INSTANCES else list(POLAR_NAMES.values())
    able = [cls for cls in classes if call.name in VOCABULARY[cls]]
    if not able:
        yield _unknown(call.name, spoken, classes)
        return
    if not call.called:
        yield f"`{call.name}` is a question: write `{spoken}.{call.name}(...)`"
        return
    yield from _arguments(call, able)


def _unknown(word: str, spoken: str, classes: list[type]) -> str:
    others = [name for name, cls in CLASSES.items() if word in VOCABULARY[cls]]
    if others:
        return f"`{word}` is no question to `{spoken}`: ask `{others[0]}.{word}(...)`"
    return f"`{spoken}` has no question `{word}`{nearest(word, {each for cls in classes for each in VOCABULARY[cls]})}"


def _arguments(call: Call, able: list[type]) -> Iterator[str]:
    wanted = sorted({VOCABULARY[cls][call.name] for cls in able})
    if call.named:
        yield f"`{call.name}` takes no arguments by name: write the values alone, in order"
    elif len(call.arguments) not in wanted:
        yield f"`{call.name}` takes {' or '.join(map(str, wanted))} arguments, not {len(call.arguments)}"
    elif len(able) == 1:
        texts = tuple(_string(argument) for argument in call.arguments)
        if said := refusal_of(able[0], call.name, texts):
            yield said


def _role(rule: Rule, call: Call, roles: Collection[str] | None) -> Iterator[Finding]:
    role = _string(call.arguments[0]) if call.name == "has_role" and call.arguments else None
    if roles is not None and role is not None and role not in roles:
        close = nearest(role, roles)
        hint = (
            close if "did you mean" in close else ": add it there under the lowest user type that may hold it"
        )
        yield Finding(rule.place(call.line), f"the role `{role}` is not in roles.yaml{hint}", error=False)


def _built_in(rule: Rule, call: Call) -> Iterator[Finding]:
    if call.name == "debug":
        yield Finding(rule.place(call.line), "`debug()` is not for policies: take it out")
    if call.name == "print":
        yield Finding(
            rule.place(call.line), "`print` shows nothing here: use `mediagate explain`", error=False
        )


def _operator(rule: Rule, term: Op, kinds: Kinds, actions: set[str] | None) -> Iterator[Finding]:
    place = rule.place(term.line)
    if term.name == "new":
        yield Finding(place, "`new` is not for policies: ask a question instead")
    if term.name == "cut":
        said = "`cut` can make a grant take access away: write conditions that do not depend on their order"
        yield Finding(place, said, error=False)
    if term.name == "matches":
        yield from _pattern(place, term.operands[1])
    if term.name in _COMPARISONS:
        yield from _comparison(place, term, kinds, actions)


def _pattern(place: str, pattern: Term) -> Iterator[Finding]:
    if not isinstance(pattern, Pattern):
        return
    if pattern.name and pattern.name not in _INSTANCES | _OSO_CLASSES:
        yield Finding(place, f"`{pattern.name}` is no class{nearest(pattern.name, _INSTANCES)}")
    if pattern.fields:
        yield Finding(place, "fields cannot be read: ask a question of the instance instead")


def _comparison(place: str, term: Op, kinds: Kinds, actions: set[str] | None) -> Iterator[Finding]:
    for one, other in (term.operands, term.operands[::-1]):
        kind = kinds.get(one.text, "") if isinstance(one, Name) else ""
        literals = [part for part in parts(other) if isinstance(part, Literal)]
        if kind in _INSTANCES and literals and isinstance(other, Literal | Items):
            yield Finding(place, _never(kind))
        if kind == ACTION and actions is not None and isinstance(other, Literal | Items):
            for text in filter(None, map(_string, literals)):
                if text not in actions:
                    yield Finding(
                        place, f"no needs(...) knows the action `{text}`{nearest(text, actions)}", error=False
                    )


def _denials(book: Book, rule: Rule) -> Iterator[Finding]:
    """Yields each place where a grant would make a condition false."""
    waiting: list[tuple[Term, bool]] = [(rule.body, False)] if rule.body is not None else []
    while waiting:
        term, denied = waiting.pop()
        if isinstance(term, Op) and term.name in _LOGIC:
            for at, operand in enumerate(term.operands):
                turns = term.name == "not" or (term.name == "forall" and at == 0)
                waiting.append((operand, denied != turns))
            continue
        if isinstance(term, Call):
            if denied and (word := book.grants_within(term)):
                said = f"`not` over `{word}` would take access away after a grant: say who may instead of who may not"
                yield Finding(rule.place(term.line), said)
            inner: tuple[Term, ...] = term.arguments
        else:
            inner = term.operands if isinstance(term, Op) else (term,)
        for part in (part for each in inner for part in parts(each)):
            if isinstance(part, Call) and part.receiver is not None and (word := book.grants_within(part)):
                said = f"`{word}` is compared or handed on, so a grant could take access away: use it as a condition"
                yield Finding(rule.place(part.line), said)
