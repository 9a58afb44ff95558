"""The forms that the value of a setting may take: what a duration, a network, a store or a backend's address looks like.

Each form is an annotated type whose `Form` names it in `docs/settings.md`. A sentence about a bad value never repeats it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from netaddr import IPNetwork, cidr_merge
from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from gateway.headers import HOP_BY_HOP
from gateway.quantities import octets, seconds
from gateway.reasons import TABLE, Reason
from models.networks import AddressError, canonical_address, canonical_network

_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.?")
_HOST_HEADER: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"/[A-Za-z0-9_~-][A-Za-z0-9._~-]*/")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PARTY: Final = re.compile(r"[!-~]{1,255}")
_UPSTREAM_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_FRAMING: Final = HOP_BY_HOP | {b"host", b"content-length", b"expect"}

_FORBIDDEN: Final = 403
HIDEABLE: Final = frozenset(row.public for row in TABLE.values() if row.status == _FORBIDDEN)
"""The reasons told outside whose 403 may be turned into 404."""


@dataclass(frozen=True, slots=True)
class Form:
    """The name of a form, as documents write it."""

    name: str


@dataclass(frozen=True, slots=True)
class Loading:
    """What checking a value may need to know.

    Attributes:
        folder: what relative paths are relative to.
        environ: where `secret_env` is looked up.
        serving: whether the gateway is about to serve, so that files and secrets must be there.
    """

    folder: Path
    environ: Mapping[str, str]
    serving: bool = False


def loading(info: ValidationInfo) -> Loading | None:
    """Returns what `Settings.load` passed along; None if a value is checked without it."""
    return info.context if isinstance(info.context, Loading) else None


def is_own_address(url: str, host: str, port: int) -> bool:
    """Tells whether a backend's `url` is where a server that listens on `host` and `port` would be reached from here."""
    parts = urlsplit(url)
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    if not port or standard is None or (parts.port or standard) != port:
        return False
    theirs, ours = _addresses(parts.hostname or ""), _addresses(host)
    if any(address.is_unspecified for address in ours):
        return any(address.is_loopback or address.is_unspecified for address in theirs)
    return bool(theirs & ours) or (parts.hostname or "").lower() == host.lower()


def _addresses(host: str) -> set[IPv4Address | IPv6Address]:
    """Returns the addresses that a host name or address names without asking anybody."""
    if host.lower().rstrip(".") == "localhost":
        return {ip_address("127.0.0.1"), ip_address("::1")}
    try:
        return {ip_address(str(canonical_address(host)))}
    except AddressError:
        return set()


def _placed(path: Path, info: ValidationInfo) -> Path:
    given = loading(info)
    return given.folder / path.expanduser() if given else path


def _placed_or_dash(path: Path, info: ValidationInfo) -> Path:
    return path if path == Path("-") else _placed(path, info)


def _readable(path: Path, info: ValidationInfo) -> Path:
    given = loading(info)
    if given and given.serving:
        try:
            path.open("rb").close()
        except OSError as error:
            raise ValueError(f"`{path}` cannot be read: {(error.strerror or 'error').lower()}") from error
    return path


