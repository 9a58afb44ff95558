"""What caches are told about an answer: `private` merged with what the backend says, and no way to overrule it."""

import pytest

from gateway.caching import IDENTITY, VARY, for_caches
from gateway.identity import HEADERS

Pair = tuple[bytes, bytes]


def control(*said: bytes, shared: bool = False) -> bytes | None:
    """The `Cache-Control` that an answer has in the end."""
    headers = for_caches([(b"cache-control", value) for value in said], shared=shared)
    values = [value for name, value in headers if name == b"cache-control"]
    assert len(values) <= 1
    return values[0] if values else None


@pytest.mark.parametrize(("said", "told"), [
    ((), b"private"),
    ((b"",), b"private"),
    ((b"public",), b"private"),
    ((b"public, max-age=60",), b"private, max-age=60"),
    ((b"PUBLIC , S-MaxAge=10,max-age=60",), b"private, max-age=60"),
    ((b"max-age=60", b"s-maxage=10", b"immutable"), b"private, max-age=60, immutable"),
    ((b"no-store",), b"private, no-store"),
    ((b"private",), b"private"),
    ((b'private="set-cookie", max-age=5',), b"private, max-age=5"),
    ((b'no-cache="set-cookie, x", public',), b'private, no-cache="set-cookie, x"'),
    ((b'ext="a, public, \\" b", s-maxage=3',), b'private, ext="a, public, \\" b"'),
    ((b"must-revalidate, proxy-revalidate,, ",), b"private, must-revalidate"),
    ((b"s-maxage = 10",), b"private, no-store"),
    ((b'private="set-cookie',), b"private, no-store"),
    ((b"max-age=60 public",), b"private, no-store"),
    ((b"max-age=\x80",), b"private, no-store"),
])  # fmt: skip
def test_an_answer_is_private_and_keeps_what_is_about_the_callers_own_cache(
    said: tuple[bytes, ...], told: bytes
) -> None:
    """Directives of shared caches go, others stay, and what cannot be read is stored nowhere."""
    assert control(*said) == told


@pytest.mark.parametrize(("said", "told"), [
    ((), b"Authorization, App-ID, Auth-Token"),
    ((b"Accept-Encoding",), b"Accept-Encoding, Authorization, App-ID, Auth-Token"),
    ((b"auth-token , Cookie", b"authorization"), b"auth-token, Cookie, authorization, App-ID"),
    ((b"Accept, *",), b"*"),
])  # fmt: skip
def test_vary_names_what_identity_is_read_from(said: tuple[bytes, ...], told: bytes) -> None:
    """The backend's names come first, each name once whatever its case."""
    assert dict(for_caches([(b"vary", value) for value in said]))[b"vary"] == told


def test_vary_is_complete() -> None:
    """Every header that identity is read from is named, and nothing else."""
    assert {name.lower() for name in IDENTITY} == set(HEADERS)
    assert VARY == (b"vary", b"Authorization, App-ID, Auth-Token")


@pytest.mark.parametrize("name", [
    b"x-accel-redirect", b"x-sendfile", b"x-lighttpd-send-file", b"x-litespeed-location", b"x-reproxy-url", b"x-accel-limit-rate",
])  # fmt: skip
@pytest.mark.parametrize("shared", [False, True])
def test_no_backend_makes_the_proxy_in_front_serve_something_else(name: bytes, *, shared: bool) -> None:
    """Headers that name another file or address go, on public rows too."""
    assert name not in dict(for_caches([(name, b"/secret.mp4")], shared=shared))


@pytest.mark.parametrize("name", [
    b"x-accel-expires", b"surrogate-control", b"edge-control", b"cdn-cache-control", b"cloudflare-cdn-cache-control",
    b"x-litespeed-cache-control",
])  # fmt: skip
def test_no_backend_overrules_private(name: bytes) -> None:
    """Headers that caches obey before `Cache-Control` go, unless the answer may be shared."""
    assert name not in dict(for_caches([(name, b"3600")]))
    assert dict(for_caches([(name, b"3600")], shared=True))[name] == b"3600"


def test_other_headers_pass_in_order() -> None:
    """What has nothing to do with caches is not touched; event streams keep their word to nginx."""
    other: list[Pair] = [
        (b"etag", b'"1"'),
        (b"x-accel-buffering", b"no"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]

    assert for_caches(other)[:4] == other


def test_a_public_answer_is_the_backends_own() -> None:
    """Where caches may share, nothing is added and nothing taken away."""
    said: list[Pair] = [(b"cache-control", b"public, s-maxage=10"), (b"vary", b"accept")]

    assert for_caches(said, shared=True) == said
    assert for_caches([], shared=True) == []


def test_an_answer_with_a_cookie_is_never_shared() -> None:
    """A cookie is for one caller, wherever among the headers it stands."""
    for said in ([(b"x-accel-expires", b"9"), (b"set-cookie", b"s=1")], [(b"set-cookie", b"s=1")]):
        told = dict(for_caches([*said, (b"cache-control", b"public")], shared=True))
        assert told[b"cache-control"] == b"private"
        assert b"x-accel-expires" not in told
