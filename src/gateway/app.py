"""The Starlette application: the gateway's own pages, and the pipeline behind everything else."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from gateway.downstream import App, Turn
from gateway.forward_auth import in_front
from gateway.identity_token import KEY_SET_MAX_AGE
from gateway.management.report import reporting
from gateway.pipeline import Pipeline
from gateway.visitors import Visitors
from gateway.worker import Worker


class OwnPage(Route):
    """A page of the gateway's own: matched on the raw path, so that it has one spelling, as every other target has."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Matches only the exact bytes of the path (Starlette alone would decode them first) and its methods."""
        if scope["type"] != "http" or scope.get("raw_path") != self.path.encode():
            return Match.NONE, {}
        match, more = super().matches(scope)
        return (match, more) if match is Match.FULL else (Match.NONE, {})


class Door:
    """What answers: the gateway's own pages go to Starlette, everything else straight to the pipeline.

    A mount would leave targets without a leading slash to Starlette, and its middleware would wrap each message of an answer.
    """

    __slots__ = ("_pages", "_pipeline", "_prefix")

    def __init__(self, pages: Starlette, pipeline: Pipeline, prefix: str) -> None:
        """Takes both, and the prefix of the raw paths that belong to the pages."""
        self._pages, self._pipeline, self._prefix = pages, pipeline, prefix.encode()

    def __call__(self, turn: Turn) -> Awaitable[None]:
        """Serves one request."""
        if turn.fault is None and turn.scope["raw_path"].startswith(self._prefix):
            return self._pages({**turn.asgi, "mediagate.turn": turn}, turn.receive, turn.send)
        return self._pipeline(turn)


@asynccontextmanager
async def application(worker: Worker) -> AsyncIterator[App]:
    """Starts the worker, yields what answers its requests, and stops the worker."""
    async with reporting(worker) as reporter:  # from here on, so that a start that hangs is seen
        await worker.start()
        if reporter:
            reporter.started = True
        try:
            yield in_front(Door(_pages(worker), Pipeline(worker), worker.settings.server.prefix), worker)
        finally:
            if reporter:
                reporter.stopping = True
            await worker.stop()


def _pages(worker: Worker) -> Starlette:
    """Returns the gateway's own pages; what none of them is goes to the pipeline, which has no row for it."""

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
    pages = [
        OwnPage(f"{prefix}livez", livez),
        OwnPage(f"{prefix}readyz", readyz),
        OwnPage(f"{prefix}jwks.json", jwks),
    ]
    if worker.settings.shares.sign_in:
        visitors = Visitors(worker)
        pages.append(OwnPage(f"{prefix}share/sign-in", visitors.sign_in, methods=["POST"]))
        pages.append(OwnPage(f"{prefix}share/visit", visitors.visit, methods=["GET", "PUT", "DELETE"]))
    app = Starlette(routes=pages)
    pipeline = Pipeline(worker)

    async def elsewhere(scope: Scope, _receive: Receive, _send: Send) -> None:
        await pipeline(scope["mediagate.turn"])

    app.router.default = elsewhere
    # a redirect built from a Host header is a bypass of its own (chi, OpenRun)
    app.router.redirect_slashes = False
    return app
