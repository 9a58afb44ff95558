"""The gateway in front of a real nginx: players, ranges, large files both ways, and sides that are slow or leave."""

import asyncio
import hashlib
import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from backends import OK, Visit
from e2e import media
from e2e.behind import eventually, told
from e2e.house import House, house
from e2e.nginx import nginx
from e2e.processes import MIB, growth, workers
from e2e.raw import Answer, line, request
from tools import needed

pytestmark = pytest.mark.needs_nginx

LARGE: Final = 256 * MIB
PIECE: Final = 256 * 1024
BOUND: Final = 64 * MIB
"""What the worker's memory may grow by, however large a body is."""
OWN: Final = ("date", "connection", "keep-alive", "x-request-id", "cache-control", "vary")
"""Headers of an answer that are each side's own."""
ROUTES: Final = """
  - GET /files/{path...}: {upstream: nginx, action: read, object: file, id: "/files/{path}", role: can_read_files}
  - PUT /files/{path...}:
      {upstream: nginx, action: create, object: file, id: "/files/{path}", role: can_write_files, creates: file}
  - GET, POST /raw: {role: none, action: read}
"""


class Scene:
    """The gateway, the nginx behind it, and the folder that nginx serves."""

    def __init__(self, house: House, nginx: str, files: Path) -> None:
        self.house, self.nginx, self.files = house, nginx, files

    def both(self, method: str, target: str, *lines: str) -> tuple[Answer, Answer]:
        """Sends one request to nginx directly and one through the gateway; returns both answers, made comparable."""
        with line(self.nginx) as directly:
            plain = directly.ask(method, target, *lines)
        with self.house.line() as through:
            carried = through.ask(method, target, *lines, self.house.bearer("stan"))
        return _comparable(plain), _comparable(carried)


def _comparable(answer: Answer) -> Answer:
    """Returns an answer without what each side says for itself; nginx counts the boundaries of its multiparts."""
    kept = sorted((name.lower(), value) for name, value in answer.headers if name.lower() not in OWN)
    boundary = re.search(r"boundary=(\S+)", dict(kept).get("content-type", ""))
    if boundary is None:
        return Answer(answer.status, tuple(kept), answer.body)
    headers = tuple((name, value.replace(boundary[1], "BOUNDARY")) for name, value in kept)
    return Answer(answer.status, headers, answer.body.replace(boundary[1].encode(), b"BOUNDARY"))


