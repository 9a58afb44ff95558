"""Where the policies that come with the program stand, installed or in a working copy."""

from importlib.resources import files
from pathlib import Path


def shipped_policies() -> Path:
    """Returns the folder of the policies that `mediagate init` copies.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    installed = Path(str(files("gateway") / "shipped_policies"))
    working_copy = Path(__file__).resolve().parents[2] / "policies"
    for folder in (installed, working_copy):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"neither `{installed}` nor `{working_copy}` exists: install mediagate again")
