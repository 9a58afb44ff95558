"""Forward auth: a proxy asks whether its client's request may pass, gets the gateway's verdict, and carries the traffic itself.

Rules:

1. Only configured peers may ask (`forward_auth.peers`), known by the address of their connection; without any, the pages do not exist.
2. The original request is rebuilt as the scope that it would have had here, and from then on it is any other request: `Inbound.of`,
   `Case`, one audit line, written before the proxy is answered.
3. What states the original request comes exactly once, and none of it has a default: a proxy whose configuration leaves one to
   its clients is refused from its first request on, not only when somebody uses it.
4. The client is the address that the proxy states in `X-Original-Client`. `X-Forwarded-For` is not read: Envoy appends an
   address of its own to what it asks with, and an allow-list would be judged for that one.
5. Envoy joins a header that came several times by commas, and sends the backend all of them: such values are taken apart again, so
   that what must come once is refused.
6. A verdict is all that a proxy can carry out: rows that read the body, change facts, drop headers or are answered by the gateway
   itself are refused here.
7. Where the upstream of the row has an `audience`, the answer carries the signed identity token for it (`gateway.identity_token`): whoever sends the
   request to another backend sends a token that proves nothing there.
8. A question is one of the requests under way, and refused as they are when these are too many (`gateway.visits`).
9. nginx knows three answers, and takes any other for a failure (500): 2xx, 401 and 403. Envoy passes a refusal on as it is.

What the proxies must be told is `docs/forward-auth.md`; tests run the configurations that stand there.
"""

import logging
import os
import time
from collections.abc import Awaitable
from functools import lru_cache
from typing import Final, NamedTuple

from starlette.types import Scope

from gateway.case import Case
from gateway.downstream import App, Turn
from gateway.errors import ClientGoneError, GatewayError
from gateway.headers import identity_headers, share_headers
from gateway.inbound import Inbound
from gateway.pipeline import Trail, audit, audit_failure, first_verdict
from gateway.reasons import TABLE, Reason
from gateway.refusals import refusal
from gateway.routes.table import hiding_place
from gateway.worker import Worker
from models.networks import AddressError, NetworkSet, canonical_address

LOG = logging.getLogger(__name__)

URI: Final = b"x-original-uri"
METHOD: Final = b"x-original-method"
HOST: Final = b"x-original-host"
CLIENT: Final = b"x-original-client"
MAX_STATED: Final = 64
"""Characters of a stated method or address that are read; no real one is longer."""

_BY_NGINX: Final = frozenset((URI, METHOD, HOST, CLIENT))
_BY_ENVOY: Final = frozenset((CLIENT,))
_OF_THE_QUESTION: Final = frozenset((b"connection", b"content-length", b"transfer-encoding"))
"""Headers that describe the proxy's question, not the request that it is about."""
_NOBODY: Final = NetworkSet()

_OK: Final = 200
_NO_CONTENT: Final = 204
_UNAUTHENTICATED: Final = 401
_FORBIDDEN: Final = 403
_BROKEN: Final = 500
_NOT_FOR_NGINX: Final = frozenset((b"content-type", b"content-length", b"connection"))
_NO_STORE: Final = (b"cache-control", b"no-store")
_EMPTY: Final = (b"content-length", b"0")

Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """What a proxy is told."""

    status: int
    headers: Headers
    body: bytes = b""


class Nginx:
    """The module `auth_request`: the original request stands in headers, the answer is a status and headers."""

    @staticmethod
    def original(scope: Scope, _below: bytes) -> Scope:
        """Returns the scope of the original request.

        Raises:
            GatewayError: a header that states it is missing, repeated or too long.
        """
        stated, others = _split(scope["headers"], _BY_NGINX)
        path, _, query = stated[URI].partition(b"?")
        others.append((b"host", stated[HOST]))
        return _rebuilt(scope, _short(stated, METHOD), (path, query), others, _short(stated, CLIENT))

    @staticmethod
    def allowed(headers: Headers) -> Answer:
        """Returns the answer that lets the request pass."""
        return Answer(_NO_CONTENT, headers)

    @staticmethod
    def refused(error: GatewayError, request_id: str, hidden: frozenset[Reason], _method: str) -> Answer:
        """Returns the answer that refuses it (rule 9); the reason told outside stands in a header, since nginx drops the body."""
        status, headers, _ = refusal(error, request_id, hidden)
        if status not in (_UNAUTHENTICATED, _FORBIDDEN) and status < _BROKEN:
            status = _FORBIDDEN
        kept = [pair for pair in headers if pair[0] not in _NOT_FOR_NGINX]
        return Answer(
            status, [*kept, _EMPTY, (b"x-mediagate-reason", TABLE[error.reason].public.value.encode())]
        )


