"""Tests of gateway.audit: one whole line or a refusal, and no secrets."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.audit import MAX_PATH, AuditLine, AuditLog, Occasion, line_of, shown_path
from gateway.errors import GatewayError
from gateway.identity import ANONYMOUS
from gateway.reasons import TABLE, Reason

LINE = AuditLine(
    time=datetime(2026, 1, 15, tzinfo=UTC),
    request_id="r1",
    verdict="refused",
    reason="no-grant",
    stage="authorize",
    method="GET",
    path="/a",
    client="10.0.0.1",
    latency_us=12,
    revision=3,
    policy="abc",
)


def test_a_line_is_one_json_object(tmp_path: Path) -> None:
    """Each decision is one line of JSON; empty fields are left out."""
    log = AuditLog(str(tmp_path / "audit"))
    log.write(LINE)
    log.write(LINE)
    log.close()

    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [line["request_id"] for line in lines] == ["r1", "r1"]
    assert "user" not in lines[0]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Who did what is not for everyone on the machine to read."""
    AuditLog(str(tmp_path / "audit")).close()

    assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600


def test_a_full_disk_refuses() -> None:
    """A line that cannot be written is an error that refuses the request."""
    log = AuditLog("/dev/full")

    with pytest.raises(GatewayError) as caught:
        log.write(LINE)
    log.close()

    assert caught.value.reason is Reason.AUDIT_UNAVAILABLE


def test_a_path_is_shown_without_query_and_bounded() -> None:
    """What a line shows of a target has no query, no control bytes and a bound."""
    assert shown_path(b"/a?token=secret") == "/a"
    assert shown_path(b"/\xff\n") == "/\\xff\n"
    assert len(shown_path(b"/" + b"a" * 5000)) == MAX_PATH


@pytest.mark.parametrize("reason", [Reason.BAD_TARGET, Reason.OVERLOADED, Reason.CREDENTIAL_UNKNOWN])
def test_what_ends_before_a_verdict_is_a_line_with_its_stage(reason: Reason) -> None:
    """A request that nothing is known of but how it came has the precise reason, the stage that found it, and no query."""
    occasion = Occasion("r1", "refused", "GET", b"/a?token=x", "10.0.0.1", 12, 3, "abc")
    line = line_of(occasion, ANONYMOUS, None, None, GatewayError(reason, "why"))

    assert (line.reason, line.stage, line.detail) == (reason.value, TABLE[reason].stage, "why")
    assert (line.path, line.user, line.route, line.objects) == (shown_path(b"/a?token=x"), "", "", ())
    assert "token" not in line.path
