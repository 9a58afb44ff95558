"""Where ids come from: sources that read them from a request's path, query, headers and body, or from an answer.

Rules (law 1; what has two readings is refused):

1. Each id is decoded once and given its canonical form by `ObjectForm`.
2. A query parameter comes exactly once, letter case and Unicode form aside, and the query has no `+` and no `;`.
3. A header comes once, and no other header has the same name but for `_` and `.`. An opaque id in it is plain ASCII
   without `%`. A path id in it is a URL of this host or an absolute path, without query, and is read by the very code
   that reads targets (`Inbound.of`): what is refused there is refused here.
4. A body is read as `gateway.routes.bodies` says.
5. An answer is a backend's: where it does not say what it should, the outcome of the request is unknown.
"""

import re
import sys
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from gateway.errors import GatewayError
from gateway.inbound import Bounds, Inbound
from gateway.reasons import Reason
from gateway.routes.bodies import BodyError, Pointer, check_coding, parse
from gateway.routes.forms import IdError, ObjectForm, folded
from gateway.routes.templates import Parameter
from models.networks import NetworkSet
from models.records import ObjectKey

_URL: Final = re.compile(rb"(?:(https?)://([^/?#@]*))?(/[^?#]*)", re.IGNORECASE)
_ANSWER_URL: Final = re.compile(rb"(?:https?://[^/?#]*)?(/[^?#]*)(?:[?#].*)?", re.IGNORECASE)
_PLAIN: Final = re.compile(rb"[!-$&-~](?:[ -$&-~]*[!-$&-~])?")
_PORTS: Final = {b"http": b":80", b"https": b":443"}
_NOWHERE: Final = NetworkSet()
_OF_HEAD: Final = Bounds(sys.maxsize, sys.maxsize)
"""A path in a header is as long as the head may be (`limits.head`)."""

Headers = Iterable[tuple[bytes, bytes]]


class Reading(msgspec.Struct, eq=False, gc=False):
    """One request while its ids are read; the body is parsed at most once.

    Attributes:
        inbound: the request.
        body: all of it, if it was read.
        body_limit: bytes of it that the row reads.
        allow: oddities that the row allows.
    """

    inbound: Inbound
    body: bytes | None
    body_limit: int
    allow: frozenset[str]
    _document: tuple[object] | None = None

    def document(self) -> object:
        """Returns the value that the JSON body states.

        Raises:
            GatewayError: BAD_BODY or BODY_TOO_LARGE.
        """
        if self._document is None:
            self._document = (self._parse(),)
        return self._document[0]

    def _parse(self) -> object:
        if not self.body:
            raise GatewayError(Reason.BAD_BODY, "no body came")
        if len(self.body) > self.body_limit:
            raise GatewayError(Reason.BODY_TOO_LARGE, f"more than {self.body_limit} bytes")
        try:
            check_coding(self.inbound.header(b"content-type"), self.inbound.header(b"content-encoding"))
            return parse(self.body)
        except BodyError as error:
            raise GatewayError(Reason.BAD_BODY, str(error)) from error


class Source(Protocol):
    """A place in a request that names objects."""

    @property
    def fault(self) -> Reason:
        """The reason told when the place names nothing, or something that is no id."""
        ...

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the objects named there; none if the place is missing.

        Raises:
            IdError: something stands there that is no id of `form`.
            GatewayError: it has two readings.
        """
        ...


class SegmentSource:
    """An opaque id that is one segment of the path.

    Attributes:
        at: the segment's number.
    """

    __slots__ = ("at",)
    fault = Reason.BAD_TARGET

    def __init__(self, parameter: Parameter) -> None:
        self.at = parameter.at

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the one object."""
        return (form.of_text(reading.inbound.segments[self.at]),)


class PathSource:
    """A path id put together from literals and segments of the path."""

    __slots__ = ("_parts",)
    fault = Reason.BAD_TARGET

    def __init__(self, parts: tuple[str | Parameter, ...]) -> None:
        self._parts = parts

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the one object."""
        given = reading.inbound.segments
        segments: list[str] = []
        for part in self._parts:
            if isinstance(part, str):
                segments.append(part)
            else:
                segments.extend(given[part.at :] if part.is_rest else (given[part.at],))
        return (form.of_segments(segments),)


class QuerySource:
    """An id that is the value of a query parameter (rule 2)."""

    __slots__ = ("_name",)
    fault = Reason.BAD_TARGET

    def __init__(self, name: str) -> None:
        self._name = name

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the one object; none if the parameter did not come."""
        query = reading.inbound.query
        if b"+" in query or b";" in query:
            raise GatewayError(Reason.BAD_TARGET, "the query has a `+` or `;`")
        wanted = folded(self._name)
        found = [pair for pair in reading.inbound.query_pairs() if folded(pair[0]) == wanted]
        if not found:
            return ()
        if len(found) > 1 or found[0][0] != self._name:
            raise GatewayError(
                Reason.BAD_TARGET, f"`{self._name}` came twice or in another letter case in the query"
            )
        return (form.of_text(found[0][1]),)


