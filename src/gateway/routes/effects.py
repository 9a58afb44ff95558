"""What a success makes true, as a row of a map states it.

Rules:

1. What is created by the request's own words, what is deleted, and the collections that a created object will stand in
   are judged too: each is one of the row's objects, and not an optional one. An id that only the answer knows cannot
   be judged before; it is the backend's word.
2. Methods that only read have no effects, and nobody owns what an anonymous caller creates.
"""

from collections.abc import Sequence
from typing import Final

from gateway.routes.forms import ObjectForm
from gateway.routes.naming import Namings
from gateway.routes.rows import Creates, Deletes, Judged, Naming
from gateway.routes.sheets import Entry

EFFECT_KEYS: Final = ("object", "id", "parents")
READING_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "PROPFIND"))


class EffectReader:
    """Reads `creates:` and `deletes:` of one row."""

    def __init__(self, namings: Namings, judged: Sequence[Judged]) -> None:
        self._namings = namings
        self._judged = [each for each in judged if each.naming is not None]

    def creates(self, entry: Entry) -> Creates | None:
        """Returns what the row creates; None, with a report, if that has a mistake."""
        fields = self._fields(entry, "creates")
        kind, id_ = fields.get("object"), fields.get("id")
        if kind is None:
            return None
        parents = self._parents(fields["parents"]) if "parents" in fields else ()
        if id_ is not None and (id_.text or "").startswith("answer:"):
            form = self._namings.form(kind)
            answer = self._namings.answer(id_, form) if form else None
            return Creates(form, answer=answer, parents=parents) if form and answer else None
        naming = self._own(entry, kind, id_)
        if naming is not None and naming.several:
            entry.report("a request creates one object: a list cannot be created")
        return Creates(naming.form, naming, parents=parents) if naming else None

    def deletes(self, entry: Entry) -> Deletes | None:
        """Returns what the row deletes; None, with a report, if that has a mistake."""
        fields = self._fields(entry, "deletes")
        if "parents" in fields:
            fields["parents"].report("`parents` is for `creates:`")
        kind = fields.get("object")
        naming = self._own(entry, kind, fields.get("id")) if kind is not None else None
        return Deletes(naming) if naming else None

    def _fields(self, entry: Entry, what: str) -> dict[str, Entry]:
        """Returns the fields; a bare object type stands for `{object: TYPE}`."""
        if entry.text is not None:
            return {"object": entry}
        fields = entry.as_fields(f"`{what}`", EFFECT_KEYS)
        if entry.pairs is not None and "object" not in fields:
            entry.report(f"`{what}` states an `object:`")
        return fields

    def _own(self, entry: Entry, kind: Entry, id_: Entry | None) -> Naming | None:
        """Returns the judged naming that is meant; without an id the only one of this type."""
        if id_ is None:
            form = self._namings.form(kind)
            return self._only(entry, form) if form else None
        naming = self._namings.naming(kind, id_)
        return self._known(entry, naming) if naming else None

    def _only(self, entry: Entry, form: ObjectForm) -> Naming | None:
        found = {each.naming: None for each in self._judged if each.naming and each.naming.form is form}
        if len(found) == 1:
            return self._known(entry, next(iter(found)))
        much = "no object" if not found else "several objects"
        entry.report(
            f"the row judges {much} of type `{form.type}`: write {{object: {form.type}, id: ...}} as it is judged"
        )
        return None

    def _known(self, entry: Entry, naming: Naming) -> Naming | None:
        """Returns `naming` if rule 1 allows it."""
        rows = [each for each in self._judged if each.naming is naming]
        if rows and not all(each.optional for each in rows):
            return naming
        entry.report(
            f"`{naming.form.type}` by `{naming.text}` is optional, so it may be missing: make it needed"
            if rows
            else f"`{naming.form.type}` by `{naming.text}` is not judged: add it to the row's objects with an action"
        )
        return None

    def _parents(self, entry: Entry) -> tuple[Naming, ...]:
        found = [self._parent(item) for item in entry.as_list("`parents`")]
        return tuple(naming for naming in found if naming is not None)

    def _parent(self, item: Entry) -> Naming | None:
        fields = item.as_fields("a parent", ("object", "id", "optional"))
        if "optional" in fields:
            fields["optional"].report("say `optional` where the collection is judged, not again here")
        if "object" not in fields:
            item.report("a parent states an `object:` and an `id:`")
            return None
        naming = self._namings.naming(fields["object"], fields.get("id"))
        if naming is None or any(each.naming is naming for each in self._judged):
            return naming
        item.report(
            f"`{naming.form.type}` by `{naming.text}` is not judged: add it to the row's objects with an action"
        )
        return None
