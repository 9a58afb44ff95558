"""Which headers cross the gateway, and which are said in their place."""

from datetime import UTC, datetime

import pytest

from gateway.errors import GatewayError
from gateway.headers import (
    HOP_BY_HOP,
    OUR_PREFIXES,
    OURS,
    Credential,
    CredentialKind,
    Forwarding,
    folded,
    request_headers,
    response_headers,
)
from gateway.links import Links
from models.records import ObjectKey, ShareRecord

LINKS = Links("http://127.0.0.1:9000", b"h", "https", b"h")
SAID = Forwarding("192.0.2.7", "https", b"media.example:8443", "r1", user="ann", domain="acme")
NONE = Credential.none()


def sent(
    *received: tuple[bytes, bytes], said: Forwarding = SAID, credential: Credential = NONE
) -> list[bytes]:
    """The header lines that a backend gets."""
    return [b"%s: %s" % pair for pair in request_headers(received, said, credential)]


def from_client(*received: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """What is left of the client's own headers."""
    ours = request_headers([], SAID, NONE)
    return [pair for pair in request_headers(received, SAID, NONE) if pair not in ours]


def test_what_a_backend_is_told() -> None:
    """The backend learns who asks, from where, by which name, and what the request is called."""
    assert sent() == [
        b"host: media.example:8443",
        b"x-forwarded-for: 192.0.2.7",
        b"x-forwarded-proto: https",
        b"x-forwarded-host: media.example:8443",
        b'forwarded: for=192.0.2.7;host="media.example:8443";proto=https',
        b"x-request-id: r1",
        b"x-mediagate-user: ann",
        b"x-mediagate-domain: acme",
    ]


def test_an_anonymous_request_names_nobody() -> None:
    """Without a user nothing about one is said, and a client's claim goes all the same (GHSA-7r4p-vjf4-gxv4)."""
    lines = sent(
        (b"x-mediagate-user", b"admin"), said=Forwarding("192.0.2.7", "http", b"h", "r1"), credential=NONE
    )
    assert not [line for line in lines if b"mediagate" in line]


def test_a_visitor_is_named_by_share_and_recipient() -> None:
    """The backend learns what the share gives, whose uploads will be and whether to mark what it shows, from us alone."""
    rights = frozenset({"view", "custom-actions"})
    key, end = ObjectKey("asset", "1"), datetime(2030, 1, 1, tzinfo=UTC)
    share = ShareRecord("s 1", "acme", "ann", key, rights, end, watermark=True)
    said = Forwarding("192.0.2.7", "http", b"h", "r1", share=share, recipient="r7")
    lines = sent((b"x-mediagate-watermark", b"off"), (b"x-mediagate-share-rights", b"download"), said=said)
    assert [line for line in lines if b"mediagate" in line] == [
        b"x-mediagate-share: s%201",
        b"x-mediagate-share-recipient: r7",
        b"x-mediagate-share-owner: ann",
        b"x-mediagate-share-rights: custom-actions,view",
        b"x-mediagate-watermark: on",
    ]


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP | OURS) + [prefix + b"x" for prefix in OUR_PREFIXES])
@pytest.mark.parametrize(
    "spelling", [bytes, lambda name: name.replace(b"-", b"_"), lambda name: name.replace(b"-", b".")]
)
def test_a_client_cannot_speak_for_us(name: bytes, spelling: object) -> None:
    """Hop-by-hop, identity and forwarding headers of a client go, however they are spelled."""
    assert callable(spelling)
    assert b"forged" not in b"\n".join(sent((spelling(name), b"forged")))


@pytest.mark.parametrize(
    "name", [b"x_user", b"x.remote_user", b"content_type", b"destination_", b"x_asset.id"]
)
def test_names_with_two_readings_go(name: bytes) -> None:
    """A name that some backends would take for another one does not reach any."""
    assert from_client((name, b"value")) == []


@pytest.mark.parametrize(
    "pair",
    [
        (b"accept-encoding", b"gzip"),
        (b"cookie", b"a=b; c=d"),
        (b"range", b"bytes=0-1"),
        (b"if-none-match", b'"x"'),
        (b"content-type", b"video/mp4"),
        (b"destination", b"http://h/b"),
        (b"traceparent", b"00-1-2-00"),
        (b"x-amz-meta-my_key.v1", b"value"),
    ],
)
def test_everything_else_passes_as_it_came(pair: tuple[bytes, bytes]) -> None:
    """What is said from end to end is not touched, repeated headers stay repeated."""
    assert from_client(pair, pair) == [pair, pair]


