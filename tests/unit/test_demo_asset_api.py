"""Tests of gateway.demo.asset_api: the service as a process of its own, over a socket."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from gateway.demo import asset_api
from gateway.demo.catalogue import Catalogue
from gateway.demo.media import make_media
from gateway.demo.processes import Children, Program, answers, free_port

SECRET = "a secret of this test"
Call = Callable[..., requests.Response]


def program(folder: Path, port: int) -> Program:
    """Returns the service as a program."""
    command = [sys.executable, "-m", "gateway.demo.asset_api", str(folder), str(port)]
    return Program("the asset API", command, {asset_api.SECRET_FILE: str(folder / "secret")}, folder / "log")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with media, a collection and an asset to play."""
    made = tmp_path_factory.mktemp("assets")
    (made / "assets" / "originals").mkdir(parents=True)
    (made / "secret").write_text(f"{SECRET}\n", "utf-8")
    make_media(made / "media")
    catalogue = Catalogue(made / "assets" / "catalogue.json")
    catalogue.add_collection("Top", id_="top")
    catalogue.add_asset("Film", "top", "film", has_media=True)
    catalogue.add_asset("Still", "top", "still")
    return made


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The running service."""
    port = free_port()
    with Children(lambda: None) as children:
        children.start(program(folder, port)).wait_until(lambda: answers(port, "/", 403))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def call(url: str) -> Iterator[Call]:
    """Calls the service with its secret."""
    with requests.Session() as session:
        session.headers[asset_api.SECRET_HEADER] = SECRET

        def called(method: str, path: str, **more: object) -> requests.Response:
            return session.request(method, url + path, timeout=10, **more)  # type: ignore[arg-type]

        yield called


@pytest.mark.parametrize("headers", [{}, {asset_api.SECRET_HEADER: "wrong"}, {asset_api.SECRET_HEADER: ""}])
def test_without_the_secret_nothing_is_shown(url: str, headers: dict[str, str]) -> None:
    """Whoever finds the port finds nothing else."""
    answer = requests.get(f"{url}/api/assets/", headers=headers, timeout=10)

    assert answer.status_code == 403
    assert "Film" not in answer.text


def test_a_list_is_searched_and_paged(call: Call) -> None:
    """A list says how many there are and gives as many as asked for."""
    assert call("GET", "/api/assets/?q=fil").json()["total"] == 1
    page = call("GET", "/api/assets/?offset=1&limit=1").json()

    assert page["total"] >= 2
    assert [each["id"] for each in page["objects"]] == ["still"]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "offset=1e3", "limit=99999999999"])
def test_a_page_that_is_no_number_is_refused(call: Call, query: str) -> None:
    """Numbers are whole and of a size."""
    assert call("GET", f"/api/assets/?{query}").status_code == 422


def test_an_asset_is_made_uploaded_downloaded_and_deleted(call: Call) -> None:
    """An asset's life; its bytes come back as they were sent."""
    made = call("POST", "/api/assets/", json={"title": "New", "collection_id": "top"})
    path = made.headers["location"]
    content = os.urandom(300_000)

    assert made.status_code == 201
    assert path == f"/api/assets/{made.json()['id']}/"
    assert call("GET", f"{path}original").status_code == 404
    assert call("PUT", f"{path}original", data=content).json()["size"] == len(content)
    assert call("GET", f"{path}original").content == content
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404
    assert call("GET", f"{path}original").status_code == 404


def test_a_chunked_upload_is_taken(call: Call) -> None:
    """An upload need not say how long it is."""
    sent = call("PUT", "/api/assets/still/original", data=iter([b"one ", b"two"]))

    assert sent.status_code == 201
    assert call("GET", "/api/assets/still/original").content == b"one two"


