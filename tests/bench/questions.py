"""What load generators ask: random users on random objects, the same questions of every rung."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUARDED = "/API/files/v1/assets/"
"""Below it, every request is judged by the full policy."""
OPEN = "/open/"
"""Below it, everybody may read."""


def asset(number: int) -> str:
    """Returns the id of an object."""
    return f"{number:08x}-51c5-11f0-9d4f-0242ac110002"


@dataclass(frozen=True, slots=True)
class Questions:
    """Requests on one host.

    Attributes:
        tokens: a file with one token a line; None asks the open route, without a credential.
        objects: how many there are.
    """

    tokens: Path | None
    objects: int

    @property
    def below(self) -> str:
        """What stands in front of the object's id."""
        return GUARDED if self.tokens else OPEN

    def request(self, token: str, number: int, body: str) -> bytes:
        """Returns one request for the body `1k`, `64k` or `1g`; the token is left out where the route is open."""
        credential = f"Authorization: Bearer {token}\r\n" if self.tokens else ""
        line = f"GET {self.below}{asset(number)}/{body} HTTP/1.1\r\n"
        return f"{line}Host: media.example\r\nAccept: */*\r\n{credential}\r\n".encode()

    def known(self) -> list[str]:
        """Returns the tokens; an empty one stands for none."""
        return self.tokens.read_text().split() if self.tokens else [""]

    def drawn(self, body: str, number: int, seed: int) -> Iterator[bytes]:
        """Yields requests of random users on random objects."""
        tokens, draw = self.known(), random.Random(seed)
        for _ in range(number):
            yield self.request(draw.choice(tokens), draw.randrange(self.objects), body)

    def each_once(self) -> list[bytes]:
        """Returns requests that name each object and, if there are at least as many objects, each token."""
        tokens = self.known()
        return [self.request(tokens[at % len(tokens)], at, "1k") for at in range(self.objects)]
