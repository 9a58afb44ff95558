"""The settings of `gateway.limits`: how often somebody may ask."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from gateway.quantities import per_second
from gateway.settings.forms import Form
from gateway.settings.sections import Count, Section


def _per_second(value: object) -> float:
    return per_second(value)


Rate = Annotated[float, BeforeValidator(_per_second), Form("rate")]


class RatesSection(Section):
    """How often somebody may ask."""

    address: Rate | None = Field(
        default=None, description="requests from one address; of IPv6, from one /64 network"
    )
    address_burst: Count = Field(default=100, description="of these, at once")
    user: Rate | None = Field(default=None, description="requests of one user")
    user_burst: Count = Field(default=100, description="of these, at once")
    token: Rate | None = Field(default=None, description="requests with one token")
    token_burst: Count = Field(default=100, description="of these, at once")
    guesses: Rate | None = Field(default=None, description="credentials from one address that are not valid")
    guesses_burst: Count = Field(default=10, description="of these, at once")
    buckets: Count = Field(
        default=100_000, description="addresses, users and tokens, of each, that one worker remembers"
    )
