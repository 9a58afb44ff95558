"""Templates of paths and of ids."""

import re

import pytest

from gateway.routes.patterns import Pattern
from gateway.routes.templates import MAX_SEGMENTS, Parameter, Template, TemplateError, nearest


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/", ("",)),
        ("/a", ("a",)),
        ("/a/", ("a", "")),
        ("/ä b/{x}", ("ä b", Parameter("x", 1))),
        ("/{a_1}/{b}", (Parameter("a_1", 0), Parameter("b", 1))),
        ("/v/{rest...}", ("v", Parameter("rest", 1, is_rest=True))),
        (r"/{id:[0-9a-f]{4}}/x", (Parameter("id", 0, Pattern("[0-9a-f]{4}")), "x")),
        ("/{id:[^/]+}", (Parameter("id", 0, Pattern("[^/]+")),)),
        ("/{id:a:b}", (Parameter("id", 0, Pattern("a:b")),)),
    ],
)
def test_parts_of_a_template(text: str, parts: tuple[str | Parameter, ...]) -> None:
    """A template is its literals and parameters, a trailing slash being an empty literal."""
    template = Template.of(text)

    assert template.parts == parts
    assert list(template.parameters) == [part.name for part in parts if isinstance(part, Parameter)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a/b", "start with `/`"),
        ("//a", "empty segment"),
        ("/a//b", "empty segment"),
        ("/a/../b", "is no segment"),
        ("/./b", "is no segment"),
        ("/a-{x}", "whole segment"),
        ("/{x}.mp4", "whole segment"),
        ("/{x", "whole segment"),
        ("/x}", "whole segment"),
        ("/{x}/{x}", "stands there twice"),
        ("/{X}", "lower case"),
        ("/{}", "lower case"),
        ("/{x...}/y", "at its end"),
        ("/{x:(}", "is not closed"),
        ("/{x...:a}", "lower case"),
        ("/a/*", "write `{name...}`"),
        ("/a?delete", "under `query:`"),
        ("/a%20b", "the character itself"),
        ("/a\\b", "no request"),
        ("/a#b", "no request"),
        ("/a" * (MAX_SEGMENTS + 1), "at most"),
    ],
)
def test_what_is_no_template_is_explained(text: str, sentence: str) -> None:
    """A text that no request could match, or that is misspelt, is an error that says what to write."""
    with pytest.raises(TemplateError, match=re.escape(sentence)):
        Template.of(text)


TEMPLATE = Template.of("/v/{name}/{path...}")
NAME, PATH = TEMPLATE.parameters["name"], TEMPLATE.parameters["path"]


def test_ids_are_put_together_from_parameters() -> None:
    """A path id is literals and parameters, an opaque id one parameter."""
    assert TEMPLATE.path_id("/{path}") == (PATH,)
    assert TEMPLATE.path_id("/disk/{name}/{path}") == ("disk", NAME, PATH)
    assert TEMPLATE.path_id("/inbox") == ("inbox",)
    assert TEMPLATE.opaque_id("{name}") == NAME


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("/{pth}", "no parameter `pth`; did you mean `path`?"),
        ("/{path}/x", "at the end of an id"),
        ("/a{path}", "whole segment"),
        ("path", "start with `/`"),
    ],
)
def test_what_is_no_path_id_is_explained(text: str, sentence: str) -> None:
    """A path id with an unknown parameter or something after the rest is an error."""
    with pytest.raises(TemplateError, match=re.escape(sentence)):
        TEMPLATE.path_id(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{nam}", "did you mean `name`?"),
        ("{path}", "rest of a path"),
        ("name", "one parameter"),
        ("{name}-{name}", "no parameter"),
    ],
)
def test_what_is_no_opaque_id_is_explained(text: str, sentence: str) -> None:
    """An opaque id is exactly one parameter that is one segment."""
    with pytest.raises(TemplateError, match=re.escape(sentence)):
        TEMPLATE.opaque_id(text)


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (["path", "name"], "; did you mean `path`?"),
        (["zzz", "yyy"], "; there is `yyy`, `zzz`"),
        ([], "; there is none"),
    ],
)
def test_the_nearest_name_is_told(known: list[str], sentence: str) -> None:
    """A misspelt name is answered with the nearest known one, else with what there is."""
    assert nearest("pth", known) == sentence


def test_long_lists_are_cut() -> None:
    """Of many names only the first are told."""
    assert nearest("-", [f"n{at}" for at in range(99)]).endswith(", ...")
