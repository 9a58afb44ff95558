"""Writes of one round of the loop, made together: each once, in order, and none lost to another's end."""

import asyncio
from typing import Any

import pytest

from backends import LOOPS
from gateway.downstream import Turn
from gateway.outbox import Outbox
from listening import GET, answer, connected, listening
from upstreams import until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops."""
    return request.param


class Connection:
    """Something that writes."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.count = 0

    def write(self) -> None:
        """Has something to write at the end of this round."""
        self.outbox.add(self)

    def flush(self) -> None:
        """Is told to write it."""
        self.count += 1


async def test_what_is_written_in_a_round_goes_out_at_its_end() -> None:
    """Nobody is flushed at once, everybody in the next round, and what is written then in the one after."""
    outbox = Outbox(asyncio.get_running_loop())
    first, second = Connection(outbox), Connection(outbox)
    first.write()
    second.write()
    assert (first.count, second.count) == (0, 0)
    await asyncio.sleep(0)
    assert (first.count, second.count) == (1, 1)
    first.write()
    await asyncio.sleep(0)
    assert (first.count, second.count) == (2, 1)


async def test_who_leaves_in_a_round_takes_nobody_along() -> None:
    """A connection that is cut before what it wrote could go out does not keep the others' answers back."""
    go = asyncio.Event()
    waiting = 0

    async def app(turn: Turn) -> None:
        nonlocal waiting
        waiting += 1
        await go.wait()
        if turn.scope["raw_path"] == b"/cut":
            turn.abort()
        await answer(turn)

    async with listening(app) as listener, connected(listener) as cut, connected(listener) as other:
        await cut.send(GET.replace(b"/ ", b"/cut "))
        await until(lambda: waiting == 1)
        await other.send(GET)
        await until(lambda: waiting == 2)
        go.set()
        assert await other.answer() == (200, b"ok")
        assert (await other.ask())[0] == 200
