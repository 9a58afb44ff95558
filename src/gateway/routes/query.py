"""Which query parameters a row takes, and how rows of one shape are told apart by them.

Rules:

1. A row without a statement takes any query. A row that lists names takes these alone. A name may be required.
2. Of two rows that take the same query, the one that requires more wins, else the one that lists over the one that
   takes any; if neither, they tie, which is an error at load.
3. Where any row of a shape looks at a name, that name must come in one reading: once, in its own letter case and
   Unicode form, and no `;` or `+` may let another program split or read the names otherwise. Else the request is
   refused and falls on no row: falling on the next one could judge a deletion as a reading.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import GatewayError
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes.forms import folded


@dataclass(frozen=True, slots=True)
class QueryRule:
    """What a row says of the query.

    Attributes:
        required: names that must come.
        listed: the only names that may come, required ones included; None for any.
    """

    required: frozenset[str] = frozenset()
    listed: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names that this rule looks at."""
        return self.required | (self.listed or frozenset())

    @property
    def looks(self) -> bool:
        """Whether it takes some queries and not others."""
        return bool(self.required) or self.listed is not None

    @property
    def rank(self) -> tuple[int, bool]:
        """Sorts rules that take the same query so that the winner of rule 2 comes first."""
        return -len(self.required), self.listed is None

    def takes(self, names: frozenset[str]) -> bool:
        """Tells whether a query with exactly these names falls under this rule."""
        return self.required <= names and (self.listed is None or names <= self.listed)

    def meets(self, other: "QueryRule") -> bool:
        """Tells whether some query falls under both."""
        both = self.required | other.required
        return self.takes(both) and other.takes(both)

    def ties_with(self, other: "QueryRule") -> bool:
        """Tells whether some query falls under both and rule 2 names no winner."""
        if not self.meets(other):
            return False
        if self.required != other.required:
            return not (self.required < other.required or other.required < self.required)
        return (self.listed is None) == (other.listed is None)


ANY_QUERY: Final = QueryRule()
"""What a row says that says nothing."""


def spellings(rules: Iterable[QueryRule]) -> Mapping[str, str]:
    """Returns folded name → name for every name that one of `rules` looks at."""
    return {folded(name): name for rule in rules for name in rule.names}


def names_in(inbound: Inbound, known: Mapping[str, str]) -> frozenset[str]:
    """Returns the names of the query's parameters.

    Args:
        inbound: the request.
        known: the names that are looked at, by their folded form.

    Raises:
        GatewayError: BAD_TARGET, by rule 3.
    """
    if not inbound.query:
        return frozenset()
    if b";" in inbound.query:
        raise GatewayError(Reason.BAD_TARGET, "the query has a `;`")
    names: set[str] = set()
    for name, _ in inbound.query_pairs():
        meant = known.get(folded(name))
        if "+" in name or (meant is not None and (name != meant or name in names)):
            raise GatewayError(Reason.BAD_TARGET, "a query parameter came twice or in another spelling")
        names.add(name)
    return frozenset(names)
