"""Starting, serving with several processes, and stopping: what is under way is finished, and nothing is left behind."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from backends import Script, Visit
from e2e.behind import Puppet, eventually, puppet, told
from e2e.house import House, furnish, house
from e2e.processes import is_over, listening, sockets, workers
from e2e.raw import Line, line, request
from gateways import COMMAND, running

CLIP: Final = "/assets/clip"
ROWS: Final = """
  - GET /open/{path...}: {anonymous: true}
  - GET /assets/{asset_id}: {action: read, object: asset, role: can_read_assets}
  - DELETE /assets/{asset_id}: {action: delete, object: asset, role: can_delete_assets, deletes: asset}
"""
SETTINGS: Final = '[server]\ndrain_timeout = "60s"\nheader_timeout = "1s"\n'


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


@pytest.fixture
def single(tmp_path: Path, backend: Puppet) -> Iterator[House]:
    """A gateway with one worker that the test may stop."""
    backend.clear()
    tokens = furnish(tmp_path, SETTINGS, ROWS, backend)
    with running(tmp_path) as gateway:
        yield House(gateway, backend, tokens)


def test_livez_and_readyz_are_open_and_short(home: House) -> None:
    """Both pages answer anybody with 200 and one word, no details; neither is audited nor reaches a backend."""
    audited = home.gateway.audit.read_bytes()
    alive, ready = home.get("/-/livez"), home.get("/-/readyz")

    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert home.ask("HEAD", "/-/livez").status_code == 200
    assert home.gateway.audit.read_bytes() == audited
    assert home.backend.requests == []


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/-/"), ("GET", "/-/other"), ("GET", "/-/livez/"), ("GET", "/-/readyz/x"), ("POST", "/-/livez"), ("OPTIONS", "/-/readyz"),
    ("GET", "/-/policies"), ("PUT", "/-/policies"), ("GET", "/-/metrics"), ("GET", "/-/api/"), ("PATCH", "/-/api/settings"),
])  # fmt: skip
def test_nothing_else_below_the_prefix_is_open(home: House, method: str, path: str) -> None:
    """Other pages and methods below the gateway's own prefix are refused like any unknown route, to a domain's admin too."""
    assert home.ask(method, path).status_code == 401
    assert home.ask(method, path, "ada").status_code == 403


def test_all_workers_see_a_grant_on_the_next_request(home: House) -> None:
    """Connections to both workers refuse before a grant and allow right after the command that made it; so with its end."""
    with ExitStack() as stack:
        clients = spread(home, stack)
        before = asked(home, clients)
        home.run("grant", "kim@example.org", "read", "asset:secret")
        granted = asked(home, clients)
        home.run("revoke", "kim@example.org", "read", "asset:secret")
        revoked = asked(home, clients)

    assert (before, granted, revoked) == ({403}, {200}, {403})


def spread(home: House, stack: ExitStack) -> list[Line]:
    """Opens connections until each of the two workers has some."""
    processes = workers(home.gateway.pid)
    assert len(processes) == 2
    clients: list[Line] = []
    served: set[int] = set()
    while len(clients) < 200:
        idle = [sockets(pid) for pid in processes]
        clients.append(stack.enter_context(home.line()))
        assert clients[-1].ask("GET", "/-/livez").status == 200
        served |= {pid for pid, count in zip(processes, idle, strict=True) if sockets(pid) > count}
        if len(clients) >= 8 and len(served) == len(processes):
            return clients
    raise AssertionError("one worker gets no connections")


def asked(home: House, clients: list[Line]) -> set[int]:
    """Returns the statuses that kim gets for a secret, over each connection."""
    return {client.ask("GET", "/assets/secret", home.bearer("kim")).status for client in clients}


def test_many_requests_at_once_are_all_served(home: House) -> None:
    """Hundreds of requests of several people over many connections get the right answer each."""
    home.backend.clear()
    people = ("vera", "otto", "zoe", "stan", "") * 60
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda who: home.get(CLIP, who).status_code, people))

    right = {"vera": 200, "stan": 200, "otto": 403, "zoe": 403, "": 401}
    assert seen == [right[who] for who in people]
    assert len(home.backend.requests) == 120


def two_halves(go: threading.Event) -> Script:
    """A backend that sends half of an answer, and the other half when told."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.send(b"HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n" + b"a" * 100_000)
        await told(go)
        await visit.send(b"b" * 100_000)

    return script


def refuses(url: str) -> bool:
    """Tells whether nobody listens at an address any more."""
    try:
        with line(url) as client:
            client.ask("GET", "/-/livez")
    except (OSError, EOFError):
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_download_under_way_is_finished_before_the_gateway_stops(single: House, number: int) -> None:
    """Told to stop, the gateway takes no new connections, carries what it has begun to its end, and is gone then."""
    go = threading.Event()
    single.backend.use(two_halves(go))
    (worker,) = workers(single.gateway.pid)
    with single.line() as client:
        client.send(request("GET", CLIP, single.bearer("vera")))
        head = client.head()
        begun = client.read(100_000)
        os.kill(single.gateway.pid, number)
        closed = eventually(lambda: refuses(single.gateway.url))
        alive = not is_over(worker)
        go.set()
        rest = client.read(100_000)

    assert head[0] == 200
    assert (begun, rest) == (b"a" * 100_000, b"b" * 100_000)
    assert (closed, alive) == (True, True)
    assert eventually(lambda: is_over(single.gateway.pid) and is_over(worker))


def test_an_idle_connection_does_not_hold_up_the_end(single: House) -> None:
    """A client that keeps its connection and asks for nothing does not keep the gateway from stopping."""
    with single.line() as client:
        assert client.ask("GET", CLIP, single.bearer("vera")).status == 200
        os.kill(single.gateway.pid, signal.SIGTERM)

        assert eventually(lambda: is_over(single.gateway.pid))  # sooner than the time for draining
        assert client.is_over()


