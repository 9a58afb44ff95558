"""Memory of a gateway's worker: a gibibyte up, one down, 200 clients that stall, 1,000 idle connections.

Each case has a gateway of its own, which has served one request before. `before_mib` is what its worker then holds, `peak_mib` the
most that it holds during the case, as the kernel counts it (VmHWM), `rise_mib` the difference.
"""

import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.load import GIB, Figures, Rung, stream
from bench.questions import Questions
from bench.servers import backend
from e2e.processes import MIB, resident, workers
from gateways import prepare, running

STALLED, IDLE = 200, 1_000
SETTLING = 3.0
"""Seconds in which buffers fill while nobody reads."""
ROUTES = """
upstream: media
routes:
  - GET /open/{id}/{body}: {anonymous: true}
  - PUT /open/{id}/upload: {anonymous: true}
"""
QUESTIONS = Questions(None, 1_000)


def measure() -> dict[str, Figures]:
    """Returns the figures of each case."""
    cases = {"download_1g": _download, "upload_1g": _upload, "stalled_200": _stalled, "idle_1000": _idle}
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        for name in ("files", "gateway"):
            (Path(place) / name).mkdir()
        port = stack.enter_context(backend(Path(place) / "files"))
        folder = Path(place) / "gateway"
        bound = f"max_connections = {STALLED + 1}\n"  # else those beyond it would wait, and not stall
        toml = f'[upstreams.media]\nurl = "http://127.0.0.1:{port}"\n{bound}'
        prepare(folder, toml, routes=ROUTES).close()
        return {name: _peak(folder, case) for name, case in cases.items()}


def _peak(folder: Path, case: Callable[[int], None]) -> Figures:
    with running(folder, "--workers", "1") as gateway:
        port = int(gateway.url.rpartition(":")[2])
        _served(port).close()
        worker = max(workers(gateway.pid), key=lambda pid: resident(pid)[0])
        before = resident(worker)[0]
        Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak starts anew, proc(5)
        case(port)
        peak = resident(worker)[1]
    return {"before_mib": before / MIB, "peak_mib": peak / MIB, "rise_mib": (peak - before) / MIB}


def _served(port: int) -> socket.socket:
    """Returns a connection on which one small answer has come."""
    client = _asking(port, "1k")
    got = client.recv(1 << 16)
    while len(got.partition(b"\r\n\r\n")[2]) < 1 << 10:
        more = client.recv(1 << 16)
        if not more:
            raise RuntimeError(f"the gateway answered {got[:200]!r}")
        got += more
    return client


def _asking(port: int, body: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(next(QUESTIONS.drawn(body, 1, 1)))
    return client


def _download(port: int) -> None:
    stream(Rung("memory", port, QUESTIONS), 1)


def _upload(port: int) -> None:
    chunk = bytes(MIB)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(
            f"PUT /open/1/upload HTTP/1.1\r\nHost: media.example\r\nContent-Length: {GIB}\r\n\r\n".encode()
        )
        for _ in range(GIB // MIB):
            client.sendall(chunk)
        answer = client.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(f"the upload was answered {answer[:200]!r}")


def _stalled(port: int) -> None:
    clients = [_asking(port, "1g") for _ in range(STALLED)]
    try:
        time.sleep(SETTLING)
        for client in clients:
            if not client.recv(12).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a client that was to stall was refused")
    finally:
        for client in clients:
            client.close()


def _idle(port: int) -> None:
    clients = [_served(port) for _ in range(IDLE)]
    time.sleep(SETTLING)
    for client in clients:
        client.close()
