"""An exchange whose answer goes to the client as it comes, without anybody waiting for its pieces.

Rules, beside those of `gateway.upstream.exchange`:

1. The head goes out with the first piece, or with the end. Where the answer states no length it does not wait: an endless answer
   may have no first piece for long.
2. A client that does not take what it gets stops the reading from the backend, until it has.
3. A client that leaves ends the exchange at once.
4. What goes wrong before the client heard anything is raised as it is; afterwards as `RelayBrokenError`, since only the connection's
   end can still tell the client.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.errors import ClientGoneError
from gateway.upstream.answer import Pair
from gateway.upstream.exchange import Exchange
from gateway.upstream.outbound import Outbound
from gateway.upstream.pool import Pool
from gateway.upstream.settings import UpstreamSettings

Told = Callable[[Sequence[Pair]], Sequence[Pair]]
"""Makes the headers that the client gets of those that the backend sent."""


class Receiver(Protocol):
    """Who gets the answer.

    Attributes:
        on_gone: called if the client leaves while nobody waits for its body.
        on_drained: called when it has taken enough of what it got.
        gone: whether it has left.
    """

    on_gone: Callable[[], None] | None
    on_drained: Callable[[], None] | None
    gone: bool

    @property
    def stuck(self) -> bool:
        """Whether as much waits for it as may."""

    def begin(self, status: int, headers: Sequence[Pair], piece: bytes, *, more: bool) -> None:
        """Gives it the head, and the first piece."""

    def go_on(self, piece: bytes, *, more: bool) -> None:
        """Gives it another piece."""


class RelayBrokenError(Exception):
    """The answer broke off after the client had its head."""


class Relay(Exchange):
    """One request and its answer, carried.

    Attributes:
        octets: bytes of the body that the client got.
    """

    _begun = False
    octets = 0

    def __init__(
        self, pool: Pool, settings: UpstreamSettings, outbound: Outbound, receiver: Receiver, told: Told
    ) -> None:
        super().__init__(pool, settings, outbound)
        self._receiver, self._told = receiver, told

    async def run(self) -> int:
        """Carries the answer to its end; returns its status.

        Raises:
            RelayBrokenError: rule 4.
            ClientGoneError: rule 3.
            Exception: as of `Exchange.__aenter__`.
        """
        receiver = self._receiver
        if receiver.gone:
            raise ClientGoneError(sent=False)
        receiver.on_gone, receiver.on_drained = self._left, self._resume
        try:
            await self._asked()
        except ClientGoneError:
            raise
        except Exception as error:
            if self._begun:
                raise RelayBrokenError(str(error)) from error
            raise
        finally:
            receiver.on_gone = receiver.on_drained = None
            self._finish()
        return self._parser.status

    def _is_enough(self) -> bool:
        return self._begun and self._parser.complete

    def _arrived(self, piece: bytes) -> None:
        parser, receiver = self._parser, self._receiver
        if not parser.status:
            return
        complete = parser.complete
        if self._begun:
            if piece or complete:
                receiver.go_on(piece, more=not complete)
        elif piece or complete or b"content-length" not in parser.fields:
            self._begun = True
            receiver.begin(parser.status, self._told(parser.headers), piece, more=not complete)
        self.octets += len(piece)
        if complete:
            self._wake()
        elif receiver.stuck:
            self._hold()

    def _left(self) -> None:
        self._fail(ClientGoneError(sent=True))
