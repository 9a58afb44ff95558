"""Route maps from files to rows: every mistake of every file is found in one pass, each with file and line.

`docs/routes.md` is the reference of the format; a test holds it against this file.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.errors import RouteMapError
from gateway.local_services import LOCAL, TYPES, maps_of
from gateway.routes.forms import ObjectForm
from gateway.routes.matching import Tree
from gateway.routes.naming import header_name
from gateway.routes.patterns import Pattern, PatternError
from gateway.routes.rowfile import MapContext, read_row, upstream_name
from gateway.routes.rows import Row
from gateway.routes.sheets import MAX_BYTES, Entry, Sheet

MAP_KEYS: Final = ("upstream", "objects", "drop_headers", "routes")
OBJECT_KEYS: Final = ("id", "pattern", "trailing_slash", "letter_case", "unicode")

_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*")
_CHOICES: Final = {
    "trailing_slash": ("same", "distinct"),
    "letter_case": ("exact", "fold"),
    "unicode": ("exact", "nfc"),
}
_KEPT: Final = frozenset(("host", "content-length", "content-type", "transfer-encoding"))


@dataclass(slots=True)
class Loaded:
    """What route maps say: rows in order, the form of each object type, and the first segments of paths that local services own."""

    rows: list[Row] = field(default_factory=list)
    forms: dict[str, ObjectForm] = field(default_factory=dict)
    owned: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Names:
    """What route maps may refer to.

    Attributes:
        roles: the catalogue of roles.
        gui_only: those of them that decide nothing.
        upstreams: the configured backends; None to take any name.
        prefix: the segments of the management prefix.
    """

    roles: Mapping[str, object]
    gui_only: Collection[str]
    upstreams: Collection[str] | None
    prefix: tuple[str, ...]


def load_folder(folder: Path, names: Names) -> tuple[Loaded, Tree]:
    """Reads every `*.yaml` of `folder`, in sorted order.

    Raises:
        RouteMapError: with all problems of all files.
    """
    if not folder.is_dir():
        raise RouteMapError([f"{folder}: there is no such folder of route maps"])
    problems: list[str] = []
    loader = _Loader(names)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yml":
            problems.append(f"{folder.name}/{path.name}:1: route maps end in `.yaml`: rename the file")
        elif path.suffix == ".yaml" and not path.name.startswith("."):
            problems.extend(loader.read(path, f"{folder.name}/{path.name}"))
    for name in sorted(names.upstreams or ()):
        if name.startswith(LOCAL):
            problems.extend(loader.read_service(name))
    tree = Tree(loader.loaded.rows)
    problems.extend(
        f"{two.place}: ties with {one.place}: {why}; change one of them" for one, two, why in tree.ties()
    )
    if problems:
        raise RouteMapError(problems)
    return loader.loaded, tree


class _Loader:
    """Reads maps one after the other into one `Loaded`."""

    def __init__(self, names: Names) -> None:
        self.loaded = Loaded()
        self._names = names
        self._stated_at: dict[str, str] = {}

    def read(self, path: Path, name: str) -> list[str]:
        """Reads one map; returns its problems."""
        sheet = Sheet(name)
        try:
            if not path.is_file():  # a pipe would never end
                return [f"{name}:1: is not a file"]
            with path.open("rb") as file:
                entry = sheet.read(file.read(MAX_BYTES + 1))
        except OSError as error:
            return [f"{name}:1: cannot be read: {error.strerror}"]
        if entry is not None:
            self._map(entry)
        return sheet.problems

    def read_service(self, name: str) -> list[str]:
        """Reads the maps of a local service, whose name as an upstream is `name`; returns the problems."""
        problems: list[str] = []
        paths = {kind for kind, form in self.loaded.forms.items() if form.is_path}
        types = {*TYPES.values(), *self.loaded.forms} - paths
        for file, text in maps_of(name.removeprefix(LOCAL), sorted(types)):
            sheet = Sheet(f"{name}/{file}")
            entry = sheet.read(text.replace("PREFIX", "/".join(self._names.prefix)).encode())
            if entry is not None:
                self._service(name, entry)
            problems += sheet.problems
        return problems

    def _service(self, name: str, entry: Entry) -> None:
        fields = entry.as_fields("a map of a local service", ("owns", "routes"))
        owned = tuple(fields["owns"].as_texts("`owns`")) if "owns" in fields else ()
        for row in self.loaded.rows:
            if owned and row.template.parts[: len(owned)] == owned and not row.operation:
                entry.sheet.problems.append(
                    f"{row.place}: `{row.template.text}` belongs to the service `{name}`, which is local (`services.local`): "
                    "remove the row, or leave the service to its backend"
                )
        if owned:
            self.loaded.owned.append(owned)
        forms = {kind: self.loaded.forms.get(kind, ObjectForm(kind)) for kind in TYPES.values()}
        context = MapContext(
            roles=self._names.roles,
            gui_only=self._names.gui_only,
            upstreams=None,
            prefix=self._names.prefix,
            upstream=name,
            forms={**self.loaded.forms, **forms},
            drop_headers=frozenset(),
            is_local=True,
        )
        self._rows(fields, context)

    def _rows(self, fields: Mapping[str, Entry], context: MapContext) -> None:
        for item in fields["routes"].as_list("`routes`") if "routes" in fields else ():
            if (row := read_row(item, context)) is not None:
                self.loaded.rows.append(row)

    def _map(self, entry: Entry) -> None:
        fields = entry.as_fields("a route map", MAP_KEYS)
        if entry.pairs is not None and "routes" not in fields:
            entry.report("a route map states `routes:`")
        context = MapContext(
            roles=self._names.roles,
            gui_only=self._names.gui_only,
            upstreams=self._names.upstreams,
            prefix=self._names.prefix,
            upstream=upstream_name(fields["upstream"], self._names.upstreams)
            if "upstream" in fields
            else None,
            forms=self._forms(fields["objects"]) if "objects" in fields else {},
            drop_headers=_header_names(fields["drop_headers"]) if "drop_headers" in fields else frozenset(),
        )
        self._rows(fields, context)

    def _forms(self, entry: Entry) -> dict[str, ObjectForm | None]:
        """Returns the object types that the map states; None for one with a mistake, so that it is known all the same."""
        forms: dict[str, ObjectForm | None] = {}
        for name, value in entry.as_pairs("`objects`"):
            if not _TYPE.fullmatch(name):
                value.report(f"`{name}`: an object type is lower case, as in `asset`")
            form = _form(name, value)
            forms[name] = form
            if form is None:
                continue
            if self.loaded.forms.setdefault(name, form) != form:
                value.report(
                    f"`{name}` is stated in another way at {self._stated_at[name]}: an object has one id"
                )
            self._stated_at.setdefault(name, value.place)
        return forms


def _form(name: str, entry: Entry) -> ObjectForm | None:
    fields = entry.as_fields(f"the object type `{name}`", OBJECT_KEYS)
    if entry.pairs is None:
        return None
    if "id" not in fields:
        entry.report(f"`{name}`: state `id: path` or `id: opaque`")
        return None
    kind = fields["id"].as_choice("`id`", ("path", "opaque"))
    chosen = {
        key: fields[key].as_choice(f"`{key}`", choices) for key, choices in _CHOICES.items() if key in fields
    }
    pattern = _id_pattern(fields["pattern"]) if "pattern" in fields else None
    if kind == "path":
        _check_path_form(name, entry, fields)
    if kind == "opaque" and "trailing_slash" in fields:
        fields["trailing_slash"].report("`trailing_slash` is for `id: path`")
    if kind is None or None in chosen.values():
        return None
    return ObjectForm(
        type=name,
        is_path=kind == "path",
        keeps_slash=chosen.get("trailing_slash") == "distinct",
        folds_case=chosen.get("letter_case") == "fold",
        composes=chosen.get("unicode") == "nfc",
        pattern=pattern,
    )


def _check_path_form(name: str, entry: Entry, fields: Mapping[str, Entry]) -> None:
    for key, choices in _CHOICES.items():
        if key not in fields:
            entry.report(f"`{name}`: state `{key}: {' | '.join(choices)}` for path ids")
    if "pattern" in fields:
        fields["pattern"].report("`pattern` is for `id: opaque`")


def _id_pattern(entry: Entry) -> Pattern | None:
    text = entry.as_text("`pattern`")
    try:
        return Pattern(text) if text is not None else None
    except PatternError as error:
        entry.report(f"`{text}`: {error}")
        return None


def _header_names(entry: Entry) -> frozenset[bytes]:
    names: list[str] = []
    for text in entry.as_texts("`drop_headers`"):
        name = header_name(text)
        if name is None:
            entry.report(f"`{text}` is not the name of a header")
        elif name in _KEPT:
            entry.report(f"`{name}` is needed by the backend: it cannot be dropped")
        else:
            names.append(name)
    return frozenset(name.encode() for name in names)
