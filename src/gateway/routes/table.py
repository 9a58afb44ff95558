"""Stage routes: which actions on which objects a request is; no row, no entry.

Rules:

1. A request that falls on no row is refused (law 2); so is one below the management prefix, which is ours.
2. An oddity of the target passes only where the row allows it.
3. An operation names all its objects before any is judged; what cannot be read is refused, never left out.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from gateway.errors import GatewayError
from gateway.inbound import Inbound
from gateway.reasons import Reason
from gateway.routes.forms import ObjectForm
from gateway.routes.loading import Loaded, Names, load_folder
from gateway.routes.matching import Tree
from gateway.routes.reading import Reading
from gateway.routes.rows import Naming, Operation, Row, Target
from models.facts import ObjectKey


class RouteTable:
    """All route maps of a policy bundle; immutable."""

    __slots__ = ("_prefix", "_tree", "forms", "rows")

    def __init__(self, loaded: Loaded, tree: Tree, prefix: tuple[str, ...]) -> None:
        self.rows: tuple[Row, ...] = tuple(loaded.rows)
        self.forms: Mapping[str, ObjectForm] = dict(loaded.forms)
        self._tree, self._prefix = tree, prefix

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        known_roles: Mapping[str, object],
        upstreams: Collection[str] | None,
        prefix: str = "/-/",
    ) -> "RouteTable":
        """Reads the maps `*.yaml` of `folder`.

        Args:
            folder: where they stand; an empty one gives a table that no request matches.
            known_roles: the catalogue of roles.
            upstreams: the configured backends; None to take any name.
            prefix: the gateway's own paths, below which no row may stand.

        Raises:
            RouteMapError: with all problems of all files, each `folder/file:line: sentence`.
        """
        own = tuple(prefix.strip("/").split("/"))
        return cls(*load_folder(folder, Names(known_roles, upstreams, own)), own)

    @property
    def actions(self) -> frozenset[str]:
        """Every action that some row asks about."""
        return frozenset(judged.action for row in self.rows for judged in row.judged)

    def match(self, inbound: Inbound) -> Row | None:
        """Returns the row that the request falls on, without reading its body; None if there is none.

        Raises:
            GatewayError: BAD_TARGET, if the target has an oddity that the row does not allow, or a query with two
                readings where rows are told apart by it.
        """
        segments = inbound.segments
        if segments[0] == self._prefix[0] and segments[: len(self._prefix)] == self._prefix:
            return None
        row = self._tree.find(inbound)
        if row is None:
            return None
        if inbound.oddities and not inbound.oddities <= row.allow:
            raise GatewayError(Reason.BAD_TARGET, f"{row.place} does not allow {sorted(inbound.oddities)}")
        return row

    def operation(self, row: Row, inbound: Inbound, body: bytes | None = None) -> Operation:
        """Returns what the request is.

        Args:
            row: what `match` returned for it.
            inbound: the request.
            body: all of it, if the row reads it; at most a byte more than its `body_limit` need be given.

        Raises:
            GatewayError: BAD_TARGET, BAD_HEADERS, BAD_BODY or BODY_TOO_LARGE, if an id cannot be read, or in two ways.
        """
        reading = Reading(inbound, body, row.body_limit, row.allow)
        named: dict[Naming, tuple[ObjectKey, ...]] = {}
        targets: list[Target] = []
        for judged in row.judged:
            naming = judged.naming
            if naming is None:
                targets.append(Target(judged.action))
                continue
            if naming not in named:
                named[naming] = naming.keys(reading)
            if not named[naming] and not judged.optional:
                raise GatewayError(naming.source.fault, f"`{naming.text}` names nothing")
            for key in named[naming]:
                targets.append(Target(judged.action, key))  # noqa: PERF401 - a generator for one key costs more
        return Operation(row, tuple(targets), named)
