"""The write door, snapshots and the news, on both databases."""

import resource
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import changes
from models.records import DomainStatus, UserStatus, UserType
from models.store import Store, StoreError, StoreUnavailableError
from models.tables import LogEntry, SystemDomain, TokenUse
from stores import CLIP, Databases, behind, change, opened, record, revision, rows, settle_in, touched


def test_a_commit_advances_the_revision_and_names_what_it_touched(store: Store) -> None:
    """The caller reads the new revision after the block; the log row has the key, the author and the time."""
    with store.write("ada") as commit:
        changes.create_domain(commit.session, "Main", id_="main")
    assert commit.revision == 1
    with store.read() as session:
        entry = session.get_one(LogEntry, 1)
        assert (entry.keys, entry.author) == (["domain:main"], "ada")
        assert abs(entry.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_exception_leaves_nothing(store: Store) -> None:
    """What was flushed before an exception is undone, the revision stays, and the bell is silent."""
    before, value = rows(store), store.bell.value()

    def fail() -> None:
        with change(store) as session:
            changes.create_domain(session, "Main")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (rows(store), revision(store), store.bell.value()) == (before, 0, value)


def test_a_write_without_changes_is_no_commit(store: Store) -> None:
    """A block that changes nothing leaves the revision, so that no cache is disturbed."""
    with store.write("test") as commit:
        commit.session.get(SystemDomain, "main")
    assert (commit.revision, revision(store)) == (0, 0)


def test_the_bell_rings_after_the_commit(store: Store) -> None:
    """Within the block the bell is silent; when the writer goes on, it has rung and the change can be read."""
    before = store.bell.value()
    with store.write("test") as commit:
        changes.create_domain(commit.session, "Main", id_="main")
        assert store.bell.value() == before
    assert store.bell.value() != before
    assert record(store, "domain:main") is not None


def test_a_read_is_one_snapshot(store: Store) -> None:
    """A reader that has begun does not see what is committed meanwhile; the next one does."""
    with store.read() as session:
        assert session.get(SystemDomain, "main") is None
        with change(store) as writing:
            changes.create_domain(writing, "Main", id_="main")
        assert session.get(SystemDomain, "main") is None
    with store.read() as session:
        assert session.get(SystemDomain, "main") is not None


def delete_by_statement(session: Session) -> None:
    """Changes rows by SQL text."""
    session.execute(text("DELETE FROM system_domains"))


def add_by_flush(session: Session) -> None:
    """Changes rows through the unit of work."""
    session.add(SystemDomain(id="x", name="x"))
    session.flush()


@pytest.mark.parametrize("call", [delete_by_statement, add_by_flush])
def test_a_reader_cannot_write(store: Store, call: Callable[[Session], None]) -> None:
    """Neither statements nor the unit of work change anything in a reading session."""
    with store.read() as session, pytest.raises(StoreError, match="is refused"):
        call(session)


def test_writers_of_two_processes_take_turns(store: Store, url: str, tmp_path: Path) -> None:
    """Two stores on one database, as two processes have them, lose no commit of each other."""

    def work(writer: Store, name: str) -> None:
        for number in range(10):
            with change(writer) as session:
                changes.create_domain(session, f"{name}{number}")

    with opened(url, tmp_path) as second, ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(work, store, "a"),
            pool.submit(work, store, "b"),
            pool.submit(work, second, "c"),
        ]:
            done.result()
    assert revision(store) == 30
    with store.read() as session:
        assert session.query(SystemDomain).count() == 30


