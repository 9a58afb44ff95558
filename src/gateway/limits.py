"""How often one address, user or token may ask, and how often an address may guess: token buckets, held by each worker.

Rules:

1. What has no rate in `[rates]` has no buckets and costs nothing.
2. Each worker holds buckets for its share: rate and burst divided by the number of workers. Nothing is shared between them.
3. An IPv6 client is its /64: that is what one subscriber has (RFC 6177 2), so single addresses would cost an attacker nothing.
4. A guess is a credential that failed. Once an address has none left, no credential of it is looked at, right or
   wrong: whoever learned only that a guess was wrong by waiting could go on guessing. What is guessed at, a link or an e-mail's
   password, has guesses of its own, which no rate switches off: many addresses guess at one thing.
5. Buckets are bounded in number. Whose bucket was touched longest ago loses it, and begins with a full one.

A bucket is one number, the time at which it is full again ("generic cell rate algorithm", ITU-T I.371 A).
Clients are told by `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-09) and `Retry-After` (RFC 9110 10.2.3).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from hashlib import sha256
from typing import Final

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.identity import Identity
from gateway.reasons import TABLE, Reason
from gateway.settings.rates import RatesSection

GUESSES: Final = 10
"""Wrong tries of one thing at once in one worker."""
GUESS_INTERVAL: Final = 30.0
"""Seconds after which one more is allowed."""
GUESSED: Final = 10_000
"""Things of a kind whose wrong tries one worker remembers."""

_IPV4: Final = 4
_HOST_BITS: Final = 64
"""Of an IPv6 address (rule 3)."""
_ROUNDING: Final = 1e-3
"""Of a token: more than what sums of times are off by, so that the last one of a burst is not lost."""


class TooManyError(GatewayError):
    """A bucket is empty.

    Attributes:
        retry_after: whole seconds after which it has a token again.
    """

    def __init__(self, reason: Reason, wait: float, detail: str) -> None:
        super().__init__(reason, detail)
        self.retry_after = max(1, math.ceil(wait))


Told = list[tuple["Buckets", float]]
"""The buckets that a request was measured by, each with the time at which it is full again."""


class Buckets:
    """Token buckets of one kind, by key."""

    __slots__ = ("_clock", "_full", "_interval", "_most", "_reason", "_slack", "name", "policy")

    def __init__(
        self,
        name: str,
        reason: Reason,
        rate: float,
        burst: int,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes what a bucket gives.

        Args:
            name: of the policy, as clients read it.
            reason: of a refusal.
            rate: tokens per second.
            burst: tokens in a full bucket.
            most: buckets that are kept (rule 5).
            clock: seconds that never go back.
        """
        self.name = name
        self.policy = f'"{name}";q={burst};w={math.ceil(burst / rate)}'
        self._reason = reason
        self._interval = 1 / rate
        self._slack = (burst - 1 + _ROUNDING) / rate
        self._most = most
        self._clock = clock
        self._full: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full)

    def take(self, key: Hashable, told: Told | None = None) -> None:
        """Takes a token; adds to `told` how the bucket stands, also when there is none.

        Raises:
            TooManyError: there is none.
        """
        now = self._clock()
        full = self._full.get(key, now)
        full = max(now, full)
        if full - now <= self._slack:
            full += self._interval
            self._full[key] = full
            self._full.move_to_end(key)
            if len(self._full) > self._most:
                self._full.popitem(last=False)
            if told is not None:
                told.append((self, full))
            return
        if told is not None:
            told.append((self, full))
        raise self._empty(full - now)

    def look(self, key: Hashable) -> None:
        """Takes nothing, and raises as `take` would."""
        full = self._full.get(key)
        if full is not None and (missing := full - self._clock()) > self._slack:
            raise self._empty(missing)

    def standing(self, full: float) -> str:
        """Returns the member of `RateLimit` for a bucket that is full again at `full`: tokens left, seconds until then."""
        missing = max(0.0, full - self._clock())
        left = math.floor((self._slack - missing) / self._interval + 1)
        return f'"{self.name}";r={max(0, left)};t={math.ceil(missing)}'

    def _empty(self, missing: float) -> TooManyError:
        stage = TABLE[self._reason].stage
        return TooManyError(
            self._reason, missing - self._slack, f"{stage}: the bucket `{self.name}` is empty"
        )


