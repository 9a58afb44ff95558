"""The Starlette application: the gateway's own pages, and the pipeline behind everything else."""

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.worker import Worker


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
        await worker.start()
        try:
            yield
        finally:
            await worker.stop()

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        ready = worker.facts.is_fresh
        state = {"ready": ready, "policy": worker.bundle.digest, "revision": worker.facts.revision}
        return JSONResponse(state, status_code=200 if ready else 503)

    prefix = worker.settings.server.prefix
    app = Starlette(
        routes=[
            Route(f"{prefix}livez", livez),
            Route(f"{prefix}readyz", readyz),
            Mount("/", app=Pipeline(worker)),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = (
        False  # a redirect built from a Host header is a bypass of its own (chi, OpenRun)
    )
    return app