@pytest.mark.parametrize("leaves", [False, True])
def test_a_deletion_under_way_is_settled_before_the_gateway_stops(single: House, *, leaves: bool) -> None:
    """Told to stop during a deletion, the gateway waits for the backend and commits what it says, even if the client left."""
    go = threading.Event()

    async def waiting(visit: Visit) -> None:
        await visit.request()
        await told(go)
        await visit.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    single.backend.use(waiting)
    with single.line() as client:
        client.send(request("DELETE", CLIP, single.bearer("stan")))
        assert eventually(lambda: single.backend.requests)
        if leaves:
            client.socket.close()
        os.kill(single.gateway.pid, signal.SIGTERM)
        assert eventually(lambda: refuses(single.gateway.url))
        go.set()
        status = 204 if leaves else client.answer().status

    assert status == 204
    assert eventually(lambda: is_over(single.gateway.pid))
    assert not single.run("object", "show", "asset:clip")["registered"]
    assert single.run("object", "unsettled") == []


@pytest.mark.parametrize("limit", ["1s", "500ms"])
def test_what_does_not_end_is_cut_after_the_time_for_draining(
    tmp_path: Path, backend: Puppet, limit: str
) -> None:
    """An answer without end does not keep the gateway from stopping, and its client cannot take it for whole."""
    go = threading.Event()
    backend.use(two_halves(go))
    tokens = furnish(tmp_path, f'[server]\ndrain_timeout = "{limit}"\n', ROWS, backend)
    with ExitStack() as stack:
        home = House(stack.enter_context(running(tmp_path)), backend, tokens)
        stack.callback(go.set)
        client = stack.enter_context(home.line())
        client.send(request("GET", CLIP, home.bearer("vera")))
        client.head()
        os.kill(home.gateway.pid, signal.SIGTERM)

        assert eventually(lambda: is_over(home.gateway.pid))
        with pytest.raises((EOFError, ConnectionError)):
            client.read(200_000)


def test_a_head_that_does_not_come_is_not_waited_for(home: House) -> None:
    """A client that sends a part of a head and then nothing loses its connection; others are served meanwhile."""
    with ExitStack() as stack:
        slow = [stack.enter_context(home.line()) for _ in range(20)]
        for client in slow:
            client.send(b"GET /assets/clip HTTP/1.1\r\nhost: gw.exam")
        assert home.get(CLIP, "vera").status_code == 200
        ends = [client.rest() for client in slow]

    assert set(ends) == {b""}


def test_a_worker_that_dies_is_replaced(home: House) -> None:
    """After a worker was killed another one serves in its place."""
    before = workers(home.gateway.pid)
    os.kill(before[0], signal.SIGKILL)

    assert eventually(lambda: len(set(workers(home.gateway.pid)) - {before[0]}) == len(before))
    assert eventually(lambda: not refuses(home.gateway.url))
    assert home.get(CLIP, "vera").status_code == 200


def test_workers_end_with_their_main_process(tmp_path: Path, backend: Puppet) -> None:
    """Workers whose main process was killed do not go on with settings that nobody can change, not even while one of them is stuck."""
    furnish(tmp_path, SETTINGS, ROWS, backend)
    with running(tmp_path, "--workers", "2") as gateway:
        alive, stuck = workers(gateway.pid)
        os.kill(stuck, signal.SIGSTOP)
        os.kill(gateway.pid, signal.SIGKILL)
        try:
            assert eventually(lambda: is_over(alive))
            os.kill(stuck, signal.SIGCONT)
            assert eventually(lambda: is_over(stuck))
        finally:
            for worker in (alive, stuck):
                if not is_over(worker):
                    os.kill(worker, signal.SIGKILL)


def test_workers_hold_no_socket_of_the_main_process(home: House) -> None:
    """The management port is the main process's alone, so that it is free when that is gone."""
    port = int(home.gateway.management.rpartition(":")[2])
    holders = [pid for pid in (home.gateway.pid, *workers(home.gateway.pid)) if port in listening(pid)]

    assert holders == [home.gateway.pid]


def serve(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Runs `mediagate serve`, which is expected to give up."""
    command = (*COMMAND, "--config", str(folder / "mediagate.toml"), "serve", *options)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate(timeout=20)
            pytest.fail("the gateway serves")
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_a_port_that_is_taken_is_told(home: House) -> None:
    """A second gateway on the same port does not start: connections would fall on either."""
    port = home.gateway.url.rpartition(":")[2]
    refused = serve(home.gateway.folder, "--port", port)

    assert refused.returncode == 3
    assert port in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_that_another_program_has_is_told(home: House) -> None:
    """A port on which another program listens is one clear sentence."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = serve(home.gateway.folder, "--port", port)

    assert refused.returncode == 3
    assert port in refused.stderr
    assert "Traceback" not in refused.stderr


def test_mistakes_of_policies_and_routes_are_told_together_before_anything_is_served(
    tmp_path: Path, backend: Puppet
) -> None:
    """A broken Polar file and a broken route map end the start with one sentence each, with file and line."""
    furnish(tmp_path, SETTINGS, ROWS, backend)
    (tmp_path / "policies" / "zz.polar").write_text("permit(subject, action\n")
    with (tmp_path / "policies" / "routes" / "test.yaml").open("a") as rows:
        rows.write("  - GET /more: {role: can_read_aset}\n")
    refused = serve(tmp_path, "--port", "0")

    assert refused.returncode == 3
    assert "zz.polar:" in refused.stderr
    assert "routes/test.yaml:1" in refused.stderr
    assert "can_read_assets" in refused.stderr
    assert "Traceback" not in refused.stderr
