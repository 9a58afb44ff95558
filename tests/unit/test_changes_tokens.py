"""Tokens: random, shown once, kept as a digest, and revoked for good."""

import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from models import changes
from models.records import TokenRecord, UserStatus
from models.store import Store
from models.tables import SystemDomain, Token
from stores import change, record, refused, revision, rows, touched

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def test_the_text_is_shown_once_and_kept_nowhere(cast: Store) -> None:
    """It has 256 random bits; the store has its SHA-256 digest and no part of it."""
    with change(cast) as session:
        token, text = changes.issue_token(session, "ben", "app", expires=TOMORROW)
    assert re.fullmatch(r"mg_[A-Za-z0-9_-]{43}", text)
    assert token.digest == sha256(text.encode()).hexdigest() == changes.token_digest(text)
    assert text.removeprefix("mg_") not in repr(rows(cast))
    assert record(cast, f"token:{token.digest}") == TokenRecord(
        token.id, "ben", "app", TOMORROW, revoked=False
    )


def test_no_two_tokens_are_alike(cast: Store) -> None:
    """Each issue gives a new text."""
    with change(cast) as session:
        texts = {changes.issue_token(session, "ben", "app")[1] for _ in range(20)}
    assert len(texts) == 20


def test_a_revoked_token_stays_revoked(cast: Store) -> None:
    """Revoking touches the token and keeps the first time; it is still there to be refused as revoked."""
    with change(cast) as session:
        token, text = changes.issue_token(session, "ben", "app")
    since = revision(cast)
    with change(cast) as session:
        first = changes.revoke_token(session, token.id).revoked_at
    assert touched(cast, since) == {f"token:{changes.token_digest(text)}"}
    with change(cast) as session:
        changes.revoke_token(session, token.id)
    with cast.read() as session:
        assert session.get_one(Token, token.id).revoked_at == first
    found = record(cast, f"token:{token.digest}")
    assert isinstance(found, TokenRecord)
    assert found.revoked


def test_a_token_that_could_not_be_used_is_not_issued(cast: Store) -> None:
    """An expiry that is over or has no zone, a user or application that is unknown, foreign or deleted."""
    with change(cast) as session:
        changes.create_application(session, "other", "Player", id_="far")
        changes.create_user(session, "main", "c@x", id_="cia", status=UserStatus.DELETED)
    past, naive = datetime.now(UTC), datetime(2040, 1, 1)  # noqa: DTZ001 - what is refused
    refused(cast, changes.InvalidError, changes.issue_token, "ben", "app", expires=past)
    refused(cast, changes.InvalidError, changes.issue_token, "ben", "app", expires=naive)
    refused(cast, changes.ConflictError, changes.issue_token, "ben", "far")
    refused(cast, changes.ConflictError, changes.issue_token, "cia", "app")
    refused(cast, changes.UnknownError, changes.issue_token, "none", "app")
    refused(cast, changes.UnknownError, changes.issue_token, "ben", "none")
    refused(cast, changes.UnknownError, changes.revoke_token, "none")


def test_applications_are_named_once_per_domain(cast: Store) -> None:
    """A second application of one name or id is refused."""
    refused(cast, changes.ConflictError, changes.create_application, "main", "Player")
    refused(cast, changes.ConflictError, changes.create_application, "main", "P", id_="app")
    refused(cast, changes.UnknownError, changes.create_application, "none", "P")
    refused(cast, changes.InvalidError, changes.create_application, "main", "")


def test_any_text_has_a_digest() -> None:
    """What a client sends as a token may be anything; looking it up never fails."""
    assert len(changes.token_digest("\ud800 é \0")) == 64


ROLES = ["can_write_assets", "can_read_assets", "can_read_assets"]


def test_a_scope_is_kept_with_the_token(cast: Store) -> None:
    """Its roles are in the record, each once; a scope without roles, with what is no role, or without bound is refused."""
    with change(cast) as session:
        token, _ = changes.issue_token(session, "ben", "app", scope=ROLES)
    found = record(cast, f"token:{token.digest}")
    assert isinstance(found, TokenRecord)
    assert found.scope == frozenset(ROLES)
    assert "leave the scope out" in refused(
        cast, changes.InvalidError, changes.issue_token, "ben", "app", scope=[]
    )
    refused(cast, changes.InvalidError, changes.issue_token, "ben", "app", scope=["Can read"])
    many = [f"can_{number}" for number in range(301)]
    refused(cast, changes.InvalidError, changes.issue_token, "ben", "app", scope=many)


def test_a_token_is_replaced_with_an_overlap(cast: Store) -> None:
    """The new one is for the same user, application and scope; the old one ends by itself, never later than it would have."""
    with change(cast) as session:
        old, _ = changes.issue_token(session, "ben", "app", scope=ROLES)
        soon, _ = changes.issue_token(session, "ben", "app", expires=datetime.now(UTC) + timedelta(minutes=1))
        end = soon.expires
    since = revision(cast)
    with change(cast) as session:
        new, text = changes.rotate_token(session, old.id, overlap=timedelta(hours=1), expires=TOMORROW)
        changes.rotate_token(session, soon.id, overlap=timedelta(hours=1))
    assert f"token:{old.digest}" in touched(cast, since)
    assert record(cast, f"token:{changes.token_digest(text)}") == TokenRecord(
        new.id, "ben", "app", TOMORROW, revoked=False, scope=frozenset(ROLES)
    )
    with cast.read() as session:
        ends = session.get_one(Token, old.id).expires
        assert ends is not None
        assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
        assert session.get_one(Token, soon.id).expires == end


def test_what_is_not_valid_is_not_replaced(cast: Store) -> None:
    """A revoked or replaced token, one of a deleted user or of support, an overlap that is too long or negative."""
    hour = timedelta(hours=1)
    with change(cast) as session:
        revoked, _ = changes.issue_token(session, "ben", "app")
        changes.revoke_token(session, revoked.id)
        over, _ = changes.issue_token(session, "ben", "app")
        changes.rotate_token(session, over.id, overlap=timedelta())
        good, _ = changes.issue_token(session, "ben", "app")
        support, _ = changes.issue_support_token(session, "sam", expires=TOMORROW)
    for token in (revoked, over, support):
        refused(cast, changes.ConflictError, changes.rotate_token, token.id, overlap=hour)
    refused(cast, changes.InvalidError, changes.rotate_token, good.id, overlap=timedelta(days=31))
    refused(cast, changes.InvalidError, changes.rotate_token, good.id, overlap=-hour)
    refused(cast, changes.UnknownError, changes.rotate_token, "none", overlap=hour)


def test_a_domain_says_how_long_tokens_last(cast: Store) -> None:
    """Within bounds, or not at all."""
    with change(cast) as session:
        changes.set_token_lifetime(session, "main", timedelta(days=90))
        assert session.get_one(SystemDomain, "main").token_lifetime == 90 * 86400
        changes.set_token_lifetime(session, "main", None)
        assert session.get_one(SystemDomain, "main").token_lifetime is None
    refused(cast, changes.InvalidError, changes.set_token_lifetime, "main", timedelta())
    refused(cast, changes.InvalidError, changes.set_token_lifetime, "main", timedelta(days=4000))
    refused(cast, changes.UnknownError, changes.set_token_lifetime, "none", timedelta(days=1))
