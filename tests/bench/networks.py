"""What it costs to ask an allow-list for an address, by the length of the list; half of the addresses are on it."""

import random
import statistics
import time

from netaddr import IPAddress

from models.networks import NetworkSet, canonical_address

LENGTHS = (1, 100, 10_000)


def measure(rounds: int, addresses: int) -> dict[str, dict[str, float]]:
    """Returns microseconds for each length: the median over rounds, and the largest minus the smallest round."""
    chance = random.Random(1)
    rows = {}
    for length in LENGTHS:
        networks = [f"10.{number >> 7}.{number % 128 * 2}.0/24" for number in range(length)]
        listed = NetworkSet.of(networks)
        asked = [
            canonical_address(
                f"10.{number >> 7}.{number % 128 * 2 + chance.randrange(2)}.{chance.randrange(256)}"
            )
            for number in (chance.randrange(length) for _ in range(addresses))
        ]
        taken = [_round(listed, asked) for _ in range(rounds)]
        rows[f"{length:,}"] = {"us": statistics.median(taken), "spread_us": max(taken) - min(taken)}
    return rows


def _round(listed: NetworkSet, asked: list[IPAddress]) -> float:
    begun = time.perf_counter()
    for address in asked:
        listed.admits(address)
    return (time.perf_counter() - begun) / len(asked) * 1e6
