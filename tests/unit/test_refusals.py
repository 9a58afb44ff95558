"""Tests of gateway.refusals: what a client sees, and what it does not."""

import json

import pytest

from gateway.errors import GatewayError
from gateway.reasons import TABLE, Reason
from gateway.refusals import refusal


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_json_with_sentence_reason_and_id(reason: Reason) -> None:
    """Every reason gives the same shape, and its detail stays inside."""
    status, headers, body = refusal(GatewayError(reason, "secret detail"), "r1", frozenset())
    told = json.loads(body)

    assert status == TABLE[reason].status
    assert told == {"errors": [TABLE[reason].says], "reason": TABLE[reason].public.value, "request_id": "r1"}
    assert dict(headers)[b"cache-control"] == b"no-store"
    assert dict(headers)[b"content-length"] == str(len(body)).encode()
    assert b"secret" not in body


def test_only_401_challenges() -> None:
    """401 names the schemes that are understood; no other refusal does."""
    _, headers, _ = refusal(GatewayError(Reason.SIGNED_IN), "r", frozenset())
    schemes = [value.split()[0] for name, value in headers if name == b"www-authenticate"]
    _, others, _ = refusal(GatewayError(Reason.ROLE), "r", frozenset())

    assert schemes == [b"Basic", b"Bearer"]
    assert b"www-authenticate" not in dict(others)


def test_a_refusal_that_time_heals_says_when() -> None:
    """429 and 503 carry the seconds of their error, a second unless it says more; no other refusal does."""
    late = GatewayError(Reason.ADDRESS_RATE)
    late.retry_after = 17
    told = {
        reason: dict(refusal(error, "r", frozenset())[1]).get(b"retry-after")
        for reason, error in ((error.reason, error) for error in (late, *map(GatewayError, Reason)))
        if reason is not Reason.ADDRESS_RATE or error is late
    }

    assert told.pop(Reason.ADDRESS_RATE) == b"17"
    for reason, value in told.items():
        assert value == (b"1" if TABLE[reason].status in (429, 503) else None), reason


@pytest.mark.parametrize("reason", Reason)
def test_what_was_not_read_to_its_end_is_the_connections_last(reason: Reason) -> None:
    """After a head or body that was not read as it was meant, or not whole, no other request is read."""
    _, headers, _ = refusal(GatewayError(reason), "r", frozenset())

    assert (dict(headers).get(b"connection") == b"close") is (TABLE[reason].status in (400, 408, 413, 431))


def test_a_hidden_reason_is_404() -> None:
    """What an operator hides looks as if it were not there."""
    status, _, _ = refusal(GatewayError(Reason.FOREIGN_OBJECT), "r", frozenset({Reason.NO_GRANT}))

    assert status == 404