def test_what_a_change_has_checked_is_so_when_it_commits(cast: Store, url: str, tmp_path: Path) -> None:
    """Two admins who demote each other at the same moment: one of them is refused, and an admin stays."""
    with change(cast) as session:
        changes.update_user(session, "ben", type=UserType.POWER, is_admin=True)
    start = threading.Barrier(2)

    def demote(writer: Store, user_id: str) -> bool:
        start.wait()
        try:
            with change(writer) as session:
                changes.update_user(session, user_id, is_admin=False)
        except changes.ConflictError:
            return False
        return True

    with opened(url, tmp_path) as second, ThreadPoolExecutor() as pool:
        done = [pool.submit(demote, cast, "ada"), pool.submit(demote, second, "ben")]
        assert sorted(one.result() for one in done) == [False, True]


def test_a_held_store_is_unavailable_to_writers_and_open_to_readers(
    cast: Store, url: str, tmp_path: Path
) -> None:
    """While another writer holds the store, a write gives up after its time-out and nothing of it is applied."""
    before = rows(cast)
    with opened(url, tmp_path, busy_timeout=0.2) as second, cast.write("test"):
        with pytest.raises(StoreUnavailableError), change(second) as session:
            changes.create_domain(session, "Late")
        assert second.load(None, ["user:ada"]).records["user:ada"] is not None
    assert rows(cast) == before
    with change(cast) as session:
        changes.create_domain(session, "Later")


def test_an_sqlite_file_locked_by_another_program_is_unavailable(sqlite_url: str, tmp_path: Path) -> None:
    """A lock taken outside of our turns is met by SQLite's own time-out; nothing is applied, and later it works."""
    with opened(sqlite_url, tmp_path, busy_timeout=0.2) as store:
        with behind(sqlite_url) as other:
            other.exec_driver_sql("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="locked"), change(store) as session:
                changes.create_domain(session, "Main")
            other.exec_driver_sql("ROLLBACK")
        assert revision(store) == 0
        with change(store) as session:
            changes.create_domain(session, "Main")
        assert revision(store) == 1


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Lets no file of this process grow beyond `size`, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _write_much(store: Store) -> None:
    with change(store) as session:
        for number in range(50):
            changes.create_group(session, "main", f"group {number}", description="x" * 4_000)


def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite_store: Store, sqlite_url: str) -> None:
    """Where the file cannot grow a write fails as a whole; what was committed before stays, and writing goes on later."""
    with change(sqlite_store) as session:
        settle_in(session)
    before = rows(sqlite_store)
    size = Path(sqlite_url.removeprefix("sqlite:///") + "-wal").stat().st_size
    with full_disk(size + 4096), pytest.raises(StoreUnavailableError):
        _write_much(sqlite_store)
    assert rows(sqlite_store) == before
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main again")
    assert revision(sqlite_store) == 2


def test_a_lost_server_is_unavailable_and_found_again(postgres_databases: Databases, tmp_path: Path) -> None:
    """A connection cut in mid-transaction undoes it with StoreUnavailableError; the next write has a new connection."""
    url = postgres_databases.fresh(tmp_path)
    with opened(url, tmp_path) as store:
        with pytest.raises(StoreUnavailableError):
            _write_while_cut(store, url)
        assert revision(store) == 0
        with change(store) as session:
            changes.create_domain(session, "Main")
        assert revision(store) == 1
    postgres_databases.drop(url)


def _write_while_cut(store: Store, url: str) -> None:
    with change(store) as session:
        changes.create_domain(session, "Main")
        _cut_all(url)
        session.get(SystemDomain, "x")


def _cut_all(url: str) -> None:
    with behind(url) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Opening says that the store does not answer, and does not tell the password."""
    with pytest.raises(StoreUnavailableError, match="does not answer") as caught:
        Store.open(f"postgresql://me:hidden@/store?host={tmp_path}", bell=tmp_path / "bell")
    assert "hidden" not in str(caught.value)


def test_a_missing_store_says_what_to_run(tmp_path: Path) -> None:
    """Opening a file that is not there names `mediagate init` and makes no file."""
    with pytest.raises(StoreError, match="mediagate init"):
        Store.open(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_vanishes_is_unavailable_and_not_made_anew(sqlite_store: Store, sqlite_url: str) -> None:
    """An empty store in place of a lost one would look like a store that knows nobody."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".moved"))
    with pytest.raises(StoreUnavailableError):
        sqlite_store.load(None, [])
    with pytest.raises(StoreUnavailableError), change(sqlite_store):
        pass
    assert not path.exists()


