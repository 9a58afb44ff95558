"""Passwords, kept as Argon2id hashes: the only importer of argon2.

Rules:

1. A hash is made with the library's own parameters (RFC 9106, the second recommended choice: 64 MiB, three passes), which takes tens of
   milliseconds on purpose: never within a commit or on the event loop.
2. A password is 8 to 1024 bytes of UTF-8, compared byte by byte; nobody trims or folds it.
3. Whoever asks about a password that does not exist waits as long as one whose password is wrong (`waste`).
"""

from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from models.changes.errors import InvalidError

SHORTEST: Final = 8
"""Bytes."""
LONGEST: Final = 1024
"""Bytes; a longer one costs the one who checks more than the one who asks."""

_HASHER: Final = PasswordHasher()


def hashed(password: str) -> str:
    """Returns the hash of a password, salted anew each time.

    Raises:
        InvalidError: it is too short, too long, or not valid Unicode.
    """
    try:
        size = len(password.encode())
    except UnicodeEncodeError:
        raise InvalidError("the password is not valid Unicode") from None
    if not SHORTEST <= size <= LONGEST:
        raise InvalidError(f"a password has {SHORTEST} to {LONGEST} bytes, not {size}")
    return _HASHER.hash(password)


def matches(stored: str, password: str) -> bool:
    """Tells whether a password is the one that was hashed; a hash that cannot be read is nobody's."""
    try:
        return len(password.encode()) <= LONGEST and _HASHER.verify(stored, password)
    except (Argon2Error, InvalidHashError, UnicodeEncodeError):
        return False


def waste(password: str) -> None:
    """Takes as long as `matches` (rule 3)."""
    matches(_nobodys(), password)


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody knows this one")
