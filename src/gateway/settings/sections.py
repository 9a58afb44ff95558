"""The groups of settings, each with its fields, their forms, defaults and one sentence for operators.

Whoever needs another bound or path adds it here, runs the tests and follows what they say about `docs/settings.md`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from gateway.local_services import Service
from gateway.settings.credential import CredentialSection
from gateway.settings.forms import (
    CaFile,
    Duration,
    Form,
    HiddenReasons,
    HostHeader,
    ListenAddress,
    Networks,
    Output,
    PlacedPath,
    Prefix,
    Size,
    StoreUrl,
    TokenParty,
    UpstreamUrl,
)
from models.networks import NetworkSet

Port = Annotated[int, Field(ge=0, le=65535), Form("whole number")]
Count = Annotated[int, Field(ge=1), Form("whole number")]
Headers = Annotated[int, Field(ge=1, le=100), Form("whole number")]
Waiting = Annotated[int, Field(ge=0), Form("whole number")]
Switch = Annotated[bool, Form("`true` or `false`")]
Watching = Annotated[Literal["notify", "poll"], Form("`notify` or `poll`")]
Sourcing = Annotated[Literal["folder", "store"], Form("`folder` or `store`")]
Services = Annotated[tuple[Service, ...], Form("list of services")]


class Section(BaseModel):
    """A group of settings; what it does not name is a mistake."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        revalidate_instances="always",
    )


class ServerSection(Section):
    """Where the gateway listens."""

    host: ListenAddress = Field(default="127.0.0.1", description="address to listen on")
    port: Port = Field(default=8080, description="port to listen on; 0 takes a free one")
    prefix: Prefix = Field(
        default="/-/", description="path prefix of the gateway's own pages, closed to routes"
    )
    workers: Count = Field(default=1, description="worker processes")
    backlog: Count = Field(default=1024, description="connections that may wait to be accepted")
    max_connections: Count = Field(
        default=10_000, description="open connections of one worker, idle ones included"
    )
    header_timeout: Duration = Field(default=10.0, description="time for a client to send its request head")
    drain_timeout: Duration = Field(
        default=30.0, description="time for requests to end when the gateway stops"
    )


class ManagementSection(Section):
    """Where those who run the gateway ask how it fares."""

    enabled: Switch = Field(
        default=True, description="whether there is a listener for `/livez`, `/readyz` and `/metrics`"
    )
    host: ListenAddress = Field(
        default="127.0.0.1", description="address to listen on; whoever reaches it may read it"
    )
    port: Port = Field(
        default=9180, description="port to listen on, other than `server.port`; 0 takes a free one"
    )
    stuck_after: Duration = Field(
        default=10.0, description="time without a sign of a worker after which `/livez` is 503"
    )


class StoreSection(Section):
    """Where facts are kept."""

    url: StoreUrl = Field(
        default="sqlite:///mediagate.db", description="SQLite file or PostgreSQL database", repr=False
    )
    poll_interval: Duration = Field(default=1.0, description="time between looks for changes made elsewhere")
    max_staleness: Duration = Field(
        default=10.0,
        description="age of facts from which nothing is decided (503); above `store.poll_interval`",
    )
    busy_timeout: Duration = Field(default=5.0, description="time to wait for another writer")

    @field_validator("max_staleness")
    @classmethod
    def _above_poll_interval(cls, value: float, info: ValidationInfo) -> float:
        if value <= info.data.get("poll_interval", 0):
            raise ValueError("must be longer than `store.poll_interval`, or every request is refused")
        return value


