"""What the options of `mediagate share` mean."""

from datetime import timedelta

import pytest
import typer

from gateway.cli.share_options import end_of, span_of, visits_of


def test_spans_and_numbers_are_read_or_refused() -> None:
    """A share always ends, and a bound is a number."""
    assert end_of(None) is None
    assert span_of("36h") == timedelta(hours=36)
    assert (visits_of("20"), visits_of("none"), visits_of(None)) == (20, None, None)
    for read, text in ((end_of, "never"), (span_of, "soon"), (visits_of, "-1"), (visits_of, "²")):
        with pytest.raises(typer.BadParameter):
            read(text)
