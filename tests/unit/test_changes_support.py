"""Support access: a credential that always ends, and domains that let support in for a time."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models import changes
from models.records import DomainRecord, TokenRecord
from models.store import Store
from stores import change, record, refused, revision, touched

SOON = datetime.now(UTC) + timedelta(hours=2)
SOURCES = Path(__file__).parents[2] / "src"


def test_a_credential_of_support_belongs_to_nobody(cast: Store) -> None:
    """It names who of support holds it, and no user or application; it can be revoked like any other."""
    since = revision(cast)
    with change(cast) as session:
        token, text = changes.issue_support_token(session, "sam", expires=SOON)
    key = f"token:{changes.token_digest(text)}"
    assert record(cast, key) == TokenRecord(token.id, "", "", SOON, revoked=False, support="sam")
    assert touched(cast, since) == {key}
    with change(cast) as session:
        changes.revoke_token(session, token.id)
    revoked = record(cast, key)
    assert isinstance(revoked, TokenRecord)
    assert revoked.revoked


def test_a_credential_of_support_always_ends(cast: Store) -> None:
    """An end that is over, too far away or without a zone is refused, and so is a name that nobody could read."""
    for end in (SOON - timedelta(days=1), SOON + changes.MAX_SUPPORT, SOON.replace(tzinfo=None)):
        refused(cast, changes.InvalidError, changes.issue_support_token, "sam", expires=end)
    refused(cast, changes.InvalidError, changes.issue_support_token, " ", expires=SOON)


def test_a_domain_lets_support_in_for_a_time(cast: Store) -> None:
    """The switch touches the domain's record alone, whoever is in it, and is switched off at once."""
    since = revision(cast)
    with change(cast) as session:
        changes.let_support_in(session, "main", SOON)
    assert touched(cast, since) == {"domain:main"}
    assert record(cast, "domain:main") == DomainRecord("main", support_until=SOON)
    with change(cast) as session:
        changes.let_support_in(session, "main", None)
    assert record(cast, "domain:main") == DomainRecord("main")
    for end in (SOON - timedelta(days=1), SOON + changes.MAX_SUPPORT, SOON.replace(tzinfo=None)):
        refused(cast, changes.InvalidError, changes.let_support_in, "main", end)
    refused(cast, changes.UnknownError, changes.let_support_in, "none", SOON)


def test_only_the_operators_command_line_makes_credentials_of_support() -> None:
    """No source file but the change itself and the command calls for one: nothing that listens can."""
    calls = re.compile(r"\bissue_support_token\b")
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if calls.search(path.read_text())
    }

    assert found == {"models/changes/support.py", "models/changes/__init__.py", "gateway/cli/support.py"}
