"""The main path: a request meets the stages in order, as one short function.

request → identity → routes → authorize → prepare → forward → settle. A stage takes values and returns values; what it
cannot accept leaves as a `GatewayError`, which ends here as a refusal, an audit line and nothing else. The backend is not
touched before the verdict is audited.
"""

import logging
import os
import time
from dataclasses import dataclass
from functools import partial

from starlette.types import Scope

from gateway.audit import AuditLine, Occasion, line_of
from gateway.authorize import Verdict
from gateway.bundle import Bundle
from gateway.carry import Passage, carry
from gateway.case import Case
from gateway.cutting import Carrying
from gateway.downstream import Turn
from gateway.effects import Effects
from gateway.errors import ClientGoneError, GatewayError
from gateway.identity import ANONYMOUS, NOT_VALID
from gateway.inbound import Inbound
from gateway.limits import Told, rate_headers
from gateway.options import tell_methods
from gateway.reasons import Reason
from gateway.refusals import refusal
from gateway.sockets import admit, as_get, check_handshake, deny, is_socket, join
from gateway.upstream import UploadBrokenError
from gateway.whole_body import read_body
from gateway.worker import Worker

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Trail:
    """What is known of a request so far, for its one audit line."""

    request_id: str
    begun: int
    scope: Scope
    bundle: Bundle
    inbound: Inbound | None = None
    case: Case | None = None
    audited: bool = False
    line: AuditLine | None = None
    failure: Reason | None = None

    @property
    def judged(self) -> Case:
        """The case, once it was opened."""
        if self.case is None:
            raise LookupError("the request was refused before there was a case")
        return self.case


class Pipeline:
    """What answers every path that is not the gateway's own."""

    def __init__(self, worker: Worker) -> None:
        """Takes the worker that owns everything a process holds."""
        self._worker = worker

    async def __call__(self, turn: Turn) -> None:
        """Serves one request; every failure before the answer begins becomes a refusal."""
        worker, scope = self._worker, turn.scope
        scope = as_get(scope) if is_socket(scope) else scope
        trail = Trail(os.urandom(12).hex(), time.perf_counter_ns(), scope, worker.bundle)
        worker.visits.begin()
        try:
            await self._serve(trail, turn)
        except ClientGoneError:
            LOG.info("request %s: the client left", trail.request_id)
            await self._refuse(trail, GatewayError(Reason.BAD_BODY, "the client left"), turn)
        except GatewayError as error:
            if turn.answering:
                raise
            await self._refuse(trail, error, turn)
        except Exception:
            LOG.exception("request %s failed", trail.request_id)
            if turn.answering:
                raise
            await self._refuse(trail, GatewayError(Reason.INTERNAL), turn)
        finally:
            worker.visits.end()
            worker.tally.ended(trail.line, trail.failure, turn.status, time.perf_counter_ns() - trail.begun)

    async def _serve(self, trail: Trail, turn: Turn) -> None:
        """The stages, in order."""
        worker, scope = self._worker, trail.scope
        if turn.fault is not None:
            raise turn.fault
        worker.visits.check(scope)
        trail.inbound = Inbound.of(scope, worker.trusted, trail.request_id, worker.bounds)
        if is_socket(scope):
            check_handshake(trail.inbound, scope)
        verdict = await self._verdict(trail, trail.inbound, turn)
        case = trail.judged
        if is_socket(scope) and verdict.allowed:
            admit(trail.inbound, case.identity, case.decided.row)
        audit(worker, trail, verdict)
        if not verdict.allowed:
            raise GatewayError(verdict.deciding.decision.refusal, verdict.deciding.decision.detail)
        if case.decided.row.answered:
            await tell_methods(case, turn.send)
            return
        if case.decided.row.operation:
            await self._answer(trail, turn)
            return
        passing = self._pass_on(case, scope, worker.facts.revision, turn)
        await (worker.to_its_end(passing) if case.decided.row.deletes else passing)

    async def _verdict(self, trail: Trail, inbound: Inbound, turn: Turn) -> Verdict:
        """Judges the request, reading its body where the row does."""
        worker = self._worker
        told: Told = []
        try:
            verdict = await first_verdict(worker, trail, inbound, told)
        finally:
            if told:
                turn.more_headers = rate_headers(told)
        case = trail.judged
        while verdict is None:
            case.body = await read_body(turn.receive, case.awaits or 0)
            verdict = await worker.facts.ask(case.verdict)
        if case.identity.token_id:
            worker.note_use(case.identity)
        worker.recent.note(case.identity, case.decided, inbound.client)
        return verdict

    async def _answer(self, trail: Trail, turn: Turn) -> None:
        """Answers what a local service serves; a refusal of its own has a line of its own."""
        desk = self._worker.desk
        if desk is None:
            raise LookupError(f"{trail.judged.decided.row.place} is local, and nothing is served here")
        try:
            await desk.answer(trail.judged, turn)
        except GatewayError:
            trail.audited = False
            raise

    async def _pass_on(self, case: Case, scope: Scope, revision: int, turn: Turn) -> None:
        worker, operation = self._worker, case.decided
        effects = (
            await Effects.prepare(worker.store, operation, case.identity, case.inbound.request_id)
            if operation.row.has_effects
            else None
        )
        limit = worker.settings.limits.effects_answer
        tokens = worker.identity_tokens
        passage = Passage(case.inbound, case.identity, operation, effects, case.body, limit, tokens)
        upstream = worker.upstreams[operation.row.upstream]
        if is_socket(scope):
            running = partial(worker.running.carrying, case, revision)
            await join(passage, upstream, scope, turn, running)
            return
        with Carrying(worker.running, case, revision, effects):
            await carry(passage, upstream, turn)

    async def _refuse(self, trail: Trail, error: GatewayError, turn: Turn) -> None:
        """Audits a refusal that is not yet, and tells the client, if it is there.

        A body that was broken off after its request was allowed is a refusal of its own, with a line of its own.
        """
        if isinstance(error, UploadBrokenError):
            trail.audited = False
        if trail.audited:
            LOG.info("request %s: %s", trail.request_id, error)
        error = audit_failure(self._worker, trail, error)
        if turn.gone or turn.answering:
            return
        status, headers, body = refusal(error, trail.request_id, self._worker.hidden)
        if is_socket(trail.scope):
            await deny(turn.send, status, headers, body)
            return
        await turn.send({"type": "http.response.start", "status": status, "headers": headers})
        await turn.send({"type": "http.response.body", "body": body})


