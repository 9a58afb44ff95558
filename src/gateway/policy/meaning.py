"""What a loaded set of Polar files means: gates in order, then permits, asked of strict Oso.

How a policy answers:

1. `gates([...])` states the order of the gates; the first whose `gate(name, subject, action, resource, request)` does
   not hold refuses, and its name is the reason. Gates are positive: a mistyped one refuses.
2. If all hold, `permit(subject, action, resource, request, reason)` is asked; the first that holds allows, with its reason.
   If none holds, the reason is `no-grant`.
3. Any error, a time-out, or an answer outside these forms refuses as `policy-error`; nothing opens on an error (law 2).
4. A missing fact is no answer: `MissingFactError` passes to the caller, who loads it and asks again (law 5).
5. A question that is not answered after `QUESTION_SECONDS` is refused; with the query that then still runs, it holds up
   the process for at most twice that. The detail names the gate, or the question that was asked last (law 10). If in
   that time the thread had the processor for less than half of it, the machine was late and not the policy: it is asked again, up
   to `TRIES` times in all. The cycle collector, whose time has nothing to do with the question, waits until it is answered.
"""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gateway.errors import PolicyFileError
from gateway.policy.complaints import QUIET, complaint
from gateway.policy.decision import Decision, Question, Step
from gateway.policy.source import Head, rule_heads
from gateway.policy.strict import QUERY_MS, Note, PolicySyntaxError, StrictPolar, StrictPolicyError, Variable
from gateway.policy.tree import Asked
from gateway.reasons import TABLE, Reason
from models.records import FactBoundError

