"""One structured line for each decision: who, what, which object, from where, verdict, why, and by which version of everything.

Rules:

1. The line is written before the backend is touched; a line that cannot be written refuses the request (503).
2. It holds no secret: no token, no query, no header, no body. The path is cut to a bound.
3. One `write` call per line on a descriptor opened for appending, so that lines of several workers do not mix.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from gateway.authorize import Verdict
from gateway.errors import GatewayError
from gateway.identity import Identity
from gateway.reasons import TABLE, Reason
from gateway.routes import Operation

MAX_PATH: Final = 1024
"""Bytes of the raw path that a line carries."""


class AuditLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One decision.

    Attributes:
        time: when it was made, UTC.
        request_id: the id that the client was told.
        verdict: `allowed` or `refused`; `cut` if what was allowed lost its right on the way.
        reason: the permit's reason, or the precise reason of refusal.
        stage: the stage that decided.
        method: of the request.
        path: the raw path, without its query.
        client: the believed address.
        latency_us: microseconds from the request's arrival to the decision; of a cut, for how long it was carried.
        revision: the revision of the facts.
        policy: the digest of the bundle.
        route: `file:line` of the matched row.
        user: the user's id, `support:NAME` for support, `share:ID/RECIPIENT` for a visitor, empty if anonymous.
        domain: the user's system domain.
        application: the application of the token.
        proof: how the caller proved who it is.
        objects: action and object of each target that was judged.
        rule: `file:line` of the deciding gate or permit.
        detail: what went wrong, for those who run the gateway.
    """

    time: datetime
    request_id: str
    verdict: str
    reason: str
    stage: str
    method: str
    path: str
    client: str
    latency_us: int
    revision: int
    policy: str
    route: str = ""
    user: str = ""
    domain: str = ""
    application: str = ""
    proof: str = ""
    objects: tuple[str, ...] = ()
    rule: str = ""
    detail: str = ""


class Occasion(msgspec.Struct, frozen=True, gc=False):
    """What a line says of the request and the moment, whatever was decided; as in `AuditLine`, but `path` as it came."""

    request_id: str
    verdict: str
    method: str
    path: bytes
    client: str
    latency_us: int
    revision: int
    policy: str


def line_of(
    occasion: Occasion,
    identity: Identity,
    operation: Operation | None,
    verdict: Verdict | None,
    error: GatewayError | None,
) -> AuditLine:
    """Returns the line for a verdict, or for an error before there was one.

    Args:
        occasion: what it is about.
        identity: who asked.
        operation: what the request is; None if it fell on no row.
        verdict: what was decided; None if nothing was.
        error: why the request ends; of use only without a verdict.
    """
    user, deciding = identity.user, verdict.deciding.decision if verdict else None
    reason = deciding.reason if deciding else error.reason if error else ""
    return AuditLine(  # in the order of the fields: names would cost the hot path more than a microsecond
        datetime.now(UTC),
        occasion.request_id,
        occasion.verdict,
        str(reason),
        "authorize" if deciding else TABLE[error.reason].stage if error else "",
        occasion.method,
        shown_path(occasion.path),
        occasion.client,
        occasion.latency_us,
        occasion.revision,
        occasion.policy,
        operation.row.place if operation else "",
        identity.name,
        user.domain_id if user else "",
        identity.application_id,
        str(identity.proof),
        verdict.named if verdict else (),
        deciding.rule if deciding else "",
        deciding.detail if deciding else error.detail if error else "",
    )


class AuditLog:
    """Where audit lines go: a file, or standard output for `-`.

    Attributes:
        written: lines written.
        failed: lines that could not be written whole.
    """

    def __init__(self, target: str) -> None:
        """Opens the target for appending; a new file is readable by its owner alone.

        Raises:
            OSError: the file cannot be opened.
        """
        self._encode = msgspec.json.Encoder().encode
        self.written = self.failed = 0
        self._owned = target != "-"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(Path(target), flags, 0o600) if self._owned else sys.stdout.fileno()

    def write(self, line: AuditLine) -> None:
        """Appends one line.

        Raises:
            GatewayError: it cannot be written whole (rule 1).
        """
        data = self._encode(line) + b"\n"
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self.failed += 1
            raise GatewayError(
                Reason.AUDIT_UNAVAILABLE, f"writing the audit failed: {error.strerror}"
            ) from error
        if written != len(data):
            self.failed += 1
            raise GatewayError(Reason.AUDIT_UNAVAILABLE, "the audit took only a part of a line")
        self.written += 1

    def close(self) -> None:
        """Closes a file that was opened here."""
        if self._owned:
            os.close(self._file)


def shown_path(path: bytes) -> str:
    """Returns a raw path as audit lines carry it: printable, bounded, without its query."""
    return path.partition(b"?")[0][:MAX_PATH].decode("ascii", "backslashreplace")