def _listed(value: object) -> object:
    """Splits a text at commas: the spelling of a list in an environment variable."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _listen_address(text: str) -> str:
    try:
        return str(canonical_address(text))
    except AddressError:
        if not _HOST.fullmatch(text):
            raise ValueError("must be an address (without brackets or port) or a host name") from None
        return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("must be one path segment between slashes, as in `/-/`")
    return text


def _network(text: str) -> str:
    try:
        return canonical_network(text)
    except AddressError as error:
        raise ValueError(str(error)) from error


def _some_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    everything = {IPNetwork("0.0.0.0/0"), IPNetwork("::/0")}
    if everything & set(cidr_merge([IPNetwork(network) for network in networks])):
        raise ValueError(
            "trusts every address, so that anybody could claim any address: list your proxies only"
        )
    return networks


def _hidden(value: object) -> Reason:
    names = ", ".join(f"`{reason}`" for reason in sorted(HIDEABLE))
    if value not in set(Reason):
        raise ValueError(f"is not a reason; those that can be hidden are {names}")
    reason = Reason(str(value))
    row = TABLE[reason]
    if reason in HIDEABLE:
        return reason
    if row.status == _FORBIDDEN:
        raise ValueError(f"`{reason}` is told outside as `{row.public}`: name that one")
    raise ValueError(f"`{reason}` is a {row.status}, and only a 403 can be hidden: {names}")


def _store_url(text: str, info: ValidationInfo) -> str:
    given = loading(info)
    scheme, separator, rest = text.partition("://")
    if separator and scheme in ("postgresql", "postgresql+psycopg"):
        return text
    if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        raise ValueError("must be `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`")
    path, mark, options = rest[1:].partition("?")
    if path in ("", ":memory:"):
        raise ValueError("must name a file: the commands and the workers share it")
    placed = given.folder / Path(path).expanduser() if given else Path(path)
    if "?" in str(placed):
        raise ValueError(
            f"the file would stand at `{placed}`, and a path in a URL cannot have a `?`: choose another folder"
        )
    return f"{scheme}:///{placed}{mark}{options}"


def _upstream_name(text: str) -> str:
    if not _UPSTREAM_NAME.fullmatch(text):
        raise ValueError("is not a name for an upstream: use a-z, 0-9, `_` and `-`, starting with a letter")
    return text


def _upstream_url(text: str, info: ValidationInfo) -> str:
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path:
            raise ValueError("must be `unix:` and the path of a socket")
        return f"unix:{_placed(Path(path), info)}"
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ValueError("is not an address: the host or the port cannot be read") from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("must be `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: write them as `credential`")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must end after the port: targets are forwarded as they come")
    return f"{parts.scheme}://{parts.netloc}"


def _host_header(text: str) -> str:
    if not _HOST_HEADER.fullmatch(text):
        raise ValueError("must be `keep` or a host name, with a port where needed")
    return text


def _header_name(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("is not the name of a header")
    if text.lower().encode() in _FRAMING:
        raise ValueError("must not be a header that frames or routes the request")
    return text


def _token_party(text: str) -> str:
    if not _PARTY.fullmatch(text):
        raise ValueError("must be a name or URL of 1 to 255 visible ASCII characters")
    return text


def _seconds(value: object) -> float:
    return seconds(value)


def _octets(value: object) -> int:
    return octets(value)


DURATION: Final = Form("duration")
SIZE: Final = Form("size")
Duration = Annotated[float, BeforeValidator(_seconds), DURATION]
Size = Annotated[int, BeforeValidator(_octets), SIZE]
PlacedPath = Annotated[Path, AfterValidator(_placed), Form("path")]
PlacedPaths = Annotated[
    tuple[Annotated[Path, AfterValidator(_placed)], ...], BeforeValidator(_listed), Form("list of paths")
]
CaFile = Annotated[Path, AfterValidator(_placed), AfterValidator(_readable), Form("path")]
Output = Annotated[Path, AfterValidator(_placed_or_dash), Form("path or `-`")]
ListenAddress = Annotated[str, AfterValidator(_listen_address), Form("address or host name")]
Prefix = Annotated[str, AfterValidator(_prefix), Form("path segment")]
_Network = Annotated[str, AfterValidator(_network)]
Networks = Annotated[
    tuple[_Network, ...],
    BeforeValidator(_listed),
    AfterValidator(_some_networks),
    Form("list of addresses and CIDRs"),
]
_HiddenReason = Annotated[Reason, BeforeValidator(_hidden)]
HiddenReasons = Annotated[frozenset[_HiddenReason], BeforeValidator(_listed), Form("list of reasons")]
StoreUrl = Annotated[str, AfterValidator(_store_url), Form("URL")]
UpstreamName = Annotated[str, AfterValidator(_upstream_name)]
UpstreamUrl = Annotated[str, AfterValidator(_upstream_url), Form("URL")]
HostHeader = Annotated[str, AfterValidator(_host_header), Form("`keep` or a host name")]
HeaderName = Annotated[str, AfterValidator(_header_name), Form("header name")]
TokenParty = Annotated[str, AfterValidator(_token_party), Form("name or URL")]
