"""Writers of one file exclude each other, in one process and in several."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from models.errors import StoreUnavailableError
from models.turns import Turns

HOLDER = """
import sys
from pathlib import Path
from models.turns import Turns
with Turns(Path(sys.argv[1]), 1.0).take():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process_holds(path: Path) -> Iterator[None]:
    """Lets another process have its turn for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.communicate()


def test_one_turn_at_a_time_among_processes(tmp_path: Path) -> None:
    """While another process has its turn ours does not come; when it ends, ours does."""
    with closing(Turns(tmp_path / "s", 0.1)) as turns:
        with (
            another_process_holds(tmp_path / "s"),
            pytest.raises(StoreUnavailableError, match="another writer"),
        ):
            turns.take().__enter__()
        with turns.take():
            pass


def test_one_turn_at_a_time_within_a_process(tmp_path: Path) -> None:
    """The same holds for one `Turns` used twice, and for two of them."""
    with closing(Turns(tmp_path / "s", 0.1)) as one, closing(Turns(tmp_path / "s", 0.1)) as other:
        with one.take():
            for turns in (one, other):
                with pytest.raises(StoreUnavailableError, match="nothing was written"):
                    turns.take().__enter__()
        with other.take():
            pass


def test_a_turn_ends_with_an_exception(tmp_path: Path) -> None:
    """A writer that fails does not keep the others out."""
    with closing(Turns(tmp_path / "s", 0.1)) as turns:
        with pytest.raises(KeyError), turns.take():
            raise KeyError
        with turns.take():
            pass
