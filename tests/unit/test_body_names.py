"""Names in forms and in JSON that stream: found in every spelling, wherever the pieces are cut, before their values are passed on."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.body_names import FormNames, JsonTexts
from gateway.hidden_methods import Search
from gateway.overrides import overrides_method

MIB: Final = 1 << 20
SIGNS: Final = st.sampled_from(
    [b"_", b"%5f", b".", b"-", b"method", b"m%65thod", b"METHO", b"D", b"=", b"&", b";", b"+", b"%20", b" ", b"[", b"%5B", b"x-http-", b"-override", b"%2d", b"%09", b"a"]
)  # fmt: skip


def refused(search: Search, text: bytes, step: int) -> bool:
    """Tells whether a body in pieces of `step` bytes is refused."""
    try:
        for at in range(0, len(text), step):
            search.feed(text[at : at + step])
        search.end()
    except ValueError:
        return True
    return False


@given(st.lists(SIGNS, max_size=8).map(b"".join), st.integers(1, 40))
def test_a_form_is_refused_as_a_query_is(form: bytes, step: int) -> None:
    """However a form is cut, a search finds in it what the rule for whole queries finds, and nothing else."""
    assert refused(FormNames(), form, step) == overrides_method(form)


@pytest.mark.parametrize(
    "before", [b"", b"a=" + bytes(MIB), b"a=1&" + b"+" * MIB, b"x" * MIB + b"&", b"&" * 1000]
)
@pytest.mark.parametrize("behind", [b"=PUT", b"=", b"[]=PUT", b"+++=PUT", b"&a=1", b""])
def test_a_name_is_found_however_much_stands_around_it(before: bytes, behind: bytes) -> None:
    """Behind a value, blanks, a long name or many separators, and before whatever ends a name."""
    separator = b"&" if before.startswith(b"a=") and before.endswith(b"\0") else b""

    for step in (7919, 65536):
        assert refused(FormNames(), before + separator + b"_method" + behind, step)
        assert not refused(FormNames(), before + separator + b"_methods" + behind, step)


def test_a_value_is_passed_on_only_behind_a_name_that_may_stand_there() -> None:
    """The piece in which the name ends is refused: its value is in none that was taken."""
    search = FormNames()
    search.feed(b"a=1&_met")
    search.feed(b"hod")
    with pytest.raises(ValueError, match="names another method"):
        search.feed(b"=DELETE")


def json_refused(text: bytes, step: int = 1 << 20) -> bool:
    """Tells whether a JSON body in pieces of `step` bytes is refused."""
    return refused(JsonTexts(), text, step)


@pytest.mark.parametrize("step", [1, 3, 1 << 20])
@pytest.mark.parametrize("text", [
    b'{"_method":"DELETE"}', b'{"a":{},"_method" : "DELETE"}', b'{"\\u005fm\\u0065thod":1}', b'{"_METH\\u004fD":1}', b'{"X-HTTP-Method-Override":"PUT"}',
    b'{"x_http.method\\u005foverride":1}', b'["_method"]', b" " * 1000 + b'{"_method":1}', b'{"\\u005F\\u006D\\u0065\\u0074\\u0068\\u006f\\u0064":1}',
    b'{\0"\0_\0m\0', b'{"a":1}\0',
])  # fmt: skip
def test_a_name_in_json_is_found(text: bytes, step: int) -> None:
    """As key or value, with any of its signs escaped, wherever the pieces are cut; so is JSON that is not UTF-8."""
    assert json_refused(text, step)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b'{"method":"DELETE"}',
        b'{"_methods":1,"a_method":2}',
        b'{"a":"the _method of it","b":"\\u00e4"}',
        '{"größe":"ж"}'.encode(),
        b'{"\\u0061":"\\u005f method"}',
    ],
)
def test_other_json_passes(text: bytes) -> None:
    """Texts that only look alike are left alone."""
    assert not json_refused(text)
    assert not json_refused(text, 1)
