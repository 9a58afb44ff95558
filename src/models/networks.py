"""Addresses and allow-lists: one canonical form of an address, and whether a list admits it.

Rules:

1. An address is compared in one form: IPv4-mapped IPv6 (`::ffff:10.0.0.1`) is its IPv4 address, a zone (`%eth0`)
   is dropped. (OpenFGA #3181, SpiceDB #3184: a mapped address did not match `10.0.0.0/8`.)
2. What cannot be parsed is an error when it is written and matches nothing when it is asked.
3. A network has no host bits (`10.0.0.1/8` is an error: the writer meant something else), an octet no leading zero.
4. A list of any length is asked in the same time: one binary search.
5. A line of an allow-list holds for all applications or for one; an application with lines of its own has the others too.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netaddr import AddrFormatError, IPAddress, IPNetwork
from netaddr.core import INET_PTON


class AddressError(ValueError):
    """The text is not an address or network; the message says why."""


def canonical_address(text: str) -> IPAddress:
    """Returns the address that `text` names, in the one form of rule 1.

    Raises:
        AddressError: it is not an IPv4 or IPv6 address.
    """
    bare = text.strip().partition("%")[0]
    try:
        address = IPAddress(bare, flags=INET_PTON)
    except (AddrFormatError, ValueError) as error:
        raise AddressError(f"`{text[:64]}` is not an IPv4 or IPv6 address") from error
    return address.ipv4() if address.is_ipv4_mapped() else address


def canonical_network(text: str) -> str:
    """Returns the address or CIDR prefix that `text` names as a CIDR string (`10.0.0.7` gives `10.0.0.7/32`).

    Raises:
        AddressError: it is not an address or prefix, or has host bits set (rule 3).
    """
    bare, slash, length = text.strip().partition("/")
    address = canonical_address(bare)
    if not slash:
        return str(IPNetwork(address))
    widest = 32 if address.version == 4 else 128  # noqa: PLR2004 - bits of an IPv4 and an IPv6 address
    if not (length.isascii() and length.isdigit() and int(length) <= widest):
        raise AddressError(f"`{text[:64]}` needs a prefix length between 0 and {widest}")
    network = IPNetwork(f"{address}/{int(length)}")
    if network.network != network.ip:
        raise AddressError(f"`{text[:64]}` has host bits set: `{network.cidr}` is the network")
    return str(network.cidr)


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """A list of networks, ready to be asked; made once when facts are loaded.

    Networks that touch or overlap are one range, so an address needs one binary search whatever the list's length (rule 4).

    Attributes:
        firsts: the first address of each range as an integer, ascending; by version.
        lasts: the last ones, in the same order.
    """

    firsts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    lasts: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, networks: Iterable[str]) -> "NetworkSet":
        """Returns the set of `networks`, each a CIDR string as `canonical_network` gives it."""
        merged: dict[int, list[tuple[int, int]]] = {}
        parsed = (IPNetwork(network) for network in networks)
        for version, first, last in sorted((net.version, int(net.first), int(net.last)) for net in parsed):
            ranges = merged.setdefault(version, [])
            if ranges and first <= ranges[-1][1] + 1:
                ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
            else:
                ranges.append((first, last))
        return cls(
            {version: tuple(first for first, _ in ranges) for version, ranges in merged.items()},
            {version: tuple(last for _, last in ranges) for version, ranges in merged.items()},
        )

    def admits(self, address: IPAddress) -> bool:
        """Tells whether `address`, in canonical form, lies in one of the networks."""
        version = address.version
        firsts = self.firsts.get(version)
        if firsts is None:
            return False
        value = int(address)
        at = bisect_right(firsts, value)
        return at > 0 and value <= self.lasts[version][at - 1]

    def __bool__(self) -> bool:
        return bool(self.firsts)


_NOWHERE = ANYWHERE = NetworkSet()
"""Without a network: as lines of a list it admits no address, as the list of a share it restricts nobody."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Where requests may come from: lines for all applications and lines for one; without any it restricts nobody.

    Attributes:
        of_all: the networks for applications that have no lines of their own.
        of_one: application → its own networks and those for all.
    """

    of_all: NetworkSet = _NOWHERE
    of_one: Mapping[str, NetworkSet] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[tuple[str, str | None]]) -> "AllowList":
        """Returns the list of `lines`: a CIDR string as `canonical_network` gives it, and an application or None for all."""
        by: dict[str | None, list[str]] = {}
        for network, application in lines:
            by.setdefault(application, []).append(network)
        common = by.pop(None, [])
        own = {name: NetworkSet.of([*common, *networks]) for name, networks in by.items() if name is not None}
        return cls(NetworkSet.of(common), own)

    def networks_for(self, application: str) -> NetworkSet:
        """Returns the networks that bind requests of an application."""
        return self.of_one.get(application, self.of_all)

    def __bool__(self) -> bool:
        return bool(self.of_all or self.of_one)


UNRESTRICTED = AllowList()
"""The list without a line, which most users and groups have."""
