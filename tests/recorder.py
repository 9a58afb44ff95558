"""A backend that records what it received and answers 200, on a thread of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Recorder:
    """What a backend saw.

    Attributes:
        url: where it listens.
        requests: method and raw target of each request, in order.
        headers: the headers of each request, lower-case names.
        bodies: the body of each request.
        status: what it answers; a test may change it.
        answer_headers: added to the answer.
        body: of the answer.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[list[tuple[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    status: int = 200
    answer_headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"seen\n"

    def clear(self) -> None:
        """Forgets what it saw and answers 200 again."""
        self.requests.clear()
        self.headers.clear()
        self.bodies.clear()
        self.status, self.answer_headers, self.body = 200, {}, b"seen\n"


@contextmanager
def recording() -> Iterator[Recorder]:
    """Runs a recording backend until the block ends."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            recorder.requests.append((self.command, self.path))
            recorder.headers.append([(name.lower(), value) for name, value in self.headers.items()])
            recorder.bodies.append(self._body())
            content = recorder.body if recorder.status not in (204, 304) else b""
            self.send_response(recorder.status)
            for name, value in recorder.answer_headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") == "chunked":
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline().split(b";")[0], 16)
            content = self.rfile.read(size)
            self.rfile.readline()
            return content

        def log_message(self, *_arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
