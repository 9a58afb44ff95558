"""A visitor of a share: allowed is what the policy allows to the visitor and, at that moment, to who shared it.

Rules:

1. The sharer is asked the same question by the same policy, with the sharer's own facts, as one who also holds the role to share.
2. The sharer does not come from where the visitor comes from: allow-lists of users are not asked, the rest of the gates is.
3. There is no other way to a decision about a visitor: `Policy.decide` and the proving of scenarios go through here.
"""

from collections.abc import Callable
from typing import Final

from gateway.policy.decision import Decision, Question
from gateway.reasons import Reason
from models.records import UserRecord
from models.vocabulary import Request, Subject

SHARING: Final = "can_write_shares"
"""The role that a user needs to share, and as long as what was shared is to be of use."""


def through_share(question: Question, ask: Callable[[Question], Decision]) -> Decision:
    """Returns the decision about a question, of which `ask` knows what the policy says of a single subject.

    Raises:
        MissingFactError: a fact is not at hand.
    """
    decision = ask(question)
    if question.subject.share is None or not decision.allowed:
        return decision
    sharer = ask(_sharers(question))
    if sharer.allowed:
        return decision
    detail = f"who shared it is refused as {sharer.reason}"
    return Decision(allowed=False, reason=Reason.SHARER, rule=sharer.rule, detail=detail)


def _sharers(question: Question) -> Question:
    """Returns the question as the sharer would put it (rules 1 and 2)."""
    subject, request = question.subject, question.request
    user = subject.facts.get(subject.share.owner_fact) if subject.share is not None else None
    sharer = Subject(
        subject.facts, user if isinstance(user, UserRecord) else None, subject.role_floor, is_absent=True
    )
    asked = Request(request.address, request.now, (*request.roles, SHARING), request.anonymous)
    return Question(sharer, question.action, question.resource, asked)
