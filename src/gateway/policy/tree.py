"""The decision tree: remembers the program that a policy is, never an answer about anyone (law 3).

Strict Oso reaches the outside only through questions that answer yes or no. For one action, the same answers lead it to the same
next question and in the end to the same decision. So the first time a path is met, strict Oso decides and its questions are
written down as a path; from then on the tree is walked with the asker's own facts, and an answer not met before goes back to Oso.

Rules:

1. A tree belongs to one action (a policy may compare it without asking anything) and to exactly `Subject`, `Resource` and
   `Request` (type tests in a policy ask nothing either); whoever walks makes sure of that.
2. A step is a word of the vocabulary, asked of one of the three, with arguments that are one of the three, literals, or lists of
   these. Literals are told apart by type and value: 1 and True differ. An answer is exactly True or False; any other
   leads nowhere, and strict Oso says what it means.
3. What a path has asked before is not asked again: facts of one decision do not change while it is made.
4. A path is stored only after the virtual machine has finished. If it differs from what is recorded where both must be
   the same, the recording is not true: `TreeFaultError`, and whoever owns the tree drops it.
5. Nodes, and the questions of one path, are bounded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.policy.decision import Decision, Question
from gateway.policy.spelled import spelled
from models.vocabulary import Request, Resource, Subject

Run = Callable[[Subject, Resource, Request], int]


class Form(NamedTuple):
    """An argument: (`register`, number), (`list`, forms), or (name of the type, literal)."""

    kind: str
    value: object


class Step(NamedTuple):
    """A question without its answer; `receiver` is 0 for the subject, 1 for the resource, 2 for the request."""

    receiver: int
    word: str
    arguments: tuple[Form, ...]


MAX_STEPS: Final = 500
"""Questions on one path."""
MAX_NODES: Final = 20_000
"""Nodes of one tree."""
_NAMES: Final = ("s", "r", "q")
_CLASSES: Final = (Subject, Resource, Request)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that strict Oso asked, with its answer."""

    receiver: object
    word: str
    arguments: tuple[object, ...]
    answer: bool


class TreeFaultError(Exception):
    """A path contradicts the recording (rule 4), or asked the same twice and was answered differently (rule 3)."""


class TreeBoundError(Exception):
    """A path or the tree met its bound (rule 5); nothing was stored."""


@dataclass(slots=True)
class Chain:
    """Questions one after the other, as one path asked them.

    Attributes:
        run: asks them until an answer differs from the recorded one, and returns the number of that question; the number
            of all if none does, -1 if an answer is neither True nor False.
        steps: the questions with the recorded answers.
        after: what follows by that number, None if it was not met yet; what follows them all stands before a last None.
    """

    run: Run
    steps: Sequence[tuple[Step, bool]]
    after: list["Chain | Decision | None"]


class Tree:
    """All paths that were met for one action: the first as one chain, each other as a chain from where it parts."""

    __slots__ = ("nodes", "root")

    def __init__(self) -> None:
        """Begins empty."""
        self.root: Chain | Decision | None = None
        self.nodes = 0

    def walk(self, question: Question) -> Decision | None:
        """Returns the decision at the end of the path that the facts lead to; None if it was not met yet.

        Raises:
            MissingFactError: a fact is not at hand.
            Exception: what a question raises; strict Oso says what that means.
        """
        subject, resource, request = question.subject, question.resource, question.request
        node = self.root
        while type(node) is Chain:
            node = node.after[node.run(subject, resource, request)]
        return node  # type: ignore[return-value] # a Chain was walked past

    def learn(self, question: Question, path: Sequence[Asked], decision: Decision) -> None:
        """Stores a path that strict Oso has finished.

        Raises:
            TreeFaultError: rule 3 or 4; nothing was stored.
            TreeBoundError: rule 5; nothing was stored.
        """
        steps = list(_steps(question, path))
        if len(steps) > MAX_STEPS or self.nodes + len(steps) > MAX_NODES:
            raise TreeBoundError(
                f"{len(steps)} questions on a path (at most {MAX_STEPS}), {self.nodes} nodes in the tree (at most {MAX_NODES})"
            )
        if self.root is None:
            self.root, self.nodes = _chain(steps, decision), len(steps)
            return
        node, at = self.root, 0
        while isinstance(node, Chain):
            exit_ = _parting(node, steps[at:])
            at = min(at + exit_ + 1, len(steps)) if exit_ < len(node.steps) else at + exit_
            following = node.after[exit_]
            if following is None:
                node.after[exit_] = _chain(steps[at:], decision)
                self.nodes += len(steps) - at
                return
            node = following
        if at != len(steps):
            raise TreeFaultError(f"`{steps[at][0].word}` is asked where the same answers led to a decision")
        if node != decision:
            raise TreeFaultError("the same answers led to another decision")


