"""Stage authorize, the pure part: a loaded policy answers questions with one reason each, at the speed of memory.

`meaning` says what a policy means (strict Oso, in `strict`); `tree` remembers the program it is. Here the two meet:

1. A path that was met before is walked in the tree, with the asker's own facts; any other goes to strict Oso and is learned.
2. A question that raises anything but a missing fact is for strict Oso to judge.
3. A share of walks is decided again by strict Oso. A difference is an alarm, the trees are dropped, and strict Oso's answer counts.
4. A path or a tree beyond its bound, or a question beyond its time, refuses as `policy-error` and is counted (law 10).
5. Trees are for exactly `Subject`, `Resource`, `Request` and a plain string; anything else is for strict Oso, since a type
   test in a policy could come out otherwise.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.policy.decision import Decision, Question, Step
from gateway.policy.meaning import Answer, Meaning
from gateway.policy.sharing import through_share
from gateway.policy.tree import Asked, Tree, TreeBoundError, TreeFaultError
from gateway.reasons import Reason
from models.records import MissingFactError
from models.vocabulary import Request, Resource, Subject

__all__ = ["Decision", "Policy", "Question", "Step"]

LOG = logging.getLogger(__name__)
CHECK_EVERY: Final = 1_000
"""Of so many walks one is decided again by strict Oso."""


@dataclass(slots=True)
class Counts:
    """What a policy has done; read for metrics and tests.

    Attributes:
        walked: questions answered by a tree.
        learned: paths stored.
        checked: walks that strict Oso decided again.
        faults: trees that were wrong and dropped.
        bounded: questions refused because a bound was met.
    """

    walked: int = 0
    learned: int = 0
    checked: int = 0
    faults: int = 0
    bounded: int = 0


class Policy:
    """One loaded set of Polar files with what was learned of it.

    Attributes:
        meaning: strict Oso over the files.
        counts: what was done.
    """

    def __init__(self, sources: Mapping[str, str], *, check_every: int = CHECK_EVERY) -> None:
        """Loads and checks the text.

        Args:
            sources: file name → text; files count in the order of their names.
            check_every: of so many walks one is decided again.

        Raises:
            PolicyFileError: the text cannot be loaded or lacks a part; carries every problem found.
        """
        self.meaning = Meaning(sources)
        self.counts = Counts()
        self._check_every = self._until_check = check_every
        self._trees: dict[str, Tree] = {}
        self._forget()

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates, in order."""
        return self.meaning.gates

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons that permits can give."""
        return self.meaning.reasons

    @property
    def actions(self) -> frozenset[str]:
        """The actions that `needs(action, permission)` knows; only these have trees, so that nobody else's words fill memory."""
        return self.meaning.actions

    def decide(self, question: Question) -> Decision:
        """Returns the policy's answer.

        Raises:
            MissingFactError: a fact is not at hand; load it and ask again.
        """
        if question.subject.share is not None:
            return through_share(question, self._decided)
        return self._decided(question)

    def strictly(self, question: Question) -> Decision:
        """Returns what strict Oso answers, without the tree."""
        return through_share(question, lambda asked: self.meaning.answer(asked).decision)

    def _decided(self, question: Question) -> Decision:
        action = question.action
        exact = (
            type(question.subject) is Subject
            and type(question.resource) is Resource
            and type(question.request) is Request
            and type(action) is str
        )
        tree = self._trees.get(action) if exact else None  # rule 5
        if tree is None:
            return self._counted(self.meaning.answer(question)).decision
        try:
            decision = tree.walk(question)
        except MissingFactError:
            raise
        except Exception:  # noqa: BLE001 - rule 2
            decision = None
        if decision is None:
            return self._learn(tree, question)
        self.counts.walked += 1
        self._until_check -= 1
        return decision if self._until_check else self._checked(question, decision)

    def explain(self, question: Question) -> Iterator[Step]:
        """Yields every gate, then every permit, with its own verdict, whatever the others say.

        Raises:
            MissingFactError: a fact is not at hand.
        """
        return self.meaning.explain(question)

    def _learn(self, tree: Tree, question: Question) -> Decision:
        path: list[Asked] = []
        answer = self._counted(self.meaning.answer(question, path.append))
        if not answer.lasting:
            return answer.decision
        try:
            tree.learn(question, path, answer.decision)
            self.counts.learned += 1
        except TreeFaultError as fault:
            self._alarm(str(fault))
        except TreeBoundError as bound:
            self.counts.bounded += 1
            detail = f"{bound}, decided at {answer.decision.rule or answer.decision.reason}"
            return Decision(False, Reason.POLICY_ERROR, rule=answer.decision.rule, detail=detail)
        return answer.decision

    def _checked(self, question: Question, walked: Decision) -> Decision:
        """Decides a walk again (rule 3)."""
        self._until_check = self._check_every
        self.counts.checked += 1
        answer = self._counted(self.meaning.answer(question))
        if answer.decision != walked and answer.lasting:
            self._alarm(f"the tree said {walked.reason}, strict Oso {answer.decision.reason}")
        return answer.decision

    def _counted(self, answer: Answer) -> Answer:
        self.counts.bounded += answer.bounded
        return answer

    def _alarm(self, what: str) -> None:
        self.counts.faults += 1
        LOG.critical("the decision tree was wrong and is dropped: %s", what)
        self._forget()

    def _forget(self) -> None:
        self._trees = {action: Tree() for action in self.meaning.actions}
