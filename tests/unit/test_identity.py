"""Tests of gateway.identity: forms of credentials, and that a bad one is never anonymous."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import GatewayError
from gateway.identity import ANONYMOUS, HEADERS, Proof, credential_of, identify
from gateway.inbound import Inbound
from gateway.reasons import TABLE, Reason
from models.networks import NetworkSet
from models.records import ObjectKey, ShareRecord, TokenRecord, UserRecord
from worlds import World

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECRET = b"mg_secret"
KEY = f"token:{hashlib.sha256(SECRET).hexdigest()}"


def inbound(*headers: tuple[bytes, bytes]) -> Inbound:
    """Returns a request with these headers."""
    scope = {
        "method": "GET",
        "scheme": "http",
        "raw_path": b"/",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
    }
    return Inbound.of({**scope, "headers": [(b"host", b"x"), *headers]}, NetworkSet(), "r")


def basic(text: bytes) -> tuple[bytes, bytes]:
    """Returns a Basic authorization header."""
    return (b"authorization", b"Basic " + base64.b64encode(text))


def world(*, expires: datetime | None = None, revoked: bool = False) -> World:
    """Returns facts with one token of Kim's application `app1`."""
    token = TokenRecord("t1", "kim", "app1", expires, revoked)
    return World((KEY, token), ("user:kim", UserRecord("kim", "home")))


FORMS = {
    Proof.PAIR: ((b"app-id", b"app1"), (b"auth-token", SECRET)),
    Proof.BEARER: ((b"authorization", b"Bearer " + SECRET),),
    Proof.BASIC: (basic(b"anyone:" + SECRET),),
}


