"""Durations, sizes and rates as people write them: `30s`, `5m`, `24h`, `30d`; `64KiB`, `16MiB`; `10/s`, `600/h`."""

import math
import re
from typing import Final

_SECONDS: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_FORM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", re.ASCII)


def seconds(value: object) -> float:
    """Returns the duration that `value` names, in seconds.

    Args:
        value: a number of seconds, or a text of a number and one of `ms`, `s`, `m`, `h`, `d`.

    Raises:
        ValueError: it names no finite duration above zero.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        span = float(value)
    elif isinstance(value, str) and (parts := _FORM.fullmatch(value.strip())) and parts[2] in _SECONDS:
        span = float(parts[1]) * _SECONDS[parts[2]]
    else:
        span = 0.0
    if math.isfinite(span) and span > 0:
        return span
    raise ValueError("must be a duration: seconds, or a text such as `30s`, `5m`, `24h` or `30d`")


def octets(value: object) -> int:
    """Returns the size that `value` names, in bytes.

    Args:
        value: a whole number of bytes, or a text of a whole number and one of `B`, `KiB`, `MiB`, `GiB`.

    Raises:
        ValueError: it names no size of one byte or more.
    """
    size = 0
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (parts := _FORM.fullmatch(value.strip())) and parts[2] in _BYTES:
        size = int(parts[1]) * _BYTES[parts[2]] if parts[1].isdigit() else 0
    if size < 1:
        raise ValueError("must be a size: bytes, or a text such as `64KiB` or `16MiB`")
    return size


def per_second(value: object) -> float:
    """Returns the rate that `value` names, per second.

    Args:
        value: a number per second, or a text of a number, `/` and one of `s`, `m`, `h`, `d`.

    Raises:
        ValueError: it names no finite rate above zero.
    """
    rate = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        rate = float(value)
    elif isinstance(value, str):
        count, slash, unit = (part.strip() for part in value.partition("/"))
        unit = unit if slash else "s"
        if (parts := _FORM.fullmatch(count)) and not parts[2] and unit in ("s", "m", "h", "d"):
            rate = float(parts[1]) / _SECONDS[unit]
    if math.isfinite(rate) and rate > 0:
        return rate
    raise ValueError("must be a rate: a number per second, or a text such as `10/s`, `100/m` or `600/h`")


def duration_text(value: float) -> str:
    """Returns the shortest spelling of a duration that `seconds` reads back to `value`."""
    for unit in ("d", "h", "m", "s"):
        count = value / _SECONDS[unit]
        if count == int(count):
            return f"{int(count)}{unit}"
    return f"{value:g}s"


def size_text(value: int) -> str:
    """Returns the shortest spelling of a size that `octets` reads back to `value`."""
    for unit in ("GiB", "MiB", "KiB"):
        if value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return str(value)
