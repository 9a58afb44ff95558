"""A number in shared memory that a writer changes after COMMIT, so that readers on the same machine hear of it at once.

Rules:

1. It only wakes: the revision log is the truth. A lost or false ring costs a poll, never a wrong answer.
2. Whoever loads facts reads the bell *before* loading; a ring in between is then seen afterwards.
3. The value is random, not counted, so that two writers need no lock to make it differ.
"""

import mmap
import os
from hashlib import sha256
from pathlib import Path

WIDTH = 8
"""Bytes of the value; one aligned machine word, so that a reader never sees half of one."""


class Bell:
    """The bell of one store, backed by a small file that its writers and readers map."""

    __slots__ = ("_cells", "_memory", "path")

    def __init__(self, path: Path) -> None:
        """Maps the file at `path`, making it (mode 0600) if there is none.

        Raises:
            OSError: it cannot be made or mapped.
        """
        self.path = path
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size < WIDTH:
                os.ftruncate(handle, WIDTH)
            self._memory = mmap.mmap(handle, WIDTH)
        finally:
            os.close(handle)
        self._cells = memoryview(self._memory).cast("Q")

    def ring(self) -> None:
        """Changes the value for everyone who has this file mapped."""
        self._cells[0] = int.from_bytes(os.urandom(WIDTH), "little")

    def value(self) -> int:
        """Returns the present value; equal to an earlier one if nobody rang in between."""
        return self._cells[0]

    def close(self) -> None:
        """Unmaps the file; neither `ring` nor `value` may be called afterwards."""
        self._cells.release()
        self._memory.close()


def path_for_server(place: str) -> Path:
    """Returns where the bell of a store on a database server lies, the same for all processes of this user.

    Args:
        place: the store's URL without its password.
    """
    base = (
        os.environ.get("XDG_RUNTIME_DIR")
        or os.environ.get("XDG_STATE_HOME")
        or Path.home() / ".local" / "state"
    )
    folder = Path(base) / "mediagate"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"bell-{sha256(place.encode()).hexdigest()[:16]}"
