"""Tests of gateway.policy.lint: everything that is wrong is told in one go, each with its place and what to do."""

from pathlib import Path

import pytest

from gateway.policy.lint import errors_of, lint

SHIPPED = {
    path.name: path.read_text() for path in sorted((Path(__file__).parents[2] / "policies").glob("*.polar"))
}
GATES = SHIPPED["gates.polar"]


def said(rule: str, *, errors: bool = True) -> list[str]:
    """Returns the errors (or the warnings) that one more file brings; roles are compared with one role."""
    found = lint({**SHIPPED, "0.polar": rule}, {"can_read_assets"})
    return [finding.text for finding in found if finding.error is errors]


def permit(condition: str) -> str:
    """Returns a permit with this condition."""
    return f'permit(subject, action, resource, request, "x") if\n    {condition}\n    and _used(subject, action, resource, request);\n_used(_s, _a, _r, _q);\n'


def test_shipped_policies_have_no_findings() -> None:
    """The policies that come with the program are exemplary: not even a warning."""
    assert lint(SHIPPED) == []


@pytest.mark.parametrize(
    "condition", ['subject.has_role("web_x")', 'r in ["a", "web_x"] and subject.has_role(r)']
)
def test_no_rule_asks_for_a_role_that_decides_nothing(condition: str) -> None:
    """A GUI-only role in a rule is an error at its line, wherever it stands; elsewhere the name is a text."""
    sources = {**SHIPPED, "0.polar": permit(condition)}

    found = errors_of(lint(sources, gui_only={"web_x"}))
    assert found == [
        (
            "0.polar:2: the role `web_x` only switches something of a graphical interface, so no rule may ask for it: "
            "ask for the role of the operation itself"
        )
    ]
    assert errors_of(lint(sources)) == []


ERRORS = {
    "an unknown word": ('subject.in_gruop("a")', "`subject` has no question `in_gruop`: did you mean `in_group`?"),
    "a word of another class": ("subject.owned_by(subject)", "ask `resource.owned_by(...)`"),
    "an attribute": ("subject.is_admin", "write `subject.is_admin(...)`"),
    "too few arguments": ("subject.in_group()", "`in_group` takes 1 arguments, not 0"),
    "too many arguments": ("subject.is_admin(1)", "`is_admin` takes 0 arguments, not 1"),
    "arguments by name": ('subject.in_group(name: "a")', "no arguments by name"),
    "an unknown user type": ('subject.is_type("POWR")', "`POWR` is no user type: did you mean `POWER`?"),
    "an unknown permission": ('resource.grants("raed", subject)', "`raed` is no permission: did you mean `read`?"),
    "a bad network": ('request.from_network("10.0.0.0/99")', "`10.0.0.0/99` is no network"),
    "a bad time": ('request.time_between("25:00", "06:00", "UTC")', "`25:00` is no time"),
    "a bad zone": ('request.time_between("22:00", "06:00", "Mars/Base")', "`Mars/Base` is no time zone"),
    "a user compared with a text": ('subject = "kim"', "the subject is no text and never equals one"),
    "an object compared with a text": ('"asset:1" == resource', "the resource is no text and never equals one"),
    "a user in a list of texts": ('subject in ["kim"]', "the subject is no text and never equals one"),
    "not over a group": ('not subject.in_group("a")', "`not` over `in_group` would take access away"),
    "not over a role": ('not (subject.has_role("can_read_assets") or 1 = 1)', "`not` over `has_role`"),
    "not over an entry": ('not resource.grants("read", subject)', "`not` over `grants`"),
    "not over an inherited entry": ('not resource.inherits("read", subject)', "`not` over `inherits`"),
    "forall over a group": ('forall(subject.in_group("a"), 1 = 2)', "`not` over `in_group`"),
    "not through a rule": ('not member(subject); member(s) if s.in_group("a") and 1 = 1', "`not` over `in_group`"),
    "a grant compared": ('subject.in_group("a") = false', "`in_group` is compared or handed on"),
    "an unknown rule": ("neds(action, action)", "no rule is called `neds`"),
    "a rule with other arguments": ("needs(action)", "the rule `needs` takes 2 arguments, not 1"),
    "a variable that stands once": ("subjct.is_active()", "`subjct` stands only once in this rule: did you mean `subject`?"),
    "an unknown class": ("subject matches Sujbect", "`Sujbect` is no class: did you mean `Subject`?"),
    "fields": ("subject matches Subject{id: 1}", "fields cannot be read"),
    "a question to a text": ("action.upper()", "only subject, resource and request answer questions"),
    "the debugger": ("debug()", "`debug()` is not for policies"),
    "a constructor": ("_y = new Object(1)", "`new` is not for policies"),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "sentence"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_is_told_with_its_line(condition: str, sentence: str) -> None:
    """Each mistake in a condition is one sentence at the line where it stands."""
    found = said(permit(condition))

    assert any(line.startswith("0.polar:2: ") and sentence in line for line in found), found


WARNINGS = {
    "recursion": ("again(subject); again(s) if s.is_active() and again(s)", "leads back to itself"),
    "cut": ("cut", "`cut` can make a grant take access away"),
    "printing": ("print(subject)", "`print` shows nothing here"),
    "an unknown action": ('action = "raed"', "no needs(...) knows the action `raed`: did you mean `read`?"),
    "an unknown role": ('subject.has_role("can_raed_assets")', "did you mean `can_read_assets`?"),
    "an unused rule": ("1 = 1; lonely(s) if s.is_admin()", "no gate or permit uses the rule `lonely`"),
}


@pytest.mark.parametrize(("condition", "sentence"), WARNINGS.values(), ids=WARNINGS.keys())
def test_a_warning_is_no_error(condition: str, sentence: str) -> None:
    """What is legal is told as a warning."""
    rule = permit(condition).replace(
        "\n    and _used", ";\n_unused(subject, action, resource, request) if _used"
    )
    found = said(permit(condition) if ";" not in condition else rule, errors=False)

    assert any(": warning: " in line and sentence in line for line in found), found


FINE = (
    'subject.in_group("editors")',
    'not request.time_between("22:00", "06:00", "Europe/Berlin")',
    "not subject.is_admin()",
    'not (not subject.in_group("a"))',
    'forall(name in ["a", "b"], subject.in_group(name))',
    'action in ["read", "list"]',
    'resource.is_type("asset") or resource.is_type("file")',
)


@pytest.mark.parametrize("condition", FINE)
def test_what_is_right_has_no_error(condition: str) -> None:
    """Plain conditions pass; an even number of `not` takes nothing away."""
    assert said(permit(condition)) == []


SHAPES = {
    "a permit without a reason": ("permit(_s, _a, _r, _q, _why) if 1 = 1;", "0.polar:1: write permit("),
    "a reason that another has": ('permit(_s, _a, _r, _q, "admin");', 'the reason "admin" is already given at 0.polar:1'),
    "a reason of refusal": ('permit(_s, _a, _r, _q, "network");', '"network" is a reason of refusal'),
    "a user in a head": ('permit("kim", _a, _r, _q, "x");', "the subject is no text"),
    "a gate that is not listed": ('gate("extra", _s, _a, _r, _q);', 'gate "extra" is not in gates([...])'),
    "a gate without a name": ("gate(_n, _s, _a, _r, _q);", '0.polar:1: write gate("name"'),
    "a second order": ('gates(["role"]);', "is already stated at 0.polar:1"),
    "an unknown permission": ('needs("read", "raed");', "`raed` is no permission"),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "sentence"), SHAPES.values(), ids=SHAPES.keys())
