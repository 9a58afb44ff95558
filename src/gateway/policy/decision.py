"""The values around a decision: what is put to a policy, what it answers, and how it explains itself."""

from dataclasses import dataclass, field

import msgspec

from gateway.reasons import Reason
from models.vocabulary import Request, Resource, Subject


class Question(msgspec.Struct, frozen=True, gc=False):
    """What is put to the policy: may `subject` do `action` with `resource` in this `request`?"""

    subject: Subject
    action: str
    resource: Resource
    request: Request


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer (law 6: one reason, and the place of the rule that says it).

    Attributes:
        allowed: whether a permit held and no gate refused.
        reason: the permit's reason literal, or the value of a `Reason` of the stage authorize.
        rule: `file:line` of the gate or permit; empty for `no-grant` and `policy-error`.
        detail: for the audit, what went wrong in a policy error; else empty. Two decisions may differ in it and be the
            same: Oso numbers its variables anew each time.
    """

    allowed: bool
    reason: str
    rule: str = ""
    detail: str = field(default="", compare=False)

    @property
    def refusal(self) -> Reason:
        """The row of the table for a refusal."""
        return Reason(self.reason)


@dataclass(frozen=True, slots=True)
class Step:
    """One gate or permit in an explanation.

    Attributes:
        kind: `gate` or `permit`.
        name: the gate's name or the permit's reason.
        holds: True, False, or None if it was a policy error.
        rule: `file:line`, several separated by a space if several rules share the name.
        detail: the error, if there was one.
    """

    kind: str
    name: str
    holds: bool | None
    rule: str
    detail: str = ""
