"""Patterns: the small language they are written in, checked against the standard library's engine."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routes.patterns import MAX_PATTERN, MAX_TEXT, Pattern, PatternError

_ATOMS = st.sampled_from(
    ["a", "b", "c", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\.", "(?:ab|c)", "(a|)"]
)
_COUNTS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,}", "{0,2}"])
_CHAINS = st.lists(st.tuples(_ATOMS, _COUNTS).map("".join), max_size=4).map("".join)
_PATTERNS = st.lists(_CHAINS, min_size=1, max_size=2).map("|".join)
_TEXTS = st.text(alphabet="abc1._é", max_size=6)


@given(_PATTERNS, _TEXTS)
def test_agrees_with_the_standard_engine(pattern: str, text: str) -> None:
    """A pattern matches exactly what the standard engine's full match says, with ASCII classes."""
    expected = re.fullmatch(pattern, text, re.ASCII | re.DOTALL) is not None

    assert Pattern(pattern).matches(text) is expected


@given(_PATTERNS, _PATTERNS, _TEXTS)
def test_overlap_covers_every_shared_text(one: str, two: str, text: str) -> None:
    """If a text that is not empty matches both patterns, they are said to overlap."""
    if text and Pattern(one).matches(text) and Pattern(two).matches(text):
        assert Pattern(one).overlaps(Pattern(two))


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("^a", "leave out `^`"),
        ("a$", "leave out `$`"),
        ("(a", "is not closed"),
        ("a)", "closes nothing"),
        ("[a", "ends too early"),
        ("[]", "matches nothing"),
        ("[[:alpha:]]", "sign itself"),
        ("[z-a]", "backwards"),
        (r"[\d-z]", "one character to another"),
        ("[ab\\", "ends too early"),
        ("*a", "nothing before it"),
        ("a**", "cannot follow"),
        ("a{2}{3}", "cannot follow"),
        ("a{2,1}", "counts backwards"),
        ("a{x}", "comes a count"),
        ("(?=a)", "a group is written"),
        (r"\bword", "not known here"),
        ("a" * (MAX_PATTERN + 1), "at most"),
        ("(?:a{100}){100}", "too large"),
    ],
)
def test_what_is_no_pattern_is_explained(pattern: str, sentence: str) -> None:
    """Text outside the language is an error that says what to write."""
    with pytest.raises(PatternError, match=re.escape(sentence)):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\[\]\(\)\{\}\\\^\$", r"[](){}\^$"),
        (r"[\]\[^-]+", "]^-["),
        (r"[a\-z]+", "a-z"),
        (r"[+-]", "-"),
        (r"\s\d\w", " 1_"),
        ("[^/]+", "ночь"),
        ("[^-~]", "a"),
        ("", ""),
    ],
)
def test_signs_can_be_written(pattern: str, text: str) -> None:
    """Every sign can be meant as itself."""
    assert Pattern(pattern).matches(text)


def test_a_long_text_matches_nothing() -> None:
    """A text beyond the bound matches no pattern."""
    assert Pattern("a*").matches("a" * MAX_TEXT)
    assert not Pattern("a*").matches("a" * (MAX_TEXT + 1))


def test_patterns_written_alike_are_equal() -> None:
    """Equality and hash follow the text, and the text can be seen."""
    assert Pattern("a+") == Pattern("a+")
    assert len({Pattern("a+"), Pattern("a+"), Pattern("a")}) == 2
    assert Pattern("a") != "a"
    assert repr(Pattern("a+")) == "Pattern('a+')"
