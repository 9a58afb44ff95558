"""Tests of gateway.demo.copyparty: the real program with the demo's settings opens to nobody but the gateway."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from gateway.demo import copyparty
from gateway.demo.copyparty import BROWSE, INBOX, REMOVE
from gateway.demo.processes import Child, Children, Program, answers, free_port

Call = Callable[..., requests.Response]
FILM, NOTE = "a film of 7421 bytes", "a note of 7422 words"
KEYS = {BROWSE: "key-of-browse", INBOX: "key-of-inbox", REMOVE: "key-of-remove"}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> copyparty.Places:
    """Its folders, with a film in one and a note in the inbox."""
    base = tmp_path_factory.mktemp("copyparty")
    for name in ("files/inbox", "files/shows", "state/hist"):
        (base / name).mkdir(parents=True)
    (base / "files/shows/film.txt").write_text(FILM, "utf-8")
    (base / "files/inbox/note.txt").write_text(NOTE, "utf-8")
    return copyparty.Places(base / "files", base / "state")


@pytest.fixture(scope="module")
def child(places: copyparty.Places) -> Iterator[tuple[Child, int]]:
    """The running program and its port."""
    port = free_port()
    places.settings.write_text(copyparty.settings_text(places, port, KEYS), "utf-8")
    program = Program(
        "copyparty", copyparty.command(places), copyparty.environment(places), places.state / "log"
    )
    with Children(lambda: None) as children:
        started = children.start(program)
        started.wait_until(lambda: answers(port, "/.cpr/w/ui.css", 200))
        yield started, port


@pytest.fixture(scope="module")
def call(child: tuple[Child, int]) -> Call:
    """Calls it as one of its accounts, or as nobody."""
    _, port = child

    def called(
        account: str, method: str, path: str, headers: dict[str, str] | None = None, **more: object
    ) -> requests.Response:
        sent = {copyparty.HEADER: KEYS[account]} if account else {}
        url = f"http://127.0.0.1:{port}{path}"
        return requests.request(method, url, headers=sent | (headers or {}), timeout=10, **more)  # type: ignore[arg-type]

    return called


@pytest.mark.parametrize("method", ["GET", "PUT", "PROPFIND", "DELETE", "MKCOL"])
def test_without_a_secret_nothing_opens(call: Call, method: str) -> None:
    """Whoever finds its port finds nothing else."""
    assert call("", method, "/shows/film.txt").status_code in (401, 403)
    assert call("", "GET", "/", params={"ls": ""}).json()["files"] == []
    assert call("", "GET", "/shows/film.txt", {copyparty.HEADER: "wrong"}).status_code in (401, 403)


def test_basic_opens_nothing(call: Call, places: copyparty.Places) -> None:
    """Nobody signs in to it: its accounts' passwords are random and known to nobody, and Basic is off."""
    lines = places.settings.read_text("utf-8").partition("[accounts]")[2].splitlines()
    password = next(line.partition(": ")[2] for line in lines if line.startswith(f"  {BROWSE}: "))

    assert len(password) > 40
    url = call("", "GET", "/shows/film.txt").url
    assert requests.get(url, auth=("x", password), timeout=10).status_code in (401, 403)


def test_no_session_is_handed_out(call: Call) -> None:
    """No answer sets a cookie that would open copyparty besides the gateway."""
    for path in ("/", "/shows/film.txt", "/shows/?ls"):
        assert "set-cookie" not in call(BROWSE, "GET", path).headers


def test_browsing_reads_and_adds_but_never_replaces_or_deletes(call: Call, places: copyparty.Places) -> None:
    """A PUT on a taken name, whatever it asks for, makes another file and says which."""
    taken = {"replace": "1", "x-oc-mtime": "1"}
    put = call(BROWSE, "PUT", "/shows/film.txt", taken, data=b"other")

    assert put.status_code == 201
    assert not put.headers["location"].endswith("/shows/film.txt")
    assert (places.files / "shows/film.txt").read_text("utf-8") == FILM
    assert call(BROWSE, "DELETE", "/shows/film.txt").status_code == 403


def test_an_empty_file_is_not_filled_by_the_next_one(call: Call, places: copyparty.Places) -> None:
    """Copyparty's grace for fresh empty files is off: it would let anybody write into another's upload."""
    (places.files / "shows/empty.txt").write_bytes(b"")

    assert (
        not call(BROWSE, "PUT", "/shows/empty.txt", data=b"mine").headers["location"].endswith("/empty.txt")
    )
    assert (places.files / "shows/empty.txt").read_bytes() == b""


