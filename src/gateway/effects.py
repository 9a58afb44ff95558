"""Stages prepare and settle: what a backend's success makes true, written down before and committed after.

Rules (DESIGN of effects; the table of outcomes is in docs/architecture.md):

1. An intent is committed before the backend is touched; no store, no request (503).
2. What a row deletes is closed to all until the outcome is known. Otherwise an id that is made anew would have the old grants.
3. A success becomes facts in one commit, and only then the client sees it.
4. What surely did not happen releases everything. What is unknown keeps a deletion closed, and gives a creation nothing.
5. A request that deletes runs on when its client leaves.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from sqlalchemy.orm import Session

from gateway.errors import GatewayError
from gateway.identity import Identity
from gateway.reasons import Reason
from gateway.routes import Operation
from gateway.routes.reading import Headers
from models import changes
from models.store import Store, StoreUnavailableError
from models.tables import IntentKind

T = TypeVar("T")
LOG = logging.getLogger(__name__)
DID_NOT_HAPPEN: Final = frozenset(range(400, 500)) | {501, 503, 505, 507}
"""Statuses with which a backend says that it did nothing; other failures leave the outcome unknown."""


class Effects:
    """What one request makes true; made by `prepare`, ended once by one of the other methods.

    Attributes:
        ended: whether it was settled, abandoned or left unknown.
        writing: whether the store is being written to at the moment.
    """

    def __init__(
        self, store: Store, operation: Operation, owner_id: str, request_id: str, *, by_member: bool
    ) -> None:
        """Takes what `prepare` found; use that."""
        self._store, self._operation, self._request_id = store, operation, request_id
        self._owner_id, self._by_member = owner_id, by_member
        self.ended = self.writing = False
        self._creation: str | None = None
        self._deletion: str | None = None

    @classmethod
    async def prepare(
        cls, store: Store, operation: Operation, identity: Identity, request_id: str
    ) -> "Effects | None":
        """Commits the intents of a row with effects; None for a row without (rule 1).

        Raises:
            GatewayError: the store does not take them, or another request is changing an object.
        """
        if not operation.row.has_effects or identity.is_anonymous:
            return None
        owner = identity.user.id if identity.user else identity.share.owner_id if identity.share else None
        if (
            owner is None
        ):  # let through by a policy of the operator's own: what support creates would be nobody's
            raise GatewayError(Reason.SUPPORT_OFF, "support access changes nothing")
        effects = cls(store, operation, owner, request_id, by_member=identity.user is not None)
        await effects._commit(effects._open)
        return effects

    @property
    def must_finish(self) -> bool:
        """Whether the request runs on when the client leaves (rule 5)."""
        return self._deletion is not None

    @property
    def needs_answer_body(self) -> bool:
        """Whether `settle` reads the answer's body."""
        return self._operation.row.creates is not None and self._operation.row.creates.needs_answer_body

    async def settle(self, status: int, headers: Headers, body: bytes | None) -> None:
        """Makes true what the answer says; the client sees the answer after this returns.

        Args:
            status: of the answer.
            headers: of the answer.
            body: of the answer, whole, where `needs_answer_body` says so.

        Raises:
            GatewayError: it happened, or may have, and cannot be recorded.
        """
        if status in DID_NOT_HAPPEN:
            await self.abandon()
        elif status not in self._operation.row.success:
            await self.leave_unknown(f"the backend answered {status}")
        else:
            await self._succeed(headers, body)

    async def abandon(self) -> None:
        """Releases everything: the backend surely did nothing (rule 4)."""
        self.ended = True
        await self._end(changes.abandon_intent)

    async def leave_unknown(self, why: str) -> None:
        """Notes that nobody knows whether it happened (rule 4)."""
        self.ended = True
        LOG.error("request %s: outcome unknown: %s", self._request_id, why)
        await self._end(changes.mark_unknown)

    async def _succeed(self, headers: Headers, body: bytes | None) -> None:
        try:
            created = self._created(headers, body)
        except GatewayError as error:
            await self.leave_unknown(error.detail)
            raise
        self.ended = True
        try:
            settled = await self._commit(lambda session: self._settle(session, created))
        except GatewayError as error:
            raise GatewayError(
                Reason.OUTCOME_UNKNOWN, f"done by the backend, not recorded: {error.detail}"
            ) from error
        for key, why in settled.left_out if settled else ():
            LOG.warning("request %s: `%s` was left out: %s", self._request_id, key, why)

    def _open(self, session: Session) -> None:
        row = self._operation.row
        opened = partial(changes.open_intent, session, user_id=self._owner_id, request_id=self._request_id)
        if row.deletes is not None:
            locks = [changes.Lock(key, closes=True) for key in row.deletes.keys(self._operation)]
            self._deletion = opened(IntentKind.DELETE, locks).id
        if row.creates is not None:
            key = row.creates.key_before(self._operation)
            locks = [changes.Lock(key, closes=False)] if key else []
            self._creation = opened(IntentKind.CREATE, locks).id

    def _created(self, headers: Headers, body: bytes | None) -> changes.Created | None:
        creates = self._operation.row.creates
        if creates is None:
            return None
        key = creates.key_before(self._operation) or creates.key_from_answer(headers, body)
        return changes.Created(key, self._owner_id, creates.parent_keys(self._operation), self._by_member)

    def _settle(self, session: Session, created: changes.Created | None) -> changes.Settled | None:
        if self._deletion is not None:
            changes.settle_delete(session, self._deletion)
        if self._creation is not None and created is not None:
            return changes.settle_create(session, self._creation, [created])
        return None

    async def _end(self, ending: Callable[[Session, str], object]) -> None:
        """Ends what is open; if the store does not answer, it stays open, which closes and never opens."""

        def end(session: Session) -> None:
            for intent in (self._deletion, self._creation):
                if intent is not None:
                    ending(session, intent)

        with suppress(GatewayError):
            await self._commit(end)

    async def _commit(self, change: Callable[[Session], T]) -> T:
        """Runs `change` as one commit in a thread; a request that is cancelled meanwhile does not stop it."""

        def write() -> T:
            with self._store.write(f"request:{self._request_id}") as commit:
                return change(commit.session)

        self.writing = True
        try:
            return await asyncio.shield(asyncio.to_thread(write))
        except StoreUnavailableError as error:
            raise GatewayError(Reason.STORE_UNAVAILABLE, str(error)) from error
        except changes.BusyError as error:
            raise GatewayError(Reason.OBJECT_BUSY, str(error)) from error
        except changes.ChangeError as error:
            raise GatewayError(Reason.STORE_REFUSED, str(error)) from error
        finally:
            self.writing = False
