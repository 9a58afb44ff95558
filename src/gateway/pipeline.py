"""The main path: a request meets the stages in order, as one short function.

request → identity → routes → authorize → prepare → forward → settle. A stage takes values and returns values; what it
cannot accept leaves as a `GatewayError`, which ends here as a refusal, an audit line and nothing else. The backend is not
touched before the verdict is audited.
"""

import logging
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import Message, Receive, Scope, Send

from gateway.audit import AuditLine, shown_path
from gateway.authorize import Authorizer, Verdict
from gateway.bundle import Bundle
from gateway.carry import Passage, carry
from gateway.effects import Effects
from gateway.errors import GatewayError
from gateway.forward import ClientGoneError
from gateway.identity import ANONYMOUS, Credential, Identity, credential_of, identify
from gateway.inbound import Inbound
from gateway.reasons import TABLE, Reason
from gateway.refusals import refusal
from gateway.routes import Operation
from gateway.worker import Worker

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trail:
    """What is known of a request so far, for its one audit line."""

    request_id: str
    begun: int
    scope: Scope
    bundle: Bundle
    inbound: Inbound | None = None
    identity: Identity = ANONYMOUS
    operation: Operation | None = None
    audited: bool = False
    answering: bool = False
    line: AuditLine | None = None
    failure: Reason | None = None
    status: int = 0


