"""The management listener of a running gateway, and how the gateway stops: what is told, to whom, and whatever else goes on."""

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from backends import Visit
from e2e.behind import Puppet, eventually, puppet, told
from e2e.house import House, furnish, house
from e2e.processes import is_over, workers
from e2e.raw import line, request
from gateways import running

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
CLIP: Final = "/assets/clip"
ROWS: Final = """
  - GET /open/{path...}: {anonymous: true}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
"""
SETTINGS: Final = '[server]\ndrain_timeout = "30s"\n[management]\nstuck_after = "2s"\n'


@pytest.fixture(scope="module", name="home")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway with two workers."""
    with house(tmp_path_factory.mktemp("house"), SETTINGS, ROWS, "--workers", "2") as found:
        yield found


@pytest.fixture(name="backend", scope="module")
def a_backend() -> Iterator[Puppet]:
    """A backend for gateways that a test stops itself."""
    with puppet() as found:
        yield found


def page(home: House, name: str) -> requests.Response:
    """Asks the management listener."""
    return requests.get(f"{home.gateway.management}/{name}", timeout=10)


def readiness(home: House) -> dict[str, Any]:
    """Returns what readiness tells."""
    found: dict[str, Any] = page(home, "readyz").json()
    return found


def metric(home: House, name: str, **labels: str) -> float:
    """Returns the sum of a metric's values that have these labels."""
    families = text_string_to_metric_families(page(home, "metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(each.value for each in samples if labels.items() <= each.labels.items())


def test_readiness_tells_details_here_and_only_here(home: House) -> None:
    """The document names policy, revision and each worker; the public page has none of it."""
    assert eventually(lambda: all(each["state"] == "ready" for each in readiness(home)["workers"]))
    told = readiness(home)

    assert (told["ready"], told["stopping"]) == (True, False)
    assert told["policy"]["live"] == home.run("policy", "status")["live"]
    assert told["policy"]["refused"] is None
    assert told["revision"] > 0
    assert sorted(each["pid"] for each in told["workers"]) == workers(home.gateway.pid)
    assert page(home, "livez").text == "ok\n"
    assert page(home, "other").status_code == 404
    assert home.get("/-/readyz").text == "ready\n"
    assert home.get("/-/metrics", "ada").status_code == 403


def test_metrics_are_those_of_the_document(home: House) -> None:
    """What is exported has the names, kinds and labels of docs/metrics.md, and counts what was asked."""
    allowed = {"verdict": "allowed", "status": "2xx"}
    refused = {"verdict": "refused", "reason": "no-grant", "status": "4xx"}
    before = metric(home, "mediagate_requests_total", **allowed)
    assert [home.get(CLIP, "vera").status_code for _ in range(5)] == [200] * 5
    assert home.get("/assets/secret", "vera").status_code == 403
    home.backend.answers(b"nonsense\r\n\r\n")
    assert home.get(CLIP, "vera").status_code == 502
    home.backend.clear()

    def told() -> bool:
        asked = metric(home, "mediagate_requests_total")
        return (
            metric(home, "mediagate_requests_total", **allowed) == before + 5
            and metric(home, "mediagate_requests_total", **refused) == 1
            and metric(home, "mediagate_requests_total", reason="backend-broken") == 1
            and metric(home, "mediagate_request_seconds_count") == asked
            and metric(home, "mediagate_decision_seconds_bucket", le="+Inf") == asked
            and metric(home, "mediagate_audit_lines_total", result="written") == asked
        )

    assert eventually(told)  # each worker reports at its own time
    assert metric(home, "mediagate_policy_walked_total") + metric(home, "mediagate_policy_learned_total") > 5
    assert metric(home, "mediagate_bundle_info", digest=readiness(home)["policy"]["live"]) == 1
    assert metric(home, "mediagate_workers", state="ready") == 2

    rows = re.findall(r"^\| `(mediagate_\w+)` \| (\w+) \| (.+?) \|", DOCUMENT.read_text(), re.MULTILINE)
    document = {name: (kind, set(re.findall(r"\w+", labels)) - {"none"}) for name, kind, labels in rows}
    families = list(text_string_to_metric_families(page(home, "metrics").text))
    exported = {
        family.name + "_total" * (family.type == "counter"): (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for family in families
    }
    assert exported == document
    openmetrics = {"Accept": "application/openmetrics-text"}
    assert requests.get(f"{home.gateway.management}/metrics", headers=openmetrics, timeout=5).text.endswith(
        "# EOF\n"
    )


def test_a_refused_bundle_is_told_and_counted_once(home: House) -> None:
    """A broken save is told with its sentences and counted once however many workers saw it; its end is told too."""
    broken = home.gateway.folder / "policies" / "zz.polar"
    before = metric(home, "mediagate_bundles_refused_total")
    broken.write_text("permit(subject, action\n")
    try:
        assert eventually(lambda: all(each["policy"]["refused"] for each in readiness(home)["workers"]))
        assert "zz.polar:" in readiness(home)["policy"]["refused"]["problems"][0]
        assert metric(home, "mediagate_bundle_refused") == 1
        assert metric(home, "mediagate_bundles_refused_total") == before + 1
        assert readiness(home)["ready"]
    finally:
        broken.unlink()
    assert eventually(lambda: metric(home, "mediagate_bundle_refused") == 0)


def test_a_worker_that_is_stuck_is_named(home: House) -> None:
    """A worker whose loop stands still makes liveness 503 with its number and process; once it goes on all is well."""
    stopped = workers(home.gateway.pid)[1]
    assert eventually(lambda: readiness(home)["ready"])
    os.kill(stopped, signal.SIGSTOP)
    try:
        assert eventually(lambda: page(home, "livez").status_code == 503)
        said = page(home, "livez").text
        (named,) = [each for each in readiness(home)["workers"] if each["state"] == "stuck"]
        ready = page(home, "readyz").status_code
    finally:
        os.kill(stopped, signal.SIGCONT)

    assert said.startswith(f"worker {named['number']} (process {stopped}) has not answered for ")
    assert (named["pid"], ready) == (stopped, 503)
    assert eventually(lambda: page(home, "livez").status_code == page(home, "readyz").status_code == 200)


def test_a_worker_that_died_is_counted_and_its_counts_are_kept(home: House) -> None:
    """After a worker was killed its replacement is counted and logged, liveness holds, and no counter falls."""
    assert [home.get(CLIP, "vera").status_code for _ in range(20)] == [200] * 20
    dead = workers(home.gateway.pid)[0]
    assert eventually(
        lambda: metric(home, "mediagate_requests_total") == metric(home, "mediagate_audit_lines_total") >= 20
    )
    before = metric(home, "mediagate_requests_total")
    os.kill(dead, signal.SIGKILL)

    assert eventually(lambda: metric(home, "mediagate_worker_restarts_total") == 1)
    assert eventually(lambda: metric(home, "mediagate_workers", state="ready") == 2)
    assert metric(home, "mediagate_requests_total") >= before
    assert page(home, "livez").status_code == 200
    assert f"(process {dead}) ended by itself and was replaced by process" in home.gateway.log


def test_liveness_answers_though_the_public_listener_is_saturated(tmp_path: Path, backend: Puppet) -> None:
    """With every connection of the gateway taken nobody else gets in, and the management listener answers."""
    go = threading.Event()

    async def waiting(visit: Visit) -> None:
        await visit.head()
        await told(go)
        await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    backend.use(waiting)
    tokens = furnish(tmp_path, "[server]\nmax_connections = 4\nbacklog = 128\n", ROWS, backend)
    with running(tmp_path) as gateway, ExitStack() as stack:
        stack.callback(go.set)
        home = House(gateway, backend, tokens)
        for _ in range(8):
            stack.enter_context(home.line()).send(request("GET", CLIP, home.bearer("vera")))
        assert eventually(lambda: len(backend.requests) >= 3)
        with pytest.raises(requests.RequestException):
            home.get("/-/livez", timeout=1)

        assert page(home, "livez").status_code == 200
        assert readiness(home)["ready"]


def test_told_to_stop_the_gateway_says_so_and_ends_a_download_whole(tmp_path: Path, backend: Puppet) -> None:
    """Readiness is 503 at once and connections are refused, while a download of three seconds comes byte for byte."""
    pieces = [bytes([number]) * 10_000 for number in range(30)]

    async def slow(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n")
        for piece in pieces:
            await visit.send(piece)
            await asyncio.sleep(0.1)

    backend.use(slow)
    tokens = furnish(tmp_path, SETTINGS, ROWS, backend)
    with running(tmp_path, "--workers", "2") as gateway:
        home = House(gateway, backend, tokens)
        with home.line() as client:
            client.send(request("GET", CLIP, home.bearer("vera")))
            status, _ = client.head()
            os.kill(gateway.pid, signal.SIGTERM)
            unready = eventually(lambda: page(home, "readyz").status_code == 503, 2)
            stopping, alive = readiness(home)["stopping"], page(home, "livez").status_code
            closed = eventually(lambda: refuses(gateway.url), 2)
            body = client.read(300_000)

        assert (status, unready, stopping, alive, closed) == (200, True, True, 200, True), gateway.log
        assert body == b"".join(pieces)
        assert eventually(lambda: is_over(gateway.pid))


def refuses(url: str) -> bool:
    """Tells whether nobody listens at an address any more."""
    try:
        with line(url):
            return False
    except OSError:
        return True


def test_told_twice_the_gateway_ends_at_once(tmp_path: Path, backend: Puppet) -> None:
    """A second signal does not wait for what is under way; its client cannot take the beginning for all."""
    go = threading.Event()

    async def endless(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await told(go)

    backend.use(endless)
    tokens = furnish(tmp_path, SETTINGS, ROWS, backend)
    with ExitStack() as stack:
        gateway = stack.enter_context(running(tmp_path, "--workers", "2"))
        stack.callback(go.set)
        home = House(gateway, backend, tokens)
        client = stack.enter_context(home.line())
        client.send(request("GET", CLIP, home.bearer("vera")))
        client.head()
        os.kill(gateway.pid, signal.SIGTERM)
        assert eventually(lambda: page(home, "readyz").status_code == 503)
        assert not is_over(gateway.pid)
        os.kill(gateway.pid, signal.SIGTERM)

        assert eventually(lambda: is_over(gateway.pid), 5)  # far below the time for draining
        with pytest.raises((EOFError, ConnectionError)):
            client.read(10)


def test_it_can_be_switched_off(tmp_path: Path, backend: Puppet) -> None:
    """Without the listener the gateway serves, and nobody listens but its workers."""
    backend.clear()
    tokens = furnish(tmp_path, "[management]\nenabled = false\n", ROWS, backend)
    with running(tmp_path) as gateway:
        assert House(gateway, backend, tokens).get(CLIP, "vera").status_code == 200
        assert "management" not in gateway.log


def test_a_management_port_that_is_taken_is_told(home: House, tmp_path: Path) -> None:
    """A second gateway on the same management port does not start, and says which setting to change."""
    furnish(tmp_path, "", ROWS, home.backend)
    port = home.gateway.management.rpartition(":")[2]
    said = rf"port {port}: address already in use: choose .*management\.port"
    with pytest.raises(RuntimeError, match=said), running(tmp_path, management=port):
        pass
