"""Which page of a list is asked for, and the envelope that it comes in, as the documented API has it.

Rules:

1. `page` counts from 1 to 10,000, `per_page` from 1 to 1,000 unless the list states less; by default the first page, of 10.
2. What is no such number is refused, not repaired; so is a parameter that comes twice.
3. `total` counts what the caller may see: a list is filtered before it is cut into pages, so that no count tells of what is hidden.
4. Links are paths without a host, since the `Host` of a request is its sender's to choose. They keep the list's own parameters, a space as `%20`, since routes take no `+`
   (`gateway.routes.query`). Where there is no such page they are null.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from gateway.errors import GatewayError
from gateway.reasons import Reason

FIRST: Final = 1
MAX_PAGE: Final = 10_000
DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 1_000
_OWN: Final = ("page", "per_page")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        number: counts from 1.
        size: how many items it has at most.
    """

    number: int = FIRST
    size: int = DEFAULT_SIZE

    @classmethod
    def of(cls, parameters: Iterable[tuple[str, str]], max_size: int = MAX_SIZE) -> "Page":
        """Returns the page that a query asks for.

        Args:
            parameters: decoded names and values of the query; those that do not page are passed over.
            max_size: the largest page of this list.

        Raises:
            GatewayError: BAD_TARGET, by rule 2.
        """
        said: dict[str, str] = {}
        for name, value in parameters:
            if name in _OWN:
                if name in said:
                    raise GatewayError(Reason.BAD_TARGET, f"`{name}` comes twice")
                said[name] = value
        return cls(
            _number(said, "page", FIRST, MAX_PAGE),
            _number(said, "per_page", min(DEFAULT_SIZE, max_size), max_size),
        )

    @property
    def offset(self) -> int:
        """How many items stand before the page."""
        return (self.number - 1) * self.size

    def envelope(
        self, objects: Sequence[Any], total: int, path: str, parameters: Iterable[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        """Returns the list as it is answered.

        Args:
            objects: the items of this page.
            total: how many items the caller may see on all pages (rule 3).
            path: of the list, percent-encoded.
            parameters: decoded names and values of the query (rule 4).
        """
        pages = -(-total // self.size)
        kept = [(name, value) for name, value in parameters if name not in _OWN]

        def link(number: int) -> str | None:
            if not FIRST <= number <= min(pages, MAX_PAGE):
                return None
            return f"{path}?{urlencode([*kept, ('page', number), ('per_page', self.size)], quote_via=quote, safe='')}"

        return {
            "objects": list(objects),
            "page": self.number,
            "pages": pages,
            "per_page": self.size,
            "total": total,
            "first_url": link(FIRST),
            "prev_url": link(self.number - 1),
            "next_url": link(self.number + 1),
            "last_url": link(min(pages, MAX_PAGE)),
        }


class Listed(msgspec.Struct, kw_only=True):
    """Where a page of a list stands, and where the others are."""

    page: int
    pages: int
    per_page: int
    total: int
    first_url: str | None
    prev_url: str | None
    next_url: str | None
    last_url: str | None


def _number(said: dict[str, str], name: str, default: int, most: int) -> int:
    text = said.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
        return int(text)
    raise GatewayError(Reason.BAD_TARGET, f"`{name}` is no whole number from 1 to {most}")
