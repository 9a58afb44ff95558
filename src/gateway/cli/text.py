"""How answers look to people: aligned tables and cards; empty ones say so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], empty: str) -> str:
    """Returns `rows` as aligned columns under their names; `empty` if there are none."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        return empty
    lines = [[column.upper().replace("_", " ") for column in columns], *cells]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def card(values: Mapping[str, Any]) -> str:
    """Returns one thing as `name  value` lines; lists of things are tables of their own below their name."""
    width = max(len(name) for name in values)
    lines = []
    for name, value in values.items():
        label = name.replace("_", " ").ljust(width)
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            inner = table(value, list(value[0]), "")
            lines += [label.rstrip(), *(f"  {line}" for line in inner.splitlines())]
        else:
            lines.append(f"{label}  {_cell(value)}".rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "-"
    return str(value)
