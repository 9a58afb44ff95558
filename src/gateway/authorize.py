"""Stage authorize: the one door to a verdict, for every surface.

Rules:

1. Every target that a request names is judged; the first refusal is the verdict of all.
2. `create` on a path asks about the path if it is registered (overwriting), else about its folder (adding to it).
3. What a deletion in progress holds is closed to all, but only those who may see it learn that (409).
4. A token with a scope passes only where the row demands roles, all of which are in it, or where no credential is needed. That is said of the
   credential and not of the user, so no policy can forget it, and what it leaves is judged as ever.
5. Judging is pure: a missing fact leaves as `MissingFactError`, the caller loads it and judges again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from netaddr import IPAddress

from gateway.identity import Identity
from gateway.policy import Decision, Policy, Question
from gateway.reasons import Reason
from gateway.routes import Operation, Target
from models.records import Facts, ObjectKey, ObjectRecord, UserType
from models.vocabulary import Request, Resource, Subject

_HOME: Final = (Target("read", None),)
"""What a row that names nothing asks about."""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """One target with the policy's decision about it.

    Attributes:
        action: what was asked.
        object: the object that was judged (rule 2); None for the caller's own domain.
        decision: the policy's answer, or `object-held`.
    """

    action: str
    object: ObjectKey | None
    decision: Decision


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """One verdict for all targets of a request; `judged` ends with the first refusal."""

    judged: tuple[Judged, ...]

    @property
    def allowed(self) -> bool:
        """Whether every target is allowed."""
        return bool(self.judged) and self.judged[-1].decision.allowed

    @property
    def deciding(self) -> Judged:
        """The target that refused; the first one if all are allowed."""
        return self.judged[0 if self.judged[-1].decision.allowed else -1]

    @property
    def named(self) -> tuple[str, ...]:
        """Each target that was judged, as the audit names it: its action and `TYPE:ID`, or `-` for the caller's own domain."""
        return tuple(
            [
                f"{each.action} {each.object.type}:{each.object.id}" if each.object else f"{each.action} -"
                for each in self.judged
            ]
        )


class Authorizer(msgspec.Struct, frozen=True, gc=False):
    """Judges operations by one policy and one source of facts.

    Attributes:
        policy: the loaded Polar files.
        facts: records of one revision.
        role_floor: the lowest user type that may hold each role.
        holds: whether what a deletion in progress holds is closed (rule 3); not for what is under way already.
    """

    policy: Policy
    facts: Facts
    role_floor: Mapping[str, UserType]
    holds: bool = True

    def judge(self, identity: Identity, operation: Operation, client: IPAddress, now: datetime) -> Verdict:
        """Returns the verdict for all targets of `operation`.

        Raises:
            MissingFactError: a fact is not at hand (rule 5).
        """
        row, facts = operation.row, self.facts
        if (
            identity.scope is not None
            and not row.anonymous
            and not (row.roles and identity.scope.issuperset(row.roles))
        ):
            first = (operation.targets or _HOME)[0]
            return Verdict(
                (Judged(first.action, first.object, Decision(allowed=False, reason=Reason.SCOPE)),)
            )
        request = Request(client, now, row.roles, row.anonymous, identity.application_id)
        subject = Subject(facts, identity.user, self.role_floor, identity.support, identity.share)
        judged: list[Judged] = []
        for target in operation.targets or _HOME:
            action, key = target.action, target.object
            if action == "create":
                key = self._subject_matter(target)
            decision = self.decision(target, Question(subject, action, Resource(facts, key, now), request))
            judged.append(Judged(action, key, decision))
            if not decision.allowed:
                break
        return Verdict(tuple(judged))

    def question(self, subject: Subject, target: Target, request: Request) -> Question:
        """Returns what is put to the policy for one target (rule 2)."""
        resource = Resource(self.facts, self._subject_matter(target), request.now)
        return Question(subject, target.action, resource, request)

    def decision(self, target: Target, question: Question) -> Decision:
        """Returns the policy's answer, closed by a deletion in progress (rule 3)."""
        decision = self.policy.decide(question)
        if not (decision.allowed and self.holds):
            return decision
        asked = question.resource
        if (
            asked if asked.key is target.object else Resource(self.facts, target.object, asked.now)
        ).is_held():
            return Decision(allowed=False, reason=Reason.OBJECT_HELD)
        return decision

    def _subject_matter(self, target: Target) -> ObjectKey | None:
        if target.action != "create" or target.object is None:
            return target.object
        folder = target.object.folder()
        if folder is None:
            return target.object
        record = self.facts.get(target.object.fact)
        return target.object if isinstance(record, ObjectRecord) and record.registered else folder
