"""Automata: a pattern's tree made into a net of states, made deterministic, so that a match never goes back.

Whether two overlap is decided exactly by walking both at once; where that would take more than `MAX_PAIRS` steps, the
answer is yes, so that a doubt is reported at load and not met in a request.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MAX_STATES: Final = 1024
"""States of an automaton."""
MAX_PAIRS: Final = 50_000
"""Pairs of states that are looked at to decide an overlap."""
LAST: Final = 0x10FFFF
"""The last code point."""

Ranges = tuple[tuple[int, int], ...]
"""Code points, as sorted spans from first to last."""


class SizeError(ValueError):
    """The automaton would have more than `MAX_STATES` states."""


@dataclass(frozen=True, slots=True)
class Set:
    """One character out of `ranges`."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Chain:
    """One part after the other."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the parts."""

    parts: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`part` from `least` to `most` times; None for any number."""

    part: "Tree"
    least: int
    most: int | None


Tree = Set | Chain | Choice | Repeat


@dataclass(frozen=True, slots=True)
class Automaton:
    """A deterministic automaton; it starts in state 0.

    Attributes:
        cuts: where the alphabet falls into classes that no step tells apart.
        table: state → class → state, -1 for no way on.
        accepts: which states end a match.
    """

    cuts: list[int]
    table: list[list[int]]
    accepts: list[bool]
    _ascii: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ascii", [bisect_right(self.cuts, code) for code in range(128)])

    @classmethod
    def of(cls, tree: Tree) -> "Automaton":
        """Returns the automaton of `tree`.

        Raises:
            SizeError: it would be too large.
        """
        net = _Net(tree)
        cuts = net.cuts()
        return cls(cuts, *net.determined(cuts))

    def matches(self, text: str) -> bool:
        """Tells whether the whole of `text` is accepted, in time linear in its length."""
        state, table, codes, cuts = 0, self.table, self._ascii, self.cuts
        for code in map(ord, text):
            state = table[state][codes[code] if code < 128 else bisect_right(cuts, code)]  # noqa: PLR2004 - ASCII
            if state < 0:
                return False
        return self.accepts[state]

    def step(self, state: int, code: int) -> int:
        """Returns the state after `code`; -1 if there is none."""
        return self.table[state][bisect_right(self.cuts, code)]

    def overlaps(self, other: "Automaton") -> bool:
        """Tells whether both accept some text, the empty one aside."""
        codes = [0, *sorted({*self.cuts, *other.cuts})]
        pairs = {(0, 0)}
        waiting = [(0, 0)]
        while waiting:
            mine, theirs = waiting.pop()
            for code in codes:
                pair = (self.step(mine, code), other.step(theirs, code))
                if min(pair) < 0:
                    continue
                if (self.accepts[pair[0]] and other.accepts[pair[1]]) or len(pairs) > MAX_PAIRS:
                    return True
                if pair not in pairs:
                    pairs.add(pair)
                    waiting.append(pair)
        return False


class _Net:
    """The pattern as a net of states with free and consuming steps, then made deterministic."""

    def __init__(self, tree: Tree) -> None:
        self._free: list[list[int]] = []
        self._steps: list[list[tuple[Ranges, int]]] = []
        self._start = self._state()
        self._end = self._add(tree, self._start)

    def _state(self) -> int:
        if len(self._free) >= 4 * MAX_STATES:
            raise SizeError("the pattern is too large: make its counts smaller")
        self._free.append([])
        self._steps.append([])
        return len(self._free) - 1

    def _add(self, tree: Tree, start: int) -> int:
        """Adds `tree` from `start` on; returns the state after it."""
        match tree:
            case Set(ranges):
                end = self._state()
                self._steps[start].append((ranges, end))
                return end
            case Chain(parts):
                for part in parts:
                    start = self._add(part, start)
                return start
            case Choice(parts):
                end = self._state()
                for part in parts:
                    begin = self._state()
                    self._free[start].append(begin)
                    self._free[self._add(part, begin)].append(end)
                return end
            case Repeat():
                return self._add_repeat(tree, start)

    def _add_repeat(self, tree: Repeat, start: int) -> int:
        for _ in range(tree.least):
            start = self._add(tree.part, start)
        end = self._state()
        if tree.most is None:
            loop = self._state()
            self._free[start].append(loop)
            self._free[self._add(tree.part, loop)].append(loop)
            self._free[loop].append(end)
            return end
        self._free[start].append(end)
        for _ in range(tree.most - tree.least):
            start = self._add(tree.part, start)
            self._free[start].append(end)
        return end

    def cuts(self) -> list[int]:
        """Returns where the alphabet falls into classes that no step tells apart."""
        ranges = [pair for steps in self._steps for accepted, _ in steps for pair in accepted]
        return sorted({cut for low, high in ranges for cut in (low, high + 1)} - {0, LAST + 1})

    def determined(self, cuts: list[int]) -> tuple[list[list[int]], list[bool]]:
        """Returns the table state → class → state, -1 for no way on, and which states accept."""
        codes = [0, *cuts]
        first = self._closure([self._start])
        numbers = {first: 0}
        waiting = [first]
        table: list[list[int]] = []
        for states in waiting:  # grows while it is walked
            row = []
            for code in codes:
                after = self._closure(self._after(states, code))
                if after and after not in numbers:
                    numbers[after] = len(numbers)
                    waiting.append(after)
                row.append(numbers[after] if after else -1)
            table.append(row)
            if len(table) > MAX_STATES:
                raise SizeError("the pattern is too large: make its counts smaller or its choices fewer")
        return table, [self._end in states for states in waiting]

    def _after(self, states: frozenset[int], code: int) -> Iterator[int]:
        for state in states:
            for ranges, end in self._steps[state]:
                if any(low <= code <= high for low, high in ranges):
                    yield end

    def _closure(self, states: Iterator[int] | list[int]) -> frozenset[int]:
        found = set(states)
        waiting = list(found)
        while waiting:
            for state in self._free[waiting.pop()]:
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)