QUESTION_SECONDS: Final = QUERY_MS / 1000
"""Time after which strict Oso begins nothing more for one question."""
TRIES: Final = 3
"""How often one question is asked on a machine that gives this process no time."""
_GATE_ARITY: Final = 5
_PERMIT_ARITY: Final = 5
_NO_ORDER: Final = (
    'state the order of the gates exactly once, as in gates(["user-status", "network", "role"]);'
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision.

    Attributes:
        decision: what the policy says.
        lasting: whether the same answers to the same questions always give it (a time-out is not like that).
        bounded: whether a bound refused it.
    """

    decision: Decision
    lasting: bool = True
    bounded: bool = False


class Meaning:
    """Strict Oso over one set of files.

    Attributes:
        gates: the names of the gates, in order.
        reasons: the reasons that permits can give.
        actions: the actions that `needs(action, permission)` knows.
    """

    def __init__(self, sources: Mapping[str, str]) -> None:
        """Loads and checks the text.

        Args:
            sources: file name → text; files count in the order of their names.

        Raises:
            PolicyFileError: the text cannot be loaded or lacks a part; carries every problem found.
        """
        files = sorted(sources.items())
        heads = [head for name, text in files for head in rule_heads(name, text)]
        if problems := list(_missing_entries(heads, files[0][0] if files else "")):
            raise PolicyFileError(problems)
        self._polar = _loaded(files)
        self._order_place = next(head.place for head in heads if head.name == "gates")
        self.gates = self._gate_order()
        self._gate_places = _places(heads, "gate", 0)
        self._permit_places = _places(heads, "permit", _PERMIT_ARITY - 1)
        self.reasons = tuple(self._permit_places)
        self.actions = frozenset(
            action for head in heads if head.name == "needs" and (action := head.literal(0))
        )
        if problems := [*_head_problems(heads), *self._gate_problems()]:
            raise PolicyFileError(problems)

    def answer(self, question: Question, note: Note | None = None) -> Answer:
        """Returns what the policy says, asking strict Oso.

        Args:
            question: what is put to it.
            note: is told each question that Oso asks of the facts, with its answer.

        Raises:
            MissingFactError: a fact is not at hand (rule 4).
        """
        collects = gc.isenabled()
        gc.disable()
        try:
            for _ in range(TRIES):
                begun = time.thread_time()
                answer = self._answer(question, note)
                if not answer.bounded or time.thread_time() - begun > QUESTION_SECONDS / 2:
                    break
        finally:
            if collects:
                gc.enable()
        return answer

    def _answer(self, question: Question, note: Note | None) -> Answer:
        asked = (question.subject, question.action, question.resource, question.request)
        ask = partial(
            self._polar.answers, deadline=time.monotonic() + QUESTION_SECONDS, host=self._polar.host.copy()
        )
        for name in self.gates:
            try:
                held = next(ask("gate", name, *asked, note=note), None)
            except (StrictPolicyError, FactBoundError) as error:
                return _failed(error, f'gate "{name}"', self._gate_places.get(name, ""))
            if held is None:
                return Answer(Decision(allowed=False, reason=name, rule=self._gate_places[name]))
        return self._permitted(ask, asked, note)

    def _permitted(
        self, ask: Callable[..., Iterator[dict[str, Any]]], asked: tuple[object, ...], note: Note | None
    ) -> Answer:
        last = ""

        def noting(question: Asked) -> None:
            nonlocal last
            last = question.word
            if note is not None:
                note(question)

        try:
            permits = ask("permit", *asked, Variable("reason"), note=noting)
            reason = next((bindings["reason"] for bindings in permits), None)
        except (StrictPolicyError, FactBoundError) as error:
            return _failed(error, f"permit, after `{last}`" if last else "permit", "")
        if reason is None:
            return Answer(Decision(allowed=False, reason=Reason.NO_GRANT))
        if not isinstance(reason, str) or reason not in self._permit_places:
            return Answer(Decision(False, Reason.POLICY_ERROR, detail="a permit gave no reason literal"))
        return Answer(Decision(allowed=True, reason=reason, rule=self._permit_places[reason]))

    def explain(self, question: Question) -> Iterator[Step]:
        """Yields every gate, then every permit, with its own verdict, whatever the others say.

        Raises:
            MissingFactError: a fact is not at hand.
        """
        asked = (question.subject, question.action, question.resource, question.request)
        for name in self.gates:
            yield self._step("gate", name, self._gate_places[name], (name, *asked))
        for reason, place in self._permit_places.items():
            yield self._step("permit", reason, place, (*asked, reason))

    def _step(self, kind: str, name: str, place: str, arguments: tuple[object, ...]) -> Step:
        try:
            holds = self._holds(kind, *arguments)
        except (StrictPolicyError, FactBoundError) as error:
            return Step(kind, name, None, place, str(error))
        return Step(kind, name, holds, place)

    def _holds(self, rule: str, *arguments: object) -> bool:
        return next(self._polar.answers(rule, *arguments), None) is not None

    def _gate_order(self) -> tuple[str, ...]:
        try:
            orders = [bindings["names"] for bindings in self._polar.answers("gates", Variable("names"))]
        except StrictPolicyError as error:
            raise PolicyFileError([f"{self._order_place}: {_NO_ORDER} ({error})"]) from error
        if len(orders) != 1 or not orders[0] or not all(isinstance(name, str) for name in orders[0]):
            raise PolicyFileError([f"{self._order_place}: {_NO_ORDER}"])
        return tuple(orders[0])

    def _gate_problems(self) -> Iterator[str]:
        allowed = {
            reason.value for reason, row in TABLE.items() if row.stage == "authorize" and row.is_refusal
        }
        for name in self.gates:
            if name not in self._gate_places:
                yield f'{self._order_place}: gates([...]) names "{name}", but no rule gate("{name}", ...) exists: write it or take the name out'
            if name not in allowed:
                yield f'{self._order_place}: gates([...]) names "{name}", which is not a reason of refusal; those are {", ".join(sorted(allowed))}'
        for name, place in self._gate_places.items():
            if name not in self.gates:
                yield f'{place.split()[0]}: gate "{name}" is not in gates([...]) and would never be asked: add it there'
        if len(set(self.gates)) != len(self.gates):
            yield f"{self._order_place}: gates([...]) names a gate twice: take one out"


def _failed(error: StrictPolicyError | FactBoundError, where: str, rule: str) -> Answer:
    """Returns the refusal that an error is (rule 3)."""
    decision = Decision(False, Reason.POLICY_ERROR, rule=rule, detail=f"{where}: {error}")
    if isinstance(error, FactBoundError):
        return Answer(decision, lasting=False, bounded=True)
    return Answer(decision, lasting=error.lasting, bounded=error.bounded)


def _loaded(files: list[tuple[str, str]]) -> StrictPolar:
    try:
        return StrictPolar([*files, QUIET])
    except PolicySyntaxError as error:
        raise PolicyFileError([complaint(str(error), dict(files)).text]) from error
    except StrictPolicyError as error:
        raise PolicyFileError([f"an inline query (?=): {error}"]) from error


def _places(heads: list[Head], rule: str, at: int) -> dict[str, str]:
    """Returns literal → places of the rules of this name, in order of the files."""
    places: dict[str, str] = {}
    for head in heads:
        literal = head.literal(at)
        if head.name == rule and literal is not None:
            places[literal] = f"{places[literal]} {head.place}" if literal in places else head.place
    return places


def _head_problems(heads: list[Head]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for head in heads:
        if head.name == "gate":
            yield from _gate_head_problems(head)
        if head.name == "permit":
            yield from _permit_head_problems(head, seen)


def _missing_entries(heads: list[Head], home: str) -> Iterator[str]:
    names = {head.name for head in heads}
    if "gates" not in names:
        yield f"{home}:1: {_NO_ORDER}"
    if "gate" not in names:
        yield f'{home}:1: no rule gate("name", subject, action, resource, request) exists: write one for each name in gates([...])'
    if "permit" not in names:
        yield f'{home}:1: no rule permit(subject, action, resource, request, "reason") exists, so everything would be refused: write one'


def _gate_head_problems(head: Head) -> Iterator[str]:
    if len(head.arguments) != _GATE_ARITY or head.literal(0) is None:
        yield f'{head.place}: write gate("name", subject, action, resource, request)'


def _permit_head_problems(head: Head, seen: dict[str, str]) -> Iterator[str]:
    reason = head.literal(_PERMIT_ARITY - 1)
    if len(head.arguments) != _PERMIT_ARITY or not reason:
        yield f'{head.place}: write permit(subject, action, resource, request, "reason") with a literal reason'
    elif reason in seen:
        yield f'{head.place}: the reason "{reason}" is already given at {seen[reason]}: each permit has its own'
    else:
        seen[reason] = head.place