class HeaderSource:
    """An id that is the value of a header, as WebDAV's `Destination` (rule 3)."""

    __slots__ = ("_folded", "_name")
    fault = Reason.BAD_HEADERS

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._folded = _header_form(self._name)

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the one object; none if the header did not come."""
        inbound = reading.inbound
        if any(name != self._name and _header_form(name) == self._folded for name, _ in inbound.headers):
            raise GatewayError(Reason.BAD_HEADERS, f"`{self._name.decode()}` came in another spelling")
        value = inbound.header(self._name)
        if value is None:
            return ()
        if form.is_path:
            return (form.of_segments(_segments_of_url(value, inbound, reading.allow)),)
        if not _PLAIN.fullmatch(value):
            raise IdError("the header is not plain ASCII without `%`")
        return (form.of_text(value.decode()),)


class BodySource:
    """Ids that stand in a JSON body (rule 4)."""

    __slots__ = ("_pointer",)
    fault = Reason.BAD_BODY

    def __init__(self, pointer: Pointer) -> None:
        self._pointer = pointer

    def keys(self, reading: Reading, form: ObjectForm) -> tuple[ObjectKey, ...]:
        """Returns the objects, each once; none if the place is missing, null or an empty list."""
        document = reading.document()
        try:
            return tuple(dict.fromkeys(map(form.of_text, self._pointer.ids(document))))
        except BodyError as error:
            raise GatewayError(Reason.BAD_BODY, str(error)) from error


class AnswerHeader:
    """The id of a created object as a header of the answer says it: for a path the path of a URL."""

    __slots__ = ("_name",)
    reads_body = False

    def __init__(self, name: str) -> None:
        self._name = name.encode()

    def key(self, headers: Headers, body: bytes | None, form: ObjectForm) -> ObjectKey:  # noqa: ARG002 - as AnswerBody
        """Returns the object.

        Raises:
            GatewayError: OUTCOME_UNKNOWN (rule 5).
        """
        values = [value for name, value in headers if name.lower() == self._name]
        if len(values) != 1:
            raise _unknown(f"the answer has {len(values)} headers `{self._name.decode()}`")
        try:
            if form.is_path:
                return form.of_segments(_segments_of_answer(values[0]))
            return form.of_text(values[0].decode("ascii"))
        except (IdError, UnicodeDecodeError, GatewayError) as error:
            raise _unknown(f"`{self._name.decode()}` of the answer names no object: {error}") from error


class AnswerBody:
    """The id of a created object as the JSON body of the answer says it."""

    __slots__ = ("_pointer",)
    reads_body = True

    def __init__(self, pointer: Pointer) -> None:
        self._pointer = pointer

    def key(self, headers: Headers, body: bytes | None, form: ObjectForm) -> ObjectKey:
        """Returns the object.

        Raises:
            GatewayError: OUTCOME_UNKNOWN (rule 5).
        """
        fields = [(name.lower(), value) for name, value in headers]
        try:
            check_coding(_first(fields, b"content-type"), _first(fields, b"content-encoding"))
            ids = self._pointer.ids(parse(body or b""))
            if len(ids) != 1:
                raise _unknown(f"the answer names no object at `{self._pointer.text}`")
            return form.of_text(ids[0])
        except (BodyError, IdError) as error:
            raise _unknown(f"the answer: {error}") from error


def _first(fields: list[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return next((value for key, value in fields if key == name), None)


def _unknown(detail: str) -> GatewayError:
    return GatewayError(Reason.OUTCOME_UNKNOWN, detail)


def _header_form(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-").replace(b".", b"-")


def _segments_of_url(value: bytes, inbound: Inbound, allow: frozenset[str]) -> tuple[str, ...]:
    """Returns the decoded segments of a URL of this host, or of an absolute path (rule 3)."""
    url = _URL.fullmatch(value)
    if url is None:
        raise IdError("the header is neither a URL of this host nor an absolute path, without query")
    scheme, host, path = url.groups()
    if scheme is not None and _bare_host(host, scheme) != _bare_host(inbound.host, scheme):
        raise IdError("the header names another host")
    try:
        named = _read_path(path, inbound.host)
    except GatewayError as error:
        raise GatewayError(Reason.BAD_HEADERS, error.detail) from error
    if not named.oddities <= allow:
        raise IdError("the header has an oddity that the row does not allow")
    return named.segments


def _segments_of_answer(value: bytes) -> tuple[str, ...]:
    """Returns the decoded segments of a URL, of whatever host, or of an absolute path."""
    url = _ANSWER_URL.fullmatch(value)
    if url is None:
        raise IdError("it is neither a URL nor an absolute path")
    named = _read_path(url[1], b"answer")
    if not named.oddities <= {"semicolon"}:
        raise IdError("it has an encoded slash or dot")
    return named.segments


def _bare_host(host: bytes, scheme: bytes) -> bytes:
    return host.lower().removesuffix(_PORTS[scheme.lower()])


def _read_path(path: bytes, host: bytes) -> Inbound:
    """Reads a path as if it were a target; raises what `Inbound.of` raises."""
    scope = {
        "method": "GET",
        "scheme": "http",
        "raw_path": path,
        "query_string": b"",
        "headers": [(b"host", host)],
        "client": ("127.0.0.1", 0),
    }
    return Inbound.of(scope, _NOWHERE, "", _OF_HEAD)
