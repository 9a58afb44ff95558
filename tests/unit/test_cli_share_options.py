"""What the options of `mediagate share` mean."""

from datetime import timedelta
from pathlib import Path

import pytest
import typer

from gateway.cli.failures import CommandError
from gateway.cli.share_options import end_of, password_of, span_of, visits_of
from models.passwords import fits


def test_spans_and_numbers_are_read_or_refused() -> None:
    """A share always ends, and a bound is a number."""
    assert end_of(None) is None
    assert span_of("36h") == timedelta(hours=36)
    assert (visits_of("20"), visits_of("none"), visits_of(None)) == (20, None, None)
    for read, text in ((end_of, "never"), (span_of, "soon"), (visits_of, "-1"), (visits_of, "²")):
        with pytest.raises(typer.BadParameter):
            read(text)


def test_the_first_line_of_a_file_is_the_password(tmp_path: Path) -> None:
    """However the line ends; what is no text or missing is an error that does not show it."""
    path = tmp_path / "secret"
    path.write_bytes(b"correct horse\r\nmore\n")
    kept = password_of(str(path))
    assert kept is not None
    assert fits(kept, "correct horse")
    path.write_bytes(b"\xff\xfe secret")
    for name in (str(path), str(tmp_path / "none")):
        with pytest.raises(CommandError) as caught:
            password_of(name)
        assert "secret bytes" not in str(caught.value.sentences)
