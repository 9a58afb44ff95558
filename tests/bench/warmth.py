"""Brings all facts into every worker of a gateway before the clock starts: each worker is asked for each object and token once."""

import asyncio
import socket
from pathlib import Path

from bench.exchange import BadAnswerError, Exchange
from bench.questions import Questions

CONNECTIONS = 48
"""Per worker: enough that the facts of many requests come in one load of the store."""
PATIENCE = 900.0
"""Seconds."""


def warm(port: int, questions: Questions, workers: int) -> None:
    """Asks everything once of each worker; nothing in it may take longer than `PATIENCE`.

    Raises:
        TimeoutError: it took too long.
        BadAnswerError: an answer was not 2xx, or some worker takes no connection.
    """
    asyncio.run(asyncio.wait_for(_warm(port, questions, workers), PATIENCE))


async def _warm(port: int, questions: Questions, workers: int) -> None:
    requests = questions.each_once()
    groups: dict[int, list[_Asker]] = {}
    for _ in range(10):
        askers = [await _Asker.connect(port) for _ in range(CONNECTIONS * workers)]
        for asker in askers:
            await asker.answers(requests[:1])  # who answered has accepted the connection
        for asker, worker in _acceptors(port, askers).items():
            groups.setdefault(worker, []).append(asker)
        if len(groups) >= workers and min(map(len, groups.values())) >= CONNECTIONS:
            break  # with fewer, each waits for a load of the store alone
    else:
        raise BadAnswerError(f"{len(groups)} of {workers} workers take connections")
    await asyncio.gather(  # all workers at once: connections that wait for another worker's turn would be closed
        *(
            asker.answers(requests[at :: len(each)])
            for each in groups.values()
            for at, asker in enumerate(each)
        )
    )
    for asker in (asker for each in groups.values() for asker in each):
        asker.close()


class _Asker:
    """A connection that asks for one thing after the other."""

    def __init__(self) -> None:
        self.exchange = Exchange(self._answered)
        self._waiting: asyncio.Future[None] | None = None

    @classmethod
    async def connect(cls, port: int) -> "_Asker":
        made = cls()
        await asyncio.get_running_loop().create_connection(lambda: made.exchange, "127.0.0.1", port)
        return made

    @property
    def port(self) -> int:
        known: socket.socket = self.exchange.transport.get_extra_info("socket")
        port: int = known.getsockname()[1]
        return port

    def close(self) -> None:
        self.exchange.transport.close()

    async def answers(self, requests: list[bytes]) -> None:
        for request in requests:
            self._waiting = asyncio.get_running_loop().create_future()
            self.exchange.ask(request)
            await self._waiting

    def _answered(self, _exchange: Exchange, wrong: BadAnswerError | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            if wrong:
                self._waiting.set_exception(wrong)
            else:
                self._waiting.set_result(None)


def _acceptors(port: int, askers: list[_Asker]) -> dict[_Asker, int]:
    """Returns the process that holds the other end of each connection, from `/proc/net/tcp` and the descriptors in `/proc`."""
    ports: dict[str, _Asker] = {f"{asker.port:04X}": asker for asker in askers}
    ends: dict[str, _Asker] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        asker = ports.get(fields[2].partition(":")[2])
        if asker and fields[1].endswith(f":{port:04X}"):
            ends[f"socket:[{fields[9]}]"] = asker
    found = {}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(descriptor.readlink())
        except OSError:  # it was closed meanwhile, or belongs to somebody else
            continue
        if target in ends:
            found[ends[target]] = int(descriptor.parts[2])
    return found
