"""What a domain says of its shares: locks that bind everybody, and defaults within them."""

from datetime import UTC, datetime, timedelta

from models import changes
from models.changes import Rules
from models.records import Right
from models.store import Store
from models.tables import Share
from stores import CLIP, change, refused

DAY = timedelta(days=1)
HASH = "a hash"
RULES = Rules(
    longest=7 * DAY,
    usual=DAY,
    needs_password=True,
    most_rights=frozenset({Right.VIEW, Right.COMMENT, Right.DOWNLOAD}),
    usual_rights=frozenset({Right.COMMENT}),
)


def test_rules_come_back_as_they_were_said(cast: Store) -> None:
    """A domain that says nothing locks nothing; what is said again replaces all of it."""
    with change(cast) as session:
        assert changes.rules_of(session, "main") == Rules()
        changes.set_share_rules(session, "main", RULES)
        assert changes.rules_of(session, "main") == RULES
        changes.set_share_rules(session, "main", Rules())
        assert changes.rules_of(session, "main") == Rules()


def test_what_nobody_says_is_as_the_domain_says(cast: Store) -> None:
    """End and rights; without a usual end one must be said."""
    assert "say when" in refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP)
    with change(cast) as session:
        changes.set_share_rules(session, "main", RULES)
        made = changes.create_share(session, "ben", CLIP, password=HASH)
        other = changes.create_share(session, "ben", CLIP, password=HASH, rights=[Right.DOWNLOAD])
    assert timedelta() < made.expires - datetime.now(UTC) <= DAY
    assert (made.rights, other.rights) == (["comment", "view"], ["download", "view"])


def test_nobody_goes_beyond_a_lock(cast: Store) -> None:
    """Neither when a share is made nor when it is changed; what was there before rests until then."""
    soon = datetime.now(UTC) + DAY
    with change(cast) as session:
        before = changes.create_share(session, "ben", CLIP, rights=[Right.UPLOAD], expires=soon + 30 * DAY).id
        changes.set_share_rules(session, "main", RULES)
    conflict = changes.ConflictError
    assert "last at most 7 days" in refused(
        cast, conflict, changes.create_share, "ben", CLIP, expires=soon + 7 * DAY, password=HASH
    )
    assert "have a password" in refused(cast, conflict, changes.create_share, "ben", CLIP, expires=soon)
    assert "does not share upload" in refused(
        cast, conflict, changes.create_share, "ben", CLIP, expires=soon, password=HASH, rights=[Right.UPLOAD]
    )
    refused(cast, conflict, changes.update_share, before, title="kept")
    with change(cast) as session:
        changes.update_share(session, before, rights=[], expires=soon, password=HASH)
        assert session.get_one(Share, before).rights == ["view"]
    refused(cast, conflict, changes.update_share, before, password=None)
    refused(cast, conflict, changes.update_share, before, rights=[Right.APPROVE])


def test_rules_that_contradict_themselves_are_none(cast: Store) -> None:
    """A default beyond its lock, a time that is none, a domain that is none."""
    for rules in (
        Rules(longest=timedelta()),
        Rules(longest=9_999 * DAY),
        Rules(longest=DAY, usual=2 * DAY),
        Rules(most_rights=frozenset({Right.VIEW}), usual_rights=frozenset({Right.UPLOAD})),
    ):
        refused(cast, changes.InvalidError, changes.set_share_rules, "main", rules)
    refused(cast, changes.UnknownError, changes.set_share_rules, "none", Rules())