class Envoy:
    """The filter `ext_authz` with an HTTP service: the question has the original method, and its path below a prefix."""

    @staticmethod
    def original(scope: Scope, below: bytes) -> Scope:
        """Returns the scope of the original request, whose path is the raw bytes `below` the page.

        Raises:
            GatewayError: `X-Original-Client` is missing, repeated or too long.
        """
        stated, others = _split(scope["headers"], _BY_ENVOY)
        headers: Headers = []
        for pair in others:
            if b"," in pair[1]:
                headers.extend((pair[0], part.strip()) for part in pair[1].split(b","))  # rule 5
            else:
                headers.append(pair)
        target = (below, scope["query_string"])
        return _rebuilt(scope, scope["method"], target, headers, _short(stated, CLIENT))

    @staticmethod
    def allowed(headers: Headers) -> Answer:
        """Returns the answer that lets the request pass: 200 and no other status of its kind."""
        return Answer(_OK, [*headers, _EMPTY])

    @staticmethod
    def refused(error: GatewayError, request_id: str, hidden: frozenset[Reason], method: str) -> Answer:
        """Returns the answer that Envoy gives its client."""
        status, headers, body = refusal(error, request_id, hidden)
        kept = [pair for pair in headers if pair[0] != b"connection"]  # the connection is the proxy's
        return Answer(status, kept, b"" if method == "HEAD" else body)


Proxy = type[Nginx] | type[Envoy]


class ForwardAuth:
    """What stands in front of everything else: it answers proxies, and leaves all other requests to `behind`."""

    def __init__(self, worker: Worker, behind: App) -> None:
        """Takes the worker that owns everything a process holds, and who serves other paths."""
        self._worker, self._behind = worker, behind
        self._peers = worker.settings.forward_auth.networks
        self._prefix = f"{worker.settings.server.prefix}auth/".encode()
        self._nginx, self._envoy = self._prefix + b"nginx", self._prefix + b"envoy"
        self._is_peer = lru_cache(maxsize=1024)(self._admits)

    def __call__(self, turn: Turn) -> Awaitable[None]:
        """Serves one request; pages are matched on the raw path."""
        scope = turn.scope
        path: bytes = scope["raw_path"]
        if path.startswith(self._prefix) and turn.fault is None and scope["type"] == "http":
            if path == self._nginx:
                return self._counted(Nginx, turn, b"")
            if path.startswith(self._envoy):
                return self._counted(Envoy, turn, path[len(self._envoy) :])
        return self._behind(turn)

    async def _counted(self, proxy: Proxy, turn: Turn, below: bytes) -> None:
        """Answers one question as one of the requests under way (rule 8)."""
        visits = self._worker.visits
        visits.begin()
        try:
            await self._answer(proxy, turn, below)
        except ClientGoneError:
            LOG.info("a proxy took nothing of its answer")
        finally:
            visits.end()

    async def _answer(self, proxy: Proxy, turn: Turn, below: bytes) -> None:
        """Judges the original request and tells the proxy; every failure is a refusal."""
        scope = turn.scope
        trail = Trail(os.urandom(12).hex(), time.perf_counter_ns(), scope, self._worker.bundle)
        try:
            self._worker.visits.check(scope)
            if not self._is_peer((scope.get("client") or ("",))[0]):
                raise GatewayError(Reason.FORWARD_AUTH_PEER, "not one of `forward_auth.peers`")  # noqa: TRY301
            trail.scope = proxy.original(scope, below)
            answer = await self._verdict(proxy, trail)
        except GatewayError as error:
            answer = self._refused(proxy, trail, error)
        except Exception:
            LOG.exception("request %s failed", trail.request_id)
            answer = self._refused(proxy, trail, GatewayError(Reason.INTERNAL))
        whole = time.perf_counter_ns() - trail.begun
        self._worker.tally.ended(trail.line, trail.failure, answer.status, whole)
        await turn.send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await turn.send({"type": "http.response.body", "body": answer.body})

    async def _verdict(self, proxy: Proxy, trail: Trail) -> Answer:
        """Returns the answer to a request that may pass; the stages as `gateway.pipeline` orders them.

        Raises:
            GatewayError: it may not.
        """
        worker = self._worker
        trail.inbound = Inbound.of(trail.scope, _NOBODY, trail.request_id, worker.bounds)
        verdict = await first_verdict(worker, trail, trail.inbound, [])
        case = trail.judged
        identity = case.identity
        if verdict is None:
            if identity.is_anonymous:  # whether such a row exists is nothing for everybody
                raise GatewayError(Reason.SIGNED_IN, "the row reads the body")
            raise GatewayError(Reason.GATEWAY_ONLY, "the row reads the body, which proxies do not send")
        if identity.token_id:
            worker.note_use(identity)
        worker.recent.note(identity, case.decided, trail.inbound.client)
        if verdict.allowed:
            _check_is_enough(case)
        audit(worker, trail, verdict)
        if not verdict.allowed:
            raise GatewayError(verdict.deciding.decision.refusal, verdict.deciding.decision.detail)
        headers = [_NO_STORE, (b"x-request-id", trail.request_id.encode())]
        if identity.user is not None:
            headers += identity_headers(identity.user.id, identity.user.domain_id)
        if identity.share is not None:
            headers += share_headers(identity.share, identity.recipient_id)
        upstream, tokens = case.decided.row.upstream, worker.identity_tokens
        headers += tokens.headers(upstream, identity.user, identity.share, identity.recipient_id)
        return proxy.allowed(headers)

    def _refused(self, proxy: Proxy, trail: Trail, error: GatewayError) -> Answer:
        error = audit_failure(self._worker, trail, error)
        return proxy.refused(error, trail.request_id, self._worker.hidden, trail.scope["method"])

    def _admits(self, peer: str) -> bool:
        try:
            return self._peers.admits(canonical_address(peer))
        except AddressError:
            return False