def test_a_restored_file_is_followed_and_forgets_everything(sqlite_store: Store, sqlite_url: str) -> None:
    """After a backup is put in the file's place, the open store reads it and says that nothing known holds."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main", id_="main")
    with behind(sqlite_url) as connection:
        connection.connection.driver_connection.execute(f"VACUUM INTO '{path}.backup'")  # type: ignore[union-attr]
    with change(sqlite_store) as session:
        changes.set_domain_status(session, "main", DomainStatus.FROZEN)
    mark = sqlite_store.load(None, []).mark
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    Path(f"{path}.backup").replace(path)
    batch = sqlite_store.load(mark, ["domain:main"])
    assert (batch.changed, batch.mark.revision) == (None, 1)
    with change(sqlite_store) as session:
        changes.create_domain(session, "After")
    assert sqlite_store.load(mark, []).changed is None


def test_token_uses_stand_outside_the_revision_log(cast: Store) -> None:
    """Noting a use keeps the latest time, ignores unknown tokens, and neither advances the revision nor rings."""
    with change(cast) as session:
        token, _ = changes.issue_token(session, "ben", "app")
    before, value = revision(cast), cast.bell.value()
    late, early = datetime(2030, 1, 2, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    cast.note_token_uses({token.id: late, "unknown": late})
    cast.note_token_uses({token.id: early})
    cast.note_token_uses({})
    with cast.read() as session:
        assert [(use.token_id, use.last_used) for use in session.query(TokenUse)] == [(token.id, late)]
    assert (revision(cast), cast.bell.value()) == (before, value)


def test_a_large_write_ahead_log_is_copied_back(sqlite_store: Store, sqlite_url: str) -> None:
    """The writer checkpoints by itself, since the library is told not to: the log is reused and does not grow on."""
    wal = Path(sqlite_url.removeprefix("sqlite:///") + "-wal")
    with change(sqlite_store) as session:
        changes.create_domain(session, "Main", id_="main")
        changes.create_user(session, "main", "ada@example.com", id_="ada")
    for number in range(3):
        with change(sqlite_store) as session:
            for name in range(100):
                text_ = f"{number}/{name} " + "x" * 4_000
                changes.create_group(session, "main", f"{number}/{name}", description=text_)
        with change(sqlite_store) as session:
            changes.update_user(session, "ada", settings={"n": "x" * 60_000})
    size = wal.stat().st_size
    for _ in range(120):
        with change(sqlite_store) as session:
            changes.update_user(session, "ada", settings={"n": "y" * 60_000, "at": str(datetime.now(UTC))})
    assert wal.stat().st_size < size + 8 * 1024 * 1024


def test_a_deleted_user_is_seen_by_the_next_reader(cast: Store) -> None:
    """A blocked user is blocked in the first load after the writer was answered (law 8)."""
    mark = cast.load(None, ["user:ben"]).mark
    with change(cast) as session:
        changes.update_user(session, "ben", status=UserStatus.BLOCKED)
    batch = cast.load(mark, ["user:ben"])
    assert batch.changed == frozenset({"user:ben"})
    assert batch.records["user:ben"].status is UserStatus.BLOCKED  # type: ignore[union-attr]


def test_holds_and_entries_touch_their_object(cast: Store) -> None:
    """A lock and an entry name the object in the log, each in its own commit."""
    before = revision(cast)
    with change(cast) as session:
        changes.open_intent(
            session,
            changes.IntentKind.DELETE,
            [changes.Lock(CLIP, closes=True)],
            user_id="ada",
            request_id="r",
        )
    assert touched(cast, before) == {CLIP.fact}
