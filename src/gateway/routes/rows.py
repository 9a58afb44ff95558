"""The values of the routes stage: a row of a route map, and what a request turns out to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.errors import GatewayError
from gateway.routes.forms import IdError, ObjectForm
from gateway.routes.query import ANY_QUERY, QueryRule
from gateway.routes.reading import AnswerBody, AnswerHeader, Headers, Reading, SegmentSource, Source
from gateway.routes.templates import Parameter, Template
from models.records import ObjectKey

BODY_LIMIT: Final = 64 * 1024
"""Bytes of a body that a row reads unless it states another bound."""
SUCCESS: Final = frozenset(range(200, 300)) - {202, 207}
"""Statuses that mean success unless a row states others: 202 promises, and 207 may hide a failure."""


@dataclass(frozen=True, slots=True, eq=False)
class Naming:
    """A way in which a row names objects; one that a row uses twice is the same value.

    Attributes:
        form: how the ids are written.
        source: where they come from.
        text: the source as the row spells it.
        several: whether it may name more than one object.
    """

    form: ObjectForm
    source: Source
    text: str
    several: bool = False

    def keys(self, reading: Reading) -> tuple[ObjectKey, ...]:
        """Returns the objects that a request names in this way; none if it does not.

        Raises:
            GatewayError: what it names is no object, or has two readings.
        """
        try:
            return self.source.keys(reading, self.form)
        except IdError as error:
            raise self.fault(error) from error

    def fault(self, error: IdError) -> GatewayError:
        """Returns the refusal of what is no id."""
        return GatewayError(self.source.fault, f"`{self.text}`: {error}")


@dataclass(frozen=True, slots=True)
class Judged:
    """An action that a row puts to the policy, for each object of `naming`; None is the caller's own domain."""

    action: str
    naming: Naming | None = None
    optional: bool = False


class Target(msgspec.Struct, frozen=True, gc=False):
    """One object that a request names, and what is asked of it; no object is the caller's own domain."""

    action: str
    object: ObjectKey | None = None


@dataclass(frozen=True, slots=True)
class Creates:
    """An object that comes into being when the row's request succeeds; the caller becomes its owner.

    Its id is known from the request (`naming`) or only from the answer, never from both.

    Attributes:
        form: the form of its id.
        naming: how the request names it.
        answer: where the answer names it.
        parents: how the request names the collections it will stand in; each of them is judged too.
    """

    form: ObjectForm
    naming: Naming | None = None
    answer: AnswerHeader | AnswerBody | None = None
    parents: tuple[Naming, ...] = ()

    @property
    def needs_answer_body(self) -> bool:
        """Whether the answer's body must be at hand: ask the backend for it without content coding."""
        return self.answer is not None and self.answer.reads_body

    def key_before(self, operation: "Operation") -> ObjectKey | None:
        """Returns the object's key where the request itself names it, None where only the answer does."""
        return operation.named[self.naming][0] if self.naming else None

    def key_from_answer(self, headers: Headers, body: bytes | None) -> ObjectKey:
        """Returns the object's key as a successful answer names it.

        Args:
            headers: of the answer.
            body: of the answer, whole; needed where `needs_answer_body` says so.

        Raises:
            GatewayError: OUTCOME_UNKNOWN, since the answer does not name one object.
        """
        if self.answer is None:
            raise LookupError("this row's request names the object: ask `key_before`")
        return self.answer.key(headers, body, self.form)

    def parent_keys(self, operation: "Operation") -> tuple[ObjectKey, ...]:
        """Returns the collections that the object will stand in."""
        return tuple(dict.fromkeys(key for naming in self.parents for key in operation.named[naming]))


@dataclass(frozen=True, slots=True)
class Deletes:
    """Objects that are gone when the row's request succeeds; each of them is judged too."""

    naming: Naming

    def keys(self, operation: "Operation") -> tuple[ObjectKey, ...]:
        """Returns the objects."""
        return operation.named[self.naming]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a route map.

    Attributes:
        place: `file:line`.
        methods: as the row states them; `GET` also takes `HEAD` where no row for it stands.
        template: what paths it covers.
        judged: what is put to the policy; empty only if `anonymous`.
        roles: the roles needed, all of them; empty if being signed in is enough.
        anonymous: whether no credential is needed.
        public: whether caches may give its answer to others; only if `anonymous`.
        websocket: whether a GET may become a WebSocket.
        operation: which operation of a local service answers (`gateway.api`); empty if a backend does.
        answered: whether the gateway itself answers (`gateway.options`); only for OPTIONS.
        query: which parameters may come.
        upstream: the backend's name in the settings.
        drop_headers: lower-case names of headers that never reach the backend.
        allow: oddities of a target that pass.
        reads_body: whether `operation` needs the body.
        body_limit: the bytes of it that are read.
        success: the statuses that make the effects true.
        creates: what a success brings into being.
        deletes: what a success ends.
        single: the action, the naming and the number of the segment, where one object is judged that is a segment of the path: most
            rows are so, and are read without further ado.
    """

    place: str
    methods: tuple[str, ...]
    template: Template
    upstream: str
    judged: tuple[Judged, ...] = ()
    roles: tuple[str, ...] = ()
    anonymous: bool = False
    public: bool = False
    websocket: bool = False
    answered: bool = False
    operation: str = ""
    query: QueryRule = ANY_QUERY
    drop_headers: frozenset[bytes] = frozenset()
    allow: frozenset[str] = frozenset()
    reads_body: bool = False
    body_limit: int = BODY_LIMIT
    success: frozenset[int] = SUCCESS
    creates: Creates | None = None
    deletes: Deletes | None = None

    single: tuple[str, Naming, int] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if (
            len(self.judged) == 1
            and (naming := self.judged[0].naming)
            and isinstance(naming.source, SegmentSource)
        ):
            object.__setattr__(self, "single", (self.judged[0].action, naming, naming.source.at))

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The path's parameters by name."""
        return self.template.parameters

    @property
    def has_effects(self) -> bool:
        """Whether a success changes facts, so that an intent is written before the request is forwarded."""
        return self.creates is not None or self.deletes is not None


class Operation(msgspec.Struct, frozen=True, gc=False):
    """What a request is: what is asked of which objects.

    Attributes:
        row: the row that says so.
        targets: each must be allowed; empty only if `anonymous`.
        named: the objects behind each of the row's namings, where a success has effects; read through `Creates` and `Deletes`.
    """

    row: Row
    targets: tuple[Target, ...]
    named: Mapping[Naming, tuple[ObjectKey, ...]]

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the row needs, all of them."""
        return self.row.roles

    @property
    def anonymous(self) -> bool:
        """Whether no credential is needed."""
        return self.row.anonymous
