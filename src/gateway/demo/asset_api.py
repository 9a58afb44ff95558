"""The small asset API: a media service that exists, with assets, collections, search, upload, delete, MP4 and HLS.

It serves whoever brings the shared secret and nobody else, so that there is no way round the gateway. It knows
nothing of users: who may do what is for the gateway alone.

`python -m gateway.demo.asset_api FOLDER PORT` serves `FOLDER` on loopback until it is told to stop; the secret is
read from the file that the environment names, never from the command line.
"""

import asyncio
import hmac
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.demo.catalogue import Asset, Catalogue, CatalogueError
from gateway.downstream import Listener, Turn
from gateway.settings.sections import LimitsSection, ServerSection

SECRET_HEADER: Final = "x-asset-api-secret"  # noqa: S105 - the name of a header, not a secret
SECRET_FILE: Final = "ASSET_API_SECRET_FILE"  # noqa: S105 - the name of a variable
MAX_JSON: Final = 64 * 1024
MAX_UPLOAD: Final = 4 * 1024**3
PAGE: Final = 50
MAX_PAGE: Final = 200

Endpoint = Callable[[Request], Awaitable[Response]]


class Guarded:
    """Lets a request through only with the shared secret; everything else is 403."""

    def __init__(self, app: ASGIApp, secret: str) -> None:
        """Makes the guard of `app`."""
        self._app, self._secret = app, secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a WebSocket is refused with all else that is not HTTP."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == SECRET_HEADER.encode()]
        if scope["type"] != "http" or len(given) != 1 or not hmac.compare_digest(given[0], self._secret):
            await _error(403, "this service is reached through its gateway only")(scope, receive, send)
            return
        await self._app(scope, receive, send)


class AssetApi:
    """The endpoints, on one catalogue and the folders that hold the bytes."""

    def __init__(self, catalogue: Catalogue, media: Path, originals: Path) -> None:
        """Makes the service.

        Args:
            catalogue: what is known.
            media: the folder with `clip.mp4` and `hls/` that every playable asset shares.
            originals: the folder of uploaded files.
        """
        self._catalogue, self._media, self._originals = catalogue, media, originals

    def app(self, secret: str) -> ASGIApp:
        """Returns the application that asks for `secret`."""
        asset, collection = "/api/assets/{asset_id}", "/api/collections/{collection_id}"
        routes = [
            _route("/api/assets/", self.list_assets, "GET"),
            _route("/api/assets/", self.create_asset, "POST"),
            _route(f"{asset}/", self.show_asset, "GET"),
            _route(f"{asset}/", self.delete_asset, "DELETE"),
            _route(f"{asset}/original", self.download, "GET"),
            _route(f"{asset}/original", self.upload, "PUT"),
            _route(f"{asset}/proxy.mp4", self.play, "GET"),
            _route(f"{asset}/hls/{{name}}", self.play_hls, "GET"),
            _route("/api/collections/", self.list_collections, "GET"),
            _route("/api/collections/", self.create_collection, "POST"),
            _route(f"{collection}/", self.show_collection, "GET"),
            _route(f"{collection}/", self.delete_collection, "DELETE"),
            _route(f"{collection}/contents/", self.list_contents, "GET"),
        ]
        return Guarded(Router(routes, redirect_slashes=False, default=_not_found), secret)

    async def list_assets(self, request: Request) -> Response:
        """Lists assets, those whose title holds `q` if given: `limit` of them from `offset` on."""
        found = self._catalogue.assets(request.query_params.get("q", ""))
        start, limit = _number(request, "offset", 0), min(_number(request, "limit", PAGE), MAX_PAGE)
        page = [_described(asset) for asset in found[start : start + limit]]
        return JSONResponse({"objects": page, "total": len(found)})

    async def create_asset(self, request: Request) -> Response:
        """Makes an asset from `title`, `collection_id` and, if the caller wants to choose it, `id`."""
        body = await _json(request)
        made = self._catalogue.add_asset(
            _text(body, "title"), _text(body, "collection_id"), _optional(body, "id")
        )
        return JSONResponse(_described(made), 201, {"location": f"/api/assets/{made.id}/"})

    async def show_asset(self, request: Request) -> Response:
        """Describes one asset."""
        return JSONResponse(_described(self._asset(request)))

    async def delete_asset(self, request: Request) -> Response:
        """Deletes an asset and its uploaded file."""
        asset = self._asset(request)
        self._catalogue.remove_asset(asset.id)
        (self._originals / asset.id).unlink(missing_ok=True)
        return Response(status_code=204)

    async def upload(self, request: Request) -> Response:
        """Takes the asset's original; a broken upload leaves the former one."""
        asset = self._asset(request)
        started = self._originals / f"{asset.id}.part"
        size = 0
        try:
            with started.open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > MAX_UPLOAD:
                        raise CatalogueError(413, f"an original has at most {MAX_UPLOAD} bytes")
                    file.write(chunk)
            started.replace(self._originals / asset.id)
        finally:
            started.unlink(missing_ok=True)
        return JSONResponse({"id": asset.id, "size": size}, 201)

    async def download(self, request: Request) -> Response:
        """Sends the asset's original."""
        asset = self._asset(request)
        return _file(request, self._originals / asset.id, "application/octet-stream")

    async def play(self, request: Request) -> Response:
        """Sends the asset's playable MP4: ranges, conditions and HEAD work."""
        return _file(request, self._playable(request) / "clip.mp4", "video/mp4")

    async def play_hls(self, request: Request) -> Response:
        """Sends the asset's HLS playlist or one of its segments."""
        folder, name = self._playable(request) / "hls", request.path_params["name"]
        if name not in {file.name for file in folder.iterdir()}:
            raise CatalogueError(404, "there is no such segment")
        return _file(
            request,
            folder / name,
            "application/vnd.apple.mpegurl" if name.endswith(".m3u8") else "video/mp2t",
        )

    async def list_collections(self, _request: Request) -> Response:
        """Lists all collections."""
        return JSONResponse({"objects": [asdict(each) for each in self._catalogue.collections()]})

    async def create_collection(self, request: Request) -> Response:
        """Makes a collection from `title`, `parent_id` and, if the caller wants to choose it, `id`."""
        body = await _json(request)
        made = self._catalogue.add_collection(
            _text(body, "title"), _optional(body, "parent_id"), _optional(body, "id")
        )
        return JSONResponse(asdict(made), 201, {"location": f"/api/collections/{made.id}/"})

    async def show_collection(self, request: Request) -> Response:
        """Describes one collection."""
        return JSONResponse(asdict(self._catalogue.collection(request.path_params["collection_id"])))

    async def delete_collection(self, request: Request) -> Response:
        """Deletes an empty collection."""
        self._catalogue.remove_collection(request.path_params["collection_id"])
        return Response(status_code=204)

    async def list_contents(self, request: Request) -> Response:
        """Lists what stands directly in a collection."""
        id_ = self._catalogue.collection(request.path_params["collection_id"]).id
        inner = [asdict(each) for each in self._catalogue.collections(id_)]
        assets = [_described(each) for each in self._catalogue.assets(within=id_)]
        return JSONResponse({"collections": inner, "assets": assets})

    def _asset(self, request: Request) -> Asset:
        return self._catalogue.asset(request.path_params["asset_id"])

    def _playable(self, request: Request) -> Path:
        if not self._asset(request).has_media:
            raise CatalogueError(404, "this asset has nothing to play")
        return self._media


