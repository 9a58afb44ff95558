"""What can go wrong between a client and the gateway while a request is read and answered."""

from gateway.reasons import Reason
from gateway.upstream.errors import UploadBrokenError


class ClientGoneError(Exception):
    """The client left; there is nobody to answer.

    Attributes:
        sent: whether the backend may have seen the request; see `gateway.upstream.UpstreamError`.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the client left")
        self.sent = sent


class BodyBoundError(UploadBrokenError):
    """The client's body is longer or slower than the bounds allow, or not framed as one."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
