"""Sheets: YAML in which every value has its line and every mistake is collected."""

import pytest

from gateway.routes.sheets import MAX_BYTES, MAX_NESTING, Entry, Sheet


def read(text: str | bytes) -> tuple[Entry | None, list[str]]:
    """Returns what a file says, and the problems found so far."""
    sheet = Sheet("a.yaml")
    return sheet.read(text if isinstance(text, bytes) else text.encode()), sheet.problems


def entry(text: str) -> Entry:
    """Returns the value of a file without problems."""
    found, problems = read(text)
    assert found is not None
    assert problems == []
    return found


def test_values_have_their_lines() -> None:
    """Texts, lists and mappings are found again with the line of their key."""
    top = entry("# a comment\na: x\nb:\n  - y\n  - z\nc: {d: 1}\n")

    fields = dict(top.as_pairs("top"))

    assert {key: value.line for key, value in fields.items()} == {"a": 2, "b": 3, "c": 6}
    assert fields["a"].as_text("a") == "x"
    assert fields["a"].place == "a.yaml:2"
    assert fields["b"].as_texts("b") == ["y", "z"]
    assert fields["c"].as_fields("c", ["d"])["d"].as_number("d", 0, 9) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "1: the file is empty"),
        ("# nothing\n", "1: the file is empty"),
        ("a: [", "2: not YAML"),
        ("a: 1\n b: 2\n", "2: not YAML"),
        ("a: {id: /{path}}\n", 'in quotes, as in "{asset_id}"'),
        ("x: &a 1\ny: *a\n", "1: anchors and aliases"),
        ("x: *a\n", "1: "),
        ("x: !!python/name:os.system ''\n", "1: the tag"),
        ("x: !own [1]\n", "1: the tag"),
        ("x: !own {a: 1}\n", "1: the tag"),
        ("a: 1\n---\nb: 2\n", "3: a second document"),
        (b"a: \xff\n", "1: not YAML in UTF-8"),
        (b"a: \x00\n", "1: not YAML"),
        ("[" * 100_000, "1: nested deeper"),
        ("- " * 100_000, "1: nested deeper"),
        ("{a: " * 100_000, "1: nested deeper"),
        ("\n".join(" " * at + "a:" for at in range(MAX_NESTING + 2)), f"{MAX_NESTING + 1}: nested deeper"),
        (b"#" * (MAX_BYTES + 1), "1: larger than"),
    ],
)
def test_what_is_no_sheet_is_reported_with_its_line(text: str | bytes, sentence: str) -> None:
    """Broken YAML, and YAML that gives a line a second meaning, is one problem with its line and never a crash."""
    _, problems = read(text)

    assert len(problems) == 1
    assert problems[0].startswith("a.yaml:")
    assert sentence in problems[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("12", 'must be text: write "12" in quotes'),
        ("on", 'must be text: write "on" in quotes'),
        ("~", 'must be text: write "~" in quotes'),
        ('""', "must be text"),
        ("[x]", "must be text"),
        ("{x: 1, y: 2}", "must be text"),
        ("{asset_id}", "write it in quotes"),
    ],
)
def test_text_is_text(text: str, sentence: str) -> None:
    """What YAML reads as something else is no text, and the report says how to write it."""
    found = entry(text)

    assert found.as_text("`id`") is None
    assert sentence in found.sheet.problems[0]


@pytest.mark.parametrize("text", ["'12'", '"on"', "none", "/{path}", "GET /x"])
def test_quoted_and_plain_texts(text: str) -> None:
    """Quotes make a text of anything, and plain texts need none."""
    assert entry(text).as_text("`id`") == text.strip("'\"")


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("false", False), ("yes", None), ("'true'", None)]
)
def test_flags(text: str, *, expected: bool | None) -> None:
    """A flag is `true` or `false` and nothing that only looks like it."""
    assert entry(text).as_flag("it") is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", 1), ("64", 64), ("0", None), ("65", None), ("1_0", None), ("0x1", None), ("x", None)],
)
def test_numbers(text: str, expected: int | None) -> None:
    """A number is decimal and within its bounds."""
    assert entry(text).as_number("it", 1, 64) == expected


def test_wrong_shapes_are_reported() -> None:
    """Each reader reports a value of another shape and goes on."""
    text, list_ = entry("x"), entry("[]")

    assert text.as_list("it") == []
    assert text.as_texts("it") == []
    assert text.as_pairs("it") == []
    assert list_.as_texts("it") == []
    assert text.sheet.problems == ["a.yaml:1: it must be a list"] * 2 + [
        "a.yaml:1: it must be a mapping of keys to values"
    ]
    assert list_.sheet.problems == ["a.yaml:1: it must not be empty"]


def test_keys_are_known_and_stand_once() -> None:
    """A key twice or one that nobody knows is reported with its line; the rest is read."""
    top = entry("a: 1\nb: 2\na: 3\nacton: 4\n? [x]\n: 5\n")

    assert list(top.as_fields("a row", ["a", "b", "action"])) == ["a", "b"]
    assert top.sheet.problems == [
        "a.yaml:3: `a` stands there twice",
        "a.yaml:5: a key must be text",
        "a.yaml:4: a row has no key `acton`; did you mean `action`?",
    ]


def test_choices() -> None:
    """A word outside the choices is answered with the nearest one."""
    assert entry("same").as_choice("`x`", ["same", "distinct"]) == "same"
    wrong = entry("sam")
    assert wrong.as_choice("`x`", ["same", "distinct"]) is None
    assert wrong.sheet.problems == ["a.yaml:1: `x` is not `sam`; did you mean `same`?"]
