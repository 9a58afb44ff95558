"""The Starlette application: the gateway's own pages, and the pipeline behind everything else."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from gateway.management.report import reporting
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.worker import Worker

LOG = logging.getLogger(__name__)
ORPHAN_INTERVAL: Final = 0.5
"""Seconds between looks at whether the main process still lives."""


class OwnPage(Route):
    """A page of the gateway's own: matched on the raw path, so that it has one spelling, as every other target has."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Matches only the exact bytes of the path (Starlette alone would decode them first) and its methods."""
        if scope["type"] != "http" or scope.get("raw_path") != self.path.encode():
            return Match.NONE, {}
        match, more = super().matches(scope)
        return (match, more) if match is Match.FULL else (Match.NONE, {})


def create() -> Starlette:
    """Returns the application for the settings that the environment names; the server calls this in each worker."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    return application(Worker(Settings.load(serving=True)))


def application(worker: Worker) -> Starlette:
    """Returns the application over one worker; its lifespan starts and stops the worker."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with reporting(worker) as reporter:  # from here on, so that a start that hangs is seen
            await worker.start()
            watch = asyncio.create_task(_end_when_orphaned())
            if reporter:
                reporter.started = True
            try:
                yield
            finally:
                if reporter:
                    reporter.stopping = True
                watch.cancel()
                await worker.stop()

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        ready = worker.facts.is_fresh  # no more than that: details are for the management listener
        return PlainTextResponse("ready\n" if ready else "not ready\n", status_code=200 if ready else 503)

    prefix = worker.settings.server.prefix
    app = Starlette(
        routes=[
            OwnPage(f"{prefix}livez", livez),
            OwnPage(f"{prefix}readyz", readyz),
        ],
        lifespan=lifespan,
    )
    app.router.default = Pipeline(worker)  # a mount would leave targets without a leading slash to Starlette
    app.router.redirect_slashes = (
        False  # a redirect built from a Host header is a bypass of its own (chi, OpenRun)
    )
    return app


async def _end_when_orphaned() -> None:
    """Ends a worker whose main process is gone: it would share the port with the next gateway, and judge by old policies."""
    main = multiprocessing.parent_process()
    while main is not None and main.is_alive():  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(ORPHAN_INTERVAL)
    if main is not None:
        LOG.error("the main process is gone: this worker ends")
        os.kill(os.getpid(), signal.SIGTERM)
