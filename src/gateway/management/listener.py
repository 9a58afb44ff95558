"""The management listener: `/livez`, `/readyz` and `/metrics`, in a thread of the main process, apart from all requests.

Rules:

1. It answers whatever the workers and the public listener do; it waits for nobody.
2. It takes no more clients at once than `MAX_CLIENTS`, and none for longer than `MAX_TIME`.
3. Who may reach it may read it: it tells no user, object, address or path, but it does tell what is wrong with policies.
"""

import json
import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

from gateway.errors import SettingsError
from gateway.management.board import Board, View
from gateway.management.metrics import Exposition
from gateway.management.report import BEAT, FOLDER_VARIABLE
from gateway.processes import Process
from gateway.settings.sections import ManagementSection

LOG = logging.getLogger(__name__)
MAX_CLIENTS: Final = 32
"""Clients served at once; one more is closed unanswered."""
MAX_TIME: Final = 5.0
"""Seconds that one client may take."""
_TEXT: Final = "text/plain; charset=utf-8"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it, for us alone
"""Where reports cost no disk and a container with a read-only root can write."""


@contextmanager
def managed(
    settings: ManagementSection, processes: Callable[[], list[Process]], stopping: Callable[[], bool]
) -> "Iterator[Listener | None]":
    """Binds the listener until the block ends, and lets the workers that start meanwhile know where to report.

    Yields the listener, which answers once it is started; None if it is switched off.

    Raises:
        SettingsError: nobody can listen there, or there is no folder for reports.
    """
    os.environ.pop(FOLDER_VARIABLE, None)
    if not settings.enabled:
        yield None
        return
    with _folder() as folder:
        board = Board(folder, processes, stopping, settings.stuck_after)
        with _bound(settings, board) as listener:
            os.environ[FOLDER_VARIABLE] = str(folder)
            try:
                yield listener
            finally:
                listener.stop()


class Listener(ThreadingMixIn, TCPServer):
    """Serves the pages of one board; a thread for each client."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, board: Board) -> None:
        """Begins to listen.

        Raises:
            OSError: it cannot.
        """
        self.board = board
        self.exposition = Exposition(board.look)
        self._clients: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, address = found[0][0], found[0][4]
        super().__init__(address, _Pages)  # type: ignore[arg-type] # IPv6 addresses have four parts

    def start(self) -> None:
        """Answers from now on, in a thread."""
        self._thread = threading.Thread(target=self._answer_deaf, name="management", daemon=True)
        self._thread.start()
        LOG.info("management: listening at %s", self.url)

    def stop(self) -> None:
        """Answers no more."""
        if self._thread:
            with suppress(OSError):  # not every system can; the end then waits for the next beat
                self.socket.shutdown(socket.SHUT_RDWR)
            self.shutdown()
            self._thread.join()

    def let_go(self) -> None:
        """Closes a worker's copy of the socket: the port must not outlive the main process."""
        self.server_close()

    def _answer_deaf(self) -> None:
        """Answers, deaf to signals: one that a thread takes does not wake the main thread, which alone may handle it."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.serve_forever(BEAT)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - socketserver's signature
        """Tells whether there is room for a client (rule 2)."""
        with self._lock:
            room = len(self._clients) < MAX_CLIENTS
            if room:
                self._clients[request] = time.monotonic() + MAX_TIME
        return room

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - socketserver's signature
        """Closes a client's connection, whoever ends it."""
        with self._lock:
            self._clients.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called at every beat: looks after the workers and cuts clients that take too long."""
        try:
            self.board.look()
        except Exception:
            LOG.exception("management: looking after the workers failed")  # the listener must outlive it
        now = time.monotonic()
        with self._lock:
            for client, until in self._clients.items():
                if until < now:
                    _cut(client)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - socketserver's signature
        """Called within the exception that a client's thread met; one that left is none of ours."""
        LOG.debug("management: a client was not served", exc_info=True)  # noqa: LOG014 - see above


class _Pages(BaseHTTPRequestHandler):
    """One request of one client."""

    server: Listener
    timeout = MAX_TIME

    def do_GET(self) -> None:
        """Answers with a page."""
        page = _PAGES.get(self.path)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, b"/livez, /readyz or /metrics\n")
        else:
            self._answer(*page(self))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def version_string(self) -> str:
        """Returns what stands in `Server`; no versions."""
        return "mediagate"

    def log_message(self, *_: object) -> None:
        """Logs nothing: probes come every few seconds."""

    def livez(self) -> tuple[HTTPStatus, str, bytes]:
        """Alive, or which worker is stuck."""
        stuck = self.server.board.look().stuck
        said = "".join(
            f"worker {each.process.number} (process {each.process.pid}) has not answered for {each.age:.1f} s\n"
            for each in stuck
        )
        return (HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK), _TEXT, (said or "ok\n").encode()

    def readyz(self) -> tuple[HTTPStatus, str, bytes]:
        """Ready, and all that bears on it."""
        view = self.server.board.look()
        status = HTTPStatus.OK if view.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps(readiness(view), indent=1).encode() + b"\n"

    def metrics(self) -> tuple[HTTPStatus, str, bytes]:
        """The metrics."""
        return HTTPStatus.OK, *self.server.exposition.text(self.headers.get("Accept", ""))

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


_PAGES: Final = {"/livez": _Pages.livez, "/readyz": _Pages.readyz, "/metrics": _Pages.metrics}


def readiness(view: View) -> dict[str, Any]:
    """Returns the document of `/readyz`."""
    return {
        "ready": view.ready,
        "stopping": view.stopping,
        "policy": view.policy,
        "revision": view.revision,
        "restarts": view.restarts,
        "workers": [
            {
                "number": member.process.number,
                "pid": member.process.pid,
                "state": member.state,
                "age": round(member.age, 3),
                "revision": member.report.facts.revision if member.report and member.report.facts else 0,
                "policy": member.report.policy if member.report else None,
            }
            for member in view.members
        ],
    }


def _bound(settings: ManagementSection, board: Board) -> Listener:
    try:
        return Listener(settings.host, settings.port, board)
    except OSError as error:
        said = (error.strerror or "error").lower()
        place = f"{settings.host} port {settings.port}"
        advice = "choose another with `management.port`, or 0 for a free one"
        raise SettingsError([f"management: cannot listen on {place}: {said}: {advice}"]) from error


@contextmanager
def _folder() -> Iterator[Path]:
    """Makes a folder for reports that only this user may enter, for the length of a block."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK | os.X_OK)
    try:
        made = tempfile.TemporaryDirectory(
            prefix="mediagate-", dir=_MEMORY if usable else None, ignore_cleanup_errors=True
        )
    except OSError as error:
        said = f"management: no folder for the reports of workers: {error}: set TMPDIR to one that can be written"
        raise SettingsError([said]) from error
    with made as name:
        yield Path(name)


def _cut(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        LOG.debug("management: a slow client has left by itself")
