"""Passwords of links: only the right one fits, in whichever spelling, and nothing of it is kept."""

import time

import pytest

from models.passwords import LEAST, MOST, PasswordError, fits, hashed, is_hash

TEXT = "correct horse"


def test_only_the_right_password_fits() -> None:
    """Its hash is Argon2id with a salt of its own, and does not hold the text."""
    kept = hashed(TEXT)
    assert fits(kept, TEXT)
    assert not any(fits(kept, wrong) for wrong in ("", TEXT + " ", TEXT.upper(), "\ud800", "x" * (MOST + 1)))
    assert is_hash(kept)
    assert not is_hash(TEXT)
    assert TEXT not in kept
    assert hashed(TEXT) != kept


def test_two_spellings_of_a_letter_are_one() -> None:
    """A keyboard that sends an accent by itself opens what another has closed."""
    assert fits(hashed("caf\u00e9 noir"), "cafe\u0301 noir")


def test_a_hash_that_is_none_fits_nothing() -> None:
    """A row that somebody has written by hand lets nobody in."""
    assert not fits("", "")
    assert not fits("plain text", "plain text")


def test_where_there_is_no_password_any_text_fits_after_as_long() -> None:
    """Whether a link has a password is not told by how long the answer takes."""
    kept = hashed(TEXT)
    assert fits(None, "anything")

    def spent(hash_: str | None) -> float:
        start = time.thread_time()
        fits(hash_, "wrong password")
        return time.thread_time() - start

    spans = [[spent(hash_) for _ in range(3)] for hash_ in (kept, None)]
    assert 0.3 < min(spans[0]) / min(spans[1]) < 3


@pytest.mark.parametrize("text", ["", "x" * (LEAST - 1), "x" * (MOST + 1), "\ud800" * LEAST])
def test_what_is_too_short_too_long_or_no_text_is_refused(text: str) -> None:
    """The message holds nothing of it."""
    with pytest.raises(PasswordError) as caught:
        hashed(text)
    assert not text or text not in str(caught.value)
