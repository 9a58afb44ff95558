"""Strict Oso: the meaning of a policy. The only importer of Oso.

Plain Oso fails open: an error inside `not` is swallowed and the `not` holds; a policy can reach Python's object model
through any value and run code. Here a policy reaches Python only through the registered vocabulary, and every error
leaves the query:

1. A call is admitted if the receiver's class is exactly a registered one, the name is in that class's vocabulary, the
   number of arguments is the method's, and there are no keyword arguments. Plain attributes are never read.
2. An argument is a string, integer, boolean or an instance of a registered class, or a list of these, of at most
   `MAX_ITEMS` items and `MAX_NESTING` lists within lists; a variable without a value, an expression, a pattern or a
   dictionary is an error.
3. An answer is exactly a bool.
4. `new`, iteration over objects, comparison of objects, and `debug()` are errors. Inline queries (`?=`) run under the
   same rules.
5. What a question raises (a missing fact, a bound) passes through unchanged; all else is a `StrictPolicyError`.
6. Whoever asks states a deadline, after which nothing more is begun; the virtual machine ends each single query after
   `QUERY_MS`. So nothing that a policy says holds up the process for longer than the two together.
"""

import inspect
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec
import polar.ffi
from polar.exceptions import InlineQueryFailedError, OperationalError, OsoError
from polar.ffi import PolarSource, ffi_serialize
from polar.host import Host
from polar.polar import Polar
from polar.predicate import Predicate
from polar.query import Query
from polar.variable import Variable

from gateway.policy.tree import Asked
from models.records import FactBoundError, MissingFactError
from models.vocabulary import Request, Resource, Subject

QUERY_MS: Final = 250
"""Milliseconds that one query may take in the virtual machine; a usual one takes less than one."""
os.environ["POLAR_TIMEOUT_MS"] = str(QUERY_MS)  # Oso reads it when a query starts; its default is 30 s

_NOT_WORDS: Final = frozenset(("grants_of",))
_PLAIN: Final = (str, int, bool)
_TIMED_OUT: Final = "Query timeout"  # Oso has no class of its own for it
MAX_ITEMS: Final = 256
"""Items of one argument, those of lists within it included."""
MAX_NESTING: Final = 4
"""Lists within lists of one argument."""
_TYPE_NAMES: Final[Mapping[type, str]] = {Resource: "Object"}  # Oso keeps the name `Resource` for itself


vars(polar.ffi)["print"] = lambda *_args, **_options: (
    None
)  # Oso prints to standard output, which may be the audit


class StrictPolicyError(Exception):
    """A policy did what strict Oso refuses, or Oso itself failed; lower case, one line, without values of facts.

    Attributes:
        lasting: whether the same answers always lead here; a time-out or a question that fails is not like that.
        bounded: whether the time was up.
    """

    def __init__(self, message: str, *, lasting: bool = True, bounded: bool = False) -> None:
        super().__init__(message)
        self.lasting, self.bounded = lasting, bounded


class PolicySyntaxError(Exception):
    """Oso cannot load the text; the message is Oso's, with file and line."""


def _words(cls: type) -> Mapping[str, int]:
    """Returns the vocabulary of a class (its public methods) with the number of arguments of each."""
    methods = inspect.getmembers(cls, inspect.isfunction)
    return {
        name: len(inspect.signature(method).parameters) - 1
        for name, method in methods
        if not name.startswith("_") and name not in _NOT_WORDS
    }


VOCABULARY: Final[Mapping[type, Mapping[str, int]]] = {
    cls: _words(cls) for cls in (Subject, Resource, Request)
}


Note = Callable[[Asked], object]

_NATIVE: Final = vars(polar.ffi)["lib"]
_decoded: Final = msgspec.json.Decoder().decode
_ANSWERS: Final = {answer: ffi_serialize({"value": {"Boolean": answer}}) for answer in (True, False)}
_RARE: Final = {
    "MakeExternal": "handle_make_external",
    "ExternalOp": "handle_external_op",
    "ExternalIsaWithPath": "handle_external_isa_with_path",
    "ExternalIsSubSpecializer": "handle_external_is_subspecializer",
    "ExternalIsSubclass": "handle_external_is_subclass",
    "NextExternal": "handle_next_external",
    "Debug": "handle_debug",
}
"""Events that a usual question has none of."""


