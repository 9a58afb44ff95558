"""The rules of a policy with their relations: who calls whom, and which parameters stand for the subject, object, request or action.

What a parameter stands for is known by position for gates and permits, by its specializer, and for other rules by what every call
hands to it; where calls differ, nothing is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.policy.syntax import Call, Name, Parameter, Rule, Term, parts
from gateway.policy.words import GRANTING, POLAR_NAMES

ACTION: Final = "action"
_UNKNOWN: Final = "?"
_FORMS: Final = {
    ("gate", 5): ("", "Subject", ACTION, "Object", "Request"),
    ("permit", 5): ("Subject", ACTION, "Object", "Request", ""),
    ("needs", 2): (ACTION, ""),
}
ROOTS: Final = frozenset(("gates", "gate", "permit", "needs", "?="))
"""Rules that the gateway itself asks."""

Key = tuple[str, int]
Kinds = dict[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a policy.

    Attributes:
        place: `file:line`.
        says: what is wrong and what to do; lower case, no final period.
        error: whether it stops the policy; else it is a warning.
    """

    place: str
    says: str
    error: bool = True

    @property
    def text(self) -> str:
        """The finding as a line."""
        return f"{self.place}: {'' if self.error else 'warning: '}{self.says}"


class Book:
    """All rules that could be read.

    Attributes:
        rules: in the order in which they count.
        whole: whether every file could be read, so that what is missing is missing.
        by_key: name and number of arguments → the rules.
        calls: who calls whom.
    """

    def __init__(self, rules: Iterable[Rule], *, whole: bool = True) -> None:
        self.rules = tuple(rules)
        self.whole = whole
        self.by_key: dict[Key, list[Rule]] = defaultdict(list)
        for rule in self.rules:
            self.by_key[rule.key].append(rule)
        self.calls: dict[Key, set[Key]] = {
            key: {call.key for rule in found for call in predicate_calls(rule) if call.key in self.by_key}
            for key, found in list(self.by_key.items())
        }
        self._kinds: dict[tuple[Key, int], set[str]] = defaultdict(set)
        self._hand_on()
        self._reached = self._reaching()

    def named(self, name: str) -> list[Rule]:
        """Returns the rules of a name, whatever their number of arguments."""
        return [rule for rule in self.rules if rule.name == name]

    def callers(self) -> dict[Key, list[Key]]:
        """Returns who is called by whom."""
        callers: dict[Key, list[Key]] = defaultdict(list)
        for key, called in self.calls.items():
            for each in called:
                callers[each].append(key)
        return callers

    def kinds(self, rule: Rule) -> Kinds:
        """Returns what each variable of the head stands for, where that is known: a class name or `action`."""
        found: Kinds = {}
        for at, parameter in enumerate(rule.parameters):
            if isinstance(parameter.term, Name) and (kind := self.kind_at(rule, at, parameter)):
                found[parameter.term.text] = kind
        return found

    def kind_at(self, rule: Rule, at: int, parameter: Parameter) -> str:
        """Returns what a parameter stands for; empty if that is not known."""
        if parameter.specializer in POLAR_NAMES:
            return parameter.specializer
        if rule.key in _FORMS:
            return _FORMS[rule.key][at]
        handed = self._kinds.get((rule.key, at), set())
        return next(iter(handed)) if len(handed) == 1 and _UNKNOWN not in handed else ""

    def grants_within(self, call: Call) -> str:
        """Returns a question of `GRANTING` that the call asks, itself or through rules; empty if none."""
        if call.receiver is not None:
            return call.name if call.name in GRANTING else ""
        return min(self._reached.get((call.name, len(call.arguments)), ()), default="")

    def _hand_on(self) -> None:
        """Follows what calls hand on until nothing new arrives; only ever adds, so it ends."""
        changed = True
        while changed:
            changed = False
            for rule in self.rules:
                for call in predicate_calls(rule):
                    for at, argument in enumerate(call.arguments):
                        more = self._standing_for(rule, argument) - self._kinds[call.key, at]
                        self._kinds[call.key, at] |= more
                        changed = changed or bool(more)

    def _standing_for(self, rule: Rule, argument: Term) -> set[str]:
        if not isinstance(argument, Name):
            return {_UNKNOWN}
        for at, parameter in enumerate(rule.parameters):
            if isinstance(parameter.term, Name) and parameter.term.text == argument.text:
                if parameter.specializer in POLAR_NAMES:
                    return {parameter.specializer}
                return {_FORMS[rule.key][at]} if rule.key in _FORMS else set(self._kinds[rule.key, at])
        return {_UNKNOWN}

    def _reaching(self) -> dict[Key, set[str]]:
        reached = {
            key: {
                term.name
                for rule in found
                for term in terms_of(rule)
                if isinstance(term, Call) and term.receiver is not None and term.name in GRANTING
            }
            for key, found in self.by_key.items()
        }
        callers = self.callers()
        waiting = [key for key, words in reached.items() if words]
        while waiting:
            key = waiting.pop()
            for caller in callers[key]:
                if more := reached[key] - reached[caller]:
                    reached[caller] |= more
                    waiting.append(caller)
        return reached


def terms_of(rule: Rule) -> Iterator[Term]:
    """Yields every term of head and body."""
    for parameter in rule.parameters:
        for term in (parameter.term, *parameter.fields):
            yield from parts(term)
    if rule.body is not None:
        yield from parts(rule.body)


def predicate_calls(rule: Rule) -> Iterator[Call]:
    """Yields the calls of other rules in a rule's body."""
    if rule.body is not None:
        for term in parts(rule.body):
            if isinstance(term, Call) and term.receiver is None:
                yield term