@pytest.mark.parametrize(("proof", "headers"), FORMS.items())
def test_each_form_names_the_user_and_remembers_how(
    proof: Proof, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """A valid credential in each form gives its user, application and the way it was proved."""
    identity = identify(credential_of(inbound(*headers)), world(), NOW)

    assert (identity.user and identity.user.id, identity.proof, identity.application_id) == (
        "kim",
        proof,
        "app1",
    )
    assert identity.owns_authorization is (proof is not Proof.PAIR)


def test_a_token_of_support_names_no_user() -> None:
    """It gives who of support asks; with an App-ID, revoked or expired it is refused like any other."""
    token = TokenRecord("t2", "", "", NOW + timedelta(hours=1), revoked=False, support="sam")
    facts = World((KEY, token))
    identity = identify(credential_of(inbound(*FORMS[Proof.BEARER])), facts, NOW)

    assert (identity.user, identity.support, identity.name) == (None, "sam", "support:sam")
    assert not identity.is_anonymous
    with pytest.raises(GatewayError):
        identify(credential_of(inbound(*FORMS[Proof.PAIR])), facts, NOW)
    with pytest.raises(GatewayError):
        identify(credential_of(inbound(*FORMS[Proof.BEARER])), facts, NOW + timedelta(hours=1))


def test_a_scope_comes_with_the_identity() -> None:
    """The roles that a token is good for are known of who asks; without any it is good for all."""
    scope = frozenset({"can_read_assets"})
    facts = world()
    assert identify(credential_of(inbound(*FORMS[Proof.BEARER])), facts, NOW).scope is None
    facts.records[KEY] = TokenRecord("t1", "kim", "app1", None, revoked=False, scope=scope)
    assert identify(credential_of(inbound(*FORMS[Proof.BEARER])), facts, NOW).scope == scope


def test_no_credential_is_anonymous() -> None:
    """Anonymous is the absence of a credential, and nothing else; an App-ID alone names a program and is none."""
    assert identify(credential_of(inbound()), world(), NOW) is ANONYMOUS
    assert identify(credential_of(inbound((b"app-id", b"app1"))), world(), NOW) is ANONYMOUS


def test_a_token_of_a_share_comes_alone_or_with_any_application() -> None:
    """No application is taken over from the pair; a revoked or expired one is refused with it as without."""
    token = TokenRecord(
        "t3", "", "", NOW + timedelta(hours=1), revoked=False, share_id="s1", recipient_id="r1"
    )
    share = ShareRecord("s1", "home", "kim", ObjectKey("asset", "clip"), frozenset({"view"}), NOW)
    facts = World((KEY, token), ("share:s1", share))
    for proof in (Proof.PAIR, Proof.BEARER):
        credential = credential_of(inbound(*FORMS[proof]))
        identity = identify(credential, facts, NOW)
        assert (identity.share, identity.user, identity.application_id) == (share, None, "")
        with pytest.raises(GatewayError, match="credential-expired"):
            identify(credential, facts, NOW + timedelta(hours=1))


MALFORMED = {
    "a token without its application": ((b"auth-token", SECRET),),
    "an application without its token, beside a bearer": (
        (b"app-id", b"app1"),
        (b"authorization", b"Bearer " + SECRET),
    ),
    "an application with odd bytes and no token": ((b"app-id", b"app 1"),),
    "an application with odd bytes": ((b"app-id", b"app 1"), (b"auth-token", SECRET)),
    "an empty token": ((b"app-id", b"app1"), (b"auth-token", b"")),
    "another scheme": ((b"authorization", b"Digest abc"),),
    "no scheme": ((b"authorization", SECRET),),
    "an empty authorization": ((b"authorization", b""),),
    "an empty bearer": ((b"authorization", b"Bearer "),),
    "two tokens in one": ((b"authorization", b"Bearer a b"),),
    "basic that is no base64": ((b"authorization", b"Basic ???"),),
    "basic without a colon": (basic(b"token"),),
    "basic with an empty password": (basic(b"kim:"),),
    "basic that is too long": (basic(b"kim:" + b"a" * 4000),),
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED.keys())
def test_cve_2026_25748_a_malformed_credential_is_never_anonymous(
    headers: tuple[tuple[bytes, bytes], ...],
) -> None:
    """Garbage where a credential stands is 401."""
    with pytest.raises(GatewayError) as caught:
        credential_of(inbound(*headers))

    assert caught.value.reason is Reason.CREDENTIAL_MALFORMED
    assert TABLE[caught.value.reason].status == 401


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_with_a_credential_comes_twice(name: bytes) -> None:
    """Two of one name are two credentials, even if they say the same: there is no request to identify."""
    with pytest.raises(GatewayError, match="came 2 times"):
        inbound((name, b"Bearer a"), (name, b"Bearer a"))


def test_an_unknown_token_is_refused() -> None:
    """A token that the store does not know is 401."""
    with pytest.raises(GatewayError, match="credential-unknown"):
        identify(credential_of(inbound((b"authorization", b"Bearer other"))), world(), NOW)


def test_a_token_of_another_application_is_refused() -> None:
    """The header pair must name the token's own application."""
    headers = ((b"app-id", b"app2"), (b"auth-token", SECRET))

    with pytest.raises(GatewayError, match="credential-unknown"):
        identify(credential_of(inbound(*headers)), world(), NOW)


def test_an_expired_token_is_refused_at_its_second() -> None:
    """Expiry is judged when the request comes: valid before, refused at the moment and after."""
    credential = credential_of(inbound(*FORMS[Proof.BEARER]))

    assert identify(credential, world(expires=NOW + timedelta(seconds=1)), NOW).user
    with pytest.raises(GatewayError, match="credential-expired"):
        identify(credential, world(expires=NOW), NOW)


def test_a_revoked_token_is_refused() -> None:
    """Revocation wins over everything else about a token."""
    with pytest.raises(GatewayError, match="credential-revoked"):
        identify(credential_of(inbound(*FORMS[Proof.BEARER])), world(revoked=True), NOW)


def test_no_error_holds_the_token() -> None:
    """Neither the credential nor an error about it shows the token's text."""
    credential = credential_of(inbound(*FORMS[Proof.BEARER]))
    with pytest.raises(GatewayError) as caught:
        identify(credential, World(), NOW)

    assert SECRET.decode() not in repr(credential) + str(caught.value)