class _StrictQuery(Query):
    """Answers the virtual machine's events by the rules above, and tells `note` each question with its answer."""

    note: Note | None = None
    deadline = float("inf")

    def run(self) -> Generator[dict[str, Any], None, None]:
        """Answers events until the end, and yields each result (the library's own loop, without what it makes anew for each event)."""
        while True:
            ((kind, data),) = _decoded(self.ffi_query.next_event()).items()
            if kind == "ExternalCall":
                self.handle_external_call(data)
            elif kind == "ExternalIsa":
                self.handle_external_isa(data)
            elif kind == "Done":
                return
            elif kind == "Result":
                to_python = self.host.to_python
                yield {name: to_python(term) for name, term in data["bindings"].items()}
            elif kind in _RARE:
                getattr(self, _RARE[kind])(data)
            else:
                raise StrictPolicyError(f"Oso asks for `{kind}`, which this gateway does not know")

    def handle_external_call(self, data: dict[str, Any]) -> None:
        _check_time(self.deadline)
        receiver = self.host.to_python(data["instance"])
        word = data["attribute"]
        arity = VOCABULARY.get(type(receiver), {}).get(word)
        if arity is None:
            raise StrictPolicyError(f"`{type(receiver).__name__}` has no question `{word}`")
        if data["args"] is None or data["kwargs"]:
            raise StrictPolicyError(f"`{word}` is a question: write `{word}(...)` with plain arguments")
        if len(data["args"]) != arity:
            raise StrictPolicyError(f"`{word}` takes {arity} arguments, not {len(data['args'])}")
        arguments = [_admitted(self.host.to_python(argument), word) for argument in data["args"]]
        _check_size(arguments, word)
        answer = getattr(receiver, word)(*arguments)
        if type(answer) is not bool:
            raise StrictPolicyError(f"`{word}` answered with something that is not yes or no", lasting=False)
        if self.note is not None:
            self.note(Asked(receiver, word, tuple(arguments), answer))
        self.ffi_query.check_result(
            _NATIVE.polar_call_result(self.ffi_query.ptr, data["call_id"], _ANSWERS[answer])
        )

    def handle_make_external(self, _data: dict[str, Any]) -> None:
        raise StrictPolicyError("`new` is not for policies")

    def handle_external_op(self, _data: dict[str, Any]) -> None:
        raise StrictPolicyError("subjects, resources and requests cannot be compared; ask a question instead")

    def handle_external_isa_with_path(self, _data: dict[str, Any]) -> None:
        raise StrictPolicyError("partial evaluation is not for policies")

    def handle_next_external(self, _data: dict[str, Any]) -> None:
        raise StrictPolicyError("a policy cannot iterate over an object")

    def handle_debug(self, _data: dict[str, Any]) -> None:
        raise StrictPolicyError("`debug()` is not for policies")


def _admitted(value: object, word: str) -> object:
    """Returns an argument that rule 2 admits."""
    if type(value) is list:
        return [_admitted(item, word) for item in value]
    if type(value) in _PLAIN or type(value) in VOCABULARY:
        return value
    raise StrictPolicyError(f"an argument of `{word}` has no value yet or is no plain value")


def _check_size(arguments: list[object], word: str) -> None:
    """Refuses arguments beyond the bounds of rule 2."""
    level, items = arguments, len(arguments)
    for _ in range(MAX_NESTING + 1):
        level = [item for each in level if isinstance(each, list) for item in each]
        items += len(level)
        if not level:
            break
    if level or items > MAX_ITEMS:
        raise StrictPolicyError(f"an argument of `{word}` is a list of too many items or lists")


def _check_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise StrictPolicyError("the question took too long", lasting=False, bounded=True)


