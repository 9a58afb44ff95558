"""Shares: made by a user for a time, reached by links, counted by sign-in, and taken back at once."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from models import changes
from models.networks import NetworkSet
from models.passwords import Hashed
from models.records import ObjectKey, ObjectRecord, Permission, Right, ShareRecord
from models.store import Store
from models.tables import Share, Token, TokenUse
from sharing import link_to
from sharing import shared as shared_until
from stores import CLIP, TOP, change, record, refused, revision, touched

FLY: Any = ["fly"]
SOON = datetime.now(UTC) + timedelta(days=1)
shared = partial(shared_until, ends=SOON)


def visited(store: Store, link: str) -> str:
    """Returns the fact key of the token of one who came by a link."""
    with change(store) as session:
        return f"token:{changes.token_digest(changes.visit(session, link)[1])}"


def test_a_share_is_one_record(cast: Store) -> None:
    """To look is always among its rights; what was said of it is what decisions see."""
    since = revision(cast)
    with change(cast) as session:
        share = changes.create_share(
            session,
            "ben",
            CLIP,
            [Right.DOWNLOAD],
            expires=SOON,
            networks=["10.0.0.0/8"],
            title="For the press",
            watermark=True,
            metadata_views=["public"],
        )
    assert touched(cast, since) == {f"share:{share.id}"}
    assert record(cast, f"share:{share.id}") == ShareRecord(
        share.id,
        "main",
        "ben",
        CLIP,
        frozenset({"view", "download"}),
        SOON,
        NetworkSet.of(["10.0.0.0/8"]),
        frozenset({"public"}),
        watermark=True,
    )


def test_a_share_always_ends_and_names_what_there_is(cast: Store) -> None:
    """No end, right, network, number, user or object but those that exist."""
    for end in (SOON - timedelta(days=2), SOON + timedelta(days=4_000), SOON.replace(tzinfo=None)):
        refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP, [], expires=end)
    refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP, FLY, expires=SOON)
    refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP, [], expires=SOON, max_visits=0)
    refused(cast, changes.InvalidError, changes.create_share, "ben", CLIP, [], expires=SOON, networks=["x"])
    refused(cast, changes.UnknownError, changes.create_share, "none", CLIP, [], expires=SOON)
    refused(cast, changes.UnknownError, changes.add_recipient, "none")
    refused(cast, changes.UnknownError, changes.visit, "none")


def test_what_is_removed_ends_at_once(cast: Store) -> None:
    """One recipient, one share, all of a user: the tokens of their visitors are gone with the same commit, and no others."""
    share, other, third = shared(cast), shared(cast), shared(cast)
    (ann, first), (_, second) = link_to(cast, share, "ann@x"), link_to(cast, share)
    tokens = [
        visited(cast, link) for link in (first, second, link_to(cast, other)[1], link_to(cast, third)[1])
    ]
    with change(cast) as session:
        session.add(
            TokenUse(token_id=session.query(Token).filter_by(recipient_id=ann).one().id, last_used=SOON)
        )
    since = revision(cast)
    with change(cast) as session:
        changes.remove_recipient(session, ann)
    assert touched(cast, since) == {tokens[0]}
    assert [record(cast, token) is None for token in tokens] == [True, False, False, False]
    with change(cast) as session:
        changes.remove_share(session, share)
    assert record(cast, f"share:{share}") is None
    assert [record(cast, token) is None for token in tokens] == [True, True, False, False]
    with change(cast) as session:
        assert changes.remove_shares_of(session, "ben") == 2
    assert [record(cast, token) for token in tokens] == [None] * 4


def test_a_deleted_object_takes_its_shares_along(cast: Store) -> None:
    """Whoever registers the id again has not shared it."""
    share = shared(cast)
    token = visited(cast, link_to(cast, share)[1])
    with change(cast) as session:
        changes.delete_object(session, CLIP)
    assert (record(cast, f"share:{share}"), record(cast, token)) == (None, None)


def test_the_domains_switch_stops_new_and_existing_shares(cast: Store) -> None:
    """Off, none is made and no link lets anybody in; the switch touches the domain alone, and on again they go on."""
    share = shared(cast)
    _, link = link_to(cast, share)
    since = revision(cast)
    with change(cast) as session:
        changes.set_external_share(session, "main", on=False)
    assert touched(cast, since) == {"domain:main"}
    refused(cast, changes.ConflictError, changes.create_share, "ben", CLIP, [], expires=SOON)
    refused(cast, changes.LinkError, changes.visit, link)
    with change(cast) as session:
        changes.set_external_share(session, "main", on=True)
    assert visited(cast, link)


def test_only_content_is_shared(cast: Store) -> None:
    """A share of a share is refused, even where a backend registers its shares as objects."""
    key = ObjectKey("share", "s1")
    with change(cast) as session:
        changes.register_object(session, key, "main", owner_id="ben")
    assert "of" in refused(cast, changes.InvalidError, changes.create_share, "ben", key, [], expires=SOON)


def test_a_share_is_changed_where_something_is_said(cast: Store) -> None:
    """Only the share's record is touched, and what is not said stays."""
    share = shared(cast, title="Old", max_visits=3)
    since = revision(cast)
    with change(cast) as session:
        changes.update_share(session, share, rights=["upload"], networks=["10.0.0.0/8"], watermark=True)
    assert touched(cast, since) == {f"share:{share}"}
    with cast.read() as session:
        row = session.get_one(Share, share)
        assert (row.title, row.max_visits, row.rights) == ("Old", 3, ["upload", "view"])
    found = record(cast, f"share:{share}")
    assert isinstance(found, ShareRecord)
    assert (found.watermark, found.networks) == (True, NetworkSet.of(["10.0.0.0/8"]))

    with change(cast) as session:
        changes.update_share(session, share, max_visits=None, metadata_views=["public"])
    with cast.read() as session:
        assert session.get_one(Share, share).max_visits is None
    since, late = revision(cast), SOON + timedelta(days=4_000)
    refused(cast, changes.InvalidError, changes.update_share, share, expires=late)
    refused(cast, changes.InvalidError, changes.update_share, share, rights=FLY)
    refused(cast, changes.InvalidError, changes.update_share, share, max_visits=2**31)
    refused(cast, changes.InvalidError, changes.update_share, share, metadata_views=["a\n"])
    assert touched(cast, since) == set()


