"""A client's body on its way to the backend, looked through for a parameter that names another method.

`gateway.hidden_methods` holds the rules; here a body that breaks one ends as an upload does that broke off, so that no backend gets its end.
"""

from starlette.types import Message, Receive

from gateway.hidden_methods import Search, search_for
from gateway.inbound import Inbound
from gateway.routes import Row
from gateway.routes.table import hiding_place
from gateway.upstream import UploadBrokenError


def looked_through(row: Row, inbound: Inbound, receive: Receive) -> Receive:
    """Returns the client's `receive`, looking at what comes where that may name a method."""
    kind = hiding_place(row, inbound)
    if kind is None:
        return receive
    return _LookedThrough(receive, search_for(kind, inbound.header(b"content-type") or b""))


class _LookedThrough:
    """A `receive` that hands on only what was looked at."""

    __slots__ = ("_receive", "_search")

    def __init__(self, receive: Receive, search: Search) -> None:
        self._receive, self._search = receive, search

    async def __call__(self) -> Message:
        """Returns what the client sends next.

        Raises:
            UploadBrokenError: it names another method, or can be read in two ways.
        """
        message = await self._receive()
        if message["type"] == "http.request":
            try:
                self._search.feed(message.get("body", b""))
                if not message.get("more_body", False):
                    self._search.end()
            except ValueError as error:
                raise UploadBrokenError(str(error)) from error
        return message
