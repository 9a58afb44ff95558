"""What an operator sets for one backend: where it is, what it is shown, and every bound on it."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.headers import Credential


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where connections go: `path` for a Unix socket, else `host` and `port`."""

    host: str
    port: int
    tls: bool
    path: str | None = None

    @classmethod
    def of(cls, url: str) -> "Endpoint":
        """Reads `http://host:port`, `https://host:port` or `unix:/path`.

        Raises:
            ValueError: it is none of these; names the mistake.
        """
        if url.startswith("unix:"):
            path = url.removeprefix("unix:")
            if not path.startswith("/"):
                raise ValueError(f"`{url}`: the path of a unix socket must be absolute")
            return cls("", 0, tls=False, path=path)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"`{parts.scheme}://…` must be http://host:port, https://host:port or unix:/path"
            )
        if "@" in parts.netloc:
            raise ValueError("a url cannot carry a password: use the upstream's credential")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"`{url}`: a path cannot stand here, targets are forwarded as they came")
        tls = parts.scheme == "https"
        return cls(parts.hostname, parts.port or (443 if tls else 80), tls=tls)


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """One backend.

    Attributes:
        name: what routes call it.
        url: `http://host:port`, `https://host:port` (the certificate is verified) or `unix:/path`.
        host_header: the `Host` it gets; None keeps the client's.
        credential: what it is shown.
        ca_file: the only authorities believed for `https`; None for the system's.
        max_connections: open connections, of each worker.
        queue_limit: requests that may wait for one.
        queue_timeout: seconds that one may wait.
        connect_timeout: seconds for a connection, its TLS handshake included.
        read_timeout: seconds without a byte, once the request is sent; a request may bring its own.
        write_timeout: seconds in which it takes nothing of a request.
        idle_timeout: seconds that an unused connection is kept; below the backend's own, since a request that meets a
            closing connection is repeated only if it is safe.
        max_head_bytes: status line and headers of an answer together; also the trailers.
        max_headers: headers of an answer.
        max_websockets: open WebSockets, of each worker; they do not count as connections.
        websocket_message: bytes of the largest message either way.
        websocket_idle: seconds without a message either way after which a WebSocket ends.

    Raises:
        ValueError: a bound is not positive, or the url is malformed.
    """

    name: str
    url: str
    host_header: str | None = None
    credential: Credential = field(default_factory=Credential.none)
    ca_file: Path | None = None
    max_connections: int = 64
    queue_limit: int = 512
    queue_timeout: float = 10.0
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    write_timeout: float = 30.0
    idle_timeout: float = 4.0
    max_head_bytes: int = 65536
    max_headers: int = 200
    max_websockets: int = 256
    websocket_message: int = 1_048_576
    websocket_idle: float = 3600.0

    def __post_init__(self) -> None:
        Endpoint.of(self.url)
        for bound in (
            "max_connections", "queue_timeout", "connect_timeout", "read_timeout", "write_timeout", "idle_timeout",
            "max_head_bytes", "max_headers", "max_websockets", "websocket_message", "websocket_idle",
        ):  # fmt: skip
            if getattr(self, bound) <= 0:
                raise ValueError(f"upstream `{self.name}`: {bound} must be more than zero")
        if self.queue_limit < 0:
            raise ValueError(f"upstream `{self.name}`: queue_limit must not be negative")

    @property
    def endpoint(self) -> Endpoint:
        """Where connections go."""
        return Endpoint.of(self.url)