def _route(path: str, endpoint: Endpoint, method: str) -> Route:
    """Makes a route whose errors are answers: a refused change, a broken body, a client that left."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except CatalogueError as error:
            return _error(error.status, str(error))
        except ClientDisconnect:
            return _error(400, "the upload was broken off")

    return Route(path, answer, methods=[method])


def _described(asset: Asset) -> dict[str, Any]:
    """Describes an asset; its URLs are relative, so that they hold behind any gateway."""
    playable = {"proxy_url": "proxy.mp4", "hls_url": "hls/index.m3u8"} if asset.has_media else {}
    return asdict(asset) | playable


def _file(request: Request, path: Path, media_type: str) -> Response:
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise CatalogueError(404, "there is no such file") from None
    answer = FileResponse(path, media_type=media_type, stat_result=facts)
    kept = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if answer.headers["etag"] in kept or "*" in kept:
        return Response(status_code=304, headers={"etag": answer.headers["etag"]})
    if (
        "if-none-match" not in request.headers
        and request.headers.get("if-modified-since") == answer.headers["last-modified"]
    ):
        return Response(status_code=304, headers={"etag": answer.headers["etag"]})
    return answer


async def _json(request: Request) -> dict[str, Any]:
    taken = bytearray()
    async for chunk in request.stream():
        taken += chunk
        if len(taken) > MAX_JSON:
            raise CatalogueError(413, f"a body has at most {MAX_JSON} bytes")
    try:
        body = json.loads(taken)
    except ValueError:
        raise CatalogueError(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise CatalogueError(400, "the body is not a JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise CatalogueError(422, f"`{name}` must be a text")
    return value


def _optional(body: dict[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else _text(body, name)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - digits that fit any counter
        raise CatalogueError(422, f"`{name}` must be a whole number")
    return int(text)


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await _error(404, "there is nothing here")(scope, receive, send)


async def serve(folder: Path, port: int, secret: str) -> None:
    """Serves the demo folder's assets on loopback until SIGTERM or SIGINT."""
    api = AssetApi(
        Catalogue(folder / "assets" / "catalogue.json"), folder / "media", folder / "assets" / "originals"
    )
    app = api.app(secret)

    async def answer(turn: Turn) -> None:
        await app(turn.asgi, turn.receive, turn.send)

    listener = Listener(answer, ServerSection(port=port), LimitsSection(body=MAX_UPLOAD))
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await listener.start()
    await told.wait()
    await listener.stop(0.0)


def main() -> None:
    """Runs the service from the command line."""
    folder, port = sys.argv[1:]
    secret = Path(os.environ[SECRET_FILE]).read_text("utf-8").strip()
    asyncio.run(serve(Path(folder), int(port), secret))


if __name__ == "__main__":
    main()
