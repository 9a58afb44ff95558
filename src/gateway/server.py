"""How the gateway is served: a main process that waits, and one or more workers that answer.

Everything that can be wrong is found before the first worker starts, so that a mistake is one clear message and not a
worker that dies again and again.

Rules:

1. The main process serves no requests: it starts and replaces workers (`gateway.processes`) and answers on the management listener.
2. Told to stop (SIGTERM or SIGINT), readiness ends at once, workers take no new connections and end what is under way within
   `server.drain_timeout`. Told again, all of them are killed.
3. A worker whose main process is gone ends: it would share the port with the next gateway, and judge by old policies.
"""

import asyncio
import gc
import logging.config
import multiprocessing
import os
import signal
import sys
from typing import Final

import uvloop

from gateway.app import application
from gateway.downstream import Listener
from gateway.management.listener import managed
from gateway.processes import SIGNALS, Workers
from gateway.reload import Gate
from gateway.settings import Settings
from gateway.worker import Worker
from models.store import Store

LOG = logging.getLogger(__name__)
ORPHAN_INTERVAL: Final = 0.5
"""Seconds between looks at whether the main process still lives."""
GRACE: Final = 5.0
"""Seconds beyond `server.drain_timeout` that a worker has to stop what it holds."""

_LOG: Final = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}
    },
    "loggers": {
        name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in ("gateway", "models")
    },
}


def serve(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; workers read their settings from the environment.

    Raises:
        ConfigurationError: settings or policies are wrong.
        StoreError: the store cannot be used.
        SystemExit: workers end as soon as they are started.
    """
    logging.config.dictConfig(_LOG)
    check(settings)
    server = settings.server
    workers = Workers(server.workers, work, server.drain_timeout + GRACE)
    with managed(settings.management, workers.processes, lambda: workers.told) as listener:
        gc.freeze()  # what workers share with this process stays shared when they collect
        code = workers.run(listener)
    if code:
        sys.exit(code)


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


def work() -> None:
    """Is a worker process, from its start to its end."""
    logging.config.dictConfig(_LOG)
    for number in SIGNALS:  # until the loop can take them; a terminal sends both processes the same
        signal.signal(number, signal.SIG_IGN if number is signal.SIGINT else signal.SIG_DFL)
    try:
        uvloop.run(_serve(Worker(Settings.load(serving=True))))
    except Exception:
        LOG.exception("this worker ends")
        sys.exit(1)


async def _serve(worker: Worker) -> None:
    """Serves until SIGTERM, then ends what is under way (rule 2)."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    server = worker.settings.server
    async with application(worker) as app:
        listener = Listener(app, server, worker.settings.limits)
        await listener.start()
        watch = asyncio.create_task(_end_when_orphaned(told))
        LOG.info("listening at %s port %d", *listener.address)
        await told.wait()
        watch.cancel()
        await listener.stop(server.drain_timeout)


async def _end_when_orphaned(told: asyncio.Event) -> None:
    """Tells a worker to stop whose main process is gone (rule 3)."""
    main = multiprocessing.parent_process()
    # not `main.is_alive()`: a worker that was forked later holds the pipe by which that is known
    while main is not None and main.pid == os.getppid():  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(ORPHAN_INTERVAL)
    if main is not None:
        LOG.error("the main process is gone: this worker ends")
        told.set()
