"""Identity tokens: what they say, how long they are sent again, and that nobody else can put one in their place."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest

import gateway.identity_token
from gateway.identity_token import IdentityTokens
from gateway.signing_keys import Algorithm, SigningKey, write_key
from models.records import ObjectKey, ShareRecord, UserRecord

KIM = UserRecord("kim", "home")
AUDIENCES = {"media": "https://media.example", "other": "other"}
NOW = 2_000_000_000.25


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        """Returns the time."""
        return self.now


@dataclass
class Signer:
    """Identity tokens over a clock of their own."""

    keys: Sequence[SigningKey]
    header: str = "X-Mediagate-Identity"
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.tokens = IdentityTokens(
            "gate", self.keys, AUDIENCES, header=self.header, lifetime=60, clock=self.clock
        )

    def token(self, upstream: str = "media", user: UserRecord | None = KIM) -> str:
        """Returns the one token that an upstream is sent."""
        ((_, text),) = self.tokens.headers(upstream, user)
        return text.decode()


@pytest.fixture(params=list(Algorithm))
def key(request: pytest.FixtureRequest, tmp_path: Path) -> SigningKey:
    """A key of either kind."""
    return write_key(tmp_path / "key.pem", request.param)


@pytest.fixture
def signer(key: SigningKey) -> Signer:
    """A signer with that key."""
    return Signer([key])


def verified(token: str, tokens: IdentityTokens, audience: str = "https://media.example", **more: Any) -> Any:
    """Returns the claims as PyJWT verifies them, by nothing but the published set."""
    published = jwt.PyJWKSet.from_json(tokens.key_set.decode())
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False} | more.pop("options", {})
    return jwt.decode(
        token, published[jwt.get_unverified_header(token)["kid"]], algorithms=["ES256", "EdDSA"],
        issuer="gate", audience=audience, options=options, **more,
    )  # fmt: skip


def test_a_token_says_who_asks_whom_and_for_how_long(signer: Signer) -> None:
    """All claims, and no more, in a header of the configured name; whole seconds that have begun."""
    ((name, text),) = signer.tokens.headers("media", KIM)
    claims = verified(text.decode(), signer.tokens)
    jti = claims.pop("jti")

    assert name == b"x-mediagate-identity"
    assert len(bytes.fromhex(jti)) == 16
    assert claims == {
        "iss": "gate", "aud": "https://media.example", "sub": "kim", "domain": "home",
        "iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + 60,
    }  # fmt: skip


def test_only_somebody_and_only_for_an_audience(signer: Signer) -> None:
    """An anonymous request has no token, and neither has an upstream without audience."""
    assert signer.tokens.headers("media", None) == []
    assert signer.tokens.headers("plain", KIM) == []


def test_a_token_is_for_one_audience(signer: Signer) -> None:
    """What one backend was sent proves nothing to another, nor to one that forgot to say who it is."""
    token = signer.token("media")

    for audience in ("other", "https://media.example.evil", None):
        with pytest.raises(jwt.InvalidAudienceError):
            verified(token, signer.tokens, audience)  # type: ignore[arg-type]
    assert verified(signer.token("other"), signer.tokens, "other")["aud"] == "other"


def test_a_token_expires(key: SigningKey) -> None:
    """A library with an honest clock refuses a token whose lifetime is over, and takes one that is not."""
    signer = Signer([key], clock=Clock(0.0))
    old = signer.token()
    strict = {"verify_exp": True, "verify_iat": True, "verify_nbf": True}
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(old, signer.tokens, options=strict)

    current = IdentityTokens("gate", [key], AUDIENCES, header="x", lifetime=60)
    ((_, text),) = current.headers("media", KIM)
    assert verified(text.decode(), current, options=strict)["sub"] == "kim"


def test_a_token_is_sent_again_until_half_of_its_life_is_over(signer: Signer) -> None:
    """So a token that arrives lives for another half at least; its `jti` is new with the token, not with the request."""
    first = signer.token()
    signer.clock.now = int(NOW) + 29.9
    again = signer.token()
    signer.clock.now = int(NOW) + 30
    second = signer.token()

    assert first == again
    assert verified(second, signer.tokens)["exp"] == int(NOW) + 90
    assert verified(first, signer.tokens)["jti"] != verified(second, signer.tokens)["jti"]


def test_a_clock_that_is_set_back_makes_a_new_token(signer: Signer) -> None:
    """Else backends would be sent tokens of the future."""
    first = signer.token()
    signer.clock.now = NOW - 3600

    assert signer.token() != first
    assert verified(signer.token(), signer.tokens)["nbf"] == int(NOW) - 3600


def test_tokens_are_kept_apart(signer: Signer) -> None:
    """Another user, domain or audience is another token, whatever the ids look like joined."""
    people = [KIM, UserRecord("kim", "other"), UserRecord("kimh", "ome"), UserRecord("lee", "home")]
    found = {
        (claims["sub"], claims["domain"], claims["aud"])
        for upstream, audience in AUDIENCES.items()
        for user in people
        for claims in (verified(signer.token(upstream, user), signer.tokens, audience),)
    }

    assert found == {
        (user.id, user.domain_id, audience) for user in people for audience in AUDIENCES.values()
    }


def test_kept_tokens_are_bounded(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was not sent for longest goes first; who asks all the time keeps the token."""
    monkeypatch.setattr(gateway.identity_token, "MAX_TOKENS", 3)
    kept = signer.token()
    first = signer.token(user=UserRecord("u0", "home"))
    for number in range(1, 5):
        signer.token(user=UserRecord(f"u{number}", "home"))
        assert signer.token() == kept

    assert signer.token(user=UserRecord("u0", "home")) != first