@pytest.mark.parametrize("path", ["/inbox/note.txt", "/shows/film.txt"])
def test_the_inbox_account_reads_nothing(call: Call, path: str) -> None:
    """Who only adds learns nothing, neither by path nor by search."""
    assert NOTE not in call(INBOX, "GET", path).text
    assert FILM not in call(INBOX, "GET", path).text
    assert call(INBOX, "POST", "/inbox/?srch", json={"q": "name like *"}).json()["hits"] == []


def test_the_inbox_account_adds_in_the_inbox_only(call: Call, places: copyparty.Places) -> None:
    """A form that climbs out with `..` is refused; one that stays within is done."""

    def make_folder(name: str) -> int:
        return call(
            INBOX, "POST", "/inbox/", files={"act": (None, "mkdir"), "name": (None, name)}
        ).status_code

    assert make_folder("../shows/climbed") == 403
    assert make_folder("inner") == 201
    assert not (places.files / "shows/climbed").exists()
    assert (
        call(INBOX, "POST", "/shows/", files={"act": (None, "mkdir"), "name": (None, "x")}).status_code == 403
    )


def test_an_uploaded_name_has_no_folders(call: Call, places: copyparty.Places) -> None:
    """The basic uploader takes the last part of a file's name."""
    sent = call(INBOX, "POST", "/inbox/", files={"act": (None, "bput"), "f": ("../../shows/evil.txt", b"x")})

    assert sent.status_code == 201
    assert (places.files / "inbox/evil.txt").exists()
    assert not (places.files / "shows/evil.txt").exists()


@pytest.mark.parametrize("account", [BROWSE, INBOX, REMOVE])
@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_nothing_is_moved_or_copied(call: Call, account: str, method: str) -> None:
    """What no row of the map covers is off in copyparty too."""
    headers = {"destination": "/inbox/moved.txt"}

    assert call(account, method, "/shows/film.txt", headers).status_code in (401, 403)


def test_only_the_removing_account_deletes(call: Call, places: copyparty.Places) -> None:
    """It deletes, and adds nothing."""
    (places.files / "shows/old.txt").write_text("old", "utf-8")

    assert call(REMOVE, "PUT", "/shows/new.txt", data=b"x").status_code in (401, 403)
    assert call(REMOVE, "DELETE", "/shows/old.txt").status_code == 200
    assert not (places.files / "shows/old.txt").exists()


@pytest.mark.parametrize("path", ["/?zip", "/shows/?zip", "/shows/?tar"])
def test_no_folder_is_sent_as_an_archive(call: Call, path: str) -> None:
    """What would read all below a folder is off."""
    assert FILM not in call(BROWSE, "GET", path).text


def test_a_request_of_another_site_changes_nothing(call: Call) -> None:
    """Browsers send Basic along with any site's form, and copyparty's own check still refuses it."""
    form = {"act": (None, "mkdir"), "name": (None, "forged")}

    assert call(INBOX, "POST", "/inbox/", {"origin": "http://evil.example"}, files=form).status_code == 403


def test_many_failures_ban_nobody(call: Call) -> None:
    """All callers are one to it; a clumsy one does not lock out the others."""
    for _ in range(15):
        call(BROWSE, "DELETE", "/shows/film.txt")
        call("", "GET", "/shows/film.txt")

    assert call(BROWSE, "GET", "/shows/film.txt").text == FILM


@pytest.mark.skipif(sys.platform != "linux", reason="looks at sockets through /proc")
def test_it_listens_on_one_port_of_loopback(child: tuple[Child, int]) -> None:
    """Neither another machine nor another protocol finds it."""
    started, port = child
    inodes = {str(each.readlink()) for each in Path(f"/proc/{started.pid}/fd").iterdir()}
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{started.pid}/net/{table}").read_text("utf-8").splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes and fields[2].endswith(":0000"):
                found.append((table, fields[1]))

    assert found == [("tcp", f"0100007F:{port:04X}")]


def test_its_command_line_holds_no_secret(places: copyparty.Places) -> None:
    """Command lines are for all on the machine to read."""
    assert not any(key in word for key in KEYS.values() for word in copyparty.command(places))
