"""Passwords are kept as Argon2id hashes and compared byte by byte."""

import pytest

from models import passwords
from models.changes import InvalidError

GOOD = "correct horse"


def test_a_hash_is_salted_and_says_nothing() -> None:
    """Two hashes of one password differ; both match it and no other, whatever its case or spaces."""
    first, second = passwords.hashed(GOOD), passwords.hashed(GOOD)

    assert first != second
    assert first.startswith("$argon2id$")
    assert GOOD not in first
    assert passwords.matches(first, GOOD)
    assert passwords.matches(second, GOOD)
    assert not any(passwords.matches(first, each) for each in ("Correct horse", GOOD + " ", "", "x" * 5_000, "\ud800"))


def test_a_hash_that_cannot_be_read_is_nobodys() -> None:
    """Garbage in the store opens nothing."""
    assert not passwords.matches("", GOOD)
    assert not passwords.matches("$argon2id$v=19$", GOOD)
    passwords.waste(GOOD)


@pytest.mark.parametrize("password", ["short", "", "x" * 1025, "half\ud800 a pair"])
def test_what_is_no_password_is_refused(password: str) -> None:
    """Too short, too long, or no Unicode."""
    with pytest.raises(InvalidError):
        passwords.hashed(password)