def test_headers_named_by_connection_go_but_ours_stay() -> None:
    """A client can declare its own headers hop-by-hop, but cannot name ours away (CVE-2025-48865)."""
    named = b"close, X-Private, x-forwarded-for,X-Mediagate-User , x_odd, cookie"
    received = [(b"connection", named), (b"x-private", b"1"), (b"cookie", b"a=b"), (b"accept", b"*/*")]
    assert from_client(*received) == [(b"accept", b"*/*")]
    assert sent(*received)[1:] == sent()


def test_a_row_may_drop_more() -> None:
    """Names that a route's row removes do not reach the backend."""
    received = [(b"if-range", b"x"), (b"range", b"bytes=0-1")]
    headers = request_headers(received, SAID, NONE, drop=frozenset((folded(b"If_Range"),)))
    assert (b"if-range", b"x") not in headers
    assert (b"range", b"bytes=0-1") in headers


def test_the_host_is_kept_or_replaced() -> None:
    """The backend gets one `Host`: the client's, or the one that is set for it; the client's name is told beside."""
    received = [(b"host", b"media.example:8443")]
    assert [value for name, value in request_headers(received, SAID, NONE) if name == b"host"] == [
        b"media.example:8443"
    ]
    replaced = dict(request_headers(received, SAID, NONE, b"backend.internal"))
    assert (replaced[b"host"], replaced[b"x-forwarded-host"]) == (b"backend.internal", b"media.example:8443")


def test_an_ipv6_client_is_quoted() -> None:
    """An IPv6 address stands plain in X-Forwarded-For and as RFC 7239 wants it in Forwarded."""
    lines = sent(said=Forwarding("2001:db8::1", "http", b"h", "r1"))
    assert b"x-forwarded-for: 2001:db8::1" in lines
    assert b'forwarded: for="[2001:db8::1]";host="h";proto=http' in lines


def test_a_host_adds_no_element_to_forwarded() -> None:
    """What the client wrote as its host stays one quoted value (GHSA-4jgr-pg2m-m988)."""
    lines = sent(said=Forwarding("192.0.2.7", "http", b'h";for=10.0.0.1, for="\\', "r1"))
    assert b'forwarded: for=192.0.2.7;host="h\\";for=10.0.0.1, for=\\"\\\\";proto=http' in lines


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("ann@acme.example", b"ann@acme.example"),
        ("Ann Lee", b"Ann%20Lee"),
        (" ann", b"%20ann"),
        ("ann%20", b"ann%2520"),
        ("Åsa", b"%C3%85sa"),
        ("ann\r\nX-Role: admin", b"ann%0D%0AX-Role:%20admin"),
    ],
)
def test_two_users_never_look_alike(user: str, said: bytes) -> None:
    """An id arrives escaped, so that blanks, line ends and percent signs cannot make it another one."""
    headers = dict(request_headers([], Forwarding("192.0.2.7", "http", b"h", "r1", user=user), NONE))
    assert headers[b"x-mediagate-user"] == said


@pytest.mark.parametrize(
    "said", [Forwarding("1\n2", "http", b"h", "r"), Forwarding("1", "http", b"h\r\nx: y", "r")]
)
def test_control_characters_are_refused(said: Forwarding) -> None:
    """An address or host with a line end is no header."""
    with pytest.raises(GatewayError):
        request_headers([], said, NONE)


@pytest.mark.parametrize("name", [b"", b"a b", b"a:b", b"a\r\n", b"\xc3\xa5"])
def test_malformed_names_are_refused(name: bytes) -> None:
    """A name that is no token has no reading at all (RFC 9110 5.6.2)."""
    with pytest.raises(GatewayError):
        request_headers([(name, b"value")], SAID, NONE)


# Credentials


OWN = [
    (b"authorization", b"Bearer ours"),
    (b"app-id", b"app"),
    (b"auth-token", b"token"),
    (b"share-auth-token", b"visit"),
]


