"""The description of the management API, OpenAPI 3.1, made of the rows that lead to operations and of the types that these state.

Rules:

1. What is described is what is served: one entry for each method and path of a row that names an operation, nothing by hand.
2. Rows that differ only in the type of object are one path, with `{object_type}` and the types that there are.
3. Each operation names the answers that it may give: its own, and the refusals that its way here can end in (`gateway.reasons`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from gateway.api.operations import Operation, Service
from gateway.local_services import LOCAL, documented_of
from gateway.routes import Row
from gateway.routes.templates import Parameter

Document = dict[str, Any]
SEGMENT: Final = "^[A-Za-z0-9_-]{1,128}$"
"""What is sure to pass as an id in a path; what else passes depends on the form of ids (`docs/routes.md`)."""
REFERENCE: Final = "#/components/schemas/{name}"
_READING: Final = frozenset(("GET", "HEAD"))
_OBJECT_TYPE: Final = "object_type"
_PAGED: Final = "per_page"

_SAYS: Final = {
    400: "what came cannot be read, or a value is not what this takes",
    401: "no valid credential came",
    403: "the caller may not do this, or the object does not exist for it",
    404: "there is no such thing in the caller's domain",
    405: "the method is not known here",
    409: "the change does not fit what is there",
    412: "it has changed since it was read",
    413: "the body is too large",
    429: "too many requests or tries",
    501: "this is not served for this type of object",
    503: "the gateway or its store is too busy",
}
_SECURITY: Final[list[Document]] = [{"bearer": []}, {"app_id": [], "auth_token": []}, {"basic": []}]


class Refusal(msgspec.Struct):
    """Why a request was refused: sentences, the reason in one word, and the request's id in audit and log."""

    errors: list[str]
    reason: str
    request_id: str


def described(rows: Iterable[Row], services: Mapping[str, Service]) -> Document:
    """Returns the description of the operations that `rows` lead to, as JSON is made of it."""
    found = [
        (row, services[row.upstream.removeprefix(LOCAL)].operations[row.operation])
        for row in rows
        if row.operation
    ]
    kinds = {Refusal: None} | dict.fromkeys(
        kind for _, operation in found for kind in (operation.body, operation.document) if _is_struct(kind)
    )
    queries = dict.fromkeys(operation.query for _, operation in found if operation.query is not None)
    _, components = msgspec.json.schema_components([*kinds, *queries], ref_template=REFERENCE)
    paths: dict[str, Document] = defaultdict(dict)
    for path, method, row, types in _merged([row for row, _ in found]):
        service = row.upstream.removeprefix(LOCAL)
        operation = services[service].operations[row.operation]
        paths[path][method.lower()] = _operation(service, row, operation, types, components)
    for query in queries:
        components.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mediagate",
            "version": version("mediagate"),
            "description": "What the gateway answers itself. Requests are judged by its policies, as all others.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token as password"},
                "app_id": {"type": "apiKey", "in": "header", "name": "App-ID"},
                "auth_token": {"type": "apiKey", "in": "header", "name": "Auth-Token"},
            },
        },
    }


def _merged(rows: Sequence[Row]) -> Iterator[tuple[str, str, Row, list[str]]]:
    """Yields path, method and row of each entry, with the types of objects where rows differ in them (rule 2)."""
    alike: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        for method in row.methods:
            alike[row.upstream, row.operation, method].append(row)
    for (_, _, method), some in alike.items():
        first = some[0]
        if len(some) == 1:
            yield first.template.text, method, first, []
            continue
        texts = [row.template.text.split("/") for row in some]
        (at,) = (at for at, parts in enumerate(zip(*texts, strict=True)) if len(set(parts)) > 1)
        path = "/".join([*texts[0][:at], f"{{{_OBJECT_TYPE}}}", *texts[0][at + 1 :]])
        yield path, method, first, sorted(documented_of(text[at]) for text in texts)


def _operation(
    service: str, row: Row, operation: Operation, types: list[str], components: Document
) -> Document:
    says = (operation.run.__doc__ or "").strip().partition("\n")[0]
    entry: Document = {
        "operationId": f"{service}.{operation.name}",
        "tags": [service],
        "summary": says.rstrip("."),
    }
    changing = not _READING.issuperset(row.methods)
    parameters = list(_path_parameters(row, types))
    if operation.query is not None:
        parameters += _query_parameters(components[operation.query.__name__])
    if _PAGED in _fields(operation.document):
        for name in ("page", _PAGED):
            parameters.append({"name": name, "in": "query", "schema": {"type": "integer", "minimum": 1}})
    if operation.tagged and changing:
        parameters.append({"name": "If-Match", "in": "header", "schema": {"type": "string"}})
    if parameters:
        entry["parameters"] = parameters
    if operation.body is not None:
        schema = _schema(operation.body)
        entry["requestBody"] = {
            "required": operation.needs_body,
            "content": {"application/json": {"schema": schema}},
        }
    entry["responses"] = _answers(operation, changing=changing)
    if row.roles:
        entry["x-roles"] = list(row.roles)
    entry["security"] = [*_SECURITY, {}] if row.anonymous else _SECURITY
    return entry


def _path_parameters(row: Row, types: list[str]) -> Iterator[Document]:
    for part in row.template.parts:
        if isinstance(part, Parameter):
            yield {
                "name": part.name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": SEGMENT},
            }
    if types:
        schema = {"type": "string", "enum": types}
        yield {"name": _OBJECT_TYPE, "in": "path", "required": True, "schema": schema}


def _query_parameters(schema: Document) -> list[Document]:
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _not_null(value)}
        for name, value in schema["properties"].items()
    ]


def _not_null(schema: Document) -> Document:
    """Returns what a parameter may be: it is not there rather than null."""
    kept = {name: value for name, value in schema.items() if name not in ("default", "anyOf")}
    some = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return {**kept, **some[0]} if len(some) == 1 else {**kept, **({"anyOf": some} if some else {})}


def _answers(operation: Operation, *, changing: bool) -> Document:
    answers: Document = {}
    for status in operation.statuses:
        answer: Document = {"description": "done"}
        if operation.tagged and operation.document is not None:
            answer["headers"] = {"ETag": {"schema": {"type": "string"}}}
        if status != 204:  # noqa: PLR2004 - has no content
            answer["content"] = {"application/json": {"schema": _schema(operation.document)}}
        answers[str(status)] = answer
    refusals = {400, 401, 403, 404, 429, 503}
    if changing:
        refusals |= {409, 412, 413}
    if operation.partial:
        refusals.add(501)
    for status in sorted(refusals):
        answers[str(status)] = {
            "description": _SAYS[status],
            "content": {"application/json": {"schema": {"$ref": REFERENCE.format(name="Refusal")}}},
        }
    return answers


def _schema(kind: Any) -> Document:  # noqa: ANN401 - a type, as annotations state it
    if _is_struct(kind):
        return {"$ref": REFERENCE.format(name=kind.__name__)}
    return msgspec.json.schema(kind) if kind is not None else {"type": "object"}


def _fields(kind: Any) -> set[str]:  # noqa: ANN401 - a type, as annotations state it
    return set(kind.__struct_fields__) if _is_struct(kind) else set()


def _is_struct(kind: Any) -> bool:  # noqa: ANN401 - a type, as annotations state it
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
