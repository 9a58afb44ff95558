"""Long traffic through a running gateway: a download, an event stream and an upload, as one person's, each of them slow.

The backend sends a piece every 20 ms until the test lets it finish, and remembers what it got of uploads.
"""

import asyncio
import json
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from sqlalchemy.orm import Session

from backends import Visit
from e2e.behind import eventually
from e2e.house import EVERYTHING, READING, WRITING, House
from e2e.raw import Line, request
from models import changes
from models.records import ObjectKey, UserStatus, UserType
from models.store import Store
from models.tables import Token

ROWS: Final = """
  - GET /download/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - GET /events/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - PUT /upload/{asset_id}: {action: write, object: asset, role: can_write_assets}
  - PUT /sized/{asset_id}: {action: write, object: asset, role: can_write_assets}
  - PUT /files/{path...}: {action: create, object: file, id: "/files/{path}", role: can_write_files, creates: file}
  - DELETE /assets/{asset_id}: {action: delete, object: asset, role: can_delete_assets, deletes: asset}
"""
DOOMED: Final = """
  - GET /doomed/download/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - GET /doomed/events/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - PUT /doomed/upload/{asset_id}: {action: write, object: asset, role: can_write_assets}
  - PUT /doomed/sized/{asset_id}: {action: write, object: asset, role: can_write_assets}
"""
SETTINGS: Final = '[limits]\nrejudge_within = "400ms"\nexpiry_grace = "60s"\nunjudged = "500ms"\n'
PIECE: Final = b"p" * 1000
LENGTH: Final = 10_000_000
"""Bytes that a download and an upload with a length say they have; far more than flow while a right ends."""
LAST: Final = b"0\r\n\r\n"
HOME_ADDRESS: Final = "127.0.0.1"


