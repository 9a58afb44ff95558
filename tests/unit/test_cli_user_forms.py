"""How a user is written on the command line."""

import pytest
import typer

from gateway.cli.user_forms import document, given


def test_only_what_was_given_is_said() -> None:
    """An option that was left out says nothing; one that is off or empty does."""
    assert given(a=None, b=False, c="", d={}) == {"b": False, "c": "", "d": {}}


def test_an_option_may_hold_json() -> None:
    """Any JSON is read, and one that was left out is none."""
    assert document('{"a": [1]}', "--settings") == {"a": [1]}
    assert document(None, "--settings") is None


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[" * 100_000])
def test_what_is_no_json_names_its_option(text: str) -> None:
    """Broken or bottomless JSON is wrong use, told with the option."""
    with pytest.raises(typer.BadParameter, match="--settings is no JSON"):
        document(text, "--settings")