def test_the_shape_of_gates_and_permits(rule: str, sentence: str) -> None:
    """Heads that could never do what they say are told."""
    assert any(sentence in line for line in said(rule)), said(rule)


def test_a_cycle_of_several_rules_is_told_of_its_rules_only() -> None:
    """Rules that lead back to themselves through others are told; what only leads to them is not."""
    rules = permit("above(subject)") + (
        "above(s) if one(s);\none(s) if s.is_admin() or two(s);\ntwo(s) if one(s) and last(s);\nlast(s) if s.is_active();\n"
    )
    told = [line.split("`")[1] for line in said(rules, errors=False)]

    assert told == ["one", "two"]


def test_not_sees_through_several_rules() -> None:
    """A grant three rules away is still a grant."""
    rules = permit("not above(subject)") + (
        'above(s) if one(s);\none(s) if two(s);\ntwo(s) if s.in_group("a");\n'
    )

    assert any("`not` over `in_group`" in line for line in said(rules))


def test_the_order_of_the_gates() -> None:
    """A gate named twice, one without a rule, and one that is no reason of refusal are told at their line."""
    order = GATES.replace(
        '"signed-in", "share-off", "user-status"', '"signed-in", "signed-in", "share-off", "usr-status"'
    )
    found = "\n".join(errors_of(lint({**SHIPPED, "gates.polar": order})))

    assert 'gates([...]) names "signed-in" twice' in found
    assert (
        'no rule gate("usr-status", ...) exists: write it or take the name out; did you mean `user-status`?'
        in found
    )
    assert '"usr-status" is no reason of refusal: did you mean `user-status`?' in found
    assert 'gate "user-status" is not in gates([...])' in found


def test_missing_parts_are_told_together() -> None:
    """A policy without order, gates and permits lacks three things."""
    found = errors_of(lint({"a.polar": "# nothing\n"}))

    assert len(found) == 3
    assert all(line.startswith("a.polar:1: ") for line in found)


def test_syntax_errors_of_all_files_are_told() -> None:
    """Every statement that does not parse is told, and those that do are looked through as well."""
    found = errors_of(
        lint(
            {
                **SHIPPED,
                "0.polar": "f(x if x;\ng(y) if\n  y = = 1;\nh(x) if x.is_admn();\n",
                "1.polar": "k(x) if x = 1",
            }
        )
    )

    assert [line.split(" ")[0] for line in found] == ["0.polar:1:", "0.polar:3:", "0.polar:4:", "1.polar:1:"]
    assert "write the `;` that ends it" in found[-1]


def test_a_rule_that_would_kill_the_parser_is_told() -> None:
    """With a bound, Oso is not even asked about a rule without end."""
    found = lint({"a.polar": "f(x) if x" + " and x" * 5_000 + ";"}, max_tokens=2_000)

    assert [finding.text for finding in found] == [
        "a.polar:1: a rule of more than 2000 words and signs: split it into several rules"
    ]


HOSTILE = (
    "f(" * 400,
    "actor A { permissions = [1]; }\nf(_x);",
    'f("',
    ";;;",
    "f(x) if x = " + "-" * 900 + "1;",
    "type f(x: Subject);",
    "?= 1 = 1;",
    "?=",
    "}",
    "f(x) if x = " + "[" * 150 + "]" * 150 + ";",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_the_check(text: str) -> None:
    """Whatever stands in a file, findings come back."""
    assert isinstance(lint({**SHIPPED, "0.polar": text}), list)
