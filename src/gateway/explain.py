"""Explaining a decision: every gate and permit with its verdict, and where a grant came from.

The same policy, facts and judge as a request meets; nothing is decided a second way.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from netaddr import IPAddress

from gateway.authorize import Authorizer
from gateway.bundle import Bundle
from gateway.policy import Decision, Step
from gateway.routes import Target
from models.records import (
    PERMISSION_NAMES,
    Facts,
    Grant,
    MissingFactError,
    ObjectKey,
    Record,
    ShareRecord,
    UserRecord,
)
from models.store import Mark, Store
from models.vocabulary import Request, Subject

MAX_LOADS = 1_000
"""Loads that one explanation may cause."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to explain: may `user_id` (None: nobody, who of `support`, or a visitor of the share `share_id`) do `action` with `object`, from `address`, at `at`, with a token of an application?"""

    user_id: str | None
    action: str
    object: ObjectKey | None
    address: IPAddress
    at: datetime
    roles: tuple[str, ...] = ()
    application_id: str = ""
    support: str = ""
    share_id: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with everything that led to it.

    Attributes:
        decision: what a request would have met.
        judged: the object that was judged: for `create` on an unregistered path, its folder.
        steps: every gate and permit in order.
        grants: permission → the entries that grant it to the user, own before inherited.
        revision: the revision of the facts.
    """

    decision: Decision
    judged: ObjectKey | None
    steps: tuple[Step, ...]
    grants: dict[str, tuple[Grant, ...]]
    revision: int


class _Loaded(Facts):
    """Facts loaded one miss at a time, all at one revision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.mark: Mark | None = None
        self.records: dict[str, Record | None] = {}

    def get(self, key: str) -> Record | None:
        if key not in self.records:
            raise MissingFactError(key)
        return self.records[key]

    def load(self, keys: Collection[str]) -> None:
        batch = self._store.load(self.mark, keys)
        if (
            self.mark is not None and batch.mark != self.mark
        ):  # someone committed: begin again at the new revision
            self.records.clear()
        self.mark = batch.mark
        self.records.update(batch.records)


def explain(bundle: Bundle, store: Store, ask: Ask) -> Explanation:
    """Returns why the answer is what it is.

    Raises:
        StoreUnavailableError: the store does not answer.
        LookupError: there is no such user or share.
    """
    facts = _Loaded(store)
    for _ in range(MAX_LOADS):
        try:
            return _explained(bundle, facts, ask)
        except MissingFactError as missing:
            facts.load((missing.key,))
    raise LookupError(f"more than {MAX_LOADS} loads were needed")


def _explained(bundle: Bundle, facts: _Loaded, ask: Ask) -> Explanation:
    user = facts.get(f"user:{ask.user_id}") if ask.user_id is not None else None
    if ask.user_id is not None and not isinstance(user, UserRecord):
        raise LookupError(f"no user has the id `{ask.user_id}`")
    share = facts.get(f"share:{ask.share_id}") if ask.share_id else None
    if ask.share_id and not isinstance(share, ShareRecord):
        raise LookupError(f"no share has the id `{ask.share_id}`")
    request = Request(ask.address, ask.at, roles=ask.roles, application=ask.application_id)
    authorizer = Authorizer(bundle.policy, facts, bundle.role_floor)
    target = Target(ask.action, ask.object)
    known = user if isinstance(user, UserRecord) else None
    visited = share if isinstance(share, ShareRecord) else None
    subject = Subject(facts, known, bundle.role_floor, ask.support, visited)
    question = authorizer.question(subject, target, request)
    decision = authorizer.decision(target, question)
    grants = {name: question.resource.grants_of(name, question.subject) for name in PERMISSION_NAMES}
    return Explanation(
        decision=decision,
        judged=question.resource.key,
        steps=tuple(bundle.policy.explain(question)),
        grants={name: found for name, found in grants.items() if found},
        revision=facts.mark.revision if facts.mark else 0,
    )
