"""Errors of the gateway, split by whose fault they are; each refusal carries a `Reason` and never a secret."""

from gateway.reasons import Reason


class GatewayError(Exception):
    """A request is refused.

    Attributes:
        reason: the row of the table in `gateway.reasons`.
        detail: for the audit and the log; lower case, values in back-ticks, no secret. Never sent to the client.
        retry_after: seconds, told where a refusal is a matter of time.
        told: the sentence for the client, where that of the table is not enough; empty else.
    """

    retry_after: int = 1
    told: str = ""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class ClientGoneError(Exception):
    """The client left; there is nobody to answer.

    Attributes:
        sent: whether the backend may have seen the request; see `gateway.upstream.UpstreamError`.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the client left")
        self.sent = sent


class ConfigurationError(Exception):
    """The operator's files are wrong; carries every problem found, each with its place.

    Attributes:
        problems: sentences, each starting with where (`file:line` or the setting's name).
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyFileError(ConfigurationError):
    """Polar files, the role catalogue or scenarios are wrong: the policy author's to mend."""


class RouteMapError(ConfigurationError):
    """Route maps are wrong: the policy author's to mend."""


class SettingsError(ConfigurationError):
    """The TOML file or the environment is wrong: the platform engineer's to mend."""
