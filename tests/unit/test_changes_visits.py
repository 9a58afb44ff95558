"""Visits: each sign-in by a link is counted, within the bounds of its share, and gives a token for hours."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from netaddr import IPAddress

from models import changes
from models.changes.visits import LONGEST_VISIT, VISIT
from models.passwords import Hashed
from models.records import TokenRecord
from models.store import Store
from models.tables import Share, ShareRecipient, Token, TokenUse
from sharing import link_to
from sharing import shared as shared_until
from stores import change, record, refused, revision, touched

SOON = datetime.now(UTC) + timedelta(hours=1)
shared = partial(shared_until, ends=SOON)
LATE = datetime.now(UTC) + timedelta(days=9)
NEAR, FAR = IPAddress("10.1.2.3"), IPAddress("192.0.2.1")


def visited(store: Store, link: str) -> Token:
    """Returns the token of one who came by a link."""
    with change(store) as session:
        return changes.visit(session, link)[0]


def test_each_sign_in_is_counted_and_bounded(cast: Store) -> None:
    """Each link has its own count and time of the last visit; the share's bound is for all of its links together."""
    share = shared(cast, max_visits=2)
    (ann, first), (_, second) = link_to(cast, share, "ann@x"), link_to(cast, share)
    token = record(cast, f"token:{visited(cast, first).digest}")
    visited(cast, second)

    assert isinstance(token, TokenRecord)
    assert (token.share_id, token.recipient_id, token.user_id, token.expires) == (share, ann, "", SOON)
    refused(cast, changes.LinkError, changes.visit, first)
    with cast.read() as session:
        found = {row.email: row.visits for row in session.query(ShareRecipient)}
        assert found == {"ann@x": 1, None: 1}
        assert session.get_one(ShareRecipient, ann).last_visit is not None


def test_whatever_is_wrong_with_a_link_is_told_in_the_same_words(cast: Store) -> None:
    """Unknown, used up, over, switched off, behind a password or not for the address: one sentence, and nothing is counted."""
    used, locked = shared(cast, max_visits=1), shared(cast, password=Hashed("$argon2id$x"))
    near = shared(cast, networks=["10.0.0.0/8"])
    over = shared(cast)
    links = [link_to(cast, share)[1] for share in (used, locked, near, over)]
    with change(cast) as session:
        session.get_one(Share, over).expires = datetime.now(UTC)
    visited(cast, links[0])
    said = [refused(cast, changes.LinkError, changes.visit, link) for link in (*links, "none", "")]
    said.append(refused(cast, changes.LinkError, changes.visit, links[1], shown="$argon2id$y"))
    said.append(refused(cast, changes.LinkError, changes.visit, links[2], address=FAR))
    with change(cast) as session:
        changes.visit(session, links[2], address=NEAR)
        changes.set_external_share(session, "main", on=False)
    said.append(refused(cast, changes.LinkError, changes.visit, links[2], address=NEAR))

    assert len(set(said)) == 1
    assert links[0] not in said[0]


def test_a_link_is_a_persons_by_an_email(cast: Store) -> None:
    """The address is kept in one spelling, and no other text is one."""
    share = shared(cast)
    recipient, _ = link_to(cast, share, "Ann@X.example")
    with cast.read() as session:
        assert session.get_one(ShareRecipient, recipient).email == "ann@x.example"
    refused(cast, changes.InvalidError, changes.add_recipient, share, "ann")
    refused(cast, changes.UnknownError, changes.add_recipient, "none")


def test_another_persons_link_is_another_link(cast: Store) -> None:
    """The old text opens nothing and its visits end, those by other links do not; the same e-mail changes nothing."""
    share = shared(cast)
    (ann, first), (_, other) = link_to(cast, share, "ann@x.example"), link_to(cast, share)
    gone, stays = visited(cast, first), visited(cast, other)
    since = revision(cast)
    with change(cast) as session:
        session.add(TokenUse(token_id=gone.id, last_used=SOON))
        assert changes.readdress(session, ann, "Ann@X.example")[1] is None
    with change(cast) as session:
        row, text = changes.readdress(session, ann, "bob@x.example")
        assert (row.id, row.email, row.visits) == (ann, "bob@x.example", 1)

    assert touched(cast, since) == {f"token:{gone.digest}"}
    assert record(cast, f"token:{stays.digest}") is not None
    refused(cast, changes.LinkError, changes.visit, first)
    assert text is not None
    assert visited(cast, text).recipient_id == ann
    refused(cast, changes.InvalidError, changes.readdress, ann, "bob")
    refused(cast, changes.UnknownError, changes.readdress, "none", "bob@x.example")


def test_a_visit_lasts_for_hours_and_never_beyond_a_day_or_its_share(cast: Store) -> None:
    """It is made longer without being counted, and touches its own token alone."""
    short, long_ = (visited(cast, link_to(cast, shared(cast, expires=end))[1]) for end in (SOON, LATE))
    assert short.expires == SOON
    assert long_.expires == long_.created + VISIT

    with change(cast) as session:
        token = session.get_one(Token, long_.id)
        token.created -= LONGEST_VISIT - timedelta(hours=2)
        token.expires = datetime.now(UTC) + timedelta(hours=1)
    since = revision(cast)
    with change(cast) as session:
        token = changes.prolong_visit(session, long_.id)
        assert token.expires == token.created + LONGEST_VISIT
    assert touched(cast, since) == {f"token:{long_.digest}"}
    with cast.read() as session:
        assert {row.visits for row in session.query(ShareRecipient)} == {1}
    with change(cast) as session:
        session.get_one(Token, long_.id).expires = datetime.now(UTC)
    refused(cast, changes.LinkError, changes.prolong_visit, long_.id)


def test_a_sign_in_clears_away_what_has_expired(cast: Store) -> None:
    """Of its own share alone, with when it was used last; what is valid stays."""
    share, other = shared(cast), shared(cast)
    link, elsewhere = link_to(cast, share)[1], link_to(cast, other)[1]
    old, valid, theirs = visited(cast, link), visited(cast, link), visited(cast, elsewhere)
    with change(cast) as session:
        for token in (old, theirs):
            session.get_one(Token, token.id).expires = datetime.now(UTC) - timedelta(hours=1)
        session.add(TokenUse(token_id=old.id, last_used=SOON))
    new = visited(cast, link)
    with cast.read() as session:
        assert {row.id for row in session.query(Token)} == {valid.id, theirs.id, new.id}
        assert session.query(TokenUse).all() == []


def test_a_share_has_a_bounded_number_of_links(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused."""
    monkeypatch.setattr("models.changes.visits.MAX_LINKS", 2)
    share = shared(cast)
    for _ in range(2):
        link_to(cast, share)
    assert "take some back" in refused(cast, changes.ConflictError, changes.add_recipient, share)