@pytest.fixture(scope="module", name="scene")
def running_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One gateway in front of one nginx."""
    root, own = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("nginx")
    (root / "files").mkdir()
    media.make(root / "files")
    (root / "files" / "words.txt").write_text("0123456789" * 100)
    (root / "files" / "empty.txt").touch()
    with nginx(own, root) as address:
        upstream = f'[upstreams.nginx]\nurl = "{address}"\n'
        with house(tmp_path_factory.mktemp("gateway"), upstream, ROUTES) as found:
            yield Scene(found, address, root / "files")


@pytest.fixture(scope="module")
def large(scene: Scene) -> Iterator[str]:
    """The digest of a large file that nginx serves as `large.bin`."""
    path = scene.files / "large.bin"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in pieces():
            digest.update(piece)
            file.write(piece)
    yield digest.hexdigest()
    path.unlink()


def pieces() -> Iterator[bytes]:
    """Yields the pieces of a large body; no two are alike."""
    noise = random.Random(7).randbytes(PIECE)
    for number in range(LARGE // PIECE):
        yield number.to_bytes(8) + noise[8:]


def play(scene: Scene, path: str, who: str = "") -> "subprocess.CompletedProcess[str]":
    """Lets ffprobe read all packets of a medium through the gateway."""
    signed = ("-headers", f"Authorization: Bearer {scene.house.tokens[who]}\r\n") if who else ()
    wanted = ("-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "json")
    command = (needed("ffprobe"), "-v", "error", *signed, *wanted, scene.house.gateway.url + path)
    environ = {"PATH": "/usr/bin:/bin"}  # no proxy of the surroundings
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)


@pytest.mark.needs_ffmpeg
@pytest.mark.parametrize("path", ["/files/clip.mp4", "/files/hls/index.m3u8"])
def test_a_player_with_a_token_plays(scene: Scene, path: str) -> None:
    """`ffprobe` finds picture and sound and reads every frame through the gateway."""
    played = play(scene, path, "vera")
    streams = {
        each["codec_name"]: int(each["nb_read_packets"]) for each in json.loads(played.stdout)["streams"]
    }

    assert (played.returncode, played.stderr) == (0, "")
    assert streams["h264"] == media.FRAMES
    assert streams["aac"] > 0


@pytest.mark.needs_ffmpeg
@pytest.mark.parametrize(("who", "told"), [("", "401 Unauthorized"), ("otto", "403 Forbidden")])
@pytest.mark.parametrize("path", ["/files/clip.mp4", "/files/hls/index.m3u8"])
def test_a_player_without_the_right_is_refused(scene: Scene, path: str, who: str, told: str) -> None:
    """`ffprobe` plays nothing without a token, nor with the token of somebody who may not."""
    played = play(scene, path, who)

    assert played.returncode != 0
    assert told in played.stderr


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("wanted", [
    "", "bytes=0-0", "bytes=0-99", "bytes=100-", "bytes=-7", "bytes=990-2000", "bytes=-5000", "bytes=0-1,5-9,-3",
    "bytes=0-0,2000-3000", "bytes=1000-", "bytes=5000-6000", "bytes=-0", "bytes=9-3", "bytes=a-b", "pages=1-2", "bytes=0-99,0-99,0-99",
])  # fmt: skip
def test_a_range_answers_what_nginx_answers(scene: Scene, wanted: str, method: str) -> None:
    """Single, open, suffix, several, unsatisfiable and malformed ranges: status, headers and body are nginx's own."""
    plain, carried = scene.both(method, "/files/words.txt", *([f"range: {wanted}"] if wanted else []))

    assert carried == plain
    assert plain.status in (200, 206, 416)
    assert (plain.body == b"") == (method == "HEAD")