class Pipeline:
    """The ASGI application behind every path that is not the gateway's own."""

    def __init__(self, worker: Worker) -> None:
        """Takes the worker that owns everything a process holds."""
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; every failure before the answer begins becomes a refusal."""
        trail = _Trail(os.urandom(12).hex(), time.perf_counter_ns(), scope, self._worker.bundle)

        async def sending(message: Message) -> None:
            trail.answering = True
            trail.status = trail.status or message.get("status", 0)
            await send(message)

        try:
            await self._serve(trail, receive, sending)
        except ClientGoneError:
            LOG.info("request %s: the client left, or its body ended wrongly", trail.request_id)
            if (
                not trail.answering
            ):  # the server tells a broken body and a client that left apart from nothing else
                await self._refuse(
                    trail, GatewayError(Reason.BAD_BODY, "the body did not end as it said"), send
                )
        except GatewayError as error:
            if trail.answering:
                raise
            await self._refuse(trail, error, send)
        except Exception:
            LOG.exception("request %s failed", trail.request_id)
            if trail.answering:
                raise
            await self._refuse(trail, GatewayError(Reason.INTERNAL), send)
        finally:
            whole = time.perf_counter_ns() - trail.begun
            self._worker.tally.ended(trail.line, trail.failure, trail.status, whole)

    async def _serve(self, trail: _Trail, receive: Receive, send: Send) -> None:
        """The stages, in order."""
        if trail.scope["type"] != "http":
            raise GatewayError(Reason.WEBSOCKET)
        inbound = trail.inbound = Inbound.of(trail.scope, self._worker.trusted, trail.request_id)
        credential = credential_of(inbound)
        trail.identity = await self._identify(credential)
        operation, body = await self._operation(trail, inbound, receive)
        verdict = await self._authorize(trail, credential, operation, inbound)
        if not verdict.allowed:
            raise GatewayError(verdict.deciding.decision.refusal, verdict.deciding.decision.detail)
        passing = self._pass_on(trail, inbound, operation, body, receive, send)
        await (self._worker.to_its_end(passing) if operation.row.deletes else passing)

    async def _identify(self, credential: Credential | None) -> Identity:
        if credential is None:
            return ANONYMOUS
        keeper = self._worker.facts
        identity = await keeper.ask(lambda: identify(credential, keeper, datetime.now(UTC)))
        self._worker.note_use(identity)
        return identity

    async def _operation(
        self, trail: _Trail, inbound: Inbound, receive: Receive
    ) -> tuple[Operation, bytes | None]:
        match = trail.bundle.routes.match(inbound)
        if match is None:
            missing = Reason.NO_ROUTE if trail.identity.user else Reason.SIGNED_IN
            raise GatewayError(missing, "no row of the route maps covers the request")
        body = await read_body(receive, match.row.body_limit) if match.row.reads_body else None
        trail.operation = trail.bundle.routes.operation(match, inbound, body)
        return trail.operation, body

    async def _authorize(
        self, trail: _Trail, credential: Credential | None, operation: Operation, inbound: Inbound
    ) -> Verdict:
        """Judges, and audits the verdict before anything else happens."""
        keeper = self._worker.facts
        judge = Authorizer(trail.bundle.policy, keeper, trail.bundle.role_floor).judge

        def question() -> tuple[Identity, Verdict]:
            now = datetime.now(UTC)
            identity = identify(credential, keeper, now)  # again, so that who and what are of one revision
            return identity, judge(identity, operation, inbound.client, now)

        trail.identity, verdict = await keeper.ask(question)
        self._worker.recent.note(trail.identity, operation, inbound.client)
        self._audit(trail, verdict)
        return verdict

    async def _pass_on(
        self,
        trail: _Trail,
        inbound: Inbound,
        operation: Operation,
        body: bytes | None,
        receive: Receive,
        send: Send,
    ) -> None:
        worker = self._worker
        effects = await Effects.prepare(worker.store, operation, trail.identity, trail.request_id)
        limit = worker.settings.limits.effects_answer
        passage = Passage(inbound, trail.identity, operation, effects, body, limit)
        await carry(passage, worker.upstreams[operation.row.upstream], receive, send)

    def _audit(self, trail: _Trail, verdict: Verdict | None, error: GatewayError | None = None) -> None:
        trail.audited = True
        trail.line = audit_line(trail, verdict, error, self._worker.facts.revision)
        self._worker.audit.write(trail.line)

    async def _refuse(self, trail: _Trail, error: GatewayError, send: Send) -> None:
        if trail.audited:
            LOG.info("request %s: %s", trail.request_id, error)
        else:
            try:
                self._audit(trail, None, error)
            except GatewayError as unwritten:
                LOG.error("request %s: %s; refused: %s", trail.request_id, unwritten, error)  # noqa: TRY400
                error = unwritten
        if trail.scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        trail.failure = error.reason
        status, headers, body = refusal(error, trail.request_id, self._worker.hidden)
        trail.status = status
        content = b"" if trail.scope["method"] == "HEAD" else body
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def audit_line(
    trail: _Trail, verdict: Verdict | None, error: GatewayError | None, revision: int
) -> AuditLine:
    """Returns the line for a verdict, or for an error before there was one."""
    inbound, user, operation = trail.inbound, trail.identity.user, trail.operation
    deciding = verdict.deciding.decision if verdict else None
    reason = deciding.reason if deciding else error.reason.value if error else ""
    return AuditLine(
        time=datetime.now(UTC),
        request_id=trail.request_id,
        verdict="allowed" if verdict and verdict.allowed else "refused",
        reason=str(reason),
        stage="authorize" if verdict else TABLE[error.reason].stage if error else "",
        method=str(trail.scope.get("method", ""))[:32],
        path=shown_path(trail.scope.get("raw_path") or b""),
        client=str(inbound.client) if inbound else str((trail.scope.get("client") or ("",))[0]),
        latency_us=(time.perf_counter_ns() - trail.begun) // 1000,
        revision=revision,
        policy=trail.bundle.digest,
        route=operation.row.place if operation else "",
        user=user.id if user else "",
        domain=user.domain_id if user else "",
        application=trail.identity.application_id,
        proof=trail.identity.proof.value,
        objects=tuple(f"{each.action} {each.object or '-'}" for each in verdict.judged) if verdict else (),
        rule=deciding.rule if deciding else "",
        detail=deciding.detail if deciding else error.detail if error else "",
    )


async def read_body(receive: Receive, limit: int) -> bytes:
    """Returns the whole body of a request whose row reads it.

    Raises:
        GatewayError: it is longer than `limit` bytes, or the client left.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise GatewayError(Reason.BAD_BODY, "the client left before the body was complete")
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > limit:
            raise GatewayError(Reason.BODY_TOO_LARGE, f"more than {limit} bytes")
    return b"".join(parts)