async def first_verdict(worker: Worker, trail: Trail, inbound: Inbound, told: Told) -> Verdict | None:
    """Opens the case and judges as far as the head tells; counts who asks, and a credential that is not valid as a guess.

    Args:
        worker: whose facts and rates count.
        trail: gets the case.
        inbound: the request.
        told: gets the buckets that it was measured by.

    Returns:
        None if the row reads the body.

    Raises:
        GatewayError: as `Case.verdict`, or somebody asks too often.
    """
    rates = worker.rates
    if rates is not None:
        rates.arrived(inbound.client, told)
    try:
        case = trail.case = Case(inbound, trail.bundle, worker.facts)
        if rates is not None and case.has_credential:
            rates.may_guess(inbound.client)
        verdict = await worker.facts.ask(case.verdict)
    except GatewayError as error:
        if rates is not None and error.reason in NOT_VALID:
            rates.failed(inbound.client)
        raise
    if rates is not None:
        rates.known(case.identity, told)
    return verdict


def audit(worker: Worker, trail: Trail, verdict: Verdict | None, error: GatewayError | None = None) -> None:
    """Writes the request's one audit line.

    Raises:
        GatewayError: the audit takes none.
    """
    trail.audited = True
    trail.line = audit_line(trail, verdict, error, worker.facts.revision)
    worker.audit.write(trail.line)


def audit_failure(worker: Worker, trail: Trail, error: GatewayError) -> GatewayError:
    """Audits an error, unless a verdict was; returns what to refuse with: the error, or that the audit took no line."""
    if not trail.audited:
        try:
            audit(worker, trail, None, error)
        except GatewayError as unwritten:
            LOG.error("request %s: %s; refused: %s", trail.request_id, unwritten, error)  # noqa: TRY400
            error = unwritten
    trail.failure = error.reason
    return error


def audit_line(trail: Trail, verdict: Verdict | None, error: GatewayError | None, revision: int) -> AuditLine:
    """Returns the line for a verdict, or for an error before there was one."""
    inbound, case, scope = trail.inbound, trail.case, trail.scope
    occasion = Occasion(
        trail.request_id,
        "allowed" if verdict and verdict.allowed else "refused",
        inbound.method if inbound else str(scope.get("method", ""))[:32],
        inbound.path if inbound else scope.get("raw_path") or b"",
        inbound.client_text if inbound else str((scope.get("client") or ("",))[0]),
        (time.perf_counter_ns() - trail.begun) // 1000,
        revision,
        trail.bundle.digest,
    )
    identity, operation = (case.identity, case.operation) if case else (ANONYMOUS, None)
    return line_of(occasion, identity, operation, verdict, error)
