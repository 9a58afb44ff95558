"""An answer as the rest of the gateway sees it: status, headers, and a body that is read once, in pieces."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from gateway.upstream.errors import AnswerTooLargeError

Pair = tuple[bytes, bytes]


class Source(Protocol):
    """Where the pieces of a body come from."""

    def at_hand(self) -> bytes:
        """Returns what of the body has come, without waiting."""

    @property
    def ended(self) -> bool:
        """Whether everything was handed over, and the answer ended as it said it would."""

    async def chunk(self) -> bytes:
        """Returns the next piece; empty at the end."""


class _Nothing:
    """The source of an answer that is held whole."""

    __slots__ = ()
    ended = True

    def at_hand(self) -> bytes:
        return b""

    async def chunk(self) -> bytes:
        return b""


class Answer:
    """A backend's answer; its body is there once, through `chunk` or iteration, and before that through `read`.

    Attributes:
        status: the HTTP status; not 1xx.
        headers: lower-case names with their values, in order; all that the backend sent, hop-by-hop ones included.
        fields: the same by name; of repeated ones the last.
    """

    __slots__ = ("_held", "_source", "fields", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Sequence[Pair],
        source: Source,
        fields: Mapping[bytes, bytes] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.fields = dict(headers) if fields is None else fields
        self._source = source
        self._held = b""

    @classmethod
    def of(cls, status: int, headers: Sequence[Pair], body: bytes) -> "Answer":
        """Makes an answer of our own that takes a backend's place."""
        answer = cls(status, headers, _Nothing())
        answer._held = body
        return answer

    @property
    def ended(self) -> bool:
        """Whether nothing follows what was handed over; never true of an answer that was cut off."""
        return not self._held and self._source.ended

    def at_hand(self) -> tuple[bytes, bool]:
        """Returns what of the body is there without waiting, and whether more may come."""
        if self._held:
            held, self._held = self._held, b""
            return held, not self._source.ended
        return self._source.at_hand(), not self._source.ended

    def header(self, name: bytes) -> bytes | None:
        """Returns the first value of a header, None if it did not come."""
        return next((value for key, value in self.headers if key == name), None)

    async def chunk(self) -> bytes:
        """Returns the next piece of the body; empty at its end.

        Raises:
            UpstreamTruncatedError: the answer was cut off.
            UpstreamError: it broke in another way.
        """
        if self._held:
            held, self._held = self._held, b""
            return held
        return await self._source.chunk()

    async def read(self, limit: int) -> bytes:
        """Returns the whole body and keeps it: `chunk` will hand it over again.

        Raises:
            AnswerTooLargeError: it is larger than `limit`; what was read is kept all the same.
            UpstreamError: as of `chunk`.
        """
        pieces = [self._held]
        size = len(self._held)
        while size <= limit and not self._source.ended:
            pieces.append(await self._source.chunk())
            size += len(pieces[-1])
        self._held = b"".join(pieces)
        if size > limit:
            raise AnswerTooLargeError(f"an answer larger than the {limit} bytes that are held of it")
        return self._held

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields the pieces of the body; raises as `chunk`."""
        while not self.ended:
            piece = await self.chunk()
            if piece:
                yield piece
