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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec
from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.reasons import Reason
from models.networks import AddressError, NetworkSet, canonical_address

Headers = Sequence[tuple[bytes, bytes]]
_FORWARDED: Final = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))
MAX_HOPS = 32
"""Entries of `X-Forwarded-For` that are read; more is refused (law 10)."""


class Caller(msgspec.Struct, frozen=True, gc=False):
    """What is believed about where a request comes from.

    Attributes:
        address: in canonical form.
        text: the same as it is shown.
        scheme: `http` or `https` as the client used it.
        host: what a proxy says that the client asked for; None if none says it, and the request's own counts.
    """

    address: IPAddress
    text: str
    scheme: str
    host: bytes | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """An address that was looked at, from the peer leftwards, and whether it is a configured proxy."""

    address: IPAddress
    is_proxy: bool


def believed_caller(
    peer: str,
    scheme: str,
    headers: Headers,
    trusted: NetworkSet,
    steps: list[Step] | None = None,
) -> Caller:
    """Returns where the request comes from.

    Args:
        peer: the address of the TCP peer.
        scheme: the scheme on which the request arrived here.
        headers: lower-case names and values, in order.
        trusted: the configured proxies.
        steps: takes what was looked at, in order; the last one is the client.

    Raises:
        GatewayError: rule 3, or a forwarded scheme or host that is repeated or malformed.
    """
    try:
        address, text = _read(peer)
    except AddressError as error:
        raise GatewayError(Reason.BAD_HEADERS, "the peer has no address") from error
    is_proxy = bool(trusted.firsts) and trusted.admits(address)
    if steps is not None:
        steps.append(Step(address, is_proxy))
    if not is_proxy:
        return Caller(address, text, scheme)
    forwarded = [header for header in headers if header[0] in _FORWARDED]
    said = _single(forwarded, b"x-forwarded-proto")
    if said not in (None, b"http", b"https"):
        raise GatewayError(Reason.BAD_HEADERS, "x-forwarded-proto is neither http nor https")
    address, text = _client(_hops(forwarded), trusted, steps) or (address, text)
    host = _single(forwarded, b"x-forwarded-host")
    return Caller(address, text, said.decode() if said else scheme, host)


@lru_cache(maxsize=65_536)
def _read(text: str) -> tuple[IPAddress, str]:
    """Returns the address that `text` names, and how it is shown; what came lately is remembered.

    Raises:
        AddressError: it names none.
    """
    address = canonical_address(text)
    return address, str(address)


def _client(hops: list[str], trusted: NetworkSet, steps: list[Step] | None) -> tuple[IPAddress, str] | None:
    """Returns the first address from the right that is no proxy, else the leftmost; None if there is no entry (rule 2)."""
    found = None
    for hop in reversed(hops):
        try:
            found = _read(hop)
        except AddressError as error:
            raise GatewayError(Reason.BAD_HEADERS, f"x-forwarded-for: {error}") from error
        is_proxy = trusted.admits(found[0])
        if steps is not None:
            steps.append(Step(found[0], is_proxy))
        if not is_proxy:
            break
    return found


def _hops(headers: Headers) -> list[str]:
    joined = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = joined.decode("latin-1").split(",") if joined else []
    if len(hops) > MAX_HOPS:
        raise GatewayError(Reason.BAD_HEADERS, f"x-forwarded-for has more than {MAX_HOPS} entries")
    return hops


def _single(headers: Headers, name: bytes) -> bytes | None:
    values = [value for key, value in headers if key == name]
    if len(values) > 1 or (values and b"," in values[0]):
        raise GatewayError(Reason.BAD_HEADERS, f"{name.decode()} has several values")
    return values[0] if values else None