class Rates:
    """The buckets of one worker."""

    def __init__(
        self, settings: RatesSection, workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Takes the settings, and how many workers share what they allow (rule 2)."""

        def buckets(name: str, reason: Reason, rate: float | None, burst: int) -> Buckets | None:
            if rate is None:
                return None
            share = math.ceil(burst / workers)
            return Buckets(name, reason, rate / workers, share, settings.buckets, clock)

        self._addresses = buckets("address", Reason.ADDRESS_RATE, settings.address, settings.address_burst)
        self._users = buckets("user", Reason.USER_RATE, settings.user, settings.user_burst)
        self._tokens = buckets("token", Reason.TOKEN_RATE, settings.token, settings.token_burst)
        self._guesses = buckets("guesses", Reason.GUESS_RATE, settings.guesses, settings.guesses_burst)

    @classmethod
    def of(cls, settings: RatesSection, workers: int) -> "Rates | None":
        """Returns None if nothing is limited (rule 1)."""
        rates = (settings.address, settings.user, settings.token, settings.guesses)
        return None if rates == (None,) * len(rates) else cls(settings, workers)

    def arrived(self, client: IPAddress, told: Told) -> None:
        """Counts a request of an address.

        Raises:
            TooManyError: it has asked too often.
        """
        if self._addresses is not None:
            self._addresses.take(network(client), told)

    def may_guess(self, client: IPAddress) -> None:
        """Is asked before a credential is looked at (rule 4).

        Raises:
            TooManyError: too many credentials from this address were wrong.
        """
        if self._guesses is not None:
            self._guesses.look(network(client))

    def failed(self, client: IPAddress) -> None:
        """Counts a credential that is not valid; raises as `may_guess`."""
        if self._guesses is not None:
            self._guesses.take(network(client))

    def known(self, identity: Identity, told: Told) -> None:
        """Counts a request of a user or of support, with a token; one without a credential is only its address's.

        Raises:
            TooManyError: either was used too often.
        """
        if identity.is_anonymous:
            return
        if self._tokens is not None:
            self._tokens.take(identity.token_id, told)
        if self._users is not None:
            self._users.take(identity.name, told)


class Guesses:
    """Wrong tries of things of one kind, each counted for the thing and for the address that they come from (rule 4)."""

    def __init__(self, name: str, rates: Rates | None) -> None:
        """Takes the name of the kind, and the rates of `[rates]`, which may be none."""
        self._rates = rates
        self._things = Buckets(name, Reason.GUESS_RATE, 1 / GUESS_INTERVAL, GUESSES, GUESSED)

    def may_guess(self, thing: str, client: IPAddress) -> None:
        """Is asked before anything is compared.

        Raises:
            TooManyError: too many tries of the thing, or from the address, were wrong.
        """
        if self._rates is not None:
            self._rates.may_guess(client)
        self._things.look(_key(thing))

    def failed(self, thing: str, client: IPAddress) -> None:
        """Counts a try that was wrong; it was begun while there was one left, so that nothing is refused here."""
        with suppress(TooManyError):
            self._things.take(_key(thing))
        with suppress(TooManyError):
            if self._rates is not None:
                self._rates.failed(client)


def network(client: IPAddress) -> int:
    """Returns what an address is counted as (rule 3); the two families never meet."""
    value = int(client)
    return value if client.version == _IPV4 else ~(value >> _HOST_BITS)


def rate_headers(told: Told) -> list[tuple[bytes, bytes]]:
    """Returns what a client is told about the buckets that it was measured by."""
    standing = ", ".join([buckets.standing(full) for buckets, full in told])
    policy = ", ".join([buckets.policy for buckets, _ in told])
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", standing.encode())]


def _key(thing: str) -> bytes:
    """Returns what is remembered of a thing: short however long it is, and no secret."""
    return sha256(thing.encode("utf-8", "surrogatepass")).digest()