class PoliciesSection(Section):
    """What decides."""

    source: Sourcing = Field(
        default="folder",
        description="where policies stand: a folder that is watched, or the store, where `mediagate policy publish` puts them",
    )
    folder: PlacedPath = Field(
        default=Path("policies"),
        description='folder of Polar files, roles, route maps and scenarios; not together with `source = "store"`',
    )
    state: PlacedPath | None = Field(
        default=None,
        description="folder that records what went live; unless written, `.mediagate-` and the folder's name, beside it, or `.mediagate-store` there",
    )
    history: Count = Field(default=50, description="bundles that are kept to go back to")
    last_good_max_age: Duration = Field(
        default=604_800.0,
        description="time since the folder was last good up to which a start with a broken folder serves what it was then",
    )
    watch: Watching = Field(
        default="notify",
        description="whether the system tells of changes, or only looking every so often does",
    )
    poll_interval: Duration = Field(
        default=2.0,
        description="time between looks at the folder, or for what was published, notified or not",
    )
    settle: Duration = Field(default=0.2, description="time for which the folder must stand still")
    trial_cpu: Duration = Field(
        default=10.0, description="processor time in which a new bundle must prove itself"
    )
    trial_time: Duration = Field(default=30.0, description="time in which a new bundle must prove itself")
    trial_memory: Size = Field(
        default=1_073_741_824, description="memory in which a new bundle must prove itself"
    )

    max_file: Size = Field(default=1_048_576, description="largest file of a bundle")
    max_files: Count = Field(default=2_000, description="files of a bundle")
    max_bytes: Size = Field(default=16_777_216, description="all files of a bundle together")

    @property
    def in_store(self) -> bool:
        """Whether the store keeps the policies, and no folder does."""
        return self.source == "store"

    @property
    def state_folder(self) -> Path:
        """Where what went live is recorded, of each source in a place of its own."""
        name = "store" if self.in_store else self.folder.name
        return self.state or self.folder.parent / f".mediagate-{name}"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.in_store and "folder" in self.model_fields_set:
            raise ValueError(
                "`source` is `store` and a `folder` is named too, but only one can decide: take one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _state_is_elsewhere(self) -> Self:
        if not self.in_store and self.state_folder.absolute().is_relative_to(self.folder.absolute()):
            raise ValueError("`state` must not be inside `folder`, which would then change by being read")
        return self


class ProxiesSection(Section):
    """Whose word about the client's address is believed."""

    trusted: Networks = Field(
        default=(), description="proxies in front of the gateway whose `X-Forwarded-*` headers are believed"
    )

    @property
    def networks(self) -> NetworkSet:
        """The trusted proxies, ready to be asked."""
        return NetworkSet.of(self.trusted)


class ForwardAuthSection(Section):
    """Which proxies ask for a verdict and carry the traffic themselves."""

    peers: Networks = Field(
        default=(),
        description="proxies that may ask for a verdict on their clients' requests; none closes the pages",
    )

    @property
    def networks(self) -> NetworkSet:
        """The peers, ready to be asked."""
        return NetworkSet.of(self.peers)


class AuditSection(Section):
    """Where decisions are recorded."""

    path: Output = Field(
        default=Path("-"), description="file that gets one line for each decision; `-` is standard output"
    )


class RefusalsSection(Section):
    """What a refusal tells."""

    hide: HiddenReasons = Field(
        default=frozenset(), description="public reasons that are answered with 404 instead of 403"
    )


class SharesSection(Section):
    """What users share with visitors, who have no account."""

    sign_in: Switch = Field(
        default=False,
        description="whether visitors sign in by links at `share/sign-in` below `server.prefix`",
    )


class ServicesSection(Section):
    """Which services of the documented API this gateway answers itself, from its own store."""

    local: Services = Field(
        default=(),
        description="services answered here and not by a backend: `acls`, `auth`, `settings`, `shares`, `users`, and `own` for the gateway's own API below `server.prefix`",
    )


class LimitsSection(Section):
    """Bounds on what others may make us hold."""

    routes_body: Size = Field(default=65_536, description="largest body that a route reads ids from")
    effects_answer: Size = Field(
        default=65_536, description="largest backend answer that an effect reads an id from"
    )
    facts_cached: Count = Field(default=200_000, description="facts that one worker keeps at hand")
    in_flight: Count = Field(
        default=2_000, description="requests under way in one worker; more are refused at once (503)"
    )
    headers: Headers = Field(
        default=100, description="headers of a request, at most 100; more are refused (431)"
    )
    head: Size = Field(default=65_536, description="names and values of a request's headers together (431)")
    target: Size = Field(default=8_192, description="path and query of a request together (400)")
    segments: Count = Field(default=256, description="segments of a request's path (400)")
    body: Size = Field(
        default=68_719_476_736, description="largest body of a request that goes on to a backend (413)"
    )
    body_timeout: Duration = Field(
        default=30.0, description="time in which a client sends nothing of its body (408)"
    )
    answer_timeout: Duration = Field(
        default=60.0, description="time in which a client takes nothing of its answer; it is cut"
    )
    rejudge_within: Duration = Field(
        default=5.0, description="time in which running traffic is cut after its right has ended"
    )
    expiry_grace: Duration = Field(
        default=300.0, description="time for running traffic to finish after its token has expired"
    )
    unjudged: Duration = Field(
        default=60.0,
        description="time for which running traffic goes on, when its turn to be judged again comes, while the store does not answer",
    )


class UpstreamSection(Section):
    """A backend."""

    url: UpstreamUrl = Field(description="`http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`")
    host: HostHeader = Field(
        default="keep", description="`Host` sent to the backend; `keep` sends the client's"
    )
    credential: CredentialSection = CredentialSection()
    audience: TokenParty | None = Field(
        default=None, description="`aud` of the identity tokens that it is sent; without, it is sent none"
    )
    max_connections: Count = Field(default=64, description="open connections, of each worker")
    queue_limit: Waiting = Field(default=512, description="requests that may wait for a connection")
    queue_timeout: Duration = Field(default=10.0, description="time that one may wait")
    connect_timeout: Duration = Field(
        default=5.0, description="time for a connection, its TLS handshake included"
    )
    read_timeout: Duration = Field(default=60.0, description="time without a byte of the answer")
    write_timeout: Duration = Field(
        default=30.0, description="time in which the backend takes nothing of a request"
    )
    idle_timeout: Duration = Field(
        default=4.0, description="time that an unused connection is kept; below the backend's own"
    )
    max_head_bytes: Size = Field(default=65_536, description="status line and headers of an answer together")
    max_headers: Count = Field(default=200, description="headers of an answer")
    max_websockets: Count = Field(
        default=256, description="open WebSockets, of each worker, beside the connections"
    )
    websocket_message: Annotated[Size, Field(le=16_777_216)] = Field(
        default=1_048_576, description="largest message of a WebSocket either way, up to `16MiB`"
    )
    websocket_idle: Duration = Field(
        default=3600.0, description="time without a message either way after which a WebSocket ends"
    )
    ca_file: CaFile | None = Field(
        default=None, description="certificates that an https backend is checked with"
    )

    @model_validator(mode="after")
    def _ca_file_fits(self) -> Self:
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError("`ca_file` is for an `https` url")
        return self
