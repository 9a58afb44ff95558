"""Settings of identity tokens: who signs, with which keys, in which header.

Rules:

1. `issuer` and `keys` come together; an upstream's `audience` needs both.
2. The header is one that means nothing else on the way, so that nothing but the token can be read from it.
3. A request may wait for a connection; its token must outlive the longest wait.
4. Keys are read when the gateway is about to serve: one that cannot sign stops the start.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from gateway.errors import SettingsError
from gateway.headers import HOP_BY_HOP, OURS, folded
from gateway.settings.forms import Duration, HeaderName, PlacedPaths, TokenParty, loading
from gateway.settings.sections import Section, UpstreamSection

if TYPE_CHECKING:
    from gateway.identity_token import IdentityTokens
    from gateway.signing_keys import SigningKey

SHORTEST: Final = 10
LONGEST: Final = 3600
_TAKEN: Final = HOP_BY_HOP | OURS | {b"x-mediagate-user", b"x-mediagate-domain"}


class IdentityTokenSection(Section):
    """Signed tokens that tell backends who asks."""

    issuer: TokenParty | None = Field(
        default=None, description="`iss` of the tokens: the gateway's name or URL"
    )
    keys: PlacedPaths = Field(
        default=(),
        repr=False,
        description="PEM files of private keys (`mediagate identity-key`); the first signs, all are published",
    )
    lifetime: Duration = Field(
        default=60.0, description="time from a token's issue to its expiry; 10 s to 1 h"
    )
    header: HeaderName = Field(
        default="X-Mediagate-Identity", description="header that carries the token; a client's own is removed"
    )

    @field_validator("lifetime")
    @classmethod
    def _short(cls, lifetime: float) -> float:
        if not SHORTEST <= lifetime <= LONGEST or lifetime != int(lifetime):
            raise ValueError(f"must be whole seconds, from {SHORTEST} to {LONGEST}")
        return lifetime

    @field_validator("header")
    @classmethod
    def _means_nothing_else(cls, header: str) -> str:
        name = folded(header.encode())
        if name != header.lower().encode():
            raise ValueError("must not have `_` or `.`, which backends read as `-`")
        if name in _TAKEN or name.startswith(b"x-forwarded-"):
            raise ValueError("must not be a header that the gateway sets or removes for another purpose")
        return header

    @field_validator("keys")
    @classmethod
    def _can_sign(cls, keys: PlacedPaths, info: ValidationInfo) -> PlacedPaths:
        given = loading(info)
        if given and given.serving:
            from gateway.signing_keys import read_keys

            read_keys(keys)
        return keys

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.keys) != (self.issuer is not None):
            raise ValueError("`issuer` and `keys` come together")
        return self

    def fits(self, upstreams: Mapping[str, UpstreamSection]) -> None:
        """Checks what upstreams say about tokens.

        Raises:
            ValueError: one has an audience and nothing signs, lets requests wait for longer than a token is sure to live, or
                shows its credential in the header of the token.
        """
        wanting = [f"`{name}`" for name, upstream in upstreams.items() if upstream.audience is not None]
        if wanting and not self.keys:
            raise ValueError(
                f"{', '.join(wanting)} with an `audience` needs `identity_token.issuer` and `identity_token.keys`"
            )
        for name, upstream in upstreams.items():
            if folded((upstream.credential.name or "").encode()) == folded(self.header.encode()):
                raise ValueError(f"the credential of `{name}` is in the header of `identity_token.header`")
            waiting = upstream.queue_timeout + upstream.connect_timeout
            if upstream.audience is not None and waiting > self.lifetime / 2:
                raise ValueError(
                    f"a token could expire while a request waits for `{name}`: `identity_token.lifetime` must be at least"
                    " twice its `queue_timeout` and `connect_timeout` together"
                )

    def tokens(self, upstreams: Mapping[str, UpstreamSection]) -> "IdentityTokens":
        """Returns what signs tokens for these upstreams; reads the keys.

        Raises:
            SettingsError: a key is not there or cannot sign.
        """
        from gateway.identity_token import IdentityTokens

        audiences = {
            name: upstream.audience for name, upstream in upstreams.items() if upstream.audience is not None
        }
        return IdentityTokens(
            self.issuer or "", self._read_keys(), audiences, header=self.header, lifetime=int(self.lifetime)
        )

    def _read_keys(self) -> "tuple[SigningKey, ...]":
        if not self.keys:
            return ()  # without PyJWT and cryptography
        from gateway.signing_keys import read_keys

        try:
            return read_keys(self.keys)
        except ValueError as error:
            raise SettingsError([f"identity_token.keys: {error}"]) from None
