"""The tree of segments: which row a request falls on, and which rows cannot stand beside each other.

Rules:

1. At the first segment that differs, a literal beats a parameter with a pattern, which beats a plain parameter, which
   beats the rest of the path. Where the preferred way leads to no row, the next one is tried.
2. A row is reached when path, method and query fit. `HEAD` falls on rows for `GET`, unless rows of the same shape are
   stated for `HEAD` itself.
3. Two rows tie if one request can fall on both and rule 1 prefers neither: rows of one shape whose queries name no
   winner (rule 2 of `gateway.routes.query`), or two patterns that one segment matches. A tie is an error at load.
4. The cost of a match grows with the number of segments, not of rows: each step is one look-up, and each node of the
   tree is met at most once.
"""

from collections.abc import Iterator, Mapping, Sequence

from gateway.inbound import Inbound
from gateway.routes.forms import folded
from gateway.routes.patterns import Pattern
from gateway.routes.query import names_in, spellings
from gateway.routes.rows import Row
from gateway.routes.templates import Parameter


class Tree:
    """All rows, by the segments of their templates."""

    __slots__ = ("_root",)

    def __init__(self, rows: Sequence[Row]) -> None:
        self._root = _Node()
        for row in rows:
            self._root.leaf_for(row.template.parts).add(row)
        for node in self._root.walk():
            node.settle()

    def find(self, inbound: Inbound) -> Row | None:
        """Returns the row that the request falls on; None if there is none.

        Raises:
            GatewayError: the query has two readings, and rows here are told apart by it.
        """
        return self._root.find(inbound, inbound.segments, 0)

    def methods_beside(self, row: Row) -> tuple[str, ...]:
        """Returns the methods that rows of the shape of `row`, which stands here, state or imply, sorted."""
        return tuple(sorted(self._root.leaf_for(row.template.parts).methods()))

    def ties(self) -> Iterator[tuple[Row, Row, str]]:
        """Yields each pair of rows that cannot stand beside each other, and why."""
        for node in self._root.walk():
            for leaf in node.leaves():
                yield from leaf.ties()
            for at, (pattern, below) in enumerate(node.patterns):
                for other, beside in node.patterns[at + 1 :]:
                    if pattern.overlaps(other):
                        why = f"a segment can match both `{pattern.text}` and `{other.text}`"
                        yield from ((one, two, why) for one, two in _clashes(below, beside))


class _Leaf:
    """The rows of one shape, by method."""

    __slots__ = ("_rows", "_spellings")

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._spellings: dict[str, Mapping[str, str] | None] = {}

    def add(self, row: Row) -> None:
        for method in row.methods:
            self._rows.setdefault(method, []).append(row)

    def settle(self) -> None:
        """Puts the rows of each method in order; `HEAD` takes those of `GET` if it has none (rule 2)."""
        if "GET" in self._rows:
            self._rows.setdefault("HEAD", self._rows["GET"])
        for method, rows in self._rows.items():
            rows.sort(key=lambda row: row.query.rank)
            looks = any(row.query.looks for row in rows)
            self._spellings[method] = spellings(row.query for row in rows) if looks else None

    def pick(self, inbound: Inbound) -> Row | None:
        rows = self._rows.get(inbound.method)
        if rows is None:
            return None
        known = self._spellings[inbound.method]
        if known is None:
            return rows[0]
        names = names_in(inbound, known)
        return next((row for row in rows if row.query.takes(names)), None)

    def of(self, method: str) -> Sequence[Row]:
        """Returns the rows that stand for `method`."""
        return self._rows.get(method, ())

    def methods(self) -> Iterator[str]:
        """Yields the methods that a row here states or implies."""
        yield from self._rows

    def ties(self) -> Iterator[tuple[Row, Row, str]]:
        for one, two in _pairs(row for rows in self._rows.values() for row in rows):
            shared = [method for method in one.methods if method in two.methods]
            if not shared:
                continue
            if one.query.ties_with(two.query):
                yield one, two, "they have the same shape, and no query tells them apart"
            elif name := _spelled_twice(one, two):
                yield one, two, f"`{name}` stands in both queries in two letter cases"


