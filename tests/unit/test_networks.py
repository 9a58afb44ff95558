"""Addresses have one form, and lists admit exactly their networks."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from models.networks import (
    UNRESTRICTED,
    AddressError,
    AllowList,
    NetworkSet,
    canonical_address,
    canonical_network,
)

BITS = {4: 32, 6: 128}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_an_address_has_one_form(text: str, address: str) -> None:
    """Mapped IPv4 is IPv4, a zone is dropped, spelling does not matter."""
    assert canonical_address(text) == IPAddress(address)


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "10.0.0", "10.0.0.256", "010.0.0.1", "0x0a.0.0.1", "1", "10.0.0.1/8", "[::1]", "::1::"],
)
def test_what_is_no_address_is_an_error(text: str) -> None:
    """No form that one parser reads so and another otherwise: no octal, no hex, no short form."""
    with pytest.raises(AddressError):
        canonical_address(text)


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.7", "10.0.0.7/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::ffff:10.0.0.7", "10.0.0.7/32"),
        ("2001:DB8::/032", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_has_one_form(text: str, network: str) -> None:
    """A single address is a network of one."""
    assert canonical_network(text) == network


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "10.0.0.1/8",
        "10.0.0.0/８",  # noqa: RUF001 - a full-width digit
        "2001:db8::1/64",
    ],
)
def test_what_is_no_network_is_an_error(text: str) -> None:
    """Host bits, lengths out of range and masks are refused: the writer meant something else."""
    with pytest.raises(AddressError):
        canonical_network(text)


def test_host_bits_are_answered_with_the_network() -> None:
    """The message says what the writer may have meant."""
    with pytest.raises(AddressError, match=r"`10\.0\.0\.0/8` is the network"):
        canonical_network("10.1.2.3/8")


def test_an_empty_list_admits_nobody_and_says_that_it_is_empty() -> None:
    """Whether an empty list restricts is for the caller to decide."""
    assert not NetworkSet()
    assert not NetworkSet().admits(canonical_address("10.0.0.1"))


def test_two_families_are_two_things() -> None:
    """An IPv6 address is not in an IPv4 network of the same number."""
    assert not NetworkSet.of(["0.0.0.0/0"]).admits(canonical_address("::1"))
    assert not NetworkSet.of(["::/0"]).admits(canonical_address("10.0.0.1"))


@st.composite
def networks(draw: st.DrawFn) -> str:
    """Returns a network of either family in canonical form."""
    version = draw(st.sampled_from((4, 6)))
    length = draw(st.integers(0, BITS[version]))
    prefix = draw(st.integers(0, 2**length - 1)) << (BITS[version] - length)
    address = ip_address(prefix.to_bytes(BITS[version] // 8, "big"))
    return f"{address}/{length}"


@given(lines=st.lists(networks(), max_size=6), address=st.ip_addresses(), near=st.booleans(), data=st.data())
def test_a_list_admits_what_an_independent_library_does(
    lines: list[str], address: object, data: st.DataObject, *, near: bool
) -> None:
    """For any list and address the answer is the one of Python's `ipaddress`; order and repetition are irrelevant."""
    asked = ip_address(str(address))
    if near and lines:
        net = ip_network(data.draw(st.sampled_from(lines)))
        offset = data.draw(st.sampled_from((-1, 0, net.num_addresses - 1, net.num_addresses)))
        value = min(max(int(net.network_address) + offset, 0), 2 ** BITS[net.version] - 1)
        asked = ip_address(value.to_bytes(BITS[net.version] // 8, "big"))
    if getattr(asked, "ipv4_mapped", None):
        return  # has another canonical form
    expected = any(asked in ip_network(line) for line in lines)
    assert NetworkSet.of(lines).admits(canonical_address(str(asked))) is expected
    assert NetworkSet.of([*reversed(lines), *lines]) == NetworkSet.of(lines)


def test_a_long_list_admits_exactly_its_networks() -> None:
    """Of 10,000 networks with gaps between them, every one admits its ends and nothing beyond them."""
    listed = NetworkSet.of(f"10.{number >> 7}.{number % 128 * 2}.0/24" for number in range(10_000))
    for number in range(0, 10_000, 97):
        inside, outside = (f"10.{number >> 7}.{number % 128 * 2 + gap}" for gap in (0, 1))
        assert listed.admits(canonical_address(f"{inside}.0"))
        assert listed.admits(canonical_address(f"{inside}.255"))
        assert not listed.admits(canonical_address(f"{outside}.0"))
        assert not listed.admits(canonical_address(f"{outside}.255"))


def test_networks_that_touch_are_one_range() -> None:
    """Halves, repetitions and a network within another are merged, so that equal lists are equal."""
    assert NetworkSet.of(["10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16"]) == NetworkSet.of(["10.0.0.0/8"])
    assert NetworkSet.of(["0.0.0.0/1", "128.0.0.0/1"]) == NetworkSet.of(["0.0.0.0/0"])


def test_a_line_for_one_application_adds_to_those_for_all() -> None:
    """An application with lines of its own has the common ones too; another has these alone."""
    found = AllowList.of([("10.0.0.0/8", None), ("192.0.2.0/24", "a"), ("192.0.2.9/32", "b")])
    here, there = canonical_address("10.1.1.1"), canonical_address("192.0.2.7")

    admits = {
        app: (found.networks_for(app).admits(here), found.networks_for(app).admits(there)) for app in "abc"
    }
    assert admits == {"a": (True, True), "b": (True, False), "c": (True, False)}


def test_a_list_without_lines_for_an_application_is_empty_for_it() -> None:
    """A list that only speaks of one application restricts no other."""
    found = AllowList.of([("10.0.0.0/8", "a")])

    assert found
    assert not found.networks_for("b")
    assert AllowList.of([]) == UNRESTRICTED
    assert not UNRESTRICTED