def test_collections_are_made_listed_and_deleted(call: Call) -> None:
    """A collection's life within another."""
    assert (
        call("POST", "/api/collections/", json={"title": "In", "parent_id": "top", "id": "in"}).status_code
        == 201
    )
    inside = call("GET", "/api/collections/top/contents/").json()

    assert [each["id"] for each in inside["collections"]] == ["in"]
    assert {"film", "still"} <= {each["id"] for each in inside["assets"]}
    assert call("GET", "/api/collections/in/").json()["parent_id"] == "top"
    assert call("DELETE", "/api/collections/top/").status_code == 409
    assert call("DELETE", "/api/collections/in/").status_code == 204
    assert "in" not in {each["id"] for each in call("GET", "/api/collections/").json()["objects"]}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b"{}", 422), (b'{"title": 1, "collection_id": "top"}', 422), (b" " * 70_000, 413)],
)  # fmt: skip
def test_a_bad_body_is_refused(call: Call, body: bytes, status: int) -> None:
    """What is not the JSON that was asked for makes nothing."""
    assert call("POST", "/api/assets/", data=body).status_code == status


def test_the_film_is_served_whole_in_part_and_by_its_head(call: Call, folder: Path) -> None:
    """Players ask for heads and ranges, and get the very bytes."""
    film = (folder / "media" / "clip.mp4").read_bytes()
    whole = call("GET", "/api/assets/film/proxy.mp4")
    part = call("GET", "/api/assets/film/proxy.mp4", headers={"range": "bytes=100-199"})
    head = call("HEAD", "/api/assets/film/proxy.mp4")

    assert (whole.content, whole.headers["content-type"]) == (film, "video/mp4")
    assert (part.status_code, part.content) == (206, film[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(film)}"
    assert (head.content, head.headers["content-length"]) == (b"", str(len(film)))
    assert call("GET", "/api/assets/film/proxy.mp4", headers={"range": "bytes=9999999-"}).status_code == 416


def test_what_the_client_has_already_is_not_sent_again(call: Call) -> None:
    """Conditions by tag and by date are answered with 304; a stale range is answered whole."""
    first = call("HEAD", "/api/assets/film/proxy.mp4").headers
    path = "/api/assets/film/proxy.mp4"

    assert call("GET", path, headers={"if-none-match": first["etag"]}).status_code == 304
    assert call("GET", path, headers={"if-none-match": f'"other", W/{first["etag"]}'}).status_code == 304
    assert call("GET", path, headers={"if-modified-since": first["last-modified"]}).status_code == 304
    assert call("GET", path, headers={"if-none-match": '"other"'}).status_code == 200
    assert call("GET", path, headers={"range": "bytes=0-1", "if-range": '"old"'}).status_code == 200


def test_the_playlist_names_its_segments_relatively(call: Call) -> None:
    """Each URL of the playlist holds behind whatever gateway the playlist came through."""
    playlist = call("GET", "/api/assets/film/hls/index.m3u8")
    segments = [line for line in playlist.text.splitlines() if line and not line.startswith("#")]

    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert segments
    for name in segments:
        assert "/" not in name
        assert call("GET", f"/api/assets/film/hls/{name}").content[:1] == b"\x47"


@pytest.mark.parametrize(
    "path", ["/", "/api/assets", "/api/assets/film", "/api/assets/film/hls/other.ts", "/api/assets/film/hls/%2e%2e%2fclip.mp4",
             "/api/assets/still/proxy.mp4", "/api/assets/still/hls/index.m3u8", "/api/assets/none/proxy.mp4"]
)  # fmt: skip
def test_what_is_not_there_is_404(call: Call, path: str) -> None:
    """Unknown paths, segments and assets without media, without a redirect to something like them."""
    assert call("GET", path, allow_redirects=False).status_code == 404


def test_a_method_that_is_not_there_is_405(call: Call) -> None:
    """What a path does not do is said so."""
    assert call("POST", "/api/assets/film/").status_code == 405


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(folder: Path, number: signal.Signals) -> None:
    """Asked to stop it ends with code 0, in one process without children left behind."""
    port = free_port()
    started = program(folder, port)
    with subprocess.Popen(started.command, env=os.environ | started.environment) as process:
        while not answers(port, "/", 403):
            assert process.poll() is None
        process.send_signal(number)

        assert process.wait(10) == 0
