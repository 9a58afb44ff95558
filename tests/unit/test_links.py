"""Links to the backend itself, told as the client can follow them; all others left alone."""

import msgspec
import pytest

from gateway.links import Links

PLAIN = Links("http://127.0.0.1:9000", b"media.example", "https", b"media.example")
"""A backend that gets the client's `Host`, behind TLS that ends before it."""
RENAMED = msgspec.structs.replace(PLAIN, sent=b"store.internal")
"""One that gets a `Host` of its own."""
SECURE = Links("https://Store.internal", b"store.internal:443", "http", b"gw.example:8080")
"""One that is asked by TLS, for a client that came without."""
SOCKET = Links("unix:/run/media.sock", b"gw.example", "http", b"gw.example")


@pytest.mark.parametrize(("links", "link", "told"), [
    (PLAIN, b"http://127.0.0.1:9000/a/", b"https://media.example/a/"),
    (PLAIN, b"HTTP://127.0.0.1:9000", b"https://media.example"),
    (PLAIN, b"http://127.0.0.1:9000?a=http://127.0.0.1:9000/#b", b"https://media.example?a=http://127.0.0.1:9000/#b"),
    (PLAIN, b"http://127.0.0.1:9000//evil.example/%2e%2E/\xff", b"https://media.example//evil.example/%2e%2E/\xff"),
    (PLAIN, b"http://media.example/a", b"https://media.example/a"),
    (PLAIN, b"http://media.example:9000/shows/", b"https://media.example/shows/"),
    (PLAIN, b"http://media.example:80/a", b"https://media.example/a"),
    (PLAIN, b"http://MEDIA.example:/a", b"https://media.example/a"),
    (PLAIN, b"//127.0.0.1:9000/a", b"https://media.example/a"),
    (PLAIN, b"https://media.example/a", b"https://media.example/a"),
    (RENAMED, b"http://store.internal/a", b"https://media.example/a"),
    (RENAMED, b"https://store.internal/a", b"https://media.example/a"),
    (RENAMED, b"http://store.internal:9000/a", b"https://media.example/a"),
    (RENAMED, b"http://127.0.0.1:9000/a", b"https://media.example/a"),
    (SECURE, b"https://store.internal/a", b"http://gw.example:8080/a"),
    (SECURE, b"https://STORE.internal:443/a", b"http://gw.example:8080/a"),
    (Links("http://[::1]:9000", b"gw", "http", b"gw:8080"), b"http://[::1]:9000/a", b"http://gw:8080/a"),
    (Links("HTTP://Store.internal/", b"gw", "https", b"gw"), b"http://store.internal/a", b"https://gw/a"),
    (msgspec.structs.replace(SOCKET, scheme="https"), b"http://gw.example/a", b"https://gw.example/a"),
])  # fmt: skip
def test_a_link_to_the_backend_leads_through_the_gateway(links: Links, link: bytes, told: bytes) -> None:
    """Scheme and authority become the client's; every byte behind them stays."""
    assert links.told(link) == told


@pytest.mark.parametrize("links", [PLAIN, RENAMED, SECURE, SOCKET])
@pytest.mark.parametrize("link", [
    b"", b"/a", b"a", b"?a", b"#a", b"../a", b"///127.0.0.1:9000/a", b"http:/127.0.0.1:9000/a", b"http:127.0.0.1", b"http://",
    b"http:///a", b"ftp://127.0.0.1:9000/a", b"http://evil.example/a", b"http://127.0.0.1:9001/a", b"http://127.0.0.1/a",
    b"http://127.0.0.1:9000.evil.example/a", b"http://user@127.0.0.1:9000/a", b"http://127.0.0.1:9000@evil.example/a",
    b"http://127.0.0.1:9000\\@evil.example/a", b"\\\\127.0.0.1:9000\\a", b" http://127.0.0.1:9000/a", b"http://127.0.0.1:9000:80/a",
    b"http://media.example:8443/a", b"http://media.example.:9000/a", b"http://[::1/a", b"javascript:alert(1)",
])  # fmt: skip
def test_any_other_link_passes_as_it_came(links: Links, link: bytes) -> None:
    """A relative reference, another place and what is no plain URL are the backend's words about somebody else."""
    assert links.told(link) == link


def test_a_client_that_shall_come_back_by_tls_is_not_sent_round_in_a_circle() -> None:
    """From a backend that is asked by http for a client of http, `https` is meant as it stands."""
    links = Links("http://127.0.0.1:9000", b"media.example", "http", b"media.example")

    assert links.told(b"https://media.example/a") == b"https://media.example/a"


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        (b"https://media.example/b%20c/", b"http://store.internal/b%20c/"),
        (b"//media.example/b", b"http://store.internal/b"),
        (b"/b", b"/b"),
    ],
)
def test_a_destination_names_the_host_that_the_backend_was_sent(link: bytes, asked: bytes) -> None:
    """A backend that gets a `Host` of its own finds that in the `Destination`, and the path as it came."""
    assert RENAMED.asked(link) == asked
    assert SECURE.asked(b"http://gw.example:8080/b") == b"https://store.internal:443/b"
