"""One passage that is being carried: what was allowed, the same question put again, and what is recorded when it is cut.

`gateway.rejudging` holds the rules of when it is asked and when it is cut.
"""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from gateway.audit import AuditLine, Occasion, line_of
from gateway.authorize import Verdict
from gateway.bundle import Bundle
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.reasons import Reason
from models.records import MissingFactError

LOG = logging.getLogger(__name__)
Cut = Callable[[GatewayError], bool | None]
"""What `Carried.cut` does, as a function."""


class Outcome(NamedTuple):
    """What judging again gave: `error` says why the passage ends; None lets it go on."""

    case: Case
    verdict: Verdict | None
    error: GatewayError | None


class Carried:
    """One passage as the registry knows it; subclasses say how it is cut."""

    __slots__ = ("begun", "case", "judged", "revision")

    def __init__(self, case: Case, revision: int) -> None:
        """Takes what was allowed, and the revision of the facts that allowed it."""
        self.case = case
        self.revision = revision
        self.begun = self.judged = time.monotonic()

    def cut(self, error: GatewayError) -> bool | None:
        """Ends the passage, in no way that looks like a clean end; False if that must wait: it is asked again in the next round."""
        raise NotImplementedError

    def judged_by(self, bundle: Bundle) -> "Outcome":
        """Puts the question again, to what decides now; pure.

        Raises:
            MissingFactError: a fact is not at hand.
        """
        case, verdict = self.case, None
        try:
            case = case.under(bundle)
            verdict = case.verdict()
        except MissingFactError:
            raise
        except GatewayError as error:
            return Outcome(case, None, error)
        except Exception as fault:
            LOG.exception("request %s cannot be judged again", case.inbound.request_id)
            return Outcome(case, None, GatewayError(Reason.INTERNAL, type(fault).__name__))
        if verdict is None:
            detail = "the row that covers it now reads the body, which is on its way"
            return Outcome(case, None, GatewayError(Reason.NO_ROUTE, detail))
        decision = verdict.deciding.decision
        refused = None if verdict.allowed else GatewayError(decision.refusal, decision.detail)
        return Outcome(case, verdict, refused)


class Called(Carried):
    """One that is cut by a call."""

    __slots__ = ("_cut",)

    def __init__(self, case: Case, revision: int, cut: Cut) -> None:
        """Takes what was allowed, by which facts, and the call."""
        super().__init__(case, revision)
        self._cut = cut

    def cut(self, error: GatewayError) -> bool | None:
        """Calls."""
        return self._cut(error)


def line_of_cut(one: Carried, outcome: Outcome, error: GatewayError, revision: int) -> AuditLine:
    """Returns the audit line of a cut: who and what was let through, and why no longer, by which version of everything."""
    case, inbound = outcome.case, outcome.case.inbound
    lasted, policy = int((time.monotonic() - one.begun) * 1e6), case.bundle.digest
    occasion = Occasion(
        inbound.request_id, "cut", inbound.method, inbound.path, inbound.client_text, lasted, revision, policy
    )
    return line_of(occasion, case.identity, case.operation or one.case.operation, outcome.verdict, error)
