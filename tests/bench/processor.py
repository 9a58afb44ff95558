"""Processor time of groups of processes, as Linux counts it: to a hundredth of a second, threads and ended children included."""

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(roots: Iterable[int]) -> float:
    """Returns the processor seconds that processes and all their descendants have spent so far."""
    family, stats = set(roots), _stats()
    grown = True
    while grown:
        children = {pid for pid, (parent, _) in stats.items() if parent in family}
        grown = not children <= family
        family |= children
    return sum(spent for pid, (_, spent) in stats.items() if pid in family) / _TICKS


def _stats() -> dict[int, tuple[int, int]]:
    """Returns, for each process, its parent and its ticks: own and those of children that ended, user and system (proc(5))."""
    stats = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        stats[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    return stats