def in_front(app: App, worker: Worker) -> App:
    """Returns the application that also answers the configured proxies; `app` itself where there are none (rule 1)."""
    return ForwardAuth(worker, app) if worker.settings.forward_auth.peers else app


def _check_is_enough(case: Case) -> None:
    """Refuses what a verdict alone does not serve (rule 6)."""
    row = case.decided.row
    if hiding_place(row, case.inbound) is not None:
        raise GatewayError(
            Reason.GATEWAY_ONLY, "the body, which proxies do not send, may name another method"
        )
    if row.has_effects:
        raise GatewayError(Reason.GATEWAY_ONLY, f"{row.place} changes facts when the backend answers")
    if row.answered or row.operation:
        raise GatewayError(Reason.GATEWAY_ONLY, f"{row.place} is answered by the gateway, not by a backend")
    if row.drop_headers:
        raise GatewayError(Reason.GATEWAY_ONLY, f"{row.place} drops headers, which proxies would send on")


def _split(headers: Headers, names: frozenset[bytes]) -> tuple[dict[bytes, bytes], Headers]:
    """Returns what the proxy states, by name, and the headers of the original request."""
    stated: dict[bytes, bytes] = {}
    others: Headers = []
    host_is_stated = HOST in names
    for pair in headers:
        name = pair[0]
        if name in names:
            if name in stated:
                raise GatewayError(Reason.BAD_HEADERS, f"the proxy stated `{name.decode()}` twice")
            stated[name] = pair[1]
        elif name not in _OF_THE_QUESTION and not (host_is_stated and name == b"host"):
            others.append((name, pair[1]))
    if len(stated) < len(names):
        missing = min(names - stated.keys()).decode()
        raise GatewayError(Reason.BAD_HEADERS, f"the proxy did not state `{missing}`")
    return stated, others


def _short(stated: dict[bytes, bytes], name: bytes) -> str:
    if len(stated[name]) > MAX_STATED:
        raise GatewayError(Reason.BAD_HEADERS, f"`{name.decode()}` is longer than {MAX_STATED} bytes")
    return stated[name].decode("latin-1")


def _rebuilt(scope: Scope, method: str, target: tuple[bytes, bytes], headers: Headers, client: str) -> Scope:
    """Returns the scope that the original request would have had here."""
    return {
        "type": "http",
        "method": method,
        "scheme": scope["scheme"],
        "raw_path": target[0],
        "query_string": target[1],
        "headers": headers,
        "client": (client, 0),
    }
