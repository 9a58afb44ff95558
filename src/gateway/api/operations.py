"""Operations: functions that answer, each with what it takes and gives, found by service and name.

Rules:

1. An operation is a function of a `Call`, and of `body` and `query` where it takes them, by the types that it states. It runs in a thread,
   may wait for the store, and returns a document, an `Answer` or None. One that is a coroutine runs on the loop and waits for no store there.
2. Its name is the one by which rows name it (`local_routes/`); each row has one and each one has a row, which tests compare.
3. What it takes is read by its types before it runs. Fields that nobody knows are passed over: programs send back what they were given.
4. The documentation is made of the same types and of the first line of its docstring (`gateway.api.openapi`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from gateway.errors import GatewayError
from gateway.reasons import Reason

if TYPE_CHECKING:
    from gateway.api.call import Call

D = TypeVar("D")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Answer(Generic[D]):
    """An answer with more than a document.

    Attributes:
        document: what is told.
        status: HTTP's.
        warnings: what whoever changed something should know; told in `X-Mediagate-Warning`, so that the document and its tag stay as they are.
    """

    document: D
    status: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: by which rows name it.
        run: the function.
        statuses: those of success; the first is the usual one.
        body: the type of its body; None if it takes none.
        query: the type of its query; None if it reads none.
        document: the type of what it tells; None if nothing.
        needs_body: whether a request without a body is refused.
        tagged: whether its answer has an entity tag, and if it changes something, it compares the one that it is sent.
        partial: whether it is served for some things only, and says 501 of others.
    """

    name: str
    run: Callable[..., Any]
    statuses: tuple[int, ...]
    body: Any = None
    query: Any = None
    document: Any = None
    needs_body: bool = True
    tagged: bool = False
    partial: bool = False

    def answer(self, call: "Call", body: bytes, query: tuple[tuple[str, str], ...]) -> Answer[Any]:
        """Runs it; returns what it says.

        Raises:
            GatewayError: what came cannot be read (rule 3), or whatever the operation raises.
        """
        return self._answered(self.run(call, **self._said(body, query)))

    @property
    def is_awaited(self) -> bool:
        """Whether it is a coroutine, which `answer_awaited` runs."""
        return iscoroutinefunction(self.run)

    async def answer_awaited(
        self, call: "Call", body: bytes, query: tuple[tuple[str, str], ...]
    ) -> Answer[Any]:
        """Runs it on the loop; returns and raises as `answer`."""
        return self._answered(await self.run(call, **self._said(body, query)))

    def _said(self, body: bytes, query: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        said = {}
        if self.body is not None and (body or self.needs_body):
            said["body"] = _read(lambda: msgspec.json.decode(body, type=self.body))
        if self.query is not None:
            said["query"] = _read(lambda: msgspec.convert(_once(query, self.query), self.query, strict=False))
        return said

    def _answered(self, found: object) -> Answer[Any]:
        return found if isinstance(found, Answer) else Answer(found, self.statuses[0])


@dataclass(frozen=True, slots=True)
class Service:
    """The operations of one service, by name."""

    name: str
    operations: dict[str, Operation] = field(default_factory=dict)

    def operation(
        self, *statuses: int, needs_body: bool = True, tagged: bool = False, partial: bool = False
    ) -> Callable[[F], F]:
        """Registers the function that it decorates, under its own name.

        Args:
            statuses: those of success.
            needs_body: whether a request without a body is refused.
            tagged: whether there is an entity tag for it.
            partial: whether it says 501 of some things.
        """

        def register(run: F) -> F:
            hints = get_type_hints(run)
            document = hints.get("return")
            if get_origin(document) is Answer:
                (document,) = get_args(document)
            self.operations[run.__name__] = Operation(
                run.__name__,
                run,
                statuses or (200,),
                hints.get("body"),
                hints.get("query"),
                None if document is type(None) else document,
                needs_body,
                tagged,
                partial,
            )
            return run

        return register


def _once(query: tuple[tuple[str, str], ...], known: type[msgspec.Struct]) -> dict[str, str]:
    """Returns the parameters that are known, each of which comes once; other ones are nobody's."""
    names = {each.encode_name for each in msgspec.structs.fields(known)}
    found: dict[str, str] = {}
    for name, value in query:
        if name in names:
            if name in found:
                raise GatewayError(Reason.BAD_TARGET, f"`{name}` comes twice")
            found[name] = value
    return found


def _read(read: Callable[[], D]) -> D:
    try:
        return read()
    except msgspec.ValidationError as error:
        raise bad_value(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise told(Reason.BAD_BODY, "the body is no JSON") from error


def bad_value(sentence: str) -> GatewayError:
    """Returns the refusal of a value, with the sentence that tells why."""
    return told(Reason.BAD_VALUE, sentence)


def told(reason: Reason, sentence: str) -> GatewayError:
    """Returns a refusal whose sentence the client gets."""
    error = GatewayError(reason, sentence)
    error.told = sentence
    return error