@dataclass
class Slow:
    """A backend script.

    Attributes:
        uploads: what came of each upload's body, as framed, by request target.
        finish: set by the test; everything then ends as it should.
        deleted: set by the test; deletions then succeed.
        ended: targets whose connection was ended by the gateway before the backend was through.
    """

    uploads: dict[str, bytes] = field(default_factory=dict)
    finish: threading.Event = field(default_factory=threading.Event)
    deleted: threading.Event = field(default_factory=threading.Event)
    ended: set[str] = field(default_factory=set)

    async def __call__(self, visit: Visit) -> None:
        """Serves one request."""
        method, target, _ = (await visit.head()).line.decode().split(" ")
        try:
            await (self._take(visit, target) if method == "PUT" else self._give(visit, method, target))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.ended.add(target)
            raise

    async def _give(self, visit: Visit, method: str, target: str) -> None:
        if method == "DELETE":
            await self._paused(visit)
            await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            return
        events = "/events/" in target
        await visit.send(
            b"HTTP/1.1 200 OK\r\n"
            + (b"content-type: text/event-stream\r\ntransfer-encoding: chunked" if events else b"content-length: %d" % LENGTH)
            + b"\r\n\r\n"
        )  # fmt: skip
        sent = 0
        while not self.finish.is_set():
            await visit.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if events else PIECE)
            sent += len(PIECE)
            await asyncio.sleep(0.02)
        await visit.send(LAST if events else b"p" * (LENGTH - sent))
        await visit.left()

    async def _paused(self, visit: Visit) -> None:
        """Waits until things are deleted; notices a gateway that leaves."""
        while not (self.finish.is_set() or self.deleted.is_set()):
            with suppress(TimeoutError):
                if not await asyncio.wait_for(visit.reader.read(1), 0.02):
                    raise ConnectionResetError

    async def _take(self, visit: Visit, target: str) -> None:
        self.uploads[target] = b""
        while not self._whole(target):
            piece = await visit.reader.read(65_536)
            self.uploads[target] += piece
            if not piece:
                raise ConnectionResetError
        await visit.send(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")

    def _whole(self, target: str) -> bool:
        body = self.uploads[target]
        return len(body) == LENGTH if "/sized/" in target else body.endswith(LAST)


class Passage:
    """One request that takes long, over a connection of its own, with a thread that reads or writes."""

    def __init__(self, line: Line, slow: Slow, method: str, target: str, header: str) -> None:
        self.target, self._line, self._slow = target, line, slow
        self.received, self.error = b"", ""
        framing = {"sized": f"content-length: {LENGTH}"}.get(
            target.split("/")[-2], "transfer-encoding: chunked"
        )
        self._chunked, self._sent = framing.startswith("transfer"), 0
        uploads = method == "PUT"
        line.send(request(method, target, header, *([framing] if uploads else [])))
        self._thread = threading.Thread(target=self._write if uploads else self._read)
        self._thread.start()

    @property
    def status(self) -> int:
        """The status of what came; 0 if nothing did."""
        return int(self.received.split(b" ")[1]) if self.received else 0

    @property
    def is_whole(self) -> bool:
        """Whether an answer came and ended as it said."""
        head, _, body = self.received.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            return body.endswith(LAST)
        lengths = [each for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:")]
        return bool(head) and len(body) == int(lengths[0].split(b":")[1] if lengths else 0)

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended, or the upload was answered."""
        return not self._thread.is_alive()

    def end(self) -> None:
        """Leaves, whatever is under way."""
        with suppress(OSError):
            self._line.socket.shutdown(2)
        self._thread.join()

    def _read(self) -> None:
        try:
            while not (self.received and self.is_whole) and (piece := self._line.socket.recv(262_144)):
                self.received += piece
        except OSError as error:
            self.error = str(error)

    def _write(self) -> None:
        try:
            while not select.select([self._line.socket], [], [], 0.02)[0]:
                if not self._slow.finish.is_set():
                    self._send(PIECE)
                elif self._sent >= 0:
                    self._send(b"" if self._chunked else b"p" * (LENGTH - self._sent))
                    self._sent = -1
            self._read()
        except OSError as error:
            self.error = str(error)
            with suppress(OSError):
                self._read()

    def _send(self, piece: bytes) -> None:
        self._line.send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
        self._sent += len(piece)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with one asset, a group of their own, and a right of their own on the asset.

    Attributes:
        name: of the user, the group and the asset.
        token_id: of the token.
        header: the header line that signs in.
    """

    name: str
    token_id: str
    header: str

    @property
    def asset(self) -> ObjectKey:
        """The object."""
        return ObjectKey("asset", self.name)


_NUMBERS = count()


def change(home: House, work: Callable[[Session], object]) -> None:
    """Commits a change, as a command of another process does."""
    store = Store.open(f"sqlite:///{home.gateway.folder}/mediagate.db")
    try:
        with store.write("test") as commit:
            work(commit.session)
    finally:
        store.close()


def person(home: House) -> Person:
    """Makes somebody new, who may come from this machine's usual address only."""
    name = f"p{next(_NUMBERS)}"
    issued: list[str] = []

    def make(session: Session) -> None:
        changes.create_user(session, "main", f"{name}@example.org", id_=name, type=UserType.STANDARD)
        changes.create_group(session, "main", name, id_=name)
        changes.set_roles(session, name, READING + WRITING)
        changes.add_member(session, name, name)
        changes.allow_network(session, "main", HOME_ADDRESS, group_id=name)
        changes.register_object(session, ObjectKey("asset", name), "main", owner_id="ada")
        changes.grant(session, ObjectKey("asset", name), f"user:{name}", EVERYTHING, propagates=False)
        changes.grant(session, ObjectKey("file", "/files"), f"user:{name}", EVERYTHING, propagates=True)
        token, text = changes.issue_token(session, name, "main-app")
        issued.extend((token.id, text))

    change(home, make)
    return Person(name, issued[0], f"authorization: Bearer {issued[1]}")


@contextmanager
def passing(home: House, slow: Slow, who: Person, *targets: str) -> Iterator[list[Passage]]:
    """Opens passages, waits until the backend has all of them in flow, and ends them with the block."""
    home.backend.use(slow)
    passages: list[Passage] = []
    with ExitStack() as stack:
        stack.callback(slow.finish.set)
        for target in targets:
            method, _, path = target.partition(" ")
            line = stack.enter_context(home.line())
            passages.append(Passage(line, slow, method, path.replace("ASSET", who.name), who.header))
            stack.callback(passages[-1].end)
        assert eventually(lambda: len(home.backend.requests) == len(targets), 5)
        assert eventually(lambda: all(_flows(slow, each) for each in passages), 5)
        yield passages


def _flows(slow: Slow, passage: Passage) -> bool:
    return bool(passage.received or slow.uploads.get(passage.target) or passage.target.startswith("/assets/"))


def cuts(home: House, *names: str) -> list[dict[str, Any]]:
    """Returns the audit lines of cuts of these people."""
    lines = (json.loads(line) for line in home.gateway.audit.read_text().splitlines())
    return [line for line in lines if line["verdict"] == "cut" and line.get("user") in names]


def seen_again(home: House, slow: Slow) -> None:
    """Changes facts, and returns when everything that runs must have been judged by them."""
    canary = person(home)
    with passing_beside(home, canary, slow):
        change(home, lambda session: changes.update_user(session, canary.name, status=UserStatus.BLOCKED))
        assert eventually(lambda: cuts(home, canary.name))
    time.sleep(0.15)  # the rest of the round


@contextmanager
def passing_beside(home: House, who: Person, slow: Slow) -> Iterator[Passage]:
    """One more event stream beside what runs."""
    with home.line() as line:
        passage = Passage(line, slow, "GET", f"/events/{who.name}", who.header)
        try:
            assert eventually(lambda: b"ppp" in passage.received)
            yield passage
        finally:
            passage.end()


def expire(session: Session, who: Person, at: datetime) -> None:
    """Moves the expiry of a token, which no command does."""
    token = session.get(Token, who.token_id)
    assert token is not None
    token.expires = at.astimezone(UTC)
