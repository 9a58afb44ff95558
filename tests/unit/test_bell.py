"""The bell is heard by all who have the same file mapped."""

import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from models.bell import Bell, path_for_server

RING = "import sys; from pathlib import Path; from models.bell import Bell; Bell(Path(sys.argv[1])).ring()"


def test_a_ring_is_heard_by_others(tmp_path: Path) -> None:
    """Two bells on one file have one value, which each ring changes."""
    with closing(Bell(tmp_path / "bell")) as one, closing(Bell(tmp_path / "bell")) as other:
        assert one.value() == other.value() == 0
        values = set()
        for _ in range(100):
            one.ring()
            assert other.value() == one.value()
            values.add(one.value())
        assert len(values) == 100


def test_a_ring_is_heard_in_another_process(tmp_path: Path) -> None:
    """What another process rings is heard here."""
    with closing(Bell(tmp_path / "bell")) as bell:
        subprocess.run([sys.executable, "-c", RING, str(bell.path)], check=True)
        assert bell.value() != 0


def test_the_file_belongs_to_its_maker_alone(tmp_path: Path) -> None:
    """Others on the machine can neither read nor ring."""
    with closing(Bell(tmp_path / "bell")):
        assert stat.S_IMODE((tmp_path / "bell").stat().st_mode) == 0o600


def test_a_bell_is_not_silenced_by_opening_it_again(tmp_path: Path) -> None:
    """Who opens the file later finds the value that was rung before."""
    with closing(Bell(tmp_path / "bell")) as bell:
        bell.ring()
        value = bell.value()
    with closing(Bell(tmp_path / "bell")) as bell:
        assert bell.value() == value


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A bell in a folder that does not exist is not made in silence elsewhere."""
    with pytest.raises(OSError, match="No such file"):
        Bell(tmp_path / "none" / "bell")


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"])
def test_the_bell_of_a_server_lies_with_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """All processes of a user find the bell of one store under one name, that of another store under another."""
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    one, again, other = map(path_for_server, ("postgresql://h/a", "postgresql://h/a", "postgresql://h/b"))
    assert one == again != other
    assert one.is_relative_to(tmp_path)
    assert stat.S_IMODE(one.parent.stat().st_mode) == 0o700
