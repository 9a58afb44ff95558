"""What the gateway costs a request: nginx alone, the gateway with a route open to all, and the gateway with everything.

All three serve the same 1 KiB file from the same nginx, loaded by wrk with the same connections, in turns within each round.
`gateway_empty` forwards a route that is open to all; `gateway_full` judges random tokens on random objects with the full
policy, and audits each decision.
"""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateways import free_port, prepare, running
from models import changes
from models.facts import ObjectKey, Permission, UserType
from models.store import Store

USERS, OBJECTS, TOKENS = 1_000, 10_000, 500
CONNECTIONS, THREADS = 32, 1

ROUTES = """
upstream: media
objects:
  file: {id: path, trailing_slash: same, letter_case: exact, unicode: exact}
routes:
  - GET /open/{path...}: {anonymous: true}
  - GET /full/{path...}: {action: read, object: file, id: "/full/{path}", role: can_read_files}
"""

NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; root {folder}; location / {{ rewrite ^ /file break; }} }}
}}
"""

SCRIPT = """
local tokens, objects = {{ {tokens} }}, {objects}
math.randomseed(42)
request = function()
  local headers = {{ ["Authorization"] = "Bearer " .. tokens[math.random(#tokens)] }}
  return wrk.format("GET", "/full/" .. math.random(objects) .. ".mp4", headers)
end
"""


def measure(rounds: int, seconds: int) -> dict[str, dict[str, float]]:
    """Returns rps, p50_ms and p99_ms for each rung: the median of the rounds, and the spread of rps."""
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            raise SystemExit(f"make bench needs `{tool}`: install the Debian packages nginx and wrk")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with _nginx(folder) as backend:
            store = prepare(folder, f'[upstreams.media]\nurl = "{backend}"\n', routes=ROUTES)
            script = folder / "full.lua"
            script.write_text(SCRIPT.format(tokens=_populated(store), objects=OBJECTS))
            store.close()
            with running(folder) as gateway:
                rungs = {
                    "backend": (f"{backend}/any", ()),
                    "gateway_empty": (f"{gateway.url}/open/any", ()),
                    "gateway_full": (f"{gateway.url}/full/any", ("-s", str(script))),
                }
                for url, options in rungs.values():
                    _wrk(url, options, 2)
                seen: dict[str, list[dict[str, float]]] = {name: [] for name in rungs}
                for _ in range(rounds):
                    for name, (url, options) in rungs.items():
                        seen[name].append(_wrk(url, options, seconds))
    return {name: _summary(runs) for name, runs in seen.items()}


def _summary(runs: list[dict[str, float]]) -> dict[str, float]:
    summary = {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
    rates = [run["rps"] for run in runs]
    return {**summary, "rps_spread": round(max(rates) - min(rates), 1)}


@contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    port = free_port()
    (folder / "file").write_bytes(b"x" * 1024)
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, port=port, user="user root;" if os.getuid() == 0 else "")
    )
    process = subprocess.Popen(("nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _populated(store: Store) -> str:
    """Fills the store and returns tokens as a Lua list; every user may read every file through its folder."""
    tokens = []
    with store.write("bench") as commit:
        session = commit.session
        domain = changes.create_domain(session, "bench")
        group = changes.create_group(session, domain.id, "readers")
        changes.give_role(session, group.id, "can_read_files")
        application = changes.create_application(session, domain.id, "bench")
        changes.register_object(session, ObjectKey("file", "/full"), domain.id)
        changes.grant(
            session, ObjectKey("file", "/full"), f"group:{group.id}", Permission.READ, propagates=True
        )
        for number in range(USERS):
            user = changes.create_user(session, domain.id, f"u{number}@bench.example", type=UserType.STANDARD)
            changes.add_member(session, group.id, user.id)
            if number < TOKENS:
                tokens.append(changes.issue_token(session, user.id, application.id)[1])
        for number in range(OBJECTS):
            changes.register_object(session, ObjectKey("file", f"/full/{number}.mp4"), domain.id)
    return ", ".join(f'"{token}"' for token in tokens)


def _wrk(url: str, options: tuple[str, ...], seconds: int) -> dict[str, float]:
    command = (
        "wrk",
        "-t",
        str(THREADS),
        "-c",
        str(CONNECTIONS),
        "-d",
        f"{seconds}s",
        "--latency",
        *options,
        url,
    )
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk saw failures at {url}:\n{said}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    return {
        "rps": float(rate.group(1)) if rate else 0.0,
        "p50_ms": _quantile(said, 50),
        "p99_ms": _quantile(said, 99),
    }


def _quantile(said: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", said)
    scale: dict[Any, float] = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    return float(found.group(1)) * scale[found.group(2)] if found else 0.0
