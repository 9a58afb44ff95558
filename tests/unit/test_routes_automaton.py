"""Automata: they accept what the tree says, in linear time, and know what two share."""

import pytest

from gateway.routes.automaton import MAX_STATES, Automaton, Chain, Choice, Repeat, Set, SizeError, Tree

A = Set(((97, 97),))
B = Set(((98, 98),))
ANY = Set(((0, 0x10FFFF),))


def word(*parts: Tree) -> Chain:
    """Returns the chain of `parts`."""
    return Chain(parts)


@pytest.mark.parametrize(
    ("tree", "accepted", "refused"),
    [
        (A, ["a"], ["", "b", "aa", "é"]),
        (word(A, B), ["ab"], ["a", "b", "ba"]),
        (Choice((A, word(B, B))), ["a", "bb"], ["b", "ab"]),
        (Repeat(A, 0, None), ["", "a", "aaaa"], ["b", "ab"]),
        (Repeat(A, 2, 3), ["aa", "aaa"], ["a", "aaaa"]),
        (Repeat(word(A, B), 1, None), ["ab", "abab"], ["", "aba"]),
        (ANY, ["a", "é", "\U0010ffff"], ["", "aa"]),
    ],
)
def test_accepts_what_the_tree_says(tree: Tree, accepted: list[str], refused: list[str]) -> None:
    """An automaton accepts exactly the texts that its tree describes."""
    automaton = Automaton.of(tree)

    assert [automaton.matches(text) for text in accepted] == [True] * len(accepted)
    assert [automaton.matches(text) for text in refused] == [False] * len(refused)


def test_nested_repeats_do_not_explode() -> None:
    """A text that makes backtracking engines explode is answered at once."""
    tree = word(Repeat(Repeat(A, 1, None), 1, None), B)

    assert not Automaton.of(tree).matches("a" * 1000)


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        (A, A, True),
        (A, B, False),
        (A, ANY, True),
        (Repeat(A, 0, None), Repeat(B, 0, None), False),
        (word(A, ANY), word(ANY, B), True),
        (Repeat(A, 3, 5), Repeat(A, 6, None), False),
        (Repeat(A, 3, 5), Repeat(A, 5, None), True),
    ],
)
def test_overlap_is_exact(one: Tree, two: Tree, *, shared: bool) -> None:
    """Two automata overlap exactly if both accept some text that is not empty, whichever is asked."""
    assert Automaton.of(one).overlaps(Automaton.of(two)) is shared
    assert Automaton.of(two).overlaps(Automaton.of(one)) is shared


def test_size_is_bounded() -> None:
    """A tree that needs too many states is refused, before and after being made deterministic."""
    with pytest.raises(SizeError):
        Automaton.of(Repeat(Repeat(A, 100, 100), 100, 100))
    with pytest.raises(SizeError):
        Automaton.of(word(Repeat(Choice((A, B)), 0, None), A, Repeat(Choice((A, B)), 12, 12)))
    assert len(Automaton.of(Repeat(A, 1000, 1000)).table) <= MAX_STATES


def test_doubt_counts_as_overlap() -> None:
    """Where the walk over pairs of states meets its bound, the answer is that they overlap."""
    one = Automaton.of(word(Repeat(Repeat(A, 397, 397), 0, None), B))
    two = Automaton.of(word(Repeat(Repeat(A, 401, 401), 0, None), A, A))

    assert one.overlaps(two)
