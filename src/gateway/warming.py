"""What was asked lately, so that a new bundle has met the same questions before it decides: the first requests after a swap are not slower."""

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from typing import Final

from netaddr import IPAddress

from gateway.authorize import Authorizer
from gateway.bundle import Bundle
from gateway.identity import Identity
from gateway.routes import Operation
from models.records import Facts, MissingFactError

LOG = logging.getLogger(__name__)
KEPT: Final = 256
"""Questions that are asked again."""
EVERY: Final = 8
"""Of so many questions one is kept once there are enough: to let an old one go costs what a decision does not have in reach any more."""


class Recent:
    """The latest questions of one worker; holds no verdict."""

    def __init__(self) -> None:
        """Begins empty."""
        self._asked: deque[tuple[Identity, Operation, IPAddress]] = deque(maxlen=KEPT)
        self._passed = 0

    def note(self, identity: Identity, operation: Operation, client: IPAddress) -> None:
        """Remembers a question, or of many one in `EVERY`."""
        self._passed += 1
        if len(self._asked) < KEPT or not self._passed % EVERY:
            self._asked.append((identity, operation, client))

    async def warm(self, bundle: Bundle, facts: Facts) -> int:
        """Asks the new bundle all of them, letting requests pass in between; returns how many were answered.

        Questions whose facts are no longer at hand are skipped.
        """
        judge = Authorizer(bundle.policy, facts, bundle.role_floor).judge
        answered = 0
        for identity, operation, client in tuple(self._asked):
            try:
                judge(identity, operation, client, datetime.now(UTC))
                answered += 1
            except MissingFactError:
                pass
            except Exception:
                LOG.exception("warming a bundle met an error")
                break
            await asyncio.sleep(0)
        return answered
