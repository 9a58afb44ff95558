"""One row of a route map from YAML to `Row`: what each key means, and what goes with what.

Rules that keep a row safe:

1. A row says who may pass: `role`, `roles`, `role: none` (signed in is enough) or `anonymous: true`. A role that is GUI-only
   (`gateway.roles`) lets nobody pass and keeps nobody out.
2. At least one thing is judged whatever comes, unless the row is anonymous; without an object it is the caller's domain.
3. A header that a row reads is not dropped, and a query parameter that it reads is one that it takes: what was judged
   reaches the backend (`gateway.routes.naming`). Effects: `gateway.routes.effects`.
4. No row stands below the management prefix.
5. Caches may share only what anybody may get: `public` is for anonymous rows.
6. A WebSocket begins with a GET: `websocket` is for rows that take one.
7. A row for COPY or MOVE judges the `Destination` (RFC 4918 10.3); of other rows only one that reads it takes it.
8. A row that the gateway answers itself is for OPTIONS alone and names no object: its answer is the same whatever exists.
9. Rows of local services (`gateway.local_services`) each name the operation that answers, and may stand below the prefix. No others do.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.inbound import METHODS, ODDITIES, UNREAD
from gateway.local_services import LOCAL
from gateway.routes.effects import READING_METHODS, EffectReader
from gateway.routes.forms import ObjectForm, folded
from gateway.routes.naming import Namings
from gateway.routes.query import ANY_QUERY, QueryRule
from gateway.routes.rows import BODY_LIMIT, SUCCESS, Judged, Row
from gateway.routes.sheets import Entry
from gateway.routes.templates import Template, TemplateError, nearest

MAX_BODY_LIMIT: Final = 1024 * 1024
"""The largest `body_limit`: a body that is read is held in memory and parsed."""
ROW_KEYS: Final = (
    "action",
    "object",
    "id",
    "objects",
    "role",
    "roles",
    "anonymous",
    "public",
    "websocket",
    "answered",
    "operation",
    "query",
    "creates",
    "deletes",
    "success",
    "upstream",
    "allow",
    "body_limit",
)
JUDGED_KEYS: Final = ("action", "object", "id", "optional")
_DESTINATION: Final = "destination"
_TO_DESTINATION: Final = frozenset(("COPY", "MOVE"))
_HEAD: Final = re.compile(r"([A-Z]+(?:, ?[A-Z]+)*) +(/.*)")
_ACTION: Final = re.compile(r"[a-z][a-z-]*")
_SUCCESSES: Final = (200, 399)


@dataclass(frozen=True, slots=True)
class MapContext:
    """What a row may refer to, and what its map states for all rows.

    Attributes:
        roles: the catalogue of roles.
        gui_only: those of them that decide nothing.
        upstreams: the configured backends; None to take any name.
        prefix: the segments of the management prefix.
        upstream: the map's own backend.
        forms: the map's object types; None for one that has a mistake of its own.
        drop_headers: headers that the backend does not get.
        is_local: whether the map is one of a local service (rule 9).
    """

    roles: Mapping[str, object]
    gui_only: Collection[str]
    upstreams: Collection[str] | None
    prefix: tuple[str, ...]
    upstream: str | None
    forms: Mapping[str, ObjectForm | None]
    drop_headers: frozenset[bytes]
    is_local: bool = False


def upstream_name(entry: Entry, upstreams: Collection[str] | None) -> str | None:
    """Returns the name of the backend that `entry` is; reports one that is not configured."""
    name = entry.as_text("`upstream`")
    if name is not None and name.startswith(LOCAL):
        entry.report(f"`{name}` is a local service, whose rows ship with the program: name an upstream")
    elif name is not None and upstreams is not None and name not in upstreams:
        entry.report(f"no upstream `{name}` is configured{nearest(name, upstreams)}")
    return name


def read_row(item: Entry, context: MapContext) -> Row | None:
    """Returns the row that `item` states; None if it has a mistake, which is reported."""
    problems = len(item.sheet.problems)
    pairs = item.as_pairs("a row")
    if len(pairs) != 1:
        item.report("a row is `METHOD /template:` with its keys indented below it")
        return None
    head, body = pairs[0]
    methods, template = (
        _methods(head, body),
        _template(head, body, () if context.is_local else context.prefix),
    )
    fields = body.as_fields("a row", ROW_KEYS)
    if not methods or template is None:
        return None
    row = _RowReader(body, fields, context, methods, template).row()
    return row if len(item.sheet.problems) == problems else None


def _methods(head: str, entry: Entry) -> tuple[str, ...]:
    match = _HEAD.fullmatch(head)
    if match is None:
        entry.report(
            f"`{head}` is no row: write `GET /template:`, or `GET, PUT /template:` for several methods"
        )
        return ()
    methods = re.split(", ?", match[1])
    for method in methods:
        if method not in METHODS:
            entry.report(f"`{method}` is not a method that passes here{nearest(method, METHODS)}")
        elif methods.count(method) > 1:
            entry.report(f"`{method}` stands there twice")
    return tuple(dict.fromkeys(methods))


def _template(head: str, entry: Entry, prefix: tuple[str, ...]) -> Template | None:
    match = _HEAD.fullmatch(head)
    try:
        template = Template.of(match[2]) if match else None
    except TemplateError as error:
        entry.report(str(error))
        return None
    if template is not None and prefix and template.parts[: len(prefix)] == prefix:
        entry.report(f"`{template.text}` lies below the gateway's own prefix `/{'/'.join(prefix)}/`")
    return template


class _RowReader:
    """Reads the keys of one row."""

    def __init__(
        self,
        entry: Entry,
        fields: Mapping[str, Entry],
        context: MapContext,
        methods: tuple[str, ...],
        template: Template,
    ) -> None:
        self._entry, self._fields, self._context = entry, fields, context
        self._methods, self._template = methods, template
        self._query = self._query_rule()
        self._namings = Namings(methods, template, context.forms, context.drop_headers, self._query)

    def row(self) -> Row:
        """Returns the row; of use only if nothing was reported."""
        judged = self._judged()
        roles, anonymous = self._access()
        effects = EffectReader(self._namings, judged)
        self._check_effects(anonymous=anonymous)
        self._check_destination(judged)
        creates = self._fields.get("creates")
        deletes = self._fields.get("deletes")
        return Row(
            place=self._entry.place,
            methods=self._methods,
            template=self._template,
            upstream=self._upstream(),
            judged=judged,
            roles=roles,
            anonymous=anonymous,
            public=self._public(anonymous=anonymous),
            websocket=self._websocket(),
            answered=self._answered(),
            operation=self._operation(),
            query=self._query,
            drop_headers=self._context.drop_headers,
            allow=self._allow(),
            creates=effects.creates(creates) if creates else None,
            deletes=effects.deletes(deletes) if deletes else None,
            success=self._success(),
            reads_body=self._namings.reads_body,
            body_limit=self._body_limit(),
        )

    def _access(self) -> tuple[tuple[str, ...], bool]:
        """Returns the roles needed and whether no credential is (rule 1)."""
        stated = [key for key in ("role", "roles", "anonymous") if key in self._fields]
        if len(stated) != 1:
            self._entry.report(
                "a row says who may pass, in one way: `role: NAME`, `roles: [NAME, ...]`, "
                "`role: none` (signed in is enough) or `anonymous: true`"
            )
            return (), False
        entry = self._fields[stated[0]]
        if stated[0] == "anonymous":
            if entry.as_flag("`anonymous`") is False:
                entry.report("`anonymous: false` says nothing: state a role, or `role: none`")
            return (), True
        if stated[0] == "roles":
            return self._roles(entry, entry.as_texts("`roles`")), False
        name = entry.as_text("`role`")
        return self._roles(entry, [name] if name and name != "none" else []), False

    def _public(self, *, anonymous: bool) -> bool:
        """Returns whether caches may share the answers (rule 5)."""
        entry = self._fields.get("public")
        if entry is None:
            return False
        if entry.as_flag("`public`") is False:
            entry.report("`public: false` says nothing: answers are private")
        if not anonymous:
            entry.report("`public` lets caches give the answer to anybody: it is for `anonymous: true` only")
        if not {"GET", "HEAD"}.issuperset(self._methods):
            entry.report("`public` is for rows of GET and HEAD alone: caches share nothing else")
        return True

    def _websocket(self) -> bool:
        """Returns whether a GET may become a WebSocket (rule 6)."""
        entry = self._fields.get("websocket")
        if entry is None:
            return False
        if entry.as_flag("`websocket`") is False:
            entry.report("`websocket: false` says nothing: WebSockets are refused unless a row takes them")
        if "GET" not in self._methods:
            entry.report("a WebSocket begins with a GET: `websocket` is for rows of GET")
        return True

    def _answered(self) -> bool:
        """Returns whether the gateway itself answers (rule 8)."""
        entry = self._fields.get("answered")
        if entry is None:
            return False
        if entry.as_flag("`answered`") is False:
            entry.report("`answered: false` says nothing: requests go to the backend")
        if self._methods != ("OPTIONS",):
            entry.report(
                "the gateway itself answers OPTIONS alone: `answered` is for rows of no other method"
            )
        for key in ("object", "objects", "id", "upstream"):
            if key in self._fields:
                self._fields[key].report(
                    f"`{key}` means nothing here: the answer names methods, and no backend or object is asked"
                )
        return True

    def _operation(self) -> str:
        """Returns which operation of a local service answers (rule 9)."""
        entry = self._fields.get("operation")
        if entry is None:
            if self._context.is_local:
                self._entry.report("a row of a local service states its `operation:`")
            return ""
        if not self._context.is_local:
            entry.report("`operation` is for the rows of local services, which ship with the program")
        return entry.as_text("`operation`") or ""

    def _roles(self, entry: Entry, names: list[str]) -> tuple[str, ...]:
        for name in names:
            if name not in self._context.roles:
                entry.report(f"the catalogue has no role `{name}`{nearest(name, self._context.roles)}")
            elif name in self._context.gui_only:
                entry.report(
                    f"the role `{name}` only switches something of a graphical interface and refuses nothing: "
                    "demand the role of the operation itself"
                )
        return tuple(dict.fromkeys(names))

    def _judged(self) -> tuple[Judged, ...]:
        single = {key: self._fields[key] for key in ("action", "object", "id") if key in self._fields}
        if "objects" not in self._fields:
            if not single and "anonymous" in self._fields:
                return ()
            judged = self._one(self._entry, single)
            return (judged,) if judged else ()
        for key, entry in single.items():
            entry.report(f"`{key}` stands in each of `objects:` instead")
        return self._several(self._fields["objects"])

    def _several(self, entry: Entry) -> tuple[Judged, ...]:
        items = entry.as_list("`objects`")
        found = [self._one(item, item.as_fields("an object", JUDGED_KEYS)) for item in items]
        judged = tuple(each for each in found if each is not None)
        complete = len(judged) == len(items)
        if entry.items is not None and complete and all(each.optional for each in judged):
            entry.report(
                "at least one object must not be optional: else a request could name nothing and pass"
            )
        return judged

    def _one(self, at: Entry, fields: Mapping[str, Entry]) -> Judged | None:
        if "action" not in fields:
            at.report("state an `action:`, as in `action: read`")
            return None
        action = fields["action"].as_text("`action`")
        if action is not None and not _ACTION.fullmatch(action):
            fields["action"].report(f"`{action}`: an action is lower case, as in `change-acl`")
        optional = fields["optional"].as_flag("`optional`") if "optional" in fields else False
        kind, id_ = fields.get("object"), fields.get("id")
        if kind is None:
            if id_ is not None or optional:
                at.report("state the `object:` that `id` or `optional` is about")
            return Judged(action or "")
        naming = self._namings.naming(kind, id_)
        return Judged(action or "", naming, optional=bool(optional)) if naming else None

    def _query_rule(self) -> QueryRule:
        entry = self._fields.get("query")
        if entry is None or entry.text == "any":
            return ANY_QUERY
        if entry.items is not None:
            required: list[str] = []
            names = entry.as_texts("`query`", may_be_empty=True)
        else:
            words = {
                name: value.as_choice(f"`{name}`", ("required", "optional"))
                for name, value in entry.as_pairs("`query` (`any`, a list or a mapping)")
            }
            required = [name for name, word in words.items() if word == "required"]
            names = list(words)
        if len({folded(name) for name in names}) < len(names):
            entry.report("a parameter stands there twice, letter case aside")
        if "*" in required:
            entry.report("`*` stands for any other parameter: it can only be optional")
        listed = None if "*" in names else frozenset(names)
        return QueryRule(frozenset(required), listed)

    def _check_effects(self, *, anonymous: bool) -> None:
        stated = [self._fields[key] for key in ("creates", "deletes") if key in self._fields]
        reading = sorted(READING_METHODS.intersection(self._methods))
        for entry in stated:
            if reading:
                entry.report(f"{' and '.join(reading)} only reads: it creates and deletes nothing")
            if anonymous:
                entry.report("an anonymous caller owns nothing: state a role")
        if "success" in self._fields and not stated:
            self._fields["success"].report("`success` is for rows with `creates:` or `deletes:`")

    def _check_destination(self, judged: tuple[Judged, ...]) -> None:
        """Reports a row that lets something be written where nobody looks (rule 6)."""
        moving = sorted(_TO_DESTINATION.intersection(self._methods))
        if moving and not any(_reads_destination(each) and not each.optional for each in judged):
            self._entry.report(
                f"{' and '.join(moving)} writes to the `Destination`: judge it, as in "
                "`{action: create, object: file, id: header:destination}`"
            )

    def _upstream(self) -> str:
        if "upstream" in self._fields:
            return upstream_name(self._fields["upstream"], self._context.upstreams) or ""
        if self._context.upstream is None and "answered" not in self._fields:
            self._entry.report("state an `upstream:`, here or for the whole map")
        return self._context.upstream or ""

    def _allow(self) -> frozenset[str]:
        items = self._fields["allow"].as_list("`allow`") if "allow" in self._fields else []
        found = [item.as_choice("`allow`", ODDITIES) for item in items]
        read = {oddity for name, oddity in UNREAD.items() if name.decode() in self._namings.headers}
        return frozenset(read.union(each for each in found if each is not None))

    def _success(self) -> frozenset[int]:
        if "success" not in self._fields:
            return SUCCESS
        items = self._fields["success"].as_list("`success`")
        found = [item.as_number("each of `success`", *_SUCCESSES) for item in items]
        return frozenset(each for each in found if each is not None)

    def _body_limit(self) -> int:
        entry = self._fields.get("body_limit")
        if entry is None:
            return BODY_LIMIT
        if not self._namings.reads_body:
            entry.report("`body_limit` is for rows that read ids from the body")
        return entry.as_number("`body_limit`", 1, MAX_BODY_LIMIT) or BODY_LIMIT


def _reads_destination(judged: Judged) -> bool:
    return judged.naming is not None and judged.naming.text.lower() == f"header:{_DESTINATION}"
