"""Nothing gets past the unit of work, and the touched keys are derived from it."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from models import changes
from models.door import EVERYTHING, MAX_KEYS
from models.errors import StoreError
from models.records import ObjectKey
from models.store import Store
from models.tables import Base, LogEntry, Network, Object, SystemDomain, Token, User
from stores import CLIP, change, refused, revision, rows, touched


def by_text(session: Session) -> None:
    """Sends SQL text."""
    session.execute(text("UPDATE system_domains SET status = 'FROZEN'"))


def by_statement(session: Session) -> None:
    """Sends an UPDATE that the ORM would turn into one statement."""
    session.execute(update(SystemDomain).values(status="FROZEN"))


def by_insert(session: Session) -> None:
    """Sends an INSERT for a mapped class."""
    session.execute(insert(SystemDomain).values(id="x", name="x"))


def by_connection(session: Session) -> None:
    """Uses the connection under the session."""
    session.connection().exec_driver_sql("DELETE FROM memberships")


def by_bulk(session: Session) -> None:
    """Writes mapped objects in bulk, which skips the flush."""
    session.bulk_save_objects([SystemDomain(id="x", name="x")])


def by_query(session: Session) -> None:
    """Deletes through the legacy query."""
    session.query(User).delete()


@pytest.mark.parametrize("bypass", [by_text, by_statement, by_insert, by_connection, by_bulk, by_query])
def test_a_change_past_the_unit_of_work_is_refused(cast: Store, bypass: Callable[[Session], None]) -> None:
    """Whatever way SQL is sent from a write session, only flushed objects change rows."""
    before = rows(cast)
    with pytest.raises(StoreError, match="past the unit of work"), change(cast) as session:
        bypass(session)
    assert rows(cast) == before


def test_a_savepoint_undoes_what_was_written_since(cast: Store) -> None:
    """A part of a commit can be given up; what it touched is named all the same, which costs a look and no truth."""
    since, before = revision(cast), rows(cast)["objects"]
    with change(cast) as session:
        with session.begin_nested() as part:
            changes.register_object(session, ObjectKey("asset", "gone"), "main")
            part.rollback()
        changes.create_group(session, "main", "stays", id_="stays")
    assert rows(cast)["objects"] == before
    assert touched(cast, since) >= {"group:stays"}


def test_committing_the_session_does_not_end_the_write(cast: Store) -> None:
    """Only leaving the block commits: `session.commit` inside it leaves the revision to the door."""
    before = revision(cast)
    with cast.write("test") as commit:
        changes.create_domain(commit.session, "Third", id_="third")
        commit.session.commit()
        assert revision(cast) == before
    assert commit.revision == before + 1
    assert touched(cast, before) == {"domain:third"}


def test_a_rolled_back_session_cannot_commit(cast: Store) -> None:
    """After `session.rollback` nothing of the block is committed, not even a revision."""
    before = revision(cast)
    with pytest.raises(Exception, match=r"inactive|closed|rolled back"), cast.write("test") as commit:
        _write_and_roll_back(commit.session)
    assert revision(cast) == before


def _write_and_roll_back(session: Session) -> None:
    changes.create_domain(session, "Third")
    session.rollback()
    changes.create_domain(session, "Fourth")


@pytest.mark.parametrize(
    ("kind", "column"),
    [(Token, "digest"), (Network, "group_id"), (Network, "domain_id"), (Object, "id")],
)
def test_a_row_cannot_move_from_one_record_to_another(cast: Store, kind: type[Base], column: str) -> None:
    """A column that a fact key is made of never changes, or the record that loses the row would miss it."""
    with change(cast) as session:
        changes.issue_token(session, "ben", "app")
        changes.allow_network(session, "main", "10.0.0.0/8")

    def move(session: Session) -> None:
        setattr(session.query(kind).first(), column, "elsewhere")
        try:
            session.flush()
        finally:
            session.expunge_all()

    assert "never changes" in refused(cast, StoreError, move)


def test_many_keys_become_one_coarse_key(cast: Store) -> None:
    """A commit that touches more facts than the bound says that everything may have changed."""
    before = revision(cast)
    for name, size in (("a", MAX_KEYS), ("b", MAX_KEYS + 1)):
        with change(cast) as session:
            changes.add_member(session, "crew", "ada")
            changes.remove_member(session, "crew", "ada")
            now = datetime.now(UTC)
            session.add_all(
                Object(type=name, id=str(number), domain_id="main", created=now) for number in range(size - 1)
            )
    with cast.read() as session:
        assert len(session.get_one(LogEntry, before + 1).keys) == MAX_KEYS
        assert session.get_one(LogEntry, before + 2).keys == [EVERYTHING]


def test_the_log_keeps_a_bounded_past(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old log rows go with each commit; a reader from before the floor forgets everything."""
    monkeypatch.setattr("models.door.LOG_KEPT", 3)
    old = store.load(None, []).mark
    for number in range(5):
        with change(store) as session:
            changes.create_domain(session, f"{number}")
    with store.read() as session:
        assert [entry.revision for entry in session.query(LogEntry).order_by(LogEntry.revision)] == [3, 4, 5]
    assert store.load(old, []).changed is None


def test_a_commit_of_rows_without_facts_has_empty_news(cast: Store) -> None:
    """An application changes no decision: its commit has a revision, and touches nothing."""
    before = revision(cast)
    with change(cast) as session:
        changes.create_application(session, "main", "Editor")
    assert (revision(cast), touched(cast, before)) == (before + 1, set())


def test_a_deletion_touches_what_the_row_belonged_to(cast: Store) -> None:
    """Deleting an object touches it and whatever stood in it."""
    before = revision(cast)
    with change(cast) as session:
        changes.delete_object(session, ObjectKey("collection", "sub"))
    assert touched(cast, before) == {CLIP.fact, "object:collection:sub"}
