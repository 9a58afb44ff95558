"""Token buckets: what they allow, what they tell, and how many there are."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from gateway.identity import ANONYMOUS, Identity, Proof
from gateway.limits import Buckets, Rates, Told, TooManyError, network, rate_headers
from gateway.reasons import Reason
from gateway.settings.rates import RatesSection
from models.records import UserRecord

HERE = IPAddress("192.0.2.1")
THERE = IPAddress("192.0.2.2")


class Clock:
    """Seconds as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What is told."""
        return self.now


def buckets(rate: float, burst: int, clock: Clock, most: int = 10) -> Buckets:
    """Buckets for addresses."""
    return Buckets("address", Reason.ADDRESS_RATE, rate, burst, most, clock)


def rates(clock: Clock | None = None, workers: int = 1, **settings: Any) -> Rates:
    """Rates as written."""
    return Rates(RatesSection(**settings), workers, clock or Clock())


def taken(found: Buckets, key: object, times: int) -> int:
    """Takes as often as said; returns how often that was allowed."""
    allowed = 0
    for _ in range(times):
        try:
            found.take(key)
        except TooManyError:
            continue
        allowed += 1
    return allowed


def somebody(user: str, token: str) -> Identity:
    """A user with a token."""
    record = UserRecord.__new__(UserRecord)  # nothing but the id is looked at
    object.__setattr__(record, "id", user)
    return Identity(record, Proof.BEARER, "app", token)


def test_a_burst_is_allowed_then_the_rate() -> None:
    """A full bucket gives its burst at once, and then one token for each interval."""
    clock = Clock()
    found = buckets(2.0, 5, clock)

    assert taken(found, "a", 20) == 5
    clock.now += 0.4
    assert taken(found, "a", 20) == 0
    clock.now += 0.1
    assert taken(found, "a", 20) == 1
    clock.now += 1000
    assert taken(found, "a", 20) == 5


@pytest.mark.parametrize("rate", [3.0, 7.0, 0.3, 11 / 3600, 900.0])
def test_no_token_is_lost_to_rounding(rate: float) -> None:
    """A burst is exactly as large as written, whatever the clock says and the rate divides into."""
    clock = Clock()
    for clock.now in (0.1, 1000 / 3, 123_456.789, 7e6 / 9):
        assert taken(buckets(rate, 97, clock), "a", 200) == 97


def test_buckets_of_different_keys_know_nothing_of_each_other() -> None:
    """One that is empty takes nothing from another."""
    found = buckets(1.0, 2, Clock())

    assert (taken(found, "a", 5), taken(found, "b", 5)) == (2, 2)


@given(
    rate=st.floats(0.001, 1000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20)), max_size=20),
)
def test_never_more_than_burst_and_rate_together(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    """Over any time no key gets more than its burst and what the rate adds, and never less than a bucket of that kind gives."""
    clock, tokens = Clock(), float(burst)
    found = buckets(rate, burst, clock)
    for pause, times in steps:
        clock.now += pause
        tokens = min(burst, tokens + pause * rate)
        allowed = taken(found, "a", times)

        assert tokens - 1.01 < allowed or allowed == times
        assert allowed <= tokens + 0.01
        tokens -= allowed


def test_a_refusal_says_when_to_come_again() -> None:
    """After as many seconds as it says, rounded up, a request is allowed."""
    clock = Clock()
    found = buckets(0.4, 1, clock)
    found.take("a")
    clock.now += 0.2
    with pytest.raises(TooManyError) as refused:
        found.take("a")

    assert (refused.value.reason, refused.value.retry_after) == (Reason.ADDRESS_RATE, 3)
    clock.now += 3
    found.take("a")


def test_the_headers_tell_policy_and_standing() -> None:
    """Quota and window of the policy; tokens left, and seconds until the bucket is full."""
    clock, told = Clock(), Told()
    found = buckets(0.5, 3, clock)
    seen = []
    for _ in range(4):
        told.clear()
        with suppress(TooManyError):
            found.take("a", told)
        seen.append(dict(rate_headers(told))[b"ratelimit"])

    assert dict(rate_headers(told))[b"ratelimit-policy"] == b'"address";q=3;w=6'
    assert seen == [b'"address";r=2;t=2', b'"address";r=1;t=4', b'"address";r=0;t=6', b'"address";r=0;t=6']


def test_the_number_of_buckets_is_bounded() -> None:
    """The one not touched for longest goes; one that is touched stays."""
    found = buckets(1.0, 2, Clock(), most=3)
    for key in ("a", "b", "c", "a", "d"):
        found.take(key)

    assert len(found) == 3
    assert taken(found, "a", 5) == 0
    assert taken(found, "b", 5) == 2


def test_nothing_written_is_nothing_asked() -> None:
    """Without a rate there is no object to ask; a burst alone limits nothing."""
    assert Rates.of(RatesSection(), 4) is None
    assert Rates.of(RatesSection(address_burst=1), 4) is None
    assert Rates.of(RatesSection.model_validate({"guesses": "10/m"}), 4) is not None


def test_an_ipv6_client_is_its_network_and_never_an_ipv4_one() -> None:
    """Addresses of one /64 count together; an IPv4 address counts alone."""
    one, same, other = (IPAddress(text) for text in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"))

    assert network(one) == network(same) != network(other)
    assert network(HERE) != network(THERE)
    assert network(IPAddress("::192.0.2.1")) != network(HERE)


def test_an_address_is_refused_beyond_its_rate_and_others_are_not() -> None:
    """The reason names the address's rate."""
    found, told = rates(address=1, address_burst=1), Told()
    found.arrived(HERE, told)
    with pytest.raises(TooManyError) as refused:
        found.arrived(HERE, told)

    assert refused.value.reason is Reason.ADDRESS_RATE
    assert [each.name for each, _ in told] == ["address", "address"]
    found.arrived(THERE, told)


