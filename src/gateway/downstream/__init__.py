"""The clients' side of the gateway: connections, requests read from them, and answers written to them.

`Listener` accepts connections and lets an application answer each request: a `Turn`, which is also what ASGI wants.
"""

from gateway.downstream.errors import BodyBoundError, ClientGoneError
from gateway.downstream.listener import App, Listener
from gateway.downstream.turn import Turn

__all__ = ["App", "BodyBoundError", "ClientGoneError", "Listener", "Turn"]
