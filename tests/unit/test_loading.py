"""Records come with their closure, and the news of what changed is never less than what did."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from models import changes
from models.loading import MAX_CATCH_UP, Mark
from models.networks import AllowList
from models.records import (
    DomainRecord,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    TokenRecord,
    UserRecord,
)
from models.store import Store
from models.tables import LogEntry, Object, Revision
from stores import CLIP, FOLDER, SUB, TOP, behind, change, record, revision


def test_a_token_brings_its_user_groups_and_domain(cast: Store) -> None:
    """One load of a token's key is enough to know who asks and what the groups give."""
    with change(cast) as session:
        token, text = changes.issue_token(session, "ben", "app")
        changes.set_roles(session, "crew", ["can_read_assets"])
        changes.allow_network(session, "main", "10.0.0.0/8", group_id="crew")
        changes.allow_network(session, "main", "192.0.2.1")
        changes.set_allow_list(session, "main", enabled=True)
    key = f"token:{changes.token_digest(text)}"
    assert cast.load(None, [key]).records == {
        key: TokenRecord(token.id, "ben", "app", None, revoked=False),
        "user:ben": UserRecord("ben", "main", group_ids=("crew",)),
        "group:crew": GroupRecord(
            "crew", "main", frozenset({"can_read_assets"}), AllowList.of([("10.0.0.0/8", None)])
        ),
        "domain:main": DomainRecord(
            "main", allow_list_enabled=True, networks=AllowList.of([("192.0.2.1/32", None)])
        ),
    }


def test_an_object_brings_all_that_contains_it(cast: Store) -> None:
    """One load of an object's key is enough to walk to every ancestor, with the entries of each."""
    with change(cast) as session:
        changes.grant(session, TOP, "group:crew", Permission.READ, propagates=True)
        changes.grant(session, TOP, "user:ben", Permission.WRITE, propagates=False)
    records = cast.load(None, [CLIP.fact]).records
    assert records.keys() == {CLIP.fact, SUB.fact, TOP.fact}
    assert records[CLIP.fact] == ObjectRecord(
        CLIP, registered=True, domain_id="main", owner_id="ada", parents=(SUB,)
    )
    top = records[TOP.fact]
    assert isinstance(top, ObjectRecord)
    assert (top.direct, top.propagating) == ({"user:ben": Permission.WRITE}, {"group:crew": Permission.READ})


def test_a_path_is_known_through_its_folders(cast: Store) -> None:
    """An unregistered path has a record with its folder first, its own placements and its own entries."""
    file = ObjectKey("file", "/media/a/b.mp4")
    with change(cast) as session:
        changes.place(session, file, TOP)
        changes.grant(session, file, "user:ben", Permission.READ, propagates=False)
    records = cast.load(None, [file.fact]).records
    assert records.keys() == {
        file.fact,
        "object:file:/media/a",
        FOLDER.fact,
        "object:file:/",
        TOP.fact,
    }
    assert records[file.fact] == ObjectRecord(
        file, parents=(ObjectKey("file", "/media/a"), TOP), direct={"user:ben": Permission.READ}
    )
    assert records["object:file:/media/a"] == ObjectRecord(ObjectKey("file", "/media/a"), parents=(FOLDER,))


def test_an_id_may_hold_colons(cast: Store) -> None:
    """All after the type is the id."""
    key = ObjectKey("asset", "a:b:/c")
    with change(cast) as session:
        changes.register_object(session, key, "main")
    assert isinstance(record(cast, key.fact), ObjectRecord)


@pytest.mark.parametrize(
    "key",
    [
        "user:none",
        "group:none",
        "domain:none",
        "token:none",
        "object:asset:none",
        "object:asset:a/b",
        "user:\0",
        "object:file:/\ud800",
    ],
)
def test_what_does_not_exist_is_known_not_to(cast: Store, key: str) -> None:
    """An unknown key is answered with None, which a cache may keep."""
    assert cast.load(None, [key]).records == {key: None}


@pytest.mark.parametrize(
    "key", ["", "user", "user:", "object:asset", "object::x", "object:asset:", "shard:x"]
)
def test_what_is_no_key_is_an_error(store: Store, key: str) -> None:
    """A misspelt key is not mistaken for something that does not exist."""
    with pytest.raises(ValueError, match="not a fact key"):
        store.load(None, [key])