def test_users_and_tokens_are_counted_apart() -> None:
    """A token has its own bucket, and all tokens of a user share the user's; without a credential neither is asked."""
    found = rates(user=1, user_burst=3, token=1, token_burst=2)
    told: Told = []
    first, second = somebody("vera", "t1"), somebody("vera", "t2")
    for _ in range(2):
        found.known(first, told)
    with pytest.raises(TooManyError) as by_token:
        found.known(first, told)
    found.known(second, told)
    with pytest.raises(TooManyError) as by_user:
        found.known(second, told)
    for _ in range(5):
        found.known(ANONYMOUS, told)

    assert (by_token.value.reason, by_user.value.reason) == (Reason.TOKEN_RATE, Reason.USER_RATE)


def test_after_too_many_guesses_no_credential_is_looked_at() -> None:
    """The bucket of guesses is emptied by what failed, asked before anything is looked up, and fills again."""
    clock = Clock()
    found = rates(clock, guesses=0.1, guesses_burst=2)
    for _ in range(2):
        found.may_guess(HERE)
        found.failed(HERE)
    with pytest.raises(TooManyError) as refused:
        found.may_guess(HERE)
    with pytest.raises(TooManyError):
        found.failed(HERE)
    found.may_guess(THERE)
    clock.now += refused.value.retry_after

    assert (refused.value.reason, refused.value.retry_after) == (Reason.GUESS_RATE, 10)
    found.may_guess(HERE)


def test_workers_share_what_is_allowed() -> None:
    """Each of four has a quarter of rate and burst, and at least one token."""
    clock = Clock()
    found = [
        rates(clock, workers=4, address=4, address_burst=8, guesses=1, guesses_burst=1) for _ in range(4)
    ]

    def allowed() -> int:
        count = 0
        for each in found * 10:
            try:
                each.arrived(HERE, [])
            except TooManyError:
                continue
            count += 1
        return count

    assert allowed() == 8
    clock.now += 1
    assert allowed() == 4
    found[0].failed(HERE)