def _parting(chain: Chain, steps: Sequence[tuple[Step, bool]]) -> int:
    """Returns the number of the question in `chain` that these steps answer otherwise; that of all if there is none.

    Raises:
        TreeFaultError: they do not ask what the chain asks (rule 4).
    """
    for number, (step, answer) in enumerate(chain.steps):
        if number >= len(steps) or steps[number][0] != step:
            raise TreeFaultError(
                f"`{step.word}` is asked where another path of the same answers does not ask it"
            )
        if steps[number][1] is not answer:
            return number
    return len(chain.steps)


def _steps(question: Question, path: Sequence[Asked]) -> Iterator[tuple[Step, bool]]:
    """Yields each different question with its answer (rule 3)."""
    registers = {id(question.subject): 0, id(question.resource): 1, id(question.request): 2}
    seen: dict[Step, bool] = {}
    for asked in path:
        arguments = tuple(_form(argument, registers) for argument in asked.arguments)
        step = Step(registers[id(asked.receiver)], asked.word, arguments)
        if step not in seen:
            seen[step] = asked.answer
            yield step, asked.answer
        elif seen[step] is not asked.answer:
            raise TreeFaultError(f"`{asked.word}` was asked twice and answered differently")


def _form(argument: object, registers: dict[int, int]) -> Form:
    """Returns an argument so that equal forms mean equal arguments (rule 2)."""
    if type(argument) is list:
        return Form("list", tuple(_form(item, registers) for item in argument))
    if id(argument) in registers:
        return Form("register", registers[id(argument)])
    return Form(type(argument).__name__, argument)


def _chain(steps: Sequence[tuple[Step, bool]], decision: Decision) -> "Chain | Decision":
    """Returns what asks the rest of a new path."""
    if not steps:
        return decision
    return Chain(_compiled(steps), tuple(steps), [*[None] * len(steps), decision, None])


def _compiled(steps: Sequence[tuple[Step, bool]]) -> Run:
    """Returns `Chain.run`: flat, since Python nests no deeper than 100 blocks; each word is of the vocabulary, a plain name."""
    literals: dict[str, object] = {}
    lines = ["def run(s, r, q):"]
    for number, (step, answer) in enumerate(steps):
        lines.append(f" a = {_asking(step, literals)}")
        lines.append(f" if a is not {answer}: return {number} if a is {not answer} else -1")
    lines.append(f" return {len(steps)}")
    exec("\n".join(lines), literals)  # noqa: S102 - see above
    run: Run = literals["run"]  # type: ignore[assignment]
    return run


def _asking(step: Step, literals: dict[str, object]) -> str:
    """Returns the question as source text."""
    receiver, written = _NAMES[step.receiver], [_written(argument, literals) for argument in step.arguments]
    expression = spelled(_CLASSES[step.receiver], step.word, (receiver, *written), literals)
    return expression or f"{receiver}.{step.word}({', '.join(written)})"


def _written(form: Form, literals: dict[str, object]) -> str:
    """Returns an argument as source text; a literal's value is kept beside it, never spliced in."""
    if isinstance(form.value, tuple):
        return f"[{', '.join(_written(item, literals) for item in form.value)}]"
    if form.kind == "register" and isinstance(form.value, int):
        return _NAMES[form.value]
    name = f"c{len(literals)}"
    literals[name] = form.value
    return name
