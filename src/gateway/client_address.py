"""Who really called: the client's address, scheme and host, derived through configured proxies only.

Rules:

1. The peer of the connection is the client, unless it is a configured proxy. Nothing is trusted by default.
2. From a proxy, `X-Forwarded-For` is read from the right: each address that is itself a configured proxy is passed
   over, the first that is not is the client (CVE-2023-36456, oauth2-proxy: the leftmost one is what the client typed).
3. An entry that cannot be parsed where one must be believed refuses the request; it never means "no restriction"
   (CVE-2026-57210).
4. `Forwarded` (RFC 7239) is not read: two headers that say the same thing are two readings. It is removed and set anew.
5. `X-Forwarded-Proto` and `X-Forwarded-Host` obey the same trust as the address (CVE-2026-33495).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.reasons import Reason
from models.networks import AddressError, NetworkSet, canonical_address

MAX_HOPS = 32
"""Entries of `X-Forwarded-For` that are read; more is refused (law 10)."""


class Caller(NamedTuple):
    """What is believed about where a request comes from; `text` is the address as it is shown."""

    address: IPAddress
    text: str
    scheme: str
    host: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """An address that was looked at, from the peer leftwards, and whether it is a configured proxy."""

    address: IPAddress
    is_proxy: bool


def believed_caller(
    peer: str,
    scheme: str,
    headers: tuple[tuple[bytes, bytes], ...],
    trusted: NetworkSet,
    steps: list[Step] | None = None,
) -> Caller:
    """Returns where the request comes from.

    Args:
        peer: the address of the TCP peer.
        scheme: the scheme on which the request arrived here.
        headers: lower-case names and values, in order; exactly one `host`.
        trusted: the configured proxies.
        steps: takes what was looked at, in order; the last one is the client.

    Raises:
        GatewayError: rule 3, or a forwarded scheme or host that is repeated or malformed.
    """
    try:
        address = canonical_address(peer)
    except AddressError as error:
        raise GatewayError(Reason.BAD_HEADERS, "the peer has no address") from error
    host = next(value for name, value in headers if name == b"host")
    is_proxy = bool(trusted) and trusted.admits(address)
    if steps is not None:
        steps.append(Step(address, is_proxy))
    if not is_proxy:
        return Caller(address, _shown(peer), scheme, host)
    forwarded_scheme = _single(headers, b"x-forwarded-proto")
    if forwarded_scheme not in (None, b"http", b"https"):
        raise GatewayError(Reason.BAD_HEADERS, "x-forwarded-proto is neither http nor https")
    client = _client(address, _hops(headers), trusted, steps)
    return Caller(
        client,
        str(client),
        forwarded_scheme.decode() if forwarded_scheme else scheme,
        _single(headers, b"x-forwarded-host") or host,
    )


@lru_cache(maxsize=65_536)
def _shown(peer: str) -> str:
    return str(canonical_address(peer))


def _client(peer: IPAddress, hops: list[str], trusted: NetworkSet, steps: list[Step] | None) -> IPAddress:
    address = peer
    for hop in reversed(hops):
        try:
            address = canonical_address(hop)
        except AddressError as error:
            raise GatewayError(Reason.BAD_HEADERS, f"x-forwarded-for: {error}") from error
        is_proxy = trusted.admits(address)
        if steps is not None:
            steps.append(Step(address, is_proxy))
        if not is_proxy:
            return address
    return address


def _hops(headers: tuple[tuple[bytes, bytes], ...]) -> list[str]:
    joined = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = joined.decode("latin-1").split(",") if joined else []
    if len(hops) > MAX_HOPS:
        raise GatewayError(Reason.BAD_HEADERS, f"x-forwarded-for has more than {MAX_HOPS} entries")
    return hops


def _single(headers: tuple[tuple[bytes, bytes], ...], name: bytes) -> bytes | None:
    values = [value for key, value in headers if key == name]
    if len(values) > 1 or (values and b"," in values[0]):
        raise GatewayError(Reason.BAD_HEADERS, f"{name.decode()} has several values")
    return values[0] if values else None