class _Node:
    """What may come after the segments that led here."""

    __slots__ = ("is_fork", "leaf", "literals", "patterns", "plain", "rest", "ways")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.patterns: list[tuple[Pattern, _Node]] = []
        self.plain: _Node | None = None
        self.rest: _Leaf | None = None
        self.leaf: _Leaf | None = None
        self.ways: Mapping[str, _Node | None] = self.literals
        self.is_fork = False

    def leaf_for(self, parts: tuple[str | Parameter, ...]) -> _Leaf:
        """Returns the leaf at the end of `parts`, growing the tree as needed."""
        if not parts:
            self.leaf = self.leaf or _Leaf()
            return self.leaf
        part = parts[0]
        if isinstance(part, str):
            return self.literals.setdefault(part, _Node()).leaf_for(parts[1:])
        if part.is_rest:
            self.rest = self.rest or _Leaf()
            return self.rest
        if part.pattern is not None:
            return self._below(part.pattern).leaf_for(parts[1:])
        self.plain = self.plain or _Node()
        return self.plain.leaf_for(parts[1:])

    def _below(self, pattern: Pattern) -> "_Node":
        node = next((below for known, below in self.patterns if known == pattern), None)
        if node is None:
            node = _Node()
            self.patterns.append((pattern, node))
        return node

    def settle(self) -> None:
        """Makes ready to be asked: a node with one way on says which by one look-up, and a plain parameter takes no empty segment."""
        self.is_fork = bool(self.patterns or self.rest or (self.plain and self.literals))
        if self.plain is not None:
            self.ways = {"": None}
        for leaf in self.leaves():
            leaf.settle()

    def leaves(self) -> Iterator[_Leaf]:
        """Yields the leaves at this node, the rest last."""
        yield from (leaf for leaf in (self.leaf, self.rest) if leaf is not None)

    def below(self) -> Iterator["_Node"]:
        """Yields the nodes one segment further."""
        yield from self.literals.values()
        yield from (node for _, node in self.patterns)
        if self.plain is not None:
            yield self.plain

    def walk(self) -> Iterator["_Node"]:
        """Yields this node and all below."""
        yield self
        for node in self.below():
            yield from node.walk()

    def find(self, inbound: Inbound, segments: tuple[str, ...], at: int) -> Row | None:
        """Returns the row for `segments` from `at` on, by rule 1."""
        here = self
        for number in range(at, len(segments)):
            if here.is_fork:
                return here.choose(inbound, segments, number)
            below = here.ways.get(segments[number], here.plain)  # one way only: no need to come back
            if below is None:
                return None
            here = below
        return here.leaf.pick(inbound) if here.leaf is not None else None

    def choose(self, inbound: Inbound, segments: tuple[str, ...], at: int) -> Row | None:
        """Returns the row for `segments` from `at` on, trying each way from here in the order of rule 1."""
        segment = segments[at]
        node = self.literals.get(segment)
        if node is not None and (row := node.find(inbound, segments, at + 1)) is not None:
            return row
        if segment:
            for pattern, node in self.patterns:
                if pattern.matches(segment) and (row := node.find(inbound, segments, at + 1)) is not None:
                    return row
            if self.plain is not None and (row := self.plain.find(inbound, segments, at + 1)) is not None:
                return row
        return self.rest.pick(inbound) if self.rest is not None else None


def _clashes(one: _Node, two: _Node) -> Iterator[tuple[Row, Row]]:
    """Yields the pairs of rows below two nodes that one path can fall on; where the way parts does not matter any more."""
    for mine in one.leaves():
        for theirs in two.leaves():
            # A rest needs a segment, so it shares no path with a leaf; what lies deeper is met below.
            if (mine is one.rest) == (theirs is two.rest):
                yield from _undecided(mine, theirs)
    for here, there in ((one, two), (two, one)):
        if here.rest is not None:
            for leaf in _deeper(there):
                pairs = _undecided(here.rest, leaf)
                yield from pairs if here is one else ((second, first) for first, second in pairs)
    for mine_next, theirs_next in _common_ways(one, two):
        yield from _clashes(mine_next, theirs_next)


def _deeper(node: _Node) -> Iterator[_Leaf]:
    """Yields every leaf that lies at least one segment below `node`."""
    for below in node.below():
        for each in below.walk():
            yield from each.leaves()


def _undecided(one: _Leaf, two: _Leaf) -> Iterator[tuple[Row, Row]]:
    """Yields the rows of two leaves on which one method and query can fall: of different shapes, none wins by its query."""
    seen: set[tuple[int, int]] = set()
    for method in set(one.methods()) & set(two.methods()):
        for first in one.of(method):
            for second in two.of(method):
                pair = (id(first), id(second))
                if pair not in seen and first.query.meets(second.query):
                    seen.add(pair)
                    yield first, second


def _common_ways(one: _Node, two: _Node) -> Iterator[tuple[_Node, _Node]]:
    """Yields the pairs of next nodes that one segment can lead to."""
    for mine, my_node in _ways(one):
        for theirs, their_node in _ways(two):
            if _meet(mine, theirs):
                yield my_node, their_node


def _ways(node: _Node) -> Iterator[tuple[str | Pattern | None, _Node]]:
    yield from node.literals.items()
    yield from node.patterns
    if node.plain is not None:
        yield None, node.plain


def _meet(one: str | Pattern | None, two: str | Pattern | None) -> bool:
    """Tells whether one segment can go both ways; None is a plain parameter, which takes all but the empty one."""
    if isinstance(one, str) and isinstance(two, str):
        return one == two
    if isinstance(one, Pattern) and isinstance(two, Pattern):
        return one.overlaps(two)
    for text, other in ((one, two), (two, one)):
        if isinstance(text, str):
            return bool(text) and (other is None or (isinstance(other, Pattern) and other.matches(text)))
    return True


def _pairs(rows: Iterator[Row]) -> Iterator[tuple[Row, Row]]:
    """Yields each pair of different rows once."""
    each = list(dict.fromkeys(rows))
    for at, one in enumerate(each):
        for two in each[at + 1 :]:
            yield one, two


def _spelled_twice(one: Row, two: Row) -> str | None:
    mine = spellings([one.query])
    return next((name for name in two.query.names if mine.get(folded(name), name) != name), None)
