"""The requests under way in one worker: how many there may be, and how large their heads and stated bodies.

Rules:

1. Beyond `limits.in_flight` a request is refused at once (503): what cannot be served soon must not wait with what can. Nothing
   is remembered, so that this ends with the flood. The gateway's own pages are not counted.
2. A head has a bounded number of headers and of bytes; a length that says more than a body may have is refused before anything is
   read. What a body has in fact, and what stands still, is watched where it is read and written (`gateway.downstream`).
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

from gateway.errors import GatewayError
from gateway.heads import MAX_LENGTH_DIGITS
from gateway.reasons import Reason
from gateway.settings.sections import LimitsSection

_BODILESS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods whose length is not looked for in advance; what they do send is counted all the same."""


class Visits:
    """The requests of one worker."""

    def __init__(self, limits: LimitsSection) -> None:
        """Takes the bounds."""
        self._limits = limits
        self._under_way = 0

    def __len__(self) -> int:
        return self._under_way

    def begin(self) -> None:
        """Counts a request until `end`."""
        self._under_way += 1

    def end(self) -> None:
        """Counts it no more."""
        self._under_way -= 1

    def check(self, scope: Mapping[str, Any]) -> None:
        """Is called once for a request that has begun, before anything else is done for it.

        Raises:
            GatewayError: rules 1 and 2.
        """
        limits = self._limits
        if self._under_way > limits.in_flight:
            raise GatewayError(Reason.OVERLOADED, f"more than {limits.in_flight} requests under way")
        headers = scope["headers"]
        if len(headers) > limits.headers:
            raise GatewayError(Reason.HEAD_TOO_LARGE, f"more than {limits.headers} headers")
        if sum(map(len, chain.from_iterable(headers))) > limits.head:
            raise GatewayError(Reason.HEAD_TOO_LARGE, f"headers of more than {limits.head} bytes")
        if scope["method"] not in _BODILESS and _declared(headers) > limits.body:
            raise GatewayError(Reason.BODY_TOO_LARGE, f"says that it is longer than {limits.body} bytes")


def _declared(headers: list[tuple[bytes, bytes]]) -> int:
    """Returns the length that a head states; 0 for none, or for one that is refused later for its form."""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) <= MAX_LENGTH_DIGITS:
            return int(value)
    return 0
