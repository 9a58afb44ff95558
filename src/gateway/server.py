"""How the gateway is served: Granian with uvloop, one or more worker processes.

Everything that can be wrong is found before the first worker starts, so that a mistake is one clear message and not a
worker that dies again and again.

Rules:

1. The main process serves no requests: it waits, replaces workers that died, and answers on the management listener.
2. Workers are started by `spawn`, not by `fork`: the main process has threads, and a child must not inherit its listener.
3. Told to stop (SIGTERM or SIGINT), readiness ends at once, workers take no new connections and end what is under way within
   `server.drain_timeout`. Told again, all of them are killed.

What was found about Granian 2.8, on which this rests:

- Workers bind the port each for itself (SO_REUSEPORT), so a port that another of our gateways has is no error to it:
  `gateway.cli.serve` looks first. The main process holds no connection and accepts none.
- It takes the start method from `multiprocessing.get_start_method()`, which is `fork` on Linux up to Python 3.13.
- On SIGTERM a worker closes its listening socket and idle connections at once, goes on with answers under way, and then runs
  the application's shutdown. After `workers_kill_timeout` the main process kills what is left; 0 would mean for ever.
- A second signal only sets the same flag again. Hooks of `on_startup` run after its own handlers were set and before the first worker
  starts, so a handler that is set there replaces them.
- A worker that dies is replaced at once, except within 5.5 s after it was replaced before: then the whole server ends with code 1
  ("crash loop"), so that whoever supervises it sees a start that fails as one.
- Its main thread waits without a time limit. Linux lets any thread take a signal that is for the process, and a thread that is just being
  made does take it, while Python runs handlers on the main thread only, which then sleeps on: about half of all SIGTERM during requests for
  metrics were lost. So the threads of the management listener block all signals.
- `wrks` lists the workers with number (`idx`, from 0), process (`inner`) and start (`birth`, monotonic).
- Its own metrics know nothing of verdicts, so they stay off.
"""

import math
import multiprocessing
import signal
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gateway.management.board import Process
from gateway.management.listener import managed
from gateway.reload import Gate
from gateway.settings import Settings
from models.store import Store

_LOGGER: Final = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
_LOG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}
    },
    "loggers": {"_granian": _LOGGER, "gateway": _LOGGER},
}


def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; workers read their settings from the environment.

    Raises:
        ConfigurationError: settings or policies are wrong.
        StoreError: the store cannot be used.
    """
    check(settings)
    multiprocessing.set_start_method("spawn", force=True)
    server = _server(settings)
    stop = _Stop(server)
    server.on_startup(stop.listen)
    with managed(settings.management, lambda: _processes(server), lambda: stop.told):
        server.serve()


def check(settings: Settings) -> None:
    """Loads everything that a worker needs, once, and lets it go.

    Raises:
        ConfigurationError: settings or policies are wrong.
        StoreError: the store cannot be used.
    """
    settings.upstream_settings()
    store = Store.open(settings.store.url, busy_timeout=settings.store.busy_timeout)
    try:
        Gate(settings, store).opening()
    finally:
        store.close()


class _Server(Protocol):
    """What is used of Granian's server, whose own types say less."""

    wrks: list[Any]

    def on_startup(self, hook: Callable[[], None]) -> object: ...

    def signal_handler_interrupt(self) -> None: ...

    def serve(self) -> None: ...


class _Stop:
    """What signals do: the first begins to stop, the second ends everything (rule 3)."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.told = False

    def listen(self) -> None:
        """Takes the signals over from Granian."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, *_: object) -> None:
        if self.told:
            for worker in tuple(self._server.wrks):
                worker.kill()
        self.told = True
        self._server.signal_handler_interrupt()


def _processes(server: _Server) -> list[Process]:
    """Returns the workers that Granian has started; while it stops and after that, those that it waits for."""
    return [
        Process(worker.idx + 1, worker.inner.pid, worker.birth)
        for worker in tuple(server.wrks)
        if worker.inner.pid is not None
    ]


def _server(settings: Settings) -> _Server:
    server = settings.server
    made = Granian(
        target="gateway.app:create",
        factory=True,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=True,
        address=server.host,
        port=server.port,
        workers=server.workers,
        backlog=server.backlog,
        # Granian counts idle connections too: set far above, shedding is the pipeline's
        backpressure=server.max_connections,
        http1_settings=HTTP1Settings(header_read_timeout=int(server.header_timeout * 1000)),
        workers_kill_timeout=max(1, math.ceil(server.drain_timeout)),  # 0 means for ever
        respawn_failed_workers=True,
        log_level=LogLevels.info,
        log_dictconfig=_LOG,
    )
    return cast("_Server", made)
