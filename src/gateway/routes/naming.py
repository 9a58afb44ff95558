"""How a row of a map spells where an id comes from: `/{path}`, `"{asset_id}"`, `query:`, `header:`, `body:`, `answer:`."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from gateway.routes.bodies import Pointer
from gateway.routes.forms import ObjectForm
from gateway.routes.query import QueryRule
from gateway.routes.reading import (
    AnswerBody,
    AnswerHeader,
    BodySource,
    HeaderSource,
    PathSource,
    QuerySource,
    SegmentSource,
    Source,
)
from gateway.routes.rows import Naming
from gateway.routes.sheets import Entry
from gateway.routes.templates import Template, TemplateError, nearest

_HEADER: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_BODILESS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_URL_HEADERS: Final = frozenset(("location", "content-location"))
_SPELLINGS: Final = (
    'write "{parameter}", /path/{parameter}, query:NAME, header:NAME or body:/POINTER'  # shown in reports
)


def header_name(text: str) -> str | None:
    """Returns the lower-case name of a header; None if `text` is none."""
    name = text.lower()
    return name if _HEADER.fullmatch(name) else None


class Namings:
    """The ways in which one row names objects; two that are spelled alike are one value."""

    def __init__(
        self,
        methods: Collection[str],
        template: Template,
        forms: Mapping[str, ObjectForm | None],
        drop_headers: frozenset[bytes],
        query: QueryRule,
    ) -> None:
        """Makes the reader of a row's namings.

        Args:
            methods: of the row.
            template: of the row.
            forms: the map's object types; None for one that has a mistake of its own.
            drop_headers: headers that the backend does not get.
            query: the row's statement about the query.
        """
        self._methods, self._template, self._forms = methods, template, forms
        self._drop_headers, self._query = drop_headers, query
        self._known: dict[tuple[str, str], Naming] = {}
        self.reads_body = False
        self.headers: set[str] = set()

    def form(self, entry: Entry) -> ObjectForm | None:
        """Returns the form of the object type that `entry` names; None, mostly with a report, if there is none."""
        name = entry.as_text("`object`")
        if name is not None and name not in self._forms:
            entry.report(f"`objects:` of this map states no `{name}`{nearest(name, self._forms)}")
        return self._forms.get(name) if name is not None else None

    def naming(self, kind: Entry, id_: Entry | None) -> Naming | None:
        """Returns how objects of the type `kind` are named by `id_`; by the parameter `TYPE_id` if that is None."""
        form = self.form(kind)
        text = id_.as_text("`id`") if id_ is not None else None
        if form is None or (id_ is not None and text is None):
            return None
        if text is None:
            text = f"{{{form.type}_id}}"
            if form.is_path or text[1:-1] not in self._template.parameters:
                kind.report(f"state `id:` for `{form.type}`: {_SPELLINGS}")
                return None
        if (form.type, text) not in self._known:
            try:
                source, several = self._source(text, form)
            except (TemplateError, ValueError) as error:
                (id_ or kind).report(str(error))
                return None
            self._known[form.type, text] = Naming(form, source, text, several)
        return self._known[form.type, text]

    def answer(self, id_: Entry, form: ObjectForm) -> AnswerHeader | AnswerBody | None:
        """Returns where the answer names an object of `form`."""
        text = (id_.text or "").removeprefix("answer:")
        where, _, what = text.partition(":")
        if where == "body":
            return self._answer_body(id_, what)
        name = header_name(what)
        if where != "header" or name is None:
            id_.report("write `answer:header:NAME` or `answer:body:/POINTER`")
        elif name in _URL_HEADERS and not form.is_path:
            id_.report(
                f"`{name}` holds a URL: the id of `{form.type}` is opaque, read it from answer:body:/POINTER"
            )
        else:
            return AnswerHeader(name)
        return None

    def _answer_body(self, id_: Entry, text: str) -> AnswerBody | None:
        try:
            pointer = Pointer.of(text)
        except ValueError as error:
            id_.report(str(error))
            return None
        if pointer.is_list:
            id_.report("a request creates one object: leave out the `*`")
            return None
        return AnswerBody(pointer)

    def _source(self, text: str, form: ObjectForm) -> tuple[Source, bool]:
        """Returns the source that `text` spells, and whether it may name several objects."""
        where, colon, what = text.partition(":")
        if text.startswith("/"):
            if not form.is_path:
                raise ValueError(f'ids of `{form.type}` are opaque: write "{{parameter}}", not a path')
            return PathSource(self._template.path_id(text)), False
        if text.startswith("{"):
            if form.is_path:
                raise ValueError(f"ids of `{form.type}` are paths: write `/{text}`")
            return SegmentSource(self._template.opaque_id(text)), False
        if colon and where == "query":
            return self._query_source(what), False
        if colon and where == "header":
            return self._header_source(what), False
        if colon and where == "body":
            return self._body_source(what)
        if colon and where == "answer":
            raise ValueError("only `creates:` can take an id from the answer: objects are judged before")
        raise ValueError(f"`{text}` does not say where the id comes from: {_SPELLINGS}")

    def _query_source(self, name: str) -> QuerySource:
        if not name:
            raise ValueError("write the parameter's name, as in `query:id`")
        if self._query.listed is not None and name not in self._query.listed:
            raise ValueError(f"the row reads the parameter `{name}`: list it under `query:`")
        return QuerySource(name)

    def _header_source(self, text: str) -> HeaderSource:
        name = header_name(text)
        if name is None:
            raise ValueError(f"`{text}` is not the name of a header")
        if name.encode() in self._drop_headers:
            raise ValueError(
                f"the row reads `{name}`: it must reach the backend, take it out of `drop_headers:`"
            )
        self.headers.add(name)
        return HeaderSource(name)

    def _body_source(self, text: str) -> tuple[BodySource, bool]:
        if without := sorted(_BODILESS.intersection(self._methods)):
            raise ValueError(f"{' and '.join(without)} has no body to read from")
        pointer = Pointer.of(text)
        self.reads_body = True
        return BodySource(pointer), pointer.is_list
