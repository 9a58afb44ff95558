"""What an operation of a local service gets: who asks, what the path says, the store, and the policy.

Rules:

1. Whoever asks sees one domain, the caller's own. What belongs to another one is told as not being there.
2. What an operation asks of the policy besides what its row did is asked as a row would ask it: action, object, roles and the token's
   scope, the same client, and what is held by a deletion.
3. A change is made under `write`, where `unchanged` compares the caller's condition with what stands there: two administrators do not
   overwrite each other (`gateway.api.conditions`, rule 5).
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from gateway.api.attempts import Attempt, Attempts
from gateway.api.conditions import may_change, tag_of
from gateway.api.paging import MAX_SIZE, Listed, Page
from gateway.authorize import Authorizer, Verdict
from gateway.case import Case
from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.identity import Identity, Proof
from gateway.local_services import type_of
from gateway.reasons import Reason
from gateway.reception import Reception
from gateway.routes import ObjectForm, Operation, Row, Target
from models.changes import Guard
from models.door import WriteSession
from models.records import ObjectKey, UserRecord, is_word
from models.store import Store

L = TypeVar("L", bound=Listed)
Found = TypeVar("Found")


class Call:
    """One request to an operation; used in a thread of its own.

    Attributes:
        case: the request as it was judged.
        roles: the catalogue of roles of the bundle that judged it.
        reception: where visitors come in; for operations that are awaited.
    """

    def __init__(
        self, case: Case, store: Store, facts: FactsKeeper, attempts: Attempts, reception: Reception
    ) -> None:
        """Takes the judged request; made on the loop on which facts are kept."""
        self.case = case
        self._store, self._facts, self._attempts = store, facts, attempts
        self.reception = reception
        self._loop = asyncio.get_running_loop()
        self.roles = case.bundle.role_floor

    @property
    def user(self) -> UserRecord:
        """Who asks: a user.

        Raises:
            GatewayError: ROLE, since support and visitors have no account.
        """
        user = self.case.identity.user
        if user is None:
            raise GatewayError(Reason.ROLE, "the caller has no account")
        return user

    @property
    def domain_id(self) -> str:
        """The caller's domain (rule 1)."""
        return self.user.domain_id

    @property
    def is_admin(self) -> bool:
        """Whether the caller is a domain owner, by a token that is good for everything."""
        return self.user.is_admin and self.case.identity.scope is None

    @property
    def author(self) -> str:
        """Who changes, for the log of changes."""
        user, request = self.case.identity.user, f"request:{self.case.inbound.request_id}"
        return f"user:{user.id} {request}" if user is not None else request

    @property
    def guard(self) -> Guard:
        """Whom a change of allow-lists, groups or admins must leave let in: the caller, from where it asks."""
        identity = self.case.identity
        return Guard(self.case.inbound.client, self.user.id, identity.application_id)

    @property
    def key(self) -> ObjectKey:
        """The object that the path names, and that was judged."""
        key = self.case.decided.targets[0].object
        if key is None:
            raise LookupError(f"{self.case.decided.row.place} names no object")
        return key

    def parameter(self, name: str) -> str:
        """Returns a parameter of the path, decoded."""
        return self.case.inbound.segments[self.case.decided.row.parameters[name].at]

    def key_of(self, documented: str, id_: str) -> ObjectKey:
        """Returns the key of an object that the documented API names by type and id.

        Raises:
            GatewayError: BAD_VALUE, since it can be no object's.
        """
        type_ = type_of(documented)
        if not is_word(type_):
            raise GatewayError(Reason.BAD_VALUE, "this is no type of object")
        form = self.case.bundle.routes.forms.get(type_) or ObjectForm(type_)
        try:
            return form.of_text(id_)
        except ValueError as error:
            raise GatewayError(Reason.BAD_VALUE, f"`{type_}`: {error}") from error

    def page(self, max_size: int = MAX_SIZE) -> Page:
        """Returns the page of a list that is asked for."""
        return Page.of(self.case.inbound.query_pairs(), max_size)

    def paged(self, objects: list[Any], total: int, page: Page) -> dict[str, Any]:
        """Returns a page of a list as it is told."""
        inbound = self.case.inbound
        return page.envelope(objects, total, inbound.path.decode("ascii"), inbound.query_pairs())

    def cut(self, objects: list[Any], max_size: int = MAX_SIZE) -> dict[str, Any]:
        """Returns the page that is asked for of a list that is at hand whole."""
        page = self.page(max_size)
        return self.paged(objects[page.offset : page.offset + page.size], len(objects), page)

    def listed(
        self,
        session: Session,
        query: Select[Found],
        told: Callable[[Found], msgspec.Struct],
        kind: type[L],
        max_size: int = MAX_SIZE,
    ) -> L:
        """Returns the page that is asked for of what a query finds; no more is read than stands on it.

        Args:
            session: a snapshot.
            query: finds rows, in an order that leaves nothing open.
            told: makes the document of one.
            kind: the list's own type.
            max_size: the largest page of this list.
        """
        page = self.page(max_size)
        total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
        rows = session.scalars(query.offset(page.offset).limit(page.size)).all()
        return msgspec.convert(self.paged([told(row) for row in rows], total, page), kind)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yields a session on one snapshot."""
        with self._store.read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """Yields the session of a commit; at the end of the block it holds, after an exception nothing of it does."""
        with self._store.write(self.author) as commit:
            yield commit.session

    def unchanged(self, document: object) -> None:
        """Compares the condition of the request with what stands there (rule 3).

        Args:
            document: what the caller is shown of it now; None if there is nothing.

        Raises:
            GatewayError: PRECONDITION, it has changed since; BAD_HEADERS, the condition cannot be read.
        """
        lines = [value for name, value in self.case.inbound.headers if name == b"if-match"]
        if not may_change(lines, tag_of(document) if document is not None else None):
            raise GatewayError(Reason.PRECONDITION, "the entity tag is not the current one")

    def may(self, action: str, key: ObjectKey, *roles: str) -> bool:
        """Tells whether the policy lets the caller do something with an object, as a row that demands `roles` would ask (rule 2).

        A question that demands no role is about the caller, and not about what the token is good for.
        """
        identity = self.case.identity
        return self._judged(
            lambda: identity if roles else _unscoped(identity), Target(action, key), roles
        ).allowed

    def refuse_unless_in(self, action: str) -> None:
        """Refuses who may not do `action` in a domain of their own, whatever the token is good for; for rows that are open to all.

        Raises:
            GatewayError: nobody asks (SIGNED_IN), or what the policy says.
        """
        identity = self.case.identity
        if identity.is_anonymous:
            raise GatewayError(Reason.SIGNED_IN)
        verdict = self._judged(lambda: _unscoped(identity), Target(action), ())
        if not verdict.allowed:
            raise GatewayError(verdict.deciding.decision.refusal, verdict.deciding.decision.detail)

    def lets_in(self, user_id: str) -> bool:
        """Tells whether the policy would let a user read in its domain, coming from where the caller comes from."""

        def identity() -> Identity:
            user = self._facts.get(f"user:{user_id}")
            return Identity(user if isinstance(user, UserRecord) else None, Proof.NONE)

        return self._judged(identity, Target("read"), ()).allowed

    def attempt(self, email: str) -> AbstractContextManager[Attempt]:
        """Lets a password be tried, within bounds (`gateway.api.attempts`)."""
        return self._attempts.attempt(email, self.case.inbound.client)

    def _judged(self, who: Callable[[], Identity], target: Target, roles: tuple[str, ...]) -> Verdict:
        case = self.case
        asked = case.decided.row
        row = Row(asked.place, asked.methods, asked.template, asked.upstream, roles=roles)
        operation = Operation(row, (target,), {})

        def question() -> Verdict:
            authorizer = Authorizer(case.bundle.policy, self._facts, case.bundle.role_floor)
            return authorizer.judge(who(), operation, case.inbound.client, datetime.now(UTC))

        return asyncio.run_coroutine_threadsafe(self._facts.ask(question), self._loop).result()

    def admins_only(self, what: str) -> None:
        """Refuses who is no admin.

        Raises:
            GatewayError: ROLE.
        """
        if not self.is_admin:
            raise GatewayError(Reason.ROLE, f"{what} is for admins, by a token without a scope")


def _unscoped(identity: Identity) -> Identity:
    return msgspec.structs.replace(identity, scope=None)
