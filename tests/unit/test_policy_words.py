"""Tests of gateway.policy.words: every word of a policy is told with an example that runs."""

import pytest

from gateway.policy.lint import lint
from gateway.policy.strict import VOCABULARY, StrictPolar
from gateway.policy.words import CLASSES, EXAMPLES, Word, enums, nearest, words
from models.records import PERMISSION_NAMES, Right, UserType
from worlds import question, studio

WORDS = words()


def test_every_question_is_told_once() -> None:
    """The list is the vocabulary of strict Oso, and examples are kept for nothing else."""
    told = [(CLASSES[word.receiver], word.name) for word in WORDS]

    assert sorted(told, key=str) == sorted(
        ((cls, name) for cls, all_ in VOCABULARY.items() for name in all_), key=str
    )
    assert {f"{word.receiver}.{word.name}" for word in WORDS} == set(EXAMPLES)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{word.receiver}.{word.name}")
def test_the_example_runs_in_strict_oso(word: Word) -> None:
    """Each example is a condition that strict Oso answers, that uses its word, and that the lint finds nothing in."""
    rule = f"x(subject, resource, request) if {word.example} or u(subject, resource, request);\nu(_s, _r, _q) if 1 = 2;"
    asked = question(studio())
    polar = StrictPolar([("a.polar", rule), ("", "allow_request(_subject, _request) if false;")])

    assert word.example.startswith(f"{word.receiver}.{word.name}(")
    assert len(list(polar.answers("x", asked.subject, asked.resource, asked.request))) <= 1
    assert not [finding for finding in lint({"a.polar": rule}) if f"`{word.name}`" in finding.says]


def test_words_carry_types_and_a_sentence() -> None:
    """Arguments and sentences come from the code."""
    grants = next(word for word in WORDS if word.name == "grants")

    assert grants.written == "resource.grants(permission: str, subject: Subject)"
    assert grants.says.startswith("Tells whether an entry on the object itself grants")
    assert not [word for word in WORDS if "seed" in word.says or not word.says.endswith(".")]


def test_enums_are_those_of_the_facts() -> None:
    """User types and permissions are the closed sets of the facts; actions those of the policy."""
    assert enums(["b", "a"]) == {
        "user type": tuple(UserType),
        "permission": tuple(PERMISSION_NAMES),
        "right": tuple(Right),
        "action": ("a", "b"),
    }


def test_the_nearest_word_is_offered() -> None:
    """A typing mistake gets the word that was meant; something else all there are; nothing known, nothing."""
    assert nearest("raed", ["read", "write"]) == ": did you mean `read`?"
    assert nearest("zzz", ["read", "write"]) == ": those are read, write"
    assert nearest("zzz", []) == ""