def test_another_password_ends_the_visits_that_the_old_one_let_in(cast: Store) -> None:
    """And a password is never kept as it came."""
    share = shared(cast)
    _, link = link_to(cast, share)
    token = visited(cast, link)
    with change(cast) as session:
        changes.update_share(session, share, title="New")
    assert record(cast, token) is not None
    with change(cast) as session:
        changes.update_share(session, share, password=Hashed("$argon2id$new"))
    assert record(cast, token) is None
    refused(cast, changes.LinkError, changes.visit, link)
    refused(cast, changes.InvalidError, changes.update_share, share, password=Hashed("plain text"))


def test_all_shares_of_a_domain_are_removed_and_no_others(cast: Store) -> None:
    """The shares of another domain stay."""
    share = shared(cast)
    theirs = ObjectKey("asset", "theirs")
    with change(cast) as session:
        changes.register_object(session, theirs, "other", owner_id="zoe")
        other = changes.create_share(session, "zoe", theirs, expires=SOON).id
    with change(cast) as session:
        assert changes.remove_shares_in(session, "main") == 1
    assert record(cast, f"share:{share}") is None
    assert record(cast, f"share:{other}") is not None


def test_an_entry_may_name_a_share_of_the_same_domain(cast: Store) -> None:
    """It touches the object alone, as entries of users do, and goes with the share."""
    share, theirs = shared(cast), ObjectKey("asset", "theirs")
    with change(cast) as session:
        changes.register_object(session, theirs, "other", owner_id="zoe")
    since = revision(cast)
    with change(cast) as session:
        changes.grant(session, TOP, f"share:{share}", Permission.READ, propagates=True)
    assert touched(cast, since) == {TOP.fact}
    found = record(cast, TOP.fact)
    assert isinstance(found, ObjectRecord)
    assert found.propagating == {f"share:{share}": Permission.READ}
    grant = changes.grant
    for key, who, error in (
        (theirs, f"share:{share}", changes.ConflictError),
        (TOP, "share:none", changes.UnknownError),
    ):
        refused(cast, error, grant, key, who, Permission.READ, propagates=False)

    since = revision(cast)
    with change(cast) as session:
        changes.remove_share(session, share)
    assert {TOP.fact, f"share:{share}"} <= touched(cast, since)
    found = record(cast, TOP.fact)
    assert isinstance(found, ObjectRecord)
    assert found.propagating == {}


def test_a_share_is_found_by_its_object_and_domain(cast: Store) -> None:
    """Under another object it is told as none at all; under another domain as not of that one, which outside is the same words."""
    share = shared(cast)
    with cast.read() as session:
        assert changes.the_share_of(session, CLIP, share, "main").id == share
    elsewhere = refused(cast, changes.UnknownError, changes.the_share_of, TOP, share, "main")
    nowhere = refused(cast, changes.UnknownError, changes.the_share_of, TOP, "none", "main")
    assert elsewhere.replace(share, "none") == nowhere == changes.unknown_share("none")
    refused(cast, changes.ForeignError, changes.the_share_of, CLIP, share, "other")
