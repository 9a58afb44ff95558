"""Names have one form each; what has another is refused with a sentence that says what to write."""

import pytest

from models.changes import InvalidError
from models.changes.names import (
    MAX_EMAIL,
    MAX_ID_BYTES,
    MAX_TEXT,
    MAX_WORD,
    checked_choice,
    checked_email,
    checked_id,
    checked_key,
    checked_name,
    checked_text,
    checked_word,
    new_id,
    shown,
)
from models.records import ObjectKey, UserType

LONGEST = "é" * (MAX_ID_BYTES // 2)


@pytest.mark.parametrize("text", ["a", "a b", "æ/日本🎬", "..", "user:x", LONGEST])
def test_an_id_is_kept_as_it_is(text: str) -> None:
    """Any script and punctuation may stand in an id, up to the bound in bytes."""
    assert checked_id(text, "thing") is text


@pytest.mark.parametrize("text", ["", "a\0b", "a\nb", "a\x7f", "a\u0085", "a\u2028", "\ud800", LONGEST + "x"])
def test_an_id_with_control_characters_or_too_long_is_refused(text: str) -> None:
    """NUL, line breaks, half surrogates and overlong ids never reach the store, nor the message."""
    with pytest.raises(InvalidError) as caught:
        checked_id(text, "thing")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("id_", ["/", "/a", "/a/b.mp4", "/a/...", "/.hidden", "a//b", "a/../b", "/日本/é"])
def test_a_path_in_its_one_spelling_passes(id_: str) -> None:
    """Only ids that start with a slash are paths; others may hold what a path may not."""
    assert checked_key(ObjectKey("file", id_)) == ("file", id_)


@pytest.mark.parametrize("id_", ["//", "/a/", "/a//b", "/.", "/a/..", "/../a", "/a/./b", "//a"])
def test_a_path_in_another_spelling_is_refused(id_: str) -> None:
    """Two spellings of one path would be two objects with two lists of who may see them."""
    with pytest.raises(InvalidError, match="write it as"):
        checked_key(ObjectKey("file", id_))


@pytest.mark.parametrize("word", ["asset", "a", "metadata_view2", "a" * MAX_WORD])
def test_a_type_or_role_is_a_plain_word(word: str) -> None:
    """Types and roles are lower-case words."""
    assert checked_word(word, "role") == word


@pytest.mark.parametrize("word", ["", "Asset", "2a", "_a", "a-b", "a:b", "a\n", "é", "a" * (MAX_WORD + 1)])
def test_another_word_is_refused(word: str) -> None:
    """A type with a colon would make two fact keys one."""
    with pytest.raises(InvalidError, match="lower-case letters"):
        checked_word(word, "role")


def test_an_email_is_kept_in_lower_case() -> None:
    """Two spellings of one address are one user."""
    assert checked_email("Ada.Løve@Example.COM") == "ada.løve@example.com"


@pytest.mark.parametrize(
    "text", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\0@b", "a" * MAX_EMAIL + "@b"]
)
def test_what_is_no_email_is_refused(text: str) -> None:
    """There is exactly one at sign with something on both sides, and no space."""
    with pytest.raises(InvalidError, match="e-mail"):
        checked_email(text)


def test_names_are_not_empty_and_texts_may_be() -> None:
    """A name of spaces cannot be asked for; a description may be empty and have lines."""
    assert checked_text("", "user") == ""
    assert checked_text("one\n\ttwo", "user") == "one\n\ttwo"
    for text in ("", "  "):
        with pytest.raises(InvalidError, match="empty"):
            checked_name(text, "group")
    for text in ("a\0b", "a\rb", "x" * (MAX_TEXT + 1)):
        with pytest.raises(InvalidError):
            checked_text(text, "user")


def test_a_choice_names_the_alternatives() -> None:
    """A word outside an enum is answered with the words inside it."""
    assert checked_choice("POWER", UserType, "type") is UserType.POWER
    with pytest.raises(InvalidError, match="POWER, STANDARD, BROWSE_ONLY"):
        checked_choice("SUPER", UserType, "type")


def test_ids_that_we_make_differ() -> None:
    """No two are the same, and each is a valid id."""
    assert len({checked_id(new_id(), "thing") for _ in range(100)}) == 100


def test_a_message_shows_little_of_what_is_long() -> None:
    """Neither length nor control characters of hostile input get into a log line."""
    assert shown("a\nb") == "`a?b`"
    assert shown("x" * 1_000) == f"`{'x' * 64}...`"
