"""Templates: what paths a row covers, and how an id is put together from the parts of a path.

Rules:

1. A path template is `/` and segments: a literal (`api`, written decoded), `{name}`, `{name:pattern}`, or at the end
   `{name...}`, the rest. A trailing slash is a segment of its own, the empty one: `/a/` is not `/a`.
2. A parameter is one whole segment and never the empty one; the rest is one segment or more, and its only one may be
   empty: `/{path...}` covers `/` and everything below, `/a/{path...}` covers `/a/` but not `/a`.
3. An id template of a path is `/` and segments, each a literal or `{name}`; the rest stands only at the end. That of an
   opaque id is one parameter alone: put together from two, `a-b` and `c` would equal `a` and `b-c`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from gateway.routes.patterns import Pattern, PatternError

MAX_SEGMENTS: Final = 256
"""Segments of a template: the tree of rows is grown, and where there are several ways walked, by recursion."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_BAD_LITERAL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f{}*?#%\\]")
_HINTS: Final = {
    "{": "a parameter is a whole segment: write `{name}` or `{name:pattern}`",
    "}": "a parameter is a whole segment: write `{name}` or `{name:pattern}`",
    "*": "write `{name...}` for the rest of a path",
    "?": "query parameters are stated under `query:`",
    "%": "write the character itself, not its percent code",
}


class TemplateError(ValueError):
    """The text is not a template; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named part of a path: the segment at `at`, or all from there on."""

    name: str
    at: int
    pattern: Pattern | None = None
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """What paths a row covers (rules 1 and 2): its parts, each a literal's text or a parameter, and these by name."""

    text: str
    parts: tuple[str | Parameter, ...]
    parameters: Mapping[str, Parameter]

    @classmethod
    def of(cls, text: str) -> "Template":
        """Returns the template that `text` writes.

        Raises:
            TemplateError: it writes none.
        """
        raw = _split(text)
        parts = tuple(_part(part, at, is_last=at == len(raw) - 1) for at, part in enumerate(raw))
        named: dict[str, Parameter] = {}
        for part in parts:
            if isinstance(part, Parameter) and named.setdefault(part.name, part) is not part:
                raise TemplateError(f"the parameter `{part.name}` stands there twice")
        return cls(text, parts, named)

    def path_id(self, text: str) -> tuple[str | Parameter, ...]:
        """Returns the parts of the path id that `text` writes (rule 3).

        Raises:
            TemplateError: it writes none, or names a parameter that this template lacks.
        """
        raw = _split(text)
        parts = tuple(self._id_part(part) for part in raw)
        if any(isinstance(part, Parameter) and part.is_rest for part in parts[:-1]):
            raise TemplateError(f"`{text}`: the rest of a path stands at the end of an id")
        return parts

    def opaque_id(self, text: str) -> Parameter:
        """Returns the parameter that is the opaque id which `text` writes (rule 3).

        Raises:
            TemplateError: it is not one parameter, or one that this template lacks.
        """
        if not (text.startswith("{") and text.endswith("}")):
            raise TemplateError(f'an id is one parameter, as in "{{asset_id}}": `{text}` is not')
        part = self._named(text[1:-1])
        if part.is_rest:
            raise TemplateError(
                f"`{text}` is the rest of a path: only an object type with `id: path` takes it"
            )
        return part

    def _id_part(self, raw: str) -> str | Parameter:
        return self._named(raw[1:-1]) if raw.startswith("{") and raw.endswith("}") else _literal(raw)

    def _named(self, name: str) -> Parameter:
        known = self.parameters
        if name not in known:
            raise TemplateError(f"the path has no parameter `{name}`{nearest(name, known)}")
        return known[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a half-sentence that names what was probably meant, or lists what there is."""
    names = sorted(known)
    if close := get_close_matches(name, names, n=1):
        return f"; did you mean `{close[0]}`?"
    few = ", ".join(f"`{each}`" for each in names[:12]) + (", ..." if len(names) > 12 else "")  # noqa: PLR2004 - a line
    return f"; there is {few}" if names else "; there is none"


def _split(text: str) -> list[str]:
    """Splits at the slashes that stand outside braces, since a pattern may hold one."""
    if not text.startswith("/"):
        raise TemplateError(f"`{text}` does not start with `/`")
    parts, depth = [""], 0
    for sign in text[1:]:
        depth += (sign == "{") - (sign == "}")
        if sign == "/" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    if "" in parts[:-1]:
        raise TemplateError(f"`{text}` has an empty segment")
    if len(parts) > MAX_SEGMENTS:
        raise TemplateError(f"a path has at most {MAX_SEGMENTS} segments")
    return parts


def _part(raw: str, at: int, *, is_last: bool) -> str | Parameter:
    if not raw.startswith("{"):
        return _literal(raw)
    if not _closes_at_end(raw):
        raise TemplateError(f"`{raw}`: {_HINTS['{']}")
    name, colon, pattern = raw[1:-1].partition(":")
    is_rest = name.endswith("...") and not colon
    name = name.removesuffix("...") if is_rest else name
    if not _NAME.fullmatch(name):
        raise TemplateError(f"`{raw}`: a parameter's name is lower case, as in `{{asset_id}}`")
    if is_rest and not is_last:
        raise TemplateError(f"`{raw}`: the rest of a path stands at its end")
    return Parameter(name, at, _pattern(raw, pattern) if colon else None, is_rest)


def _closes_at_end(raw: str) -> bool:
    depth = 0
    for at, sign in enumerate(raw):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return at == len(raw) - 1
    return False


def _pattern(raw: str, text: str) -> Pattern:
    try:
        return Pattern(text)
    except PatternError as error:
        raise TemplateError(f"`{raw}`: {error}") from error


def _literal(raw: str) -> str:
    if raw in (".", ".."):
        raise TemplateError(f"`{raw}` is no segment: such requests are refused")
    if bad := _BAD_LITERAL.search(raw):
        raise TemplateError(f"`{raw}`: {_HINTS.get(bad[0], 'no request has such a segment')}")
    return raw
