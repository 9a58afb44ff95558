"""What can go wrong between the gateway and a backend; each error says whether the backend may have seen the request."""

from typing import ClassVar

from gateway.errors import GatewayError
from gateway.reasons import Reason


class UpstreamError(GatewayError):
    """A backend gave no usable answer.

    Attributes:
        sent: whether bytes of the request may have reached the backend. False is certain, True is possible: a request
            with effects whose error says True has an unknown outcome.
    """

    kind: ClassVar[Reason] = Reason.BACKEND_BROKEN

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(self.kind, detail)
        self.sent = sent


class UpstreamDownError(UpstreamError):
    """No connection could be made, or it ended before the first byte of an answer."""

    kind = Reason.BACKEND_DOWN


class UpstreamSlowError(UpstreamError):
    """Connecting, taking the request or answering took longer than the settings allow."""

    kind = Reason.BACKEND_SLOW


class UpstreamBusyError(UpstreamError):
    """All connections are taken, and the queue for them is full or did not move in time; nothing was sent."""

    kind = Reason.BACKEND_BUSY

    def __init__(self, detail: str) -> None:
        super().__init__(detail, sent=False)


class UpstreamBrokenError(UpstreamError):
    """The answer is not HTTP, has two readings, or exceeds a bound."""


class UpstreamTruncatedError(UpstreamBrokenError):
    """The answer ended before its own length or last chunk said so."""


class AnswerTooLargeError(UpstreamBrokenError):
    """An answer that was to be held is larger than its reader takes; it can still be streamed."""


class UploadBrokenError(GatewayError):
    """The client's body is not as long as it said; the request was not completed, the backend's connection cut.

    Attributes:
        sent: as of `UpstreamError`.
    """

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(Reason.BAD_BODY, detail)
        self.sent = sent