class _StrictHost(Host):
    """Refuses to compare instances by what Python's `==` would say; serves all queries about one question."""

    def copy(self) -> "_StrictHost":
        """Returns a host that knows nothing but the registered types, which never change and are shared."""
        copied = _StrictHost(self.ffi_polar, instances=self.instances)
        copied.types = self.types
        return copied

    @cached_property
    def _terms(self) -> dict[int, dict[str, Any]]:
        return {}

    def to_polar(self, v: object) -> dict[str, Any]:
        """Returns a value's term; an instance, kept alive by the host, has one for all queries."""
        if type(v) not in VOCABULARY:
            term: dict[str, Any] = super().to_polar(v)
            return term
        if id(v) not in self._terms:
            self._terms[id(v)] = super().to_polar(v)
        return self._terms[id(v)]

    def unify(self, left_instance_id: int, right_instance_id: int) -> bool:
        left, right = self.get_instance(left_instance_id), self.get_instance(right_instance_id)
        return left is right


class StrictPolar(Polar):
    """A virtual machine with the vocabulary registered and one bundle's text loaded."""

    def __init__(self, sources: list[tuple[str, str]]) -> None:
        """Loads the policy text.

        Args:
            sources: (file name, text), in the order in which the rules count.

        Raises:
            PolicySyntaxError: Oso cannot load it.
            StrictPolicyError: an inline query broke the rules.
        """
        super().__init__()
        strict = _StrictHost(self.ffi_polar, types=self.host.types, instances=self.host.instances)
        self.host = strict
        warnings: list[str] = []
        self.ffi_polar.set_message_enricher(_collector(warnings))
        for cls in VOCABULARY:
            self.register_class(cls, name=_TYPE_NAMES.get(cls))
        try:
            self._load_sources([PolarSource(text, name) for name, text in sources])
        except OsoError as error:
            raise PolicySyntaxError(str(error)) from error
        if warnings:
            raise PolicySyntaxError(warnings[0])

    def check_inline_queries(self) -> None:
        """Runs the inline queries of what was just loaded under the rules above."""
        while (query := self.ffi_polar.next_inline_query()) is not None:
            if next(_StrictQuery(query, host=self.host.copy()).run(), None) is None:
                raise InlineQueryFailedError(query.source())

    def answers(
        self,
        rule: str,
        *arguments: object,
        note: Note | None = None,
        deadline: float = float("inf"),
        host: Host | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yields the bindings of each way in which `rule` holds; arguments may be `Variable`s.

        Args:
            rule: its name.
            arguments: its arguments.
            note: is told each question that is asked of the facts, with its answer.
            deadline: on the monotonic clock (rule 6).
            host: a copy of the host that other rules were asked with about the same arguments; else one is made.

        Raises:
            StrictPolicyError: the policy broke a rule above, or Oso failed.
            MissingFactError: a fact is not at hand.
            FactBoundError: a question met a bound.
        """
        _check_time(deadline)
        host = host or self.host.copy()
        try:
            term = host.to_polar(Predicate(name=rule, args=list(arguments)))
            asking = _StrictQuery(self.ffi_polar.new_query_from_term(term), host=host)
            asking.note, asking.deadline = note, deadline
            yield from asking.run()
        except (MissingFactError, FactBoundError, StrictPolicyError):
            raise
        except OsoError as error:
            said = _essence(error)
            late = said.startswith(_TIMED_OUT)
            lasting = not late and not isinstance(error, OperationalError)
            raise StrictPolicyError(said, lasting=lasting, bounded=late) from error
        except Exception as error:
            said = f"a question failed: {type(error).__name__}: {_essence(error)}"
            raise StrictPolicyError(said, lasting=False) from error


def _collector(messages: list[str]) -> Callable[[str], str]:
    def collect(message: str) -> str:
        messages.append(message)
        return message

    return collect


def _essence(error: Exception) -> str:
    """Returns the line of a message that says what is wrong: the one after Oso's trace, if it shows one."""
    lines = str(error).strip().splitlines() or [""]
    told = lines[lines.index("") + 1 :] if lines[0].startswith("trace (") and "" in lines else lines
    return (told or lines)[0][:300]


__all__ = [
    "QUERY_MS",
    "VOCABULARY",
    "Note",
    "PolicySyntaxError",
    "StrictPolar",
    "StrictPolicyError",
    "Variable",
]
