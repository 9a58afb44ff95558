"""Passwords of links: how they are kept, and whether one fits.

Rules:

1. A password is kept as an Argon2id hash (RFC 9106), its text nowhere. The costs are the least that OWASP advises for Argon2id
   (Password Storage Cheat Sheet: 19 MiB, two passes): whoever asks without knowing a link pays as well, and that must not cost us the machine.
2. To find out takes as long where there is no hash to compare with as where there is one.
3. Letters that can be written in two ways are one: the text is put into NFC first (RFC 8265 4.2.2).

What is done here takes tens of milliseconds: never on an event loop, and never while the write door is held.
"""

import unicodedata
from typing import Final, NewType

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

Hashed = NewType("Hashed", str)
"""An Argon2id hash in its encoded form, `$argon2id$...`."""

LEAST: Final = 8
"""Characters of a password (NIST SP 800-63B 5.1.1.1)."""
MOST: Final = 256
"""Characters of a password."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NONE: Final = Hashed(
    "$argon2id$v=19$m=19456,t=2,p=1$bWVkaWFnYXRlLW5vYm9keQ$k4ZmzbRyDbpHVZ2bPLgHmD0bVVlUNpTZPDUsoHFsJS0"
)
"""A hash in the same form that is no password's (rule 2)."""


class PasswordError(ValueError):
    """A text may not be a password; the message says why, without the text."""


def hashed(text: str) -> Hashed:
    """Returns what is kept of a password.

    Raises:
        PasswordError: it is too short, too long or not text.
    """
    plain = _plain(text)
    if plain is None or not LEAST <= len(plain) <= MOST:
        raise PasswordError(f"a password has {LEAST} to {MOST} characters: choose another")
    return Hashed(_HASHER.hash(plain))


def fits(kept: str | None, text: str) -> bool:
    """Tells whether `text` is the password of which `kept` was made; where there is none, any text fits (rule 2)."""
    plain = _plain(text)
    if plain is None or len(plain) > MOST:
        plain = ""
    fitting = _same(kept or _NONE, plain)
    return kept is None or fitting


def is_hash(text: str) -> bool:
    """Tells whether `text` has the form of what `hashed` returns, so that no password is ever kept as it came."""
    return text.startswith("$argon2id$")


def _plain(text: str) -> str | None:
    """Returns the one spelling of a password (rule 3); None for what is no text, as half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFC", text)


def _same(kept: str, plain: str) -> bool:
    try:
        return _HASHER.verify(kept, plain)
    except (Argon2Error, InvalidHashError):
        return False
