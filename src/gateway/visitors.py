"""The pages by which visitors come and go: sign-in by a link, what a visit is, a longer one, the way out.

| method, path below the gateway's prefix | what it does |
|---|---|
| `POST share/sign-in` | `{"hash": LINK, "password": TEXT}` → the token of a visit, which is counted |
| `GET share/visit` | with the token as a Bearer token → what the visit is |
| `PUT share/visit` | makes it longer |
| `DELETE share/visit` | ends it |

Rules:

1. They are there only where `shares.sign_in` says so.
2. Link and password come in a JSON body, never in an address: addresses are logged, kept and sent on. A body that is no JSON of this shape
   is refused before it is looked at. The type of content that is asked for keeps other pages from sending it in a visitor's name.
3. Each request has one audit line, written before anything is told. It names share and recipient, never link, password or token.
4. What is told of a visit has the names of the documented share token.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.audit import Occasion, line_of
from gateway.caching import VARY
from gateway.errors import GatewayError
from gateway.identity import ANONYMOUS, Identity, credential_of
from gateway.inbound import Inbound
from gateway.limits import Told, rate_headers
from gateway.reasons import Reason
from gateway.refusals import refusal
from gateway.whole_body import read_body
from gateway.worker import Worker
from models.sign_in import Visit

LOG = logging.getLogger(__name__)
MAX_BODY: Final = 8_192
"""Bytes of what a visitor sends."""
ALLOWED: Final = "share"


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a visitor sends."""

    hash: str
    password: str = ""


class _Told(msgspec.Struct):
    """What one request comes to."""

    status: int
    document: dict[str, Any] | None
    visit: Visit


Answering = Callable[[Inbound, Request, Told], Awaitable[_Told]]


class Visitors:
    """The pages of one worker."""

    def __init__(self, worker: Worker) -> None:
        """Takes the worker, which is started."""
        self._worker = worker
        self._read = msgspec.json.Decoder(SignIn).decode

    async def sign_in(self, request: Request) -> Response:
        """Answers `POST share/sign-in`."""
        return await self._answered(request, self._signed_in)

    async def visit(self, request: Request) -> Response:
        """Answers `share/visit`."""
        ways: dict[str, Answering] = {"PUT": self._prolonged, "DELETE": self._ended}
        return await self._answered(request, ways.get(request.method, self._shown))

    async def _answered(self, request: Request, answering: Answering) -> Response:
        """Returns the answer of one page; whatever goes wrong is a refusal (rule 3)."""
        worker, scope = self._worker, request.scope["mediagate.turn"].scope
        request_id, begun = os.urandom(12).hex(), time.perf_counter_ns()
        told: Told = []
        inbound: Inbound | None = None
        worker.visits.begin()
        try:
            worker.visits.check(scope)
            inbound = Inbound.of(scope, worker.trusted, request_id, worker.bounds)
            if worker.rates is not None:
                worker.rates.arrived(inbound.client, told)
            found = await answering(inbound, request, told)
            self._audit(scope, request_id, begun, inbound, found.visit, None)
        except GatewayError as error:
            return self._refused(scope, request_id, begun, inbound, error, told)
        except Exception:
            LOG.exception("request %s failed", request_id)
            failure = GatewayError(Reason.INTERNAL)
            return self._refused(scope, request_id, begun, inbound, failure, told)
        finally:
            worker.visits.end()
        headers = [(b"cache-control", b"no-store"), VARY, (b"x-request-id", request_id.encode())]
        body = b"" if found.document is None else msgspec.json.encode(found.document)
        answer = Response(body, found.status, media_type="application/json" if body else None)
        answer.raw_headers += [*headers, *(rate_headers(told) if told else [])]
        return answer

    async def _signed_in(self, inbound: Inbound, request: Request, _told: Told) -> _Told:
        if inbound.fields.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            raise GatewayError(Reason.BAD_BODY, "the content is not application/json")
        body = await read_body(request.receive, MAX_BODY)
        try:
            said = self._read(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise GatewayError(Reason.BAD_BODY, "the body is no JSON object of hash and password") from error
        visit = await self._worker.reception.sign_in(
            said.hash, said.password, inbound.client, inbound.request_id
        )
        return _Told(200, {"token": visit.text, **_document(visit)}, visit)

    async def _shown(self, inbound: Inbound, _request: Request, told: Told) -> _Told:
        visit = await self._worker.reception.shown(await self._visitor(inbound, told))
        return _Told(200, _document(visit), visit)

    async def _prolonged(self, inbound: Inbound, _request: Request, told: Told) -> _Told:
        identity = await self._visitor(inbound, told)
        visit = await self._worker.reception.prolonged(identity, inbound.client, inbound.request_id)
        return _Told(200, _document(visit), visit)

    async def _ended(self, inbound: Inbound, _request: Request, told: Told) -> _Told:
        identity = await self._visitor(inbound, told)
        return _Told(204, None, await self._worker.reception.ended(identity, inbound.request_id))

    async def _visitor(self, inbound: Inbound, told: Told) -> Identity:
        """Returns who asks, if it is a visitor.

        Raises:
            GatewayError: it is nobody or somebody else, or asks too often.
        """
        credential = credential_of(inbound)
        if credential is None:
            raise GatewayError(Reason.SIGNED_IN, "no token came")
        return await self._worker.reception.visitor(credential, inbound.client, told)

    def _refused(
        self,
        scope: Any,  # noqa: ANN401 - the scope of ASGI
        request_id: str,
        begun: int,
        inbound: Inbound | None,
        error: GatewayError,
        told: Told,
    ) -> Response:
        try:
            self._audit(scope, request_id, begun, inbound, None, error)
        except GatewayError as unwritten:
            error = unwritten
        status, headers, body = refusal(error, request_id, self._worker.hidden)
        answer = Response(body, status)
        answer.raw_headers = [*headers, *(rate_headers(told) if told else [])]
        return answer

    def _audit(
        self,
        scope: Any,  # noqa: ANN401 - the scope of ASGI
        request_id: str,
        begun: int,
        inbound: Inbound | None,
        visit: Visit | None,
        error: GatewayError | None,
    ) -> None:
        worker = self._worker
        occasion = Occasion(
            request_id,
            "refused" if error else "allowed",
            inbound.method if inbound else str(scope.get("method", ""))[:32],
            inbound.path if inbound else scope.get("raw_path") or b"",
            inbound.client_text if inbound else "",
            (time.perf_counter_ns() - begun) // 1000,
            worker.facts.revision,
            worker.bundle.digest,
        )
        line = line_of(occasion, ANONYMOUS, None, None, error)
        if visit is not None:
            who = f"share:{visit.share_id}/{visit.recipient_id}"
            line = msgspec.structs.replace(
                line, user=who, reason=ALLOWED, stage="identity", objects=(f"sign-in {visit.key}",)
            )
        worker.audit.write(line)


def _document(visit: Visit) -> dict[str, Any]:
    """Returns what is told of a visit (rule 4)."""
    return {
        "expires": visit.expires,
        "email": visit.email or None,
        "object_type": visit.key.type,
        "object_id": visit.key.id,
        "share_id": visit.share_id,
        "share_user_id": visit.recipient_id,
        "system_domain_id": visit.domain_id,
        "rights": visit.rights,
        "watermark": visit.watermark,
    }