def test_an_object_is_held_while_a_deletion_is_open(cast: Store) -> None:
    """A lock that closes shows in the record, one that does not close does not."""
    with change(cast) as session:
        locks = [changes.Lock(CLIP, closes=True), changes.Lock(FOLDER, closes=False)]
        intent = changes.open_intent(session, changes.IntentKind.DELETE, locks, user_id="ada", request_id="r")
    records = cast.load(None, [CLIP.fact, FOLDER.fact]).records
    assert [records[key.fact].held for key in (CLIP, FOLDER)] == [True, False]  # type: ignore[union-attr]
    with change(cast) as session:
        changes.abandon_intent(session, intent.id)
    assert record(cast, CLIP.fact).held is False  # type: ignore[union-attr]


def test_many_keys_are_loaded_in_pieces(store: Store) -> None:
    """A load of more keys than one statement may ask for is answered in full."""
    now = datetime.now(UTC)
    with change(store) as session:
        changes.create_domain(session, "Main", id_="main")
        session.add_all(
            Object(type=f"kind{number % 3}", id=str(number), domain_id="main", created=now)
            for number in range(900)
        )
    keys = [f"object:kind{number % 3}:{number}" for number in range(1_000)]
    records = store.load(None, keys).records
    assert [key for key in keys if records[key] is None] == keys[900:]


def test_a_cut_closure_can_be_loaded_on(cast: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the nearest ancestors come; each further one comes when its own key is asked for."""
    monkeypatch.setattr("models.loading.MAX_ANCESTORS", 0)
    records = cast.load(None, [CLIP.fact]).records
    assert CLIP.fact in records
    assert TOP.fact not in records
    assert record(cast, TOP.fact) is not None


def test_without_news_nothing_is_forgotten(cast: Store) -> None:
    """Loading again at the same revision names no key."""
    mark = cast.load(None, []).mark
    again = cast.load(mark, [])
    assert (again.mark, again.changed) == (mark, frozenset())


def test_the_news_of_several_commits_is_their_union(cast: Store) -> None:
    """Each commit since the mark counts, none before it."""
    mark = cast.load(None, []).mark
    with change(cast) as session:
        changes.give_role(session, "crew", "can_read_assets")
    with change(cast) as session:
        changes.change_owner(session, CLIP, None)
    assert cast.load(mark, []).changed == frozenset({"group:crew", CLIP.fact})


def test_an_empty_store_has_news_from_its_first_commit_on(store: Store) -> None:
    """A mark taken before the first commit is as good as any other."""
    mark = store.load(None, []).mark
    assert mark == Mark(0, ())
    with change(store) as session:
        changes.create_domain(session, "Main", id_="main")
    assert store.load(mark, []).changed == frozenset({"domain:main"})


def test_who_comes_for_the_first_time_forgets_everything(cast: Store) -> None:
    """Without a mark there is nothing to compare with."""
    assert cast.load(None, []).changed is None


def test_who_was_away_for_long_forgets_everything(cast: Store, url: str) -> None:
    """Beyond a bound of commits the log is not read through."""
    mark = cast.load(None, []).mark
    with behind(url) as connection:
        connection.execute(update(Revision).values(value=revision(cast) + MAX_CATCH_UP + 1))
    assert cast.load(mark, []).changed is None


def test_a_history_that_went_back_is_noticed(cast: Store, url: str) -> None:
    """A restored backup has a lower revision: everything is forgotten."""
    with change(cast) as session:
        changes.change_owner(session, CLIP, None)
    mark = cast.load(None, []).mark
    with behind(url) as connection:
        connection.execute(delete(LogEntry).where(LogEntry.revision == mark.revision))
        connection.execute(update(Revision).values(value=mark.revision - 1))
    assert cast.load(mark, []).changed is None
    with change(cast) as session:
        changes.change_owner(session, CLIP, "ben")
    assert cast.load(mark, []).changed is None


def test_a_history_that_was_exchanged_is_noticed(cast: Store, url: str) -> None:
    """A failover that lost a commit and made another under its number has another commit id."""
    with change(cast) as session:
        changes.change_owner(session, CLIP, None)
    mark = cast.load(None, []).mark
    with behind(url) as connection:
        other = update(LogEntry).where(LogEntry.revision == mark.revision)
        connection.execute(other.values(commit_id="another"))
    assert cast.load(mark, []).changed is None


def test_a_gap_in_the_log_is_noticed(cast: Store, url: str) -> None:
    """A log row that is missing may have named anything."""
    mark = cast.load(None, []).mark
    for owner in (None, "ben"):
        with change(cast) as session:
            changes.change_owner(session, CLIP, owner)
    with behind(url) as connection:
        connection.execute(delete(LogEntry).where(LogEntry.revision == mark.revision + 1))
    assert cast.load(mark, []).changed is None
