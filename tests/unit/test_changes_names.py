"""Names have one form each; what has another is refused with a sentence that says what to write."""

import pytest

from models.changes import InvalidError
from models.changes.names import (
    MAX_DOCUMENT,
    MAX_EMAIL,
    MAX_ID_BYTES,
    MAX_TEXT,
    checked_choice,
    checked_document,
    checked_email,
    checked_id,
    checked_key,
    checked_link,
    checked_name,
    checked_text,
    checked_word,
    new_id,
    shown,
)
from models.records import MAX_WORD, ObjectKey, UserType

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


@pytest.mark.parametrize("text", ["\uff21da@x", "Lo\u0308we@x", "\u212a@x", "\ufb01n@x", "a@\uff58.example"])
def test_an_email_that_looks_like_a_plainer_one_is_refused(text: str) -> None:
    """Full-width letters, loose accents and ligatures would make a second user who looks like the first."""
    with pytest.raises(InvalidError, match="look-alike letters: write `"):
        checked_email(text)


@pytest.mark.parametrize(
    "text", ["", "/me.png", "/a/../b?c#d", "https://x/y.png", "http://[::1]:80/a", "HTTPS://x"]
)
def test_a_link_leads_to_the_web_or_to_a_path(text: str) -> None:
    """It is kept as it is, and may be left empty."""
    assert checked_link(text, "user") is text


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/x",
        "/\\evil.example",
        "https:\\\\evil",
        "a.png",
        "https://",
        "https:/x",
        "https://x/a b",
        "https://[::1",
        " https://x",
        "https://x/\u202e",
        "/\n",
    ],
)
def test_what_a_browser_would_run_or_take_elsewhere_is_no_link(text: str) -> None:
    """Scripts, links without a scheme, backslashes and invisible characters are refused."""
    with pytest.raises(InvalidError):
        checked_link(text, "user")


def test_a_document_is_a_bounded_json_object() -> None:
    """What JSON gives back as it was is kept."""
    for values in ({}, {"a": [1, 2.5, None, {"b": "\U0001f3ac"}]}, {"\0": True}):
        assert checked_document(values, "settings") is values


def deep() -> dict[str, object]:
    """Returns objects within objects, deeper than JSON is written."""
    found: dict[str, object] = {}
    for _ in range(100_000):
        found = {"a": found}
    return found


BAD_DOCUMENTS = {
    "a list": [1],
    "nothing": None,
    "too large": {"x": "y" * MAX_DOCUMENT},
    "no number": {"x": float("nan")},
    "a set": {"x": {1}},
    "a number as a name": {1: 2},
    "half a character": {"x": "\ud800"},
}


@pytest.mark.parametrize("values", BAD_DOCUMENTS.values(), ids=BAD_DOCUMENTS.keys())
def test_what_is_no_such_object_is_refused(values: object) -> None:
    """What a database would not take or would give back otherwise never reaches it."""
    with pytest.raises(InvalidError, match="the settings"):
        checked_document(values, "settings")


def test_a_document_without_end_is_refused() -> None:
    """Nesting that cannot be written is refused and not a crash."""
    with pytest.raises(InvalidError, match="cannot be written"):
        checked_document(deep(), "settings")


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
