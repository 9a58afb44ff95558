"""`make bench`: prints the tables and writes build/bench.json.

`python tests/bench/run.py [--quick] [decisions|ladder ...]`: `--quick` for a look, not for figures that are kept.
"""

import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import decisions
import ladder

RESULT = Path(__file__).parents[2] / "build" / "bench.json"


def main(arguments: list[str]) -> None:
    """Runs the parts that are named, all by default."""
    quick = "--quick" in arguments
    parts = [each for each in arguments if not each.startswith("-")] or ["decisions", "ladder"]
    report: dict[str, object] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "quick": quick,
    }
    if "decisions" in parts:
        report["decisions"] = table(
            "decisions (microseconds)", decisions.measure(3 if quick else 9, 50 if quick else 300)
        )
    if "ladder" in parts:
        report["ladder"] = table(
            "ladder (1 KiB, 32 connections)", ladder.measure(1 if quick else 5, 2 if quick else 5)
        )
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
