"""Tests of gateway.policy.complaints: what Oso says of blocks and types is a sentence at the place where it is mended."""

from pathlib import Path

import pytest

from gateway.errors import PolicyFileError
from gateway.policy import Policy
from gateway.policy.complaints import complaint, complaint_of
from gateway.policy.lint import errors_of, lint

SHIPPED = {
    path.name: path.read_text() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.polar"))
}
BLOCK = '\nresource Object {\n  permissions = ["read"];\n  roles = ["a"];\n  "read" if "a";\n}\n'
ACTOR = "actor Subject {}\n"
ASKED = 'permit(s, a, r, _q, "block") if has_permission(s, a, r);\n'

MISTAKES = {
    "a block without has_role": (BLOCK + ASKED, "2", "Oso asks the rule `has_role` for this block, and there is none"),
    "a block that nobody asks": ('resource Object { permissions = ["read"]; }', "1", "no rule asks `has_permission`"),
    "a term that is not declared": (
        BLOCK.replace('"read" if "a"', '"read" if "b"') + ASKED,
        "5",
        '"b" is not declared in the block of `Object`: add it there',
    ),
    "a class that is unknown": (BLOCK.replace("Object", "Objct"), "2", "`Objct` is no class: did you mean `Object`?"),
    "a list twice": ('resource Object { roles = ["a"]; roles = ["b"]; }', "1", "has `roles` twice: write one list"),
    "a role that is a permission": (
        'resource Object { roles = ["a"]; permissions = ["a"]; }',
        "1",
        '"a" is a role and a permission in the block of `Object`: rename one',
    ),
    "a list of another name": ('resource Object { perms = ["a"]; }', "1", "and no `perms`: write one of these"),
    "a type that no gate has": (
        "# remark\ntype gate(name: Integer, s: Subject, a: String, r: Object, q: Request);",
        "2",
        "take the declaration out, or write the form that every `gate` has",
    ),
    "a type of too few": ("type gate(name: String);", "1", "the rule `gate` at gates.polar:"),
    "a role of nobody who acts": (
        'has_role(s: Subject, "a", _r: Object) if s.is_active();\n' + BLOCK + ASKED,
        "1",
        "this rule must read has_role(subject: Subject, role: String, resource: Object), with `actor Subject {}` declared",
    ),
    "a block that does not end": ('\nresource Object {\n  roles = ["a"];\n', "2", "the bracket `{` that opens here is never closed"),
    "a list that does not end": ('resource Object {\n  roles = ["a",\n', "2", "the bracket `[` that opens here is never closed"),
    "a rule whose bracket stays open": ("_f(_x) if\n  (1 = 1", "2", "the bracket `(` that opens here is never closed"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "says"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_is_one_sentence_at_its_place(text: str, line: str, says: str) -> None:
    """Lint tells it with file and line of the text that is wrong, in our words; no link, no excerpt, no class of Oso's."""
    found = errors_of(lint({**SHIPPED, "0.polar": text}))

    assert len(found) == 1, found
    assert found[0].startswith(f"0.polar:{line}: "), found
    assert says in found[0]
    assert not any(word in found[0] for word in ("osohq", "ValidationError", "Actor{}", "trace"))


def test_a_good_block_and_a_good_type_have_no_finding() -> None:
    """What Oso loads is not complained about."""
    given = 'has_role(s: Subject, "a", _r: Object) if s.is_active();\n'
    kind = "type gate(name: String, s, a, r, q);\n"

    assert errors_of(lint({**SHIPPED, "0.polar": BLOCK + ASKED + given + kind + ACTOR})) == []
    assert complaint_of({**SHIPPED, "0.polar": kind}) is None


def test_not_sees_through_a_block() -> None:
    """What a block allows is a grant if its roles are: denying it would take access away."""
    asked = 'permit(s, a, r, _q, "block") if not has_permission(s, a, r);\n'
    given = 'has_role(s: Subject, "a", _r: Object) if s.in_group("a");\n'

    assert errors_of(lint({**SHIPPED, "0.polar": BLOCK + asked + given})) == [
        "0.polar:7: `not` over `in_group` would take access away after a grant: say who may instead of who may not"
    ]


def test_what_is_not_foreseen_keeps_osos_words() -> None:
    """Without a place the first file stands for all; the link goes."""
    sources = {"b.polar": "", "a.polar": ""}

    assert (
        complaint("Odd thing\n at line 3, column 1 of file b.polar:\n 003: x", sources).text
        == "b.polar:3: Odd thing"
    )
    said = complaint("Odd thing; Get help with Oso from our engineers: https://x", sources)
    assert said.text == "a.polar:1: Odd thing"


@pytest.mark.parametrize("lacking", ["gates", "gate", "permit"])
def test_loading_names_a_file_for_what_is_missing(lacking: str) -> None:
    """A policy that is loaded without the lint still says in which file to write what it lacks."""
    texts = {name: text.replace(f"\n{lacking}(", f"\n_no_{lacking}(") for name, text in SHIPPED.items()}
    with pytest.raises(PolicyFileError) as caught:
        Policy(texts)

    (problem,) = caught.value.problems
    assert problem.startswith("actions.polar:1: ")
    assert lacking in problem
