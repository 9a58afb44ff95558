"""A backend on a thread of its own, made of raw bytes, that does what a test says at the moment."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backends import OK, Backend, Recorded, Script, Visit, answering

PATIENCE = 20.0
"""Seconds after which something that should happen is taken for missing."""


class Puppet:
    """A recording backend whose script a test may change.

    Attributes:
        url: where it listens.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._script: Script = answering(OK)
        self._acts: set[asyncio.Task[None]] = set()
        self._backend = Backend(self._act)
        self.url = ""

    @property
    def visits(self) -> list[Visit]:
        """The connections since the last `use`."""
        return list(self._backend.visits)

    @property
    def requests(self) -> list[Recorded]:
        """All requests since the last `use`; of those without a script that reads the body, the head alone."""
        return [request for visit in self.visits for request in visit.requests]

    @property
    def lines(self) -> list[bytes]:
        """Method and target of each request."""
        return [request.line.removesuffix(b" HTTP/1.1") for request in self.requests]

    def use(self, script: Script) -> None:
        """Forgets everything, closes what is open, and runs `script` for each connection from now on."""
        asyncio.run_coroutine_threadsafe(self._renew(script), self._loop).result(PATIENCE)

    def clear(self) -> None:
        """Forgets everything and answers 200 to whatever comes."""
        self.use(answering(OK))

    def answers(self, *answers: bytes) -> None:
        """Forgets everything and gives these answers, the last one again and again."""
        self.use(answering(*answers))

    async def start(self) -> None:
        """Begins to listen."""
        await self._backend.__aenter__()
        self.url = self._backend.url

    async def stop(self) -> None:
        """Ends every connection and stops listening."""
        await self._backend.__aexit__(None, None, None)

    async def _act(self, visit: Visit) -> None:
        act = asyncio.ensure_future(self._script(visit))
        self._acts.add(act)
        try:
            await act
        except asyncio.CancelledError:
            visit.writer.transport.abort()
        finally:
            self._acts.discard(act)

    async def _renew(self, script: Script) -> None:
        self._script = script
        visits, self._backend.visits = self._backend.visits, []
        for act in self._acts:
            act.cancel()
        await asyncio.gather(*(visit.over.wait() for visit in visits))


@contextmanager
def puppet() -> Iterator[Puppet]:
    """Runs a backend until the block ends; it answers 200 to whatever comes until told otherwise."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    backend = Puppet(loop)
    try:
        asyncio.run_coroutine_threadsafe(backend.start(), loop).result(PATIENCE)
        yield backend
    finally:
        asyncio.run_coroutine_threadsafe(backend.stop(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def told(event: threading.Event) -> None:
    """Waits within a script until the test sets `event`."""
    while not event.is_set():  # noqa: ASYNC110 - the event belongs to another thread
        await asyncio.sleep(0.01)


def eventually(holds: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Waits until something holds; tells whether it did in time."""
    until = time.monotonic() + patience
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
