"""The connection to a backend: our own, on llhttp. This is its one door; nothing outside imports the files behind it.

`settings` what an operator sets · `outbound` the request · `answer` the answer · `upstream` who is asked ·
`exchange` one request and its answer · `relay` one whose answer goes to the client as it comes · `upload` the request's body · `parser` reading an answer, without I/O ·
`pool` who gets which connection · `connection` bytes · `websocket` sockets beside the pool · `errors` what can go wrong
"""

from gateway.headers import Credential, CredentialKind
from gateway.upstream.answer import Answer
from gateway.upstream.errors import (
    AnswerTooLargeError,
    UploadBrokenError,
    UpstreamBrokenError,
    UpstreamBusyError,
    UpstreamDownError,
    UpstreamError,
    UpstreamSlowError,
    UpstreamTruncatedError,
)
from gateway.upstream.exchange import Exchange
from gateway.upstream.outbound import Outbound
from gateway.upstream.relay import Receiver, Relay, RelayBrokenError
from gateway.upstream.settings import UpstreamSettings
from gateway.upstream.upstream import Upstream
from gateway.upstream.websocket import BackendSocket, SocketEndedError, SocketRefusedError, WebSockets

__all__ = [
    "Answer",
    "AnswerTooLargeError",
    "BackendSocket",
    "Credential",
    "CredentialKind",
    "Exchange",
    "Outbound",
    "Receiver",
    "Relay",
    "RelayBrokenError",
    "SocketEndedError",
    "SocketRefusedError",
    "UploadBrokenError",
    "Upstream",
    "UpstreamBrokenError",
    "UpstreamBusyError",
    "UpstreamDownError",
    "UpstreamError",
    "UpstreamSettings",
    "UpstreamSlowError",
    "UpstreamTruncatedError",
    "WebSockets",
]
