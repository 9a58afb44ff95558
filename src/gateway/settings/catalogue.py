"""What settings there are: for the document, and for naming the setting that a misspelled key was meant to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.quantities import duration_text, size_text
from gateway.settings.forms import DURATION, SIZE, Form
from gateway.settings.reading import PREFIX, Keys

ANY_NAME: Final = "NAME"
"""Stands for the name that an operator gives to an entry, as in `upstreams.NAME.url`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as documents list it.

    Attributes:
        name: dotted, with `NAME` for a name that the operator chooses.
        form: what its value looks like.
        default: as written in TOML; `required` if there is none, `none` if it is empty.
        variable: the environment variable that sets it.
        says: what it does.
    """

    name: str
    form: str
    default: str
    variable: str
    says: str


def settings_of(section: type[BaseModel], keys: Keys = ()) -> Iterator[Setting]:
    """Yields the settings below `section`, which stands at `keys`, in the order of the code."""
    for name, field in section.model_fields.items():
        path = (*keys, name)
        below, named = _below(field)
        if below is not None:
            yield from settings_of(below, (*path, ANY_NAME) if named else path)
        else:
            variable = PREFIX + "__".join(path).upper()
            yield Setting(
                ".".join(path), _form(field).name, _default(field), variable, field.description or ""
            )


def keys_at(section: type[BaseModel], keys: Keys) -> tuple[str, ...]:
    """Returns the keys that may stand in the section at `keys`, as far as there is one."""
    waiting = iter(keys)
    for key in waiting:
        below, named = _below(section.model_fields[key])
        if below is None:
            return ()
        if named:
            next(waiting, None)  # what the operator calls the entry
        section = below
    return tuple(section.model_fields)


def _below(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """Returns the section that a field holds, and whether it holds several by name."""
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return field.annotation, False
    if get_origin(field.annotation) is Mapping:
        return get_args(field.annotation)[1], True
    return None, False


def _forms(field: FieldInfo) -> Iterator[Form]:
    yield from (mark for mark in field.metadata if isinstance(mark, Form))
    for part in get_args(field.annotation):  # the metadata of `Annotated[...] | None` stays inside
        yield from (mark for mark in getattr(part, "__metadata__", ()) if isinstance(mark, Form))


def _form(field: FieldInfo) -> Form:
    return next(_forms(field))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.default
    if value is None or value in ((), frozenset()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if _form(field) is DURATION:
        return f'"{duration_text(value)}"'
    if _form(field) is SIZE:
        return f'"{size_text(value)}"'
    return f'"{value}"' if isinstance(value, str | Path) else str(value)
