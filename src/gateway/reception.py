"""Where visitors come and go, whichever door they use: sign-in by a link, what a visit is, a longer one, the way out.

Rules:

1. There is one of it in a worker, so that tries of links are counted together (`gateway.link_desk`).
2. A token that does not hold is a guess of its address, as any credential is.
3. It waits for the store in threads; a change is made to its end though its client leaves.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from netaddr import IPAddress

from gateway.errors import GatewayError
from gateway.facts_keeper import FactsKeeper
from gateway.identity import NOT_VALID, Credential, Identity, identify
from gateway.limits import Rates, Told
from gateway.link_desk import LinkDesk
from gateway.reasons import Reason
from models import changes
from models.changes import LinkError
from models.sign_in import Visit, visit_of
from models.store import Store, StoreUnavailableError

T = TypeVar("T")


class Reception:
    """The visits of one worker."""

    def __init__(self, store: Store, facts: FactsKeeper, rates: Rates | None) -> None:
        """Takes what is stored, what is known of it, and the rates of `[rates]`, which may be none."""
        self._store, self._facts, self._rates = store, facts, rates
        self._links = LinkDesk(store, rates)

    async def sign_in(self, link: str, password: str, client: IPAddress, request_id: str) -> Visit:
        """Lets a visitor in, and counts the visit; raises as `LinkDesk.sign_in`."""
        return await self._links.sign_in(link, password, client, request_id)

    async def visitor(self, credential: Credential, client: IPAddress, told: Told) -> Identity:
        """Returns who asks, if it is a visitor, and counts the request as its token's.

        Args:
            credential: what came.
            client: from where.
            told: gets the buckets that it was measured by.

        Raises:
            GatewayError: it is nobody or somebody else, or asks too often.
        """
        rates = self._rates
        if rates is not None:
            rates.may_guess(client)

        def identified() -> Identity:
            identity = identify(credential, self._facts, datetime.now(UTC))
            if identity.share is None:
                raise GatewayError(Reason.CREDENTIAL_UNKNOWN, "the token is no visitor's")
            return identity

        try:
            identity = await self._facts.ask(identified)
        except GatewayError as error:
            if rates is not None and error.reason in NOT_VALID:
                rates.failed(client)
            raise
        if rates is not None:
            rates.known(identity, told)
        return identity

    async def shown(self, identity: Identity) -> Visit:
        """Returns what the visit is.

        Raises:
            GatewayError: it was taken back, or the store does not answer.
        """

        def look() -> Visit:
            with self._store.read() as session:
                return visit_of(session, changes.the_visit(session, identity.token_id))

        return await _stored(look)

    async def prolonged(self, identity: Identity, client: IPAddress, request_id: str) -> Visit:
        """Makes the visit longer.

        Raises:
            GatewayError: it is over, its share lets nobody in from there, it was taken back, or the store does not answer.
        """

        def prolong() -> Visit:
            with self._store.write(f"request:{request_id}") as commit:
                token = changes.prolong_visit(commit.session, identity.token_id, address=client)
                return visit_of(commit.session, token)

        return await _stored(prolong)

    async def ended(self, identity: Identity, request_id: str) -> Visit:
        """Ends the visit; raises as `shown`."""

        def end() -> Visit:
            with self._store.write(f"request:{request_id}") as commit:
                return visit_of(commit.session, changes.revoke_token(commit.session, identity.token_id))

        return await _stored(end)


async def _stored(work: Callable[[], T]) -> T:
    """Runs what reads or writes the store (rule 3)."""
    try:
        return await asyncio.shield(asyncio.to_thread(work))
    except StoreUnavailableError as error:
        raise GatewayError(Reason.STORE_UNAVAILABLE, str(error)) from error
    except LinkError as error:
        raise GatewayError(Reason.LINK_CLOSED, error.why) from error
    except changes.UnknownError as error:  # taken back since it was found to be valid
        raise GatewayError(Reason.CREDENTIAL_UNKNOWN, "the visit is gone") from error
