"""One backend, as the rest of the gateway knows it."""

from gateway.upstream.exchange import Exchange
from gateway.upstream.outbound import Outbound
from gateway.upstream.pool import Pool
from gateway.upstream.relay import Receiver, Relay, Told
from gateway.upstream.settings import UpstreamSettings
from gateway.upstream.websocket import WebSockets


class Upstream:
    """One backend and the connections of one worker to it; made once, used from one event loop.

    Attributes:
        settings: what the operator set.
        pool: its connections; read for metrics.
        websockets: its WebSockets.
    """

    __slots__ = ("pool", "settings", "websockets")

    def __init__(self, settings: UpstreamSettings) -> None:
        self.settings = settings
        self.pool = Pool(settings)
        self.websockets = WebSockets(self.pool, settings)

    def exchange(self, request: Outbound) -> Exchange:
        """Returns the context in which the backend is asked; entering it gives the `Answer`, once its head is there.

        Raises:
            GatewayError: on entering; see `Exchange.__aenter__`.
        """
        return Exchange(self.pool, self.settings, request)

    def relay(self, request: Outbound, receiver: Receiver, told: Told) -> Relay:
        """Returns what asks the backend and carries its answer, once it is `run`.

        Args:
            request: what is asked.
            receiver: who gets the answer.
            told: makes its headers.
        """
        return Relay(self.pool, self.settings, request, receiver, told)

    async def close(self) -> None:
        """Cuts all connections; exchanges under way fail."""
        self.websockets.close()
        await self.pool.close()
