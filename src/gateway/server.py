"""How the gateway is served: Granian with uvloop, one or more worker processes.

Everything that can be wrong is found before the first worker starts, so that a mistake is one clear message and not a
worker that dies again and again.
"""

import math
from typing import Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gateway.reload import Gate
from gateway.settings import Settings
from models.store import Store

_LOG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}
    },
    "loggers": {"_granian": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; workers read their settings from the environment.

    Raises:
        ConfigurationError: settings or policies are wrong.
        StoreError: the store cannot be used.
    """
    check(settings)
    server = settings.server
    Granian(
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
    ).serve()


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
