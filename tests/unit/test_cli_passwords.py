"""Passwords on the command line."""

from pathlib import Path

import pytest

from gateway.cli.failures import CommandError
from gateway.cli.passwords import password_of
from models.passwords import fits


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