@pytest.mark.parametrize(
    "credential",
    [NONE, Credential.header("X-Api-Key", "key"), Credential.basic("us", "secret"), Credential.passed()],
)
def test_our_own_credentials_never_reach_a_backend(credential: Credential) -> None:
    """Whatever an upstream is shown, a credential of this gateway is not part of it."""
    text = b"\n".join(sent(*OWN, credential=credential))
    assert b"ours" not in text
    assert b"token" not in text
    assert b"app-id" not in text


def test_each_kind_of_credential() -> None:
    """An upstream gets nothing, a header, or Basic, as set, and a client's copy of that header goes."""
    client = [(b"authorization", b"Digest client"), (b"x-api-key", b"client"), (b"x_api_key", b"client")]
    theirs = Forwarding("192.0.2.7", "http", b"h", "r1", authorization_is_ours=False)
    assert b"authorization: Digest client" not in sent(*client, said=theirs)
    keyed = sent(*client, said=theirs, credential=Credential.header("X-Api-Key", "key"))
    assert [line for line in keyed if b"api" in line] == [b"x-api-key: key"]
    basic = sent(*client, said=theirs, credential=Credential.basic("us", "p:w"))
    assert [line for line in basic if b"auth" in line] == [b"authorization: Basic dXM6cDp3"]
    passed = sent(*client, said=theirs, credential=Credential.passed())
    assert [line for line in passed if b"auth" in line] == [b"authorization: Digest client"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "v"), ("a b", "v"), ("Host", "v"), ("Content-Length", "1"), ("Transfer-Encoding", "x"), ("X-Key", ""), ("X-Key", "a\nb"), ("Schlüssel", "v")],
)  # fmt: skip
def test_malformed_credentials_are_refused(name: str, value: str) -> None:
    """A credential that would frame the request, or is none, is an error when settings are read."""
    with pytest.raises(ValueError, match="credential"):
        Credential.header(name, value)


def test_a_basic_user_has_no_colon() -> None:
    """A colon would end the user's name early (RFC 7617)."""
    with pytest.raises(ValueError, match="colon"):
        Credential.basic("a:b", "c")


def test_kinds_are_the_words_of_the_settings() -> None:
    """The kinds are those that the documentation names."""
    assert [kind.value for kind in CredentialKind] == ["none", "header", "basic", "pass"]


# Answers


def test_answers_lose_what_is_between_neighbours() -> None:
    """Hop-by-hop headers of an answer go, listed ones and those that its `Connection` names."""
    answered = [(name, b"x") for name in sorted(HOP_BY_HOP - {b"connection"})]
    answered += [(b"connection", b"close, X-Internal"), (b"x-internal", b"1"), (b"server", b"s")]
    assert response_headers(answered, "r1") == [(b"server", b"s"), (b"x-request-id", b"r1")]


def test_answers_keep_everything_else() -> None:
    """Cookies, ranges, lengths and validators reach the client as the backend sent them, in order."""
    answered = [
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"content-length", b"10"),
        (b"content-range", b"bytes 0-9/100"),
        (b"etag", b'"x"'),
        (b"x_odd", b"1"),
        (b"www-authenticate", b"Basic"),
    ]
    assert response_headers(answered, "r1") == [*answered, (b"x-request-id", b"r1")]


def test_an_answer_sends_nobody_round_the_gateway() -> None:
    """A backend's `Alt-Svc` would take clients to an address where nobody is judged (RFC 7838)."""
    answered = [(b"alt-svc", b'h2="backend.internal:8443"'), (b"server", b"s")]
    assert response_headers(answered, "r1") == [(b"server", b"s"), (b"x-request-id", b"r1")]


def test_an_answer_has_our_request_id_only() -> None:
    """The id that the client is told is the one in our log."""
    assert response_headers([(b"x-request-id", b"theirs")], "r1") == [(b"x-request-id", b"r1")]


def test_links_to_the_backend_are_told_as_the_clients() -> None:
    """`Location` and `Content-Location` lead to where the client came to; no other header is looked at, and the order stays."""
    link = b"http://127.0.0.1:9000/a"
    answered = [(b"location", link), (b"x-link", link), (b"content-location", link), (b"etag", b'"x"')]

    assert response_headers(answered, "r1", LINKS)[:-1] == [
        (b"location", b"https://h/a"),
        (b"x-link", link),
        (b"content-location", b"https://h/a"),
        (b"etag", b'"x"'),
    ]
    assert response_headers(answered, "r1")[:-1] == answered
