"""What the gateway costs a request, beside the proxies it replaces and those that would ask it.

Rungs take turns within each round. Each case is the median of its rounds; `_spread` is the largest minus the smallest. `rps`
is for `wrk` at its fastest, over 1 or 64 connections; `1g` is one stream; `rate` is the latency at half of what
`gateway_full` reaches. `cpu_us` is the processor time of a request over all processes but wrk and the backend. Names with
`2x_` come from a second series with two workers of everything that stands between (the backend keeps one).
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.load import Figures, Rung, fastest, held, stream
from bench.rungs import ground, rungs

Measured = dict[str, dict[str, Figures]]
"""Figures by rung and case."""
Measurement = Callable[[Rung, int], Figures]
"""Measures one rung; the number differs from round to round, so that no questions are asked again."""
CASES = (("1k", 1), ("1k", 64), ("64k", 1), ("64k", 64))
SPREAD = ("rps", "mb_per_s", "p99_ms", "cpu_us")
"""Figures whose spread over the rounds is told."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: users and objects of the store, rounds, seconds of each wrk run and of each constant rate."""

    users: int
    objects: int
    rounds: int
    seconds: float
    held_seconds: float


FULL = Extent(users=10_000, objects=100_000, rounds=3, seconds=3, held_seconds=5)
QUICK = Extent(users=500, objects=5_000, rounds=1, seconds=1, held_seconds=2)


class Target(NamedTuple):
    """A ratio of `gateway_full` to another rung, and what is to be reached."""

    case: str
    figure: str
    other: str
    at_least: float | None = None
    at_most: float | None = None


TARGETS = (
    *(
        Target(case, "rps", "nginx_auth_request", at_least=1.0)
        for case in ("1k_c1", "1k_c64", "64k_c1", "64k_c64")
    ),
    *(
        Target(case, "rps", "envoy_ext_authz", at_least=1.5)
        for case in ("1k_c1", "1k_c64", "64k_c1", "64k_c64")
    ),
    *(Target(case, "rps", "gateway_empty", at_least=0.75) for case in ("1k_c1", "1k_c64")),
    *(Target(case, "cpu_us", "nginx_auth_request", at_most=1.0) for case in ("1k_c64", "64k_c64", "rate")),
    *(Target(case, "cpu_us", "envoy_ext_authz", at_most=1.0) for case in ("1k_c64", "64k_c64", "rate")),
    Target("rate", "p99_ms", "nginx_auth_request", at_most=1.0),
    Target("1g", "mb_per_s", "nginx", at_least=1.0),
    Target("1g", "cpu_s_per_gib", "nginx"),
    *(Target(f"2x_{body}_c64", "rps", "nginx_auth_request", at_least=1.0) for body in ("1k", "64k")),
    *(Target(f"2x_{body}_c64", "rps", "envoy_ext_authz", at_least=1.5) for body in ("1k", "64k")),
)


def measure(extent: Extent) -> tuple[Measured, Figures]:
    """Measures everything and prints it; returns the figures by rung and case, and the ratios by name.

    Raises:
        LoadError: something was not answered with 2xx.
    """
    print(
        f"\nladder: {extent.users:,} users, {extent.objects:,} objects, facts warmed before the clock starts"
    )
    measured: Measured = {}
    with ground(extent.users, extent.objects) as on:
        with rungs(on, 1) as single:
            stream(single[0], 0)  # the file comes into memory once, for whichever rung is first
            cases: dict[str, Measurement] = {
                f"{body}_c{number}": _wrk(body, number, extent) for body, number in CASES
            }
            _rounds(measured, single, cases | {"1g": stream}, extent.rounds)
            rate = measured["gateway_full"]["1k_c64"]["rps"] / 2
            print(f"constant rate: {rate:,.0f} requests per second")
            _rounds(measured, single, {"rate": _held(rate, extent)}, extent.rounds)
        _print_tables(measured)  # what comes next may fail, and takes long
        with rungs(on, 2) as double:
            cases = {f"2x_{body}_c64": _wrk(body, 64, extent) for body in ("1k", "64k")}
            _rounds(measured, double, cases, extent.rounds)
    _print_tables(measured)
    return measured, _ratios(measured)


def _wrk(body: str, connections: int, extent: Extent) -> Measurement:
    return lambda rung, turn: fastest(rung, body, connections, extent.seconds, turn)


def _held(rate: float, extent: Extent) -> Measurement:
    return lambda rung, turn: held(rung, rate, extent.held_seconds, turn)


def _rounds(measured: Measured, among: Sequence[Rung], cases: dict[str, Measurement], rounds: int) -> None:
    """Measures all cases; in each round a case meets every rung before the next case comes."""
    runs: dict[tuple[str, str], list[Figures]] = {}
    for turn in range(1, rounds + 1):
        print(f"round {turn} of {rounds}: {', '.join(cases)}", flush=True)
        for case, measurement in cases.items():
            for rung in among:
                runs.setdefault((rung.name, case), []).append(measurement(rung, turn))
    for (rung_name, case), figures in runs.items():
        measured.setdefault(rung_name, {})[case] = _summary(figures)


def _summary(runs: list[Figures]) -> Figures:
    summary: Figures = {}
    for figure in runs[0]:
        values = [run[figure] for run in runs]
        summary[figure] = round(statistics.median(values), 3)
        if figure in SPREAD:
            summary[f"{figure}_spread"] = round(max(values) - min(values), 3)
    return summary


def _print_tables(measured: Measured) -> None:
    cases = dict.fromkeys(case for rung in measured.values() for case in rung)
    for case in cases:
        rows = {name: rung[case] for name, rung in measured.items() if case in rung}
        columns = list(dict.fromkeys(figure for row in rows.values() for figure in row))
        print(f"\nladder {case}\n{'':20}" + "".join(f"{column:>16}" for column in columns))
        for name, row in rows.items():
            cells = (f"{row[column]:,.2f}" if column in row else "-" for column in columns)
            print(f"{name:20}" + "".join(f"{cell:>16}" for cell in cells))


def _ratios(measured: Measured) -> Figures:
    """Prints and returns each ratio whose other side was measured."""
    ratios: Figures = {}
    print("\ngateway_full over the other, beside what is to be reached")
    for target in TARGETS:
        name = f"{target.case} {target.figure} / {target.other}"
        if target.other not in measured:
            print(f"{name:48} not measured")
            continue
        ours = measured["gateway_full"][target.case][target.figure]
        theirs = measured[target.other][target.case][target.figure]
        ratio = ours / theirs if theirs else 0.0
        ratios[name] = round(ratio, 3)
        print(f"{name:48}{ratio:8.2f}   {_judged(target, ratio)}")
    return ratios


def _judged(target: Target, ratio: float) -> str:
    if target.at_least is not None:
        return f"at least {target.at_least:.2f}: {'reached' if ratio >= target.at_least else 'missed'}"
    if target.at_most is not None:
        return f"at most {target.at_most:.2f}: {'reached' if ratio <= target.at_most else 'missed'}"
    return "no target"
