"""Where the policies and the corpus that come with the program stand, installed or in a working copy."""

from importlib.resources import files
from pathlib import Path


def shipped_policies() -> Path:
    """Returns the folder of the policies that `mediagate init` copies.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return _shipped("shipped_policies", "policies")


def shipped_corpus() -> Path:
    """Returns the folder of the cases that `mediagate selftest` fires.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return _shipped("shipped_corpus", "tests/corpus")


def _shipped(name: str, place: str) -> Path:
    """Returns the folder `name` of the installed package, else `place` of the working copy."""
    installed = Path(str(files("gateway") / name))
    working_copy = Path(__file__).resolve().parents[2] / place
    for folder in (installed, working_copy):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"neither `{installed}` nor `{working_copy}` exists: install mediagate again")
