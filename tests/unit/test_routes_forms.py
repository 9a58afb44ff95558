"""Forms of ids: one canonical id or an error."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes.forms import MAX_ID, IdError, ObjectForm, folded
from gateway.routes.patterns import Pattern
from models.records import ObjectKey

OPAQUE = ObjectForm("asset")
PATH = ObjectForm("file", is_path=True)
DISTINCT = ObjectForm("file", is_path=True, keeps_slash=True)
FOLDED = ObjectForm("file", is_path=True, folds_case=True)
COMPOSED = ObjectForm("file", is_path=True, composes=True)
CANONICAL = ObjectForm("file", is_path=True, folds_case=True, composes=True)
FORMS = [OPAQUE, PATH, DISTINCT, FOLDED, COMPOSED, CANONICAL]


@pytest.mark.parametrize(
    ("form", "text", "id_"),
    [
        (OPAQUE, "42", "42"),
        (OPAQUE, "a/b", "a/b"),
        (OPAQUE, "Ünïcode ", "Ünïcode "),
        (OPAQUE, "100%", "100%"),
        (PATH, "/", "/"),
        (PATH, "/a/b", "/a/b"),
        (PATH, "/a/b/", "/a/b"),
        (PATH, "/a./b ", "/a./b "),
        (PATH, "/...", "/..."),
        (PATH, "/A/e\u0301", "/A/e\u0301"),
        (DISTINCT, "/", "/"),
        (DISTINCT, "/a/b/", "/a/b/"),
        (FOLDED, "/A/Straße", "/a/strasse"),
        (FOLDED, "/\u212a", "/k"),
        (FOLDED, "/E\u0301", "/e\u0301"),
        (COMPOSED, "/e\u0301", "/\u00e9"),
        (COMPOSED, "/A", "/A"),
        (CANONICAL, "/E\u0301", "/\u00e9"),
    ],
)
def test_canonical_form(form: ObjectForm, text: str, id_: str) -> None:
    """Each text has the one id that the map's statements give it."""
    assert form.of_text(text) == ObjectKey(form.type, id_)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (OPAQUE, ""),
        (OPAQUE, "/a"),
        (OPAQUE, "a\n"),
        (OPAQUE, "a\x00"),
        (OPAQUE, "a\x85"),
        (OPAQUE, "a\ud800"),
        (OPAQUE, "%2e%2e"),
        (OPAQUE, "a%2Fb"),
        (OPAQUE, "a%5c"),
        (OPAQUE, "a%00"),
        (OPAQUE, "%252e"),
        (OPAQUE, "a" * (MAX_ID + 1)),
        (OPAQUE, "é" * (MAX_ID // 2 + 1)),
        (PATH, ""),
        (PATH, "a/b"),
        (PATH, "//a"),
        (PATH, "/a//b"),
        (PATH, "/a/."),
        (PATH, "/./a"),
        (PATH, "/a/../b"),
        (PATH, "/.."),
        (PATH, "/a\\b"),
        (PATH, "/a\n"),
        (DISTINCT, "/a//"),
    ],
)
def test_what_is_no_id_is_refused(form: ObjectForm, text: str) -> None:
    """Nothing that has two readings, is too long or not of the form becomes an id."""
    with pytest.raises(IdError):
        form.of_text(text)


@pytest.mark.parametrize(
    ("segments", "id_"),
    [([""], "/"), (["a", "b"], "/a/b"), (["a", ""], "/a"), ([], "/")],
)
def test_segments_make_a_path(segments: list[str], id_: str) -> None:
    """Decoded segments are joined into the path's id."""
    assert PATH.of_segments(segments).id == id_


@pytest.mark.parametrize("segments", [["a/b"], ["a", "", "b"], ["..", "a"], ["a", "/"]])
def test_segments_that_make_no_path(segments: list[str]) -> None:
    """A segment with a slash of its own, an empty or a dot segment is refused."""
    with pytest.raises(IdError):
        PATH.of_segments(segments)


def test_pattern_is_asked_before_the_form() -> None:
    """An opaque id must match its pattern as it came, and is folded after."""
    form = ObjectForm("asset", folds_case=True, pattern=Pattern("[A-F0-9]{4}"))

    assert form.of_text("AB12").id == "ab12"
    with pytest.raises(IdError, match="does not match"):
        form.of_text("ab12")


@given(st.sampled_from(FORMS), st.text(max_size=20), st.sampled_from(["", "/"]))
def test_canonical_ids_stay(form: ObjectForm, text: str, start: str) -> None:
    """An id given again is itself: a form applied twice changes nothing."""
    try:
        key = form.of_text(start + text)
    except IdError:
        return

    assert form.of_text(key.id) == key


def test_every_character_folds_once() -> None:
    """For every character, the folded form of the folded form is itself, and all its Unicode forms fold alike."""
    wrong = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if not 0xD800 <= ord(char) < 0xE000
        and not (
            folded(folded(char))
            == folded(char)
            == folded(unicodedata.normalize("NFD", char))
            == folded(unicodedata.normalize("NFC", char))
        )
    ]

    assert wrong == []


@given(st.text(max_size=20))
def test_canonical_equivalents_are_one_object(text: str) -> None:
    """With `nfc` and `fold`, no Unicode form and no letter case of a name makes another object."""
    try:
        key = CANONICAL.of_text("/" + text)
    except IdError:
        return

    for form in ("NFC", "NFD"):
        assert CANONICAL.of_text("/" + unicodedata.normalize(form, text)) == key
    assert folded(text) == folded(text.casefold())