@pytest.mark.parametrize("path", ["/files/clip.mp4", "/files/empty.txt", "/files/absent.txt", "/files/hls"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_answer_is_carried_as_it_is(scene: Scene, path: str, method: str) -> None:
    """Media, an empty file, a missing one and a redirect come through with every header, the redirect's link by the client's own host."""
    plain, carried = scene.both(method, path)

    told = tuple(
        (
            name,
            re.sub(r"^http://gw\.example:[0-9]+/", "http://gw.example/", value)
            if name == "location"
            else value,
        )
        for name, value in plain.headers
    )
    assert carried == Answer(plain.status, told, plain.body)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("template", [
    ["if-none-match: {etag}"], ["if-none-match: W/{etag}"], ["if-none-match: *"], ["if-modified-since: {time}"],
    ["if-match: {etag}"], ["if-unmodified-since: {time}"],
    ["if-range: {etag}", "range: bytes=5-9"], ["if-range: {time}", "range: bytes=5-9"],
    ["if-none-match: {etag}", "range: bytes=5-9"],
])  # fmt: skip
def test_a_condition_answers_what_nginx_answers(scene: Scene, template: list[str], *, changed: bool) -> None:
    """Conditions by tag and by time, held or not, give nginx's own answer."""
    plain, _ = scene.both("GET", "/files/words.txt")
    etag, time_ = plain.value("etag"), plain.value("last-modified")
    if changed:
        etag, time_ = '"another"', "Sun, 06 Nov 1994 08:49:37 GMT"
    lines = [each.format(etag=etag, time=time_) for each in template]
    for method in ("GET", "HEAD"):
        plain, carried = scene.both(method, "/files/words.txt", *lines)
        assert carried == plain
        assert plain.status in (200, 206, 304, 412)


def test_not_modified_has_no_body(scene: Scene) -> None:
    """After a 304, which announces no body, the same connection carries the next answer whole."""
    plain, _ = scene.both("GET", "/files/words.txt")
    with scene.house.line() as client:
        signed = scene.house.bearer("stan")
        unchanged = client.ask("GET", "/files/words.txt", signed, f"if-none-match: {plain.value('etag')}")
        whole = client.ask("GET", "/files/words.txt", signed)

    assert (unchanged.status, unchanged.body, unchanged.value("etag")) == (304, b"", plain.value("etag"))
    assert (whole.status, whole.body) == (200, plain.body)


def test_a_large_download_is_not_held_in_memory(scene: Scene, large: str) -> None:
    """256 MiB come through byte for byte while the worker's memory stays within 64 MiB of where it was."""
    (worker,) = workers(scene.house.gateway.pid)
    scene.both("GET", "/files/words.txt")
    digest = hashlib.sha256()
    with growth(worker) as grown, scene.house.line() as client:
        client.send(request("GET", "/files/large.bin", scene.house.bearer("vera"), "connection: close"))
        status, headers = client.head()
        for piece in client.pieces():
            digest.update(piece)

    assert (status, dict(headers)["content-length"]) == (200, str(LARGE))
    assert digest.hexdigest() == large
    assert grown.octets < BOUND


def test_a_large_upload_is_not_held_in_memory(scene: Scene, large: str) -> None:
    """256 MiB arrive byte for byte while the worker's memory stays within 64 MiB of where it was."""
    (worker,) = workers(scene.house.gateway.pid)
    scene.both("GET", "/files/words.txt")
    arrived = scene.files / "upload.bin"
    with growth(worker) as grown, scene.house.line() as client:
        client.send(
            request("PUT", "/files/upload.bin", scene.house.bearer("stan"), f"content-length: {LARGE}")
        )
        for piece in pieces():
            client.send(piece)
        answer = client.answer()
    with arrived.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    arrived.unlink()

    assert answer.status == 201
    assert digest == large
    assert grown.octets < BOUND


def test_a_client_that_stops_reading_holds_up_nobody(scene: Scene, large: str) -> None:
    """While one client takes nothing of a large answer, memory stays bounded and others are served; then it gets all of it."""
    (worker,) = workers(scene.house.gateway.pid)
    digest = hashlib.sha256()
    with growth(worker) as grown, scene.house.line() as client:
        client.send(request("GET", "/files/large.bin", scene.house.bearer("vera"), "connection: close"))
        client.head()
        digest.update(client.read(PIECE))
        for _ in range(10):
            assert scene.house.get("/files/words.txt", "vera").status_code == 200
            time.sleep(0.05)
        for piece in client.pieces():
            digest.update(piece)

    assert digest.hexdigest() == large
    assert grown.octets < BOUND


def test_a_backend_that_takes_nothing_holds_up_its_client(scene: Scene) -> None:
    """While the backend reads nothing of an upload, the client cannot push it into memory; then all of it arrives."""
    (worker,) = workers(scene.house.gateway.pid)
    go, size = threading.Event(), 2 * BOUND
    taken: list[int] = []

    async def stubborn(visit: Visit) -> None:
        await visit.head()
        await told(go)
        while sum(taken) < size:
            taken.append(len(await visit.reader.read(PIECE)))
        await visit.send(OK)

    scene.house.backend.use(stubborn)
    with growth(worker) as grown, scene.house.line() as client, ThreadPoolExecutor() as pool:
        client.send(request("POST", "/raw", scene.house.bearer("stan"), f"content-length: {size}"))
        sent = pool.submit(client.send, bytes(size))
        time.sleep(0.5)
        stalled = not sent.done()
        held = grown.octets
        go.set()
        answer = client.answer()

    assert stalled
    assert held < BOUND
    assert (answer.status, sum(taken)) == (200, size)


def chunked(*parts: bytes) -> Iterator[bytes]:
    """Yields parts in the framing of a chunked body."""
    for part in parts:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_an_upload_that_comes_slowly_arrives_whole(scene: Scene, coding: str) -> None:
    """A body that trickles in, of stated length or in chunks, becomes the file that was sent."""
    parts = [bytes([number]) * 1000 * number for number in range(1, 12)]
    body = b"".join(parts)
    framing = "transfer-encoding: chunked" if coding == "chunked" else f"content-length: {len(body)}"
    with scene.house.line() as client:
        client.send(request("PUT", f"/files/slow-{coding}.bin", scene.house.bearer("stan"), framing))
        for part in chunked(*parts) if coding == "chunked" else parts:
            client.send(part)
            time.sleep(0.03)
        answer = client.answer()

    assert answer.status == 201
    assert (scene.files / f"slow-{coding}.bin").read_bytes() == body


def test_an_upload_may_ask_whether_to_continue(scene: Scene) -> None:
    """A client that waits for 100 before it sends its body gets it, and the upload succeeds."""
    with scene.house.line() as client:
        head = request(
            "PUT", "/files/asked.bin", scene.house.bearer("stan"), "content-length: 5", "expect: 100-continue"
        )
        client.send(head)
        interim = client.socket.recv(12)
        client.socket.recv(100)
        client.send(b"12345")
        answer = client.answer()

    assert interim == b"HTTP/1.1 100"
    assert answer.status == 201
    assert (scene.files / "asked.bin").read_bytes() == b"12345"


def test_a_refused_upload_is_answered_before_its_body(scene: Scene) -> None:
    """A client that waits for 100 and may not write is refused without having sent anything, and nothing is written."""
    with scene.house.line() as client:
        head = request(
            "PUT",
            "/files/no.bin",
            scene.house.bearer("vera"),
            f"content-length: {LARGE}",
            "expect: 100-continue",
        )
        client.send(head)
        answer = client.answer()

    assert (answer.status, answer.reason) == (403, "role")
    assert not (scene.files / "no.bin").exists()


def test_a_client_that_leaves_a_download_ends_the_backends_work(scene: Scene) -> None:
    """When the client goes in the middle of an endless answer, the backend's connection is closed."""

    async def endless(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while not await _closed(visit):
            await visit.send(b"x" * 1000)

    scene.house.backend.use(endless)
    with scene.house.line() as client:
        client.send(request("GET", "/raw", scene.house.bearer("stan")))
        assert client.head()[0] == 200
        client.read(1000)

    assert eventually(scene.house.backend.visits[0].over.is_set)


def test_a_client_that_leaves_before_the_answer_ends_the_backends_work(scene: Scene) -> None:
    """When the client goes while the backend still thinks, the backend's connection is closed."""

    async def thinking(visit: Visit) -> None:
        await visit.head()
        await visit.left()

    scene.house.backend.use(thinking)
    with scene.house.line() as client:
        client.send(request("GET", "/raw", scene.house.bearer("stan")))
        assert eventually(lambda: scene.house.backend.requests)

    assert eventually(scene.house.backend.visits[0].over.is_set)


def test_a_client_that_leaves_an_upload_ends_the_backends_work(scene: Scene) -> None:
    """When the client goes in the middle of its body, the backend's connection is closed without a clean end."""
    ended: list[Any] = []

    async def taking(visit: Visit) -> None:
        await visit.head()
        ended.append(await visit.reader.read())

    scene.house.backend.use(taking)
    with scene.house.line() as client:
        client.send(request("POST", "/raw", scene.house.bearer("stan"), "transfer-encoding: chunked"))
        client.send(b"5\r\nhello\r\n")
        assert eventually(lambda: scene.house.backend.requests)

    assert eventually(scene.house.backend.visits[0].over.is_set)
    assert b"0\r\n\r\n" not in b"".join(ended)


async def _closed(visit: Visit) -> bool:
    """Waits a moment; tells whether the other side has gone meanwhile."""
    try:
        return not await asyncio.wait_for(visit.reader.read(1), 0.01)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
