"""Cutting a request that is being carried: its task is cancelled, and what comes out is the reason, never a clean end.

Rules:

1. Where the answer has not begun the client is told why; where it has, the error reaches the listener, which cuts the connection.
   The backend's connection is cut with it, so that an upload never ends as if it were whole (`gateway.upstream.exchange`, rule 4).
2. What is being written to the store is written first: a settle under way is not cut.
3. What has deleted its object is not cut afterwards: by its own doing there is no right left to ask about, and only the answer
   that says so is on its way.
"""

import asyncio
from types import TracebackType
from typing import Self

from gateway.carried import Carried
from gateway.case import Case
from gateway.effects import Effects
from gateway.errors import GatewayError
from gateway.rejudging import Rejudging


class Carrying(Carried):
    """A context manager around the carrying of one request, within one task; raises why it was cut."""

    __slots__ = ("_effects", "_error", "_registry", "_task")

    def __init__(self, registry: Rejudging, case: Case, revision: int, effects: Effects | None) -> None:
        """Takes what was allowed.

        Args:
            registry: the worker's.
            case: what was allowed.
            revision: of the facts that allowed it.
            effects: what its success makes true; None if nothing.
        """
        super().__init__(case, revision)
        self._registry, self._effects = registry, effects
        self._error: GatewayError | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("carrying runs in a task")
        self._task = task
        self._registry.take(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Turns the cancellation by `cut` into its reason; leaves others be.

        Raises:
            GatewayError: why the request was cut.
        """
        self._registry.leave(self)
        if self._error is None:
            return
        if not self._task.uncancel() and isinstance(raised, asyncio.CancelledError):
            raise self._error from None

    def cut(self, error: GatewayError) -> bool:
        """Cancels the task, or returns False (rules 2 and 3)."""
        effects = self._effects
        if effects is not None and (effects.writing or (effects.ended and effects.must_finish)):
            return False
        self._error = error
        self._task.cancel()
        return True
