"""What the ladder compares, standing at the same time over one backend and one store.

`gateway_empty` and `gateway_full` are one gateway: a route open to all, and one where the full policy judges. Each writes its
audit line. `nginx_auth_request` and `envoy_ext_authz` ask that same gateway, so the decision, its facts and the audit are the
same. All are asked for the same random objects, with the same random tokens; `gateway_empty` without tokens.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bench import end_to_end
from bench.load import Rung
from bench.questions import GUARDED, Questions, asset
from bench.servers import backend, envoy_proxies, nginx_proxies
from bench.warmth import warm
from gateway.settings import Settings
from gateways import Gateway, prepare, running

ROUTES = f"""
upstream: media
objects:
  asset: {{id: opaque, letter_case: exact, unicode: exact}}
routes:
  - GET /open/{{id}}/{{body}}: {{anonymous: true}}
  - GET {GUARDED}{{asset_id}}/{{body}}: {{action: read, object: asset, role: {end_to_end.ROLE}}}
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all rungs stand on, populated once.

    Attributes:
        folder: the gateway's.
        backend: the backend's port.
        guarded: what rungs with a policy, and those without a gateway, are asked.
    """

    folder: Path
    backend: int
    guarded: Questions


@contextmanager
def ground(users: int, objects: int) -> Iterator[Ground]:
    """Runs the backend and fills a store in which every user may read every object, some through six collections."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        for name in ("files", "gateway"):
            (Path(place) / name).mkdir()
        port = stack.enter_context(backend(Path(place) / "files"))
        folder = Path(place) / "gateway"
        toml = f'[upstreams.media]\nurl = "http://127.0.0.1:{port}"\n'
        if "forward_auth" in Settings.model_fields:
            toml += '[forward_auth]\npeers = ["127.0.0.1/32"]\n'
        store = prepare(folder, toml, routes=ROUTES)
        tokens = end_to_end.populated(store, users=users, objects=objects, for_all=True)
        store.close()
        (folder / "tokens").write_text("\n".join(tokens))
        yield Ground(folder, port, Questions(folder / "tokens", objects))


@contextmanager
def rungs(on: Ground, each: int) -> Iterator[list[Rung]]:
    """Runs all rungs with `each` workers, processes or threads, warmed; those that cannot be asked are named and left out."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        folders = [Path(place) / name for name in ("nginx", "envoy")]
        for folder in folders:
            folder.mkdir()
        gateway = stack.enter_context(running(on.folder, "--workers", str(each), patience=60.0))
        port = int(gateway.url.rpartition(":")[2])
        warm(port, on.guarded, each)
        plain, asking, nginx = stack.enter_context(nginx_proxies(folders[0], each, on.backend, port))
        plain_envoy, asking_envoy, envoy = stack.enter_context(
            envoy_proxies(folders[1], each, on.backend, port)
        )
        found = [
            Rung("backend", on.backend, on.guarded),
            Rung("nginx", plain, on.guarded, (nginx,)),
            Rung("envoy", plain_envoy, on.guarded, (envoy,)),
            Rung("gateway_empty", port, Questions(None, on.guarded.objects), (gateway.pid,)),
            Rung("gateway_full", port, on.guarded, (gateway.pid,)),
        ]
        token = on.guarded.known()[0]
        if _answers(gateway, "nginx", token):
            found.append(Rung("nginx_auth_request", asking, on.guarded, (nginx, gateway.pid)))
        if _answers(gateway, "envoy", token):
            found.append(Rung("envoy_ext_authz", asking_envoy, on.guarded, (envoy, gateway.pid)))
        yield found


def _answers(gateway: Gateway, proxy: str, token: str) -> bool:
    """Tells whether the gateway has the page that a proxy asks; one that is there but refuses is a mistake here."""
    target = f"{GUARDED}{asset(0)}/1k"
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Original-Client": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
    }
    if proxy == "nginx":
        headers |= {"X-Original-Method": "GET", "X-Original-URI": target, "X-Original-Host": "media.example"}
    page = f"/-/auth/{proxy}"
    answer = requests.get(
        f"{gateway.url}{page}" + ("" if proxy == "nginx" else target), headers=headers, timeout=10
    )
    if not answer.ok and "forward_auth" not in Settings.model_fields:
        print(f"left out: {proxy} asks `{page}`, which this gateway does not have ({answer.status_code})")
        return False
    if not answer.ok:
        raise RuntimeError(
            f"`{page}` refuses what the gateway itself allows: {answer.status_code} {answer.text}"
        )
    return True
