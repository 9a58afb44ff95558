"""Parameters that name another method, in every spelling that some framework reads."""

import pytest

from gateway.overrides import overrides_method


@pytest.mark.parametrize("pairs", [
    b"_method=DELETE", b"a=1&_method=PUT", b"a=1;_method=PUT", b"_METHOD=put", b"%5fmethod=PUT", b"%5Fm%65thod=PUT", b"_method", b"_method[]=PUT",
    b"+_method=PUT", b"%20.method=PUT", b"X-HTTP-Method-Override=PUT", b"x_http_method_override=PUT", b"x.http.method=PUT", b"X-Method-Override=PUT",
])  # fmt: skip
def test_a_parameter_that_names_a_method_is_found(pairs: bytes) -> None:
    """Letter case, encoding, separators and signs that frameworks fold hide nothing."""
    assert overrides_method(pairs)


@pytest.mark.parametrize(
    "pairs",
    [b"", b"method=mp4", b"a=_method", b"my_method=1", b"q=100%25&_methods=1", b"%ff=1", b"http_method=1"],
)
def test_other_parameters_are_left_alone(pairs: bytes) -> None:
    """A value, or a name that only looks alike, names no method."""
    assert not overrides_method(pairs)
