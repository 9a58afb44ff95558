"""`make bench`: prints the tables and writes build/bench.json.

`python tests/bench/run.py [--quick] [decisions|networks|ladder|memory ...]`: `--quick` for a look, not for figures that are kept.
"""

import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import decisions, end_to_end, ladder, memory, networks

PARTS = ["decisions", "networks", "ladder", "memory"]
RESULT = Path(__file__).parents[2] / "build" / "bench.json"


def main(arguments: list[str]) -> None:
    """Runs the parts that are named, all by default."""
    quick = "--quick" in arguments
    parts = [each for each in arguments if not each.startswith("-")] or PARTS
    report: dict[str, object] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "quick": quick,
    }
    if "decisions" in parts:
        cases = table("decisions (microseconds)", decisions.measure(3 if quick else 9, 50 if quick else 300))
        whole = end_to_end.measure(3 if quick else 9, 5_000 if quick else 20_000)
        report["decisions"] = {**cases, "end_to_end_us": whole["us"]}
        report["end_to_end"] = table("Inbound to Verdict (microseconds)", {"end_to_end": whole})["end_to_end"]
    if "networks" in parts:
        measured = networks.measure(3 if quick else 9, 2_000 if quick else 50_000)
        report["networks"] = table("networks in a list (microseconds)", measured)
    if "ladder" in parts:
        report["ladder"], report["ladder_ratios"] = ladder.measure(ladder.QUICK if quick else ladder.FULL)
    if "memory" in parts:
        report["memory"] = table("memory of the worker (MiB)", memory.measure())
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nwritten to {RESULT.relative_to(Path.cwd()) if RESULT.is_relative_to(Path.cwd()) else RESULT}")


def table(title: str, rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Prints rows under a title, and returns them."""
    columns = list(next(iter(rows.values())))
    print(f"\n{title}\n{'':16}" + "".join(f"{column:>20}" for column in columns))
    for name, values in rows.items():
        print(f"{name:16}" + "".join(f"{values[column]:>20,.2f}" for column in columns))
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
