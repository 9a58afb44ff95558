"""What follows from a short text of a header alone, mostly its name, worked out once for each and then a look-up.

They come from outside: beyond `MAX_NAMES` of them, further ones are worked out each time.
"""

from collections.abc import Callable
from typing import Final, TypeVar

MAX_NAMES: Final = 4096

T = TypeVar("T")


class ByName(dict[bytes, T]):
    """A function of a name that remembers; ask it with `[name]`."""

    __slots__ = ("_of",)

    def __init__(self, of: Callable[[bytes], T]) -> None:
        """Takes the function; what it raises is raised."""
        super().__init__()
        self._of = of

    def __missing__(self, name: bytes) -> T:
        found = self._of(name)
        if len(self) < MAX_NAMES:
            self[name] = found
        return found
