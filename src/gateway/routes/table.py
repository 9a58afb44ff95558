"""Stage routes: which actions on which objects a request is; no row, no entry.

Rules:

1. A request that falls on no row is refused (law 2); so is one below the management prefix, which is ours, or on a path that a local
   service owns, unless the row is a local service's. Here letter case does not count: a backend behind a row that covers everything may
   take two spellings for one.
2. An oddity of the request passes only where the row allows it; without a row those of the target are refused too, all but `;`.
3. The body of a POST, or a form of another method, makes no other method of the request, unless the row allows that (`gateway.hidden_methods`): one in hand is looked
   through here, any other while it is carried.
4. An operation names all its objects before any is judged; what cannot be read is refused, never left out.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gateway.errors import GatewayError
from gateway.hidden_methods import Kind, check_head, check_whole, kind_of
from gateway.inbound import UNREAD, Inbound
from gateway.reasons import Reason
from gateway.routes.forms import IdError, ObjectForm
from gateway.routes.loading import Loaded, Names, load_folder
from gateway.routes.matching import Tree
from gateway.routes.reading import Reading
from gateway.routes.rows import Naming, Operation, Row, Target
from models.records import ObjectKey

_WITHOUT_ROW: Final = frozenset(("semicolon", "tagged-if", "method-parameter", *UNREAD.values()))
_UNNAMED: Final[Mapping[Naming, tuple[ObjectKey, ...]]] = MappingProxyType({})
_BODILESS: Final = ("GET", "HEAD", "OPTIONS")
_OF_HEADERS: Final = frozenset(("tagged-if", *UNREAD.values()))
"""Oddities that a request may have which falls on no row: it is refused all the same, for having none."""


class RouteTable:
    """All route maps of a policy bundle; immutable."""

    __slots__ = ("_owned", "_prefix", "_tree", "forms", "rows")

    def __init__(self, loaded: Loaded, tree: Tree, prefix: tuple[str, ...]) -> None:
        self.rows: tuple[Row, ...] = tuple(loaded.rows)
        self.forms: Mapping[str, ObjectForm] = dict(loaded.forms)
        self._tree, self._prefix = tree, prefix
        owned = (prefix, *loaded.owned)
        self._owned = tuple(tuple(part.casefold() for part in parts) for parts in owned)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        known_roles: Mapping[str, object],
        gui_only: Collection[str] = (),
        upstreams: Collection[str] | None,
        prefix: str = "/-/",
    ) -> "RouteTable":
        """Reads the maps `*.yaml` of `folder`.

        Args:
            folder: where they stand; an empty one gives a table that no request matches.
            known_roles: the catalogue of roles.
            gui_only: those of them that decide nothing.
            upstreams: the configured backends; None to take any name.
            prefix: the gateway's own paths, below which no row may stand.

        Raises:
            RouteMapError: with all problems of all files, each `folder/file:line: sentence`.
        """
        own = tuple(prefix.strip("/").split("/"))
        return cls(*load_folder(folder, Names(known_roles, gui_only, upstreams, own)), own)

    @property
    def actions(self) -> frozenset[str]:
        """Every action that some row asks about."""
        return frozenset(judged.action for row in self.rows for judged in row.judged)

    def match(self, inbound: Inbound) -> Row | None:
        """Returns the row that the request falls on, without reading its body; None if there is none.

        Raises:
            GatewayError: BAD_TARGET or BAD_HEADERS, if the request has an oddity that the row does not allow, or a query with
                two readings where rows are told apart by it.
        """
        segments = inbound.segments
        row = self._tree.find(inbound)
        if row is not None and not row.operation:
            first = segments[0].casefold()
            for owned in self._owned:
                if first == owned[0] and owned == tuple(map(str.casefold, segments[: len(owned)])):
                    row = None
                    break
        if inbound.oddities:
            _check_oddities(inbound, row)
        return row

    def methods_beside(self, row: Row) -> tuple[str, ...]:
        """Returns the methods that rows of the same shape as `row` state, and `HEAD` where they state `GET`; sorted."""
        return self._tree.methods_beside(row)

    def operation(self, row: Row, inbound: Inbound, body: bytes | None = None) -> Operation:
        """Returns what the request is.

        Args:
            row: what `match` returned for it.
            inbound: the request.
            body: all of it, where the row reads it; at most a byte more than its `body_limit` need be given.

        Raises:
            GatewayError: BAD_TARGET, BAD_HEADERS, BAD_BODY or BODY_TOO_LARGE, if an id cannot be read, or in two ways.
        """
        if row.single is not None and inbound.method in _BODILESS:
            return _of_one_object(row, row.single, inbound)
        kind = hiding_place(row, inbound)
        if kind is not None:
            content_type = inbound.header(b"content-type")
            check_head(kind, content_type, inbound.header(b"content-encoding"))
            if body is not None:
                check_whole(kind, content_type, body)
        reading = Reading(inbound, body, row.body_limit, row.allow)
        named: dict[Naming, tuple[ObjectKey, ...]] = {}
        targets: list[Target] = []
        for judged in row.judged:
            naming = judged.naming
            if naming is None:
                targets.append(Target(judged.action))
                continue
            keys = named.get(naming)
            if keys is None:
                keys = named[naming] = naming.keys(reading)
            if not keys and not judged.optional:
                raise GatewayError(naming.source.fault, f"`{naming.text}` names nothing")
            for key in keys:
                targets.append(Target(judged.action, key))  # noqa: PERF401 - a generator for one key costs more
        return Operation(row, tuple(targets), named)


def _of_one_object(row: Row, single: tuple[str, Naming, int], inbound: Inbound) -> Operation:
    action, naming, at = single
    try:
        key = naming.form.of_text(inbound.segments[at])
    except IdError as error:
        raise naming.fault(error) from error
    effects = row.creates is not None or row.deletes is not None
    return Operation(row, (Target(action, key),), {naming: (key,)} if effects else _UNNAMED)


def _check_oddities(inbound: Inbound, row: Row | None) -> None:
    refused = sorted(inbound.oddities - (_WITHOUT_ROW if row is None else row.allow))
    if refused:
        where = "no row allows" if row is None else f"{row.place} does not allow"
        reason = Reason.BAD_HEADERS if _OF_HEADERS.issuperset(refused) else Reason.BAD_TARGET
        raise GatewayError(reason, f"{where} {', '.join(f'`{each}`' for each in refused)}")


def hiding_place(row: Row, inbound: Inbound) -> Kind | None:
    """Returns how the request's body may hold a parameter that names another method (rule 3); None if it does not matter."""
    if inbound.method in _BODILESS or "method-parameter" in row.allow:
        return None
    kind = kind_of(inbound.header(b"content-type"))
    if inbound.method == "POST":
        return kind
    return kind if kind is Kind.FORM and inbound.header(b"content-type") else None
