"""Tests of gateway.demo.lines: each can be pasted, promises what the table of reasons says, and somebody shows each thing."""

import shlex

import pytest

from gateway.demo.cast import CAST, STAN
from gateway.demo.lines import BASIC, BEARER, LINES, PAIR, Key, Line, document, printed, text
from gateway.reasons import TABLE

URL = "http://127.0.0.1:8080"
KEYS = {each: Key("the-app", f"mg_{each.first_name}") for each in CAST}


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.who and line.who.first_name}: {line.shows}")
def test_a_line_can_be_pasted(line: Line) -> None:
    """A line is one command in one row, which a shell takes apart into curl, its options and the address."""
    command = printed(line, URL, KEYS)
    words = shlex.split(command)

    assert "\n" not in command
    assert words[0] == "curl"
    assert words[-1] == f"{URL}{line.path}"
    assert not any(sign in word for word in words for sign in ("`", "$", "!"))


@pytest.mark.parametrize("line", [line for line in LINES if line.reason], ids=lambda line: line.shows)
def test_a_refusal_has_the_status_of_its_reason(line: Line) -> None:
    """The table of reasons knows the status, and the reason is one that is told outside."""
    assert line.reason
    assert TABLE[line.reason].status == line.status
    assert TABLE[line.reason].public is line.reason


def test_everybody_has_a_line() -> None:
    """Each of the cast, and nobody, is shown."""
    assert {line.who for line in LINES} == {None, *CAST}


def test_each_way_to_sign_in_is_shown() -> None:
    """Bearer, the header pair and Basic all have lines."""
    assert {line.proof for line in LINES if line.who} == {BEARER, PAIR, BASIC}


@pytest.mark.parametrize(
    ("proof", "credential"),
    [
        (BEARER, ["-H", "Authorization: Bearer mg_Stan"]),
        (PAIR, ["-H", "App-ID: the-app", "-H", "Auth-Token: mg_Stan"]),
        (BASIC, ["-u", "x:mg_Stan"]),
    ],
)
def test_a_credential_is_sent_as_the_line_says(proof: str, credential: list[str]) -> None:
    """Each way has its own options."""
    words = shlex.split(printed(Line(STAN, "", "/", 200, proof=proof), URL, KEYS))

    assert words == ["curl", "-sS", "-i", *credential, f"{URL}/"]


def test_all_statuses_that_the_demo_promises_are_shown() -> None:
    """There are lines for what works, in part and whole, and for each kind of refusal."""
    assert {line.status for line in LINES} >= {200, 201, 206, 207, 400, 401, 403}


def test_all_that_is_printed_names_what_to_expect() -> None:
    """What the demo prints has each command under what it shows, and the same stands in the document."""
    said, told = text(URL, KEYS), document(URL, KEYS)

    for line, row in zip(LINES, told["lines"], strict=True):
        assert f"  # {line.shows}: {line.expected}\n  {printed(line, URL, KEYS)}" in said
        assert (row["command"], row["expected"]) == (printed(line, URL, KEYS), line.expected)


def test_a_key_does_not_show_its_token() -> None:
    """A token is printed in lines, not by accident."""
    assert "mg_Stan" not in repr(KEYS[STAN])
