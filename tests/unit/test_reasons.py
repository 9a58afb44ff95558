"""Tests of gateway.reasons: the table is complete, and the documents say the same."""

import re
from pathlib import Path

import pytest

from gateway.reasons import TABLE, Reason, status_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_every_reason_has_a_row() -> None:
    """No reason is without a status, a stage and a sentence."""
    assert set(TABLE) == set(Reason)
    assert all(row.says and row.stage for row in TABLE.values())


def test_a_public_reason_is_told_with_its_own_status() -> None:
    """What a refusal looks like outside does not depend on the precise reason behind it."""
    assert all(row.status == TABLE[row.public].status for row in TABLE.values())


def test_the_document_carries_the_same_table() -> None:
    """docs/reasons.md lists each reason with its stage, status, public reason and sentence."""
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\w+) \| (\d+) \| `([a-z-]+)` \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    documented = {name: (stage, int(status), public, says) for name, stage, status, public, says in rows}

    assert documented == {
        reason.value: (row.stage, row.status, row.public.value, row.says) for reason, row in TABLE.items()
    }


@pytest.mark.parametrize("reason", Reason)
def test_hiding_turns_only_403_into_404(reason: Reason) -> None:
    """A hidden public reason answers 404 where it was 403, and nothing else changes."""
    status = TABLE[reason].status
    hidden = frozenset({TABLE[reason].public})

    assert status_of(reason) == status
    assert status_of(reason, hidden) == (404 if status == 403 else status)


def test_hiding_one_reason_hides_all_that_look_like_it() -> None:
    """An unknown, a foreign and a forbidden object stay alike when one of them becomes 404."""
    hidden = frozenset({Reason.NO_GRANT})

    assert {
        status_of(each, hidden) for each in (Reason.UNKNOWN_OBJECT, Reason.FOREIGN_OBJECT, Reason.NO_GRANT)
    } == {404}
