"""What a domain says of its shares: defaults, what nobody may choose otherwise, how long they last, and whether they need a password."""

from datetime import UTC, datetime, timedelta

from models import changes
from models.changes.share_terms import DEFAULT_LIFE
from models.passwords import Hashed
from models.store import Store
from models.tables import Share
from stores import CLIP, change, refused, revision, touched

SOON = datetime.now(UTC) + timedelta(days=1)
DAY = timedelta(days=1)


def shared(store: Store, rights: list[str] | None = None, **said: object) -> Share:
    """Returns a share of the clip by Ben."""
    with change(store) as session:
        return changes.create_share(session, "ben", CLIP, rights, **said)  # type: ignore[arg-type]


def said_of(store: Store, **terms: object) -> None:
    """Says something of the shares of the domain main."""
    with change(store) as session:
        changes.set_share_terms(session, "main", **terms)  # type: ignore[arg-type]


def test_where_nobody_has_said_anything_whoever_shares_chooses(cast: Store) -> None:
    """A share looks for thirty days, without a password or watermark."""
    share = shared(cast)
    assert (share.rights, share.watermark, share.password) == (["view"], False, None)
    assert share.expires == share.created + DEFAULT_LIFE
    assert shared(cast, ["upload"], watermark=True).rights == ["upload", "view"]


def test_defaults_are_taken_where_nothing_is_chosen(cast: Store) -> None:
    """And terms are no fact: no decision has to be made anew."""
    since = revision(cast)
    said_of(cast, rights=["download"], life=DAY, watermark=True)
    assert touched(cast, since) == set()
    share = shared(cast)
    assert (share.rights, share.watermark, share.expires - share.created) == (["download", "view"], True, DAY)
    assert shared(cast, ["comment"], watermark=False).rights == ["comment", "view"]


def test_what_is_locked_is_taken_whatever_is_chosen(cast: Store) -> None:
    """A right that is locked and no default is given by no share; one that is locked and a default by each."""
    said_of(
        cast,
        rights=["download"],
        locked=["download", "upload", "life", "watermark"],
        watermark=True,
        life=DAY,
    )
    share = shared(cast, ["upload", "comment"], expires=SOON + 9 * DAY, watermark=False)
    assert (share.rights, share.watermark) == (["comment", "download", "view"], True)
    assert share.expires == share.created + DAY


def test_a_change_leaves_alone_what_is_locked(cast: Store) -> None:
    """Shares that were made before keep what they have, and get no more of what is locked now."""
    share = shared(cast, ["upload"], expires=SOON)
    said_of(cast, locked=["upload", "download", "life", "watermark"])
    with change(cast) as session:
        changed = changes.update_share(session, share.id, rights=["download", "comment"], watermark=True)
        assert (changed.rights, changed.watermark) == (["comment", "upload", "view"], False)
    refused(cast, changes.ConflictError, changes.update_share, share.id, expires=SOON + DAY)
    with change(cast) as session:
        changes.update_share(session, share.id, expires=SOON - DAY / 2)


def test_no_share_lasts_longer_than_the_domain_says(cast: Store) -> None:
    """From when it was made, whenever it is changed."""
    said_of(cast, longest_life=7 * DAY)
    assert shared(cast).expires <= datetime.now(UTC) + 7 * DAY
    late = datetime.now(UTC) + 8 * DAY
    refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP, expires=late)
    share = shared(cast, expires=SOON)
    refused(cast, changes.InvalidError, changes.update_share, share.id, expires=late)


def test_a_domain_asks_for_passwords(cast: Store) -> None:
    """None is made without one, and none loses it."""
    said_of(cast, needs_password=True)
    refused(cast, changes.ConflictError, changes.create_share, "ben", CLIP)
    share = shared(cast, password=Hashed("$argon2id$x"))
    refused(cast, changes.ConflictError, changes.update_share, share.id, password=None)


def test_terms_name_what_there_is(cast: Store) -> None:
    """No right, option, span or domain but those that exist."""
    for wrong in (
        {"rights": ["fly"]},
        {"locked": ["view"]},
        {"locked": ["fly"]},
        {"life": timedelta()},
        {"longest_life": timedelta(days=4_000)},
        {"life": 9 * DAY, "longest_life": DAY},
    ):
        refused(cast, changes.InvalidError, changes.set_share_terms, "main", **wrong)
    refused(cast, changes.UnknownError, changes.set_share_terms, "none")
