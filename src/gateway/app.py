"""The Starlette application: the gateway's own pages, and the pipeline behind everything else."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.forward_auth import in_front
from gateway.identity_token import KEY_SET_MAX_AGE
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


def create() -> ASGIApp:
    """Returns the application for the settings that the environment names; the server calls this in each worker."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    return application(Worker(Settings.load(serving=True)))


class Door:
    """The ASGI application: the gateway's own pages go to Starlette, everything else straight to the pipeline.

    Starlette's middleware would wrap each message of an answer three times, for errors that the pipeline handles itself.
    """

    __slots__ = ("_pages", "_pipeline", "_prefix")

    def __init__(self, pages: Starlette, pipeline: ASGIApp, prefix: str) -> None:
        """Takes both, and the prefix of the raw paths that belong to the pages."""
        self._pages, self._pipeline, self._prefix = pages, pipeline, prefix.encode()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one request, or the lifespan."""
        if scope["type"] == "lifespan" or (scope.get("raw_path") or b"").startswith(self._prefix):
            return self._pages(scope, receive, send)
        return self._pipeline(scope, receive, send)


def application(worker: Worker) -> ASGIApp:
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

    async def jwks(_request: Request) -> Response:
        caching = {"cache-control": f"public, max-age={KEY_SET_MAX_AGE}"}
        return Response(
            worker.identity_tokens.key_set, headers=caching, media_type="application/jwk-set+json"
        )

    prefix = worker.settings.server.prefix
    app = Starlette(
        routes=[
            OwnPage(f"{prefix}livez", livez),
            OwnPage(f"{prefix}readyz", readyz),
            OwnPage(f"{prefix}jwks.json", jwks),
        ],
        lifespan=lifespan,
    )
    pipeline = app.router.default = Pipeline(
        worker
    )  # a mount would leave targets without a leading slash to Starlette
    app.router.redirect_slashes = (
        False  # a redirect built from a Host header is a bypass of its own (chi, OpenRun)
    )
    return in_front(Door(app, pipeline, prefix), worker)


async def _end_when_orphaned() -> None:
    """Ends a worker whose main process is gone: it would share the port with the next gateway, and judge by old policies."""
    main = multiprocessing.parent_process()
    while main is not None and main.is_alive():  # noqa: ASYNC110 - a process sets no event
        await asyncio.sleep(ORPHAN_INTERVAL)
    if main is not None:
        LOG.error("the main process is gone: this worker ends")
        os.kill(os.getpid(), signal.SIGTERM)
