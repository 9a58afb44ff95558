"""The processes of a running gateway as Linux describes them: which are its workers, and how much memory one holds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools import needed_proc

MIB = 1 << 20


def workers(pid: int) -> list[int]:
    """Returns the worker processes of the gateway whose main process is `pid`; Python's own helper process is none."""
    found = []
    for stat in needed_proc().glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            helper = b"resource_tracker" in stat.with_name("cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if int(parent) == pid and state != "Z" and not helper:
            found.append(int(stat.parent.name))
    return sorted(found)


def is_over(pid: int) -> bool:
    """Tells whether a process has ended, whether or not its parent has looked."""
    try:
        return (needed_proc() / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def resident(pid: int) -> tuple[int, int]:
    """Returns the bytes of memory that a process holds, and the most that it ever held."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    sizes = {name: value.split()[0] for name, _, value in lines if name in ("VmRSS", "VmHWM")}
    return int(sizes["VmRSS"]) * 1024, int(sizes["VmHWM"]) * 1024


def sockets(pid: int) -> int:
    """Returns how many sockets a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(link.readlink()).startswith("socket:")
        except OSError:  # it was closed meanwhile
            continue
    return count


def listening(pid: int) -> set[int]:
    """Returns the ports of IPv4 on which a process listens."""
    held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    lines = [row.split() for row in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[1].rpartition(":")[2], 16) for row in lines if row[3] == "0A" and f"socket:[{row[9]}]" in held
    }


class Growth:
    """How far the memory of a process rose above where it was."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before, self._record = resident(pid)
        self._highest = self._before

    @property
    def octets(self) -> int:
        """The most bytes that it held beyond what it held at first."""
        now, record = resident(self._pid)
        self._highest = max(self._highest, now, record if record > self._record else 0)
        return self._highest - self._before

    def watch(self, over: threading.Event) -> None:
        """Looks again and again until `over`."""
        while not over.wait(0.01):
            _ = self.octets


@contextmanager
def growth(pid: int) -> Iterator[Growth]:
    """Watches the memory of a process until the block ends."""
    seen, over = Growth(pid), threading.Event()
    watcher = threading.Thread(target=seen.watch, args=(over,))
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
