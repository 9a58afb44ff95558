"""Redirects of a real nginx behind the gateway: they lead back through the gateway, by the client's own scheme and host."""

from collections.abc import Iterator
from typing import Final

import pytest

from e2e.house import House, house
from e2e.nginx import serving_nginx
from e2e.raw import Answer
from gateways import free_port

pytestmark = pytest.mark.needs_nginx

SERVER: Final = """
server {{
  listen 127.0.0.1:{port};
  root {root};
  location /away {{ return 302 https://elsewhere.example$request_uri; }}
  location /relative {{ absolute_redirect off; return 302 /shows/; }}
  location /made {{ add_header Content-Location http://$http_host/made/1; return 201; }}
}}
"""
ROWS: Final = """
  - GET /{path...}: {action: read, object: file, id: "/{path}", role: can_read_files, upstream: shop}
  - GET /renamed/{path...}: {action: read, object: file, id: "/renamed/{path}", role: can_read_files, upstream: renamed}
  - MOVE /moved/{path...}:
      objects: [{action: delete, object: file, id: "/moved/{path}"}, {action: create, object: file, id: header:destination}]
      role: can_write_files
      upstream: named
  - MOVE /{path...}:
      objects: [{action: delete, object: file, id: "/{path}"}, {action: create, object: file, id: header:destination}]
      role: can_write_files
"""
SETTINGS: Final = """
[upstreams.shop]
url = "http://127.0.0.1:{port}"
[upstreams.renamed]
url = "http://127.0.0.1:{port}"
host = "shop.internal"
[upstreams.named]
url = "{backend}"
host = "shop.internal"
[proxies]
trusted = ["127.0.0.1"]
"""


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway in front of nginx, which has the folders `shows` and `renamed/shows`."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    root = folder / "root"
    for name in ("shows", "renamed/shows"):
        (root / name).mkdir(parents=True)
        (root / name / "index.html").write_text("here")
    with (
        serving_nginx(folder, SERVER.format(port=port, root=root), port),
        house(tmp_path_factory.mktemp("house"), SETTINGS.replace("{port}", str(port)), ROWS) as found,
    ):
        found.run("object", "add", "file:/", "--domain", "main")
        yield found


def asked(home: House, target: str, *lines: str) -> Answer:
    """Asks as ada, over a connection of its own."""
    with home.line() as client:
        return client.ask("GET", target, home.bearer("ada"), *lines, host="media.example:8080")


@pytest.mark.parametrize("target", ["/shows", "/renamed/shows"])
def test_a_folder_without_its_slash_leads_back_through_the_gateway(home: House, target: str) -> None:
    """What nginx makes of the `Host` it was sent and of its own port becomes the address that the client used."""
    answer = asked(home, f"{target}?a=%2F")

    assert answer.status == 301
    assert answer.value("location") == f"http://media.example:8080{target}/?a=%2F"


def test_behind_tls_that_ends_before_the_gateway_it_leads_to_https(home: House) -> None:
    """The scheme and host that a trusted proxy states are the client's, and so the link's."""
    stated = ("X-Forwarded-Proto: https", "X-Forwarded-Host: media.example")

    assert asked(home, "/shows", *stated).value("location") == "https://media.example/shows/"


def test_a_strangers_word_about_the_host_is_not_in_the_link(home: House) -> None:
    """What somebody who is no trusted proxy states of scheme and host poisons no link (GHSA-93m4-mfpg-c3xf)."""
    stated = ("X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "Forwarded: host=evil.example")
    with home.line(source="127.0.0.2") as client:
        answer = client.ask("GET", "/shows", home.bearer("ada"), *stated, host="media.example:8080")

    assert answer.value("location") == "http://media.example:8080/shows/"


def test_a_link_that_can_be_followed_comes_back_as_a_request(home: House) -> None:
    """The client that follows the link is judged anew, and gets what it asked for."""
    location = asked(home, "/shows").value("location")
    answer = asked(home, location.removeprefix("http://media.example:8080"))

    assert (answer.status, answer.body) == (200, b"here")


def test_other_links_are_the_backends_own_words(home: House) -> None:
    """A redirect elsewhere and a relative one pass as they came."""
    assert asked(home, "/away?b").value("location") == "https://elsewhere.example/away?b"
    assert asked(home, "/relative").value("location") == "/shows/"


def test_where_content_stands_is_told_alike(home: House) -> None:
    """`Content-Location` names the resource as the client reaches it."""
    stated = ("X-Forwarded-Proto: https", "X-Forwarded-Host: media.example")

    assert asked(home, "/made", *stated).value("content-location") == "https://media.example/made/1"


def test_a_destination_is_judged_and_arrives_in_the_words_of_the_host_that_is_sent(home: House) -> None:
    """The path that is judged is the one that arrives, byte for byte; the host in it is the one in `Host`, kept or renamed."""
    path, other = "/files/b%20c.mp4", "https://evil.example/files/b"

    def move(source: str, destination: str) -> int:
        named = f"Destination: {destination}"
        with home.line() as client:
            return client.ask("MOVE", source, home.bearer("ada"), named, host="media.example").status

    kept = move("/files/a", f"http://media.example{path}")
    judged = home.gateway.audit.read_text().splitlines()[-1]
    renamed = move("/moved/a", f"https://media.example{path}")
    short = move("/moved/a", path)
    refused = [
        move("/moved/a", other),
        move("/files/a", other),
        move("/moved/a", "http://shop.internal/b"),
    ]
    arrived = [received.values(b"destination") for received in home.backend.requests]

    assert (kept, renamed, short) == (200, 200, 200)
    assert "create file:/files" in judged
    assert arrived == [
        [f"http://media.example{path}".encode()],
        [f"http://shop.internal{path}".encode()],
        [path.encode()],
    ]
    assert [each.values(b"host") for each in home.backend.requests] == [
        [b"media.example"],
        *[[b"shop.internal"]] * 2,
    ]
    assert refused == [400, 400, 400]
