"""Tests of gateway.cutting: what comes out of a task that is cut, and when a cut must wait."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.carried import Carried
from gateway.case import Case
from gateway.cutting import Carrying
from gateway.effects import Effects
from gateway.errors import GatewayError
from gateway.reasons import Reason
from gateway.rejudging import Rejudging
from gateway.settings.sections import LimitsSection

WHY = GatewayError(Reason.NO_GRANT)


class Registry:
    """Holds what has entered, and cuts it when told."""

    def __init__(self) -> None:
        """Begins empty."""
        self.entered: list[Carried] = []

    def take(self, one: Carried) -> None:
        """Takes a passage."""
        self.entered.append(one)

    def leave(self, one: Carried) -> None:
        """Forgets it."""
        self.entered.remove(one)


class Deleting(Effects):
    """Effects of a deletion."""

    @property
    def must_finish(self) -> bool:
        """A deletion's always does."""
        return True


def carrying(registry: Registry, effects: Effects | None = None) -> Carrying:
    """Returns the context of one request."""
    return Carrying(cast("Rejudging", registry), cast("Case", None), 1, effects)


def effects_of(kind: type[Effects], *, writing: bool, ended: bool) -> Effects:
    """Returns effects in some state."""
    effects = kind(cast("Any", None), cast("Any", None), "kim", "r1", by_member=True)
    effects.writing, effects.ended = writing, ended
    return effects


async def carried(registry: Registry, work: Callable[[], Awaitable[object]]) -> None:
    """Carries `work`."""
    with carrying(registry):
        await work()


def outcome(act: Callable[["asyncio.Task[None]", Registry], None]) -> BaseException | None:
    """Returns what comes out of a waiting passage to which `act` is done; nothing may stay in the registry."""

    async def whole() -> BaseException | None:
        registry = Registry()
        task = asyncio.create_task(carried(registry, asyncio.Event().wait))
        await asyncio.sleep(0)
        act(task, registry)
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert registry.entered == []
        assert bool(task.cancelling()) == isinstance(result, asyncio.CancelledError)
        return result

    return asyncio.run(whole())


def test_a_cut_comes_out_as_its_reason() -> None:
    """Whoever serves the request gets the reason as an error, not a cancellation."""
    assert outcome(lambda _task, registry: cast("None", registry.entered[0].cut(WHY))) is WHY


def test_a_cancellation_by_others_stays_one() -> None:
    """A stopping server's cancellation is not taken for a cut, nor hidden by one."""

    def both(task: "asyncio.Task[None]", registry: Registry) -> None:
        task.cancel()
        registry.entered[0].cut(WHY)

    assert isinstance(outcome(lambda task, _registry: cast("None", task.cancel())), asyncio.CancelledError)
    assert isinstance(outcome(both), asyncio.CancelledError)


def test_an_error_of_its_own_leaves_as_it_is() -> None:
    """What goes wrong without a cut is raised unchanged, and the registry is left."""
    registry = Registry()

    async def failing() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        asyncio.run(carried(registry, failing))
    assert registry.entered == []


@pytest.mark.parametrize(
    ("kind", "writing", "ended", "cut"),
    [
        (Effects, False, False, True),
        (Effects, True, True, False),
        (Effects, False, True, True),
        (Deleting, False, False, True),
        (Deleting, True, True, False),
        (Deleting, False, True, False),
    ],
)
def test_a_settle_is_finished_and_a_done_deletion_is_not_cut(
    kind: type[Effects],
    writing: bool,  # noqa: FBT001 - a parameter
    ended: bool,  # noqa: FBT001 - a parameter
    cut: bool,  # noqa: FBT001 - a parameter
) -> None:
    """While the store is written to a cut waits; after a settled deletion it never comes; else it comes at once."""

    async def whole() -> bool | None:
        registry = Registry()
        with carrying(registry, effects_of(kind, writing=writing, ended=ended)):
            said = registry.entered[0].cut(WHY)
            if said:
                with pytest.raises(asyncio.CancelledError):
                    await asyncio.sleep(0)
        return said

    assert asyncio.run(whole()) is cut


def test_nothing_is_left_for_the_collector() -> None:
    """A passage that has ended is gone with its last reference: no cycle keeps it."""
    none = cast("Any", None)
    registry = Rejudging(none, none, none, LimitsSection())

    async def whole() -> None:
        with Carrying(registry, cast("Case", SimpleNamespace()), 1, None):
            await asyncio.sleep(0)

    before = left()
    gc.disable()
    try:
        asyncio.run(whole())
        after = left()
    finally:
        gc.enable()

    assert (len(after), len(registry)) == (len(before), 0)


def left() -> list[Carried]:
    """Returns all passages that exist."""
    return [each for each in gc.get_objects() if isinstance(each, Carried)]