def test_the_first_key_signs_and_tokens_of_the_others_still_verify(tmp_path: Path) -> None:
    """A rotation: published, swapped, and only then withdrawn."""
    old, new = (write_key(tmp_path / f"{each}.pem", each) for each in Algorithm)
    before, published, swapped, withdrawn = (Signer(keys) for keys in ([old], [old, new], [new, old], [new]))
    token = published.token()

    assert verified(before.token(), published.tokens)["sub"] == "kim"
    assert jwt.get_unverified_header(token)["kid"] == old.kid
    assert jwt.get_unverified_header(swapped.token())["kid"] == new.kid
    assert verified(swapped.token(), published.tokens)["sub"] == "kim"
    assert verified(token, swapped.tokens)["sub"] == "kim"
    with pytest.raises(KeyError):
        verified(token, withdrawn.tokens)


def test_a_token_cannot_be_changed_or_signed_by_another(tmp_path: Path, signer: Signer) -> None:
    """Another key under the same name, no signature, and the public key as a shared secret prove nothing."""
    token, ours = signer.token(), signer.keys[0]
    claims, header = verified(token, signer.tokens), {"kid": ours.kid}
    other = write_key(tmp_path / "other.pem", ours.algorithm)
    forged = [
        jwt.encode(claims, other._private, ours.algorithm, headers=header),  # noqa: SLF001
        jwt.encode(claims, "", "none", headers=header),
        jwt.encode(claims, ours.public["x"], "HS256", headers=header),
        ".".join([*token.split(".")[:2], ""]),
    ]

    for each in forged:
        with pytest.raises(jwt.InvalidTokenError):
            verified(each, signer.tokens)


@pytest.mark.parametrize(
    ("header", "removed"),
    [("Who-Asks", {b"who-asks"}), ("X-Mediagate-Identity", set()), ("Cf-Access-Jwt-Assertion", set())],
)
def test_the_header_is_named_for_removal(key: SigningKey, header: str, removed: set[bytes]) -> None:
    """The name is folded as the table of headers folds; what that table removes anyway is not said twice."""
    assert Signer([key], header).tokens.removed == removed


def test_without_keys_nothing_is_signed() -> None:
    """A gateway without the section has an empty set; an audience without a key is a mistake of ours."""
    tokens = IdentityTokens("", (), {}, header="Who-Asks", lifetime=60)

    assert tokens.key_set == b'{"keys":[]}'
    assert tokens.headers("media", KIM) == []
    with pytest.raises(ValueError, match="needs a key"):
        IdentityTokens("", (), AUDIENCES, header="x", lifetime=60)


def test_a_visitor_is_named_by_a_share_and_is_no_user(signer: Signer) -> None:
    """No `sub` and no domain, so that nobody takes a visitor for a user; a share that is changed has another token at once."""
    end = datetime(2100, 1, 1, tzinfo=UTC)
    share = ShareRecord("s1", "home", "kim", ObjectKey("asset", "1"), frozenset({"view", "upload"}), end)

    def said(share: ShareRecord, recipient: str = "r1") -> tuple[str, dict[str, Any]]:
        ((_, text),) = signer.tokens.headers("media", None, share, recipient)
        return text.decode(), verified(text.decode(), signer.tokens)

    first, claims = said(share)
    assert {"sub", "domain"}.isdisjoint(claims)
    assert claims["share"] == {
        "id": "s1",
        "recipient": "r1",
        "owner": "kim",
        "rights": ["upload", "view"],
        "watermark": False,
    }
    assert said(share)[0] == first
    assert said(share, "r2")[0] != first
    marked, claims = said(replace(share, watermark=True))
    assert (marked != first, claims["share"]["watermark"]) == (True, True)
    assert said(replace(share, rights=frozenset({"view"})))[1]["share"]["rights"] == ["view"]
    assert signer.tokens.headers("plain", None, share, "r1") == []
