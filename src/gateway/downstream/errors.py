"""What can go wrong while a client's request is read."""

from gateway.reasons import Reason
from gateway.upstream.errors import UploadBrokenError


class BodyBoundError(UploadBrokenError):
    """The client's body is longer or slower than the bounds allow, or not framed as one."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
