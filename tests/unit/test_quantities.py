"""Durations, sizes and rates as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.quantities import duration_text, octets, per_second, seconds, size_text


@pytest.mark.parametrize(
    ("written", "meant"),
    [(1, 1.0), (0.5, 0.5), ("30", 30.0), ("30s", 30.0), ("1.5s", 1.5), ("5m", 300.0), ("24h", 86400.0), ("30d", 2592000.0), ("250ms", 0.25), (" 5 m ", 300.0)],
)  # fmt: skip
def test_duration_is_read_with_its_unit(written: object, meant: float) -> None:
    """A number is seconds, a text carries its unit."""
    assert seconds(written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "s", "-1s", "5x", "1e3", "٣s", "0", "0s", 0, -1, True, None, float("nan"), float("inf"), "5m5s"],
)
def test_what_is_no_duration_is_refused(written: object) -> None:
    """Zero, negative, unending and unreadable spans are errors, so that no time-out is switched off by mistake."""
    with pytest.raises(ValueError, match="must be a duration"):
        seconds(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [(1, 1), ("1", 1), ("512B", 512), ("64KiB", 65536), ("2MiB", 2097152), ("1GiB", 1073741824)],
)
def test_size_is_read_with_its_unit(written: object, meant: int) -> None:
    """A number is bytes, a text carries its unit."""
    assert octets(written) == meant


@pytest.mark.parametrize("written", ["", "64KB", "64k", "1.5KiB", "-1", 0, -1, 1.5, True, None])
def test_what_is_no_size_is_refused(written: object) -> None:
    """Sizes are whole, above zero, and KB is refused since it has two readings."""
    with pytest.raises(ValueError, match="must be a size"):
        octets(written)


@given(st.integers(1, 10**7))
def test_duration_text_reads_back(value: int) -> None:
    """What is printed as a duration is read as the same one."""
    assert seconds(duration_text(value)) == value


def test_fraction_of_a_second_is_printed_in_seconds() -> None:
    """A duration without a whole unit is printed in seconds."""
    assert duration_text(0.25) == "0.25s"


@given(st.integers(1, 2**40))
def test_size_text_reads_back(value: int) -> None:
    """What is printed as a size is read as the same one."""
    assert octets(size_text(value)) == value


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1, 1.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30/s", 30.0),
        ("90/m", 1.5),
        ("1.8 / h", 0.0005),
        ("86400/d", 1.0),
    ],
)
def test_rate_is_read_with_its_unit(written: object, meant: float) -> None:
    """A number is per second, a text carries its unit."""
    assert per_second(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/s",
        "-1/s",
        "5/x",
        "5/ms",
        "5m",
        "5m/s",
        "5/",
        "5/s/s",
        "0/s",
        0,
        -1,
        True,
        None,
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_rate_is_refused(written: object) -> None:
    """Zero, negative, unending and unreadable rates are errors, so that no limit is switched off by mistake."""
    with pytest.raises(ValueError, match="must be a rate"):
        per_second(written)
