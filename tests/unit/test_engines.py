"""Where a store is, and how its connections are opened."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import text

from models.door import free
from models.engines import Place, reader, warn_of_old_sqlite, writer
from models.errors import StoreError
from stores import Databases


def pragma(url: str, name: str, *, writing: bool) -> object:
    """Returns what SQLite says of one of its settings on a connection of ours."""
    engine = (writer if writing else reader)(Place.parse(url), 1.0)
    with engine.connect() as connection:
        value = connection.execute(text(f"PRAGMA {name}")).scalar()
    engine.dispose()
    return value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("wal_autocheckpoint", 0),
        ("busy_timeout", 1000),
    ],
)
def test_an_sqlite_writer_is_durable_and_checks_references(sqlite_url: str, name: str, value: object) -> None:
    """A committed revocation survives a power cut: WAL with FULL; references are checked; checkpoints are ours."""
    assert pragma(sqlite_url, name, writing=True) == value


@pytest.mark.parametrize(("name", "value"), [("query_only", 1), ("wal_autocheckpoint", 0)])
def test_an_sqlite_reader_cannot_write(sqlite_url: str, name: str, value: object) -> None:
    """The database itself refuses changes on a reading connection, and it never checkpoints."""
    assert pragma(sqlite_url, name, writing=False) == value


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
        ("lock_timeout", "1s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
        ("client_encoding", "UTF8"),
    ],
)
def test_a_postgresql_reader_is_a_bounded_snapshot(
    postgres_databases: Databases, tmp_path: Path, setting: str, value: str
) -> None:
    """The server itself refuses changes in a reading transaction, keeps its snapshot, and ends what hangs."""
    url = postgres_databases.fresh(tmp_path)
    engine = reader(Place.parse(url), 1.0)
    with engine.connect() as connection, free(connection):
        assert connection.execute(text(f"SHOW {setting}")).scalar() == value
    engine.dispose()
    postgres_databases.drop(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://h/d", "`mysql` is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_that_is_no_store_is_refused(url: str, sentence: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(StoreError, match=sentence):
        Place.parse(url)


def test_a_place_is_shown_without_its_password() -> None:
    """Messages and logs may name the place."""
    assert "hidden" not in str(Place.parse("postgresql://me:hidden@host/store"))


def test_a_relative_file_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is made absolute at once, so that a later change of folder does not change the store."""
    monkeypatch.chdir(tmp_path)
    assert Place.parse("sqlite:///store.db").path == tmp_path / "store.db"


@pytest.mark.parametrize(
    ("version", "warns"),
    [
        ((3, 6, 0), False),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_an_sqlite_with_the_wal_defect_is_named_once(
    caplog: pytest.LogCaptureFixture, version: tuple[int, ...], *, warns: bool
) -> None:
    """Versions in the range are warned of in one line, corrected patch releases and later versions are not."""
    warn_of_old_sqlite.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert warn_of_old_sqlite(version) is warns
        warn_of_old_sqlite(version)
    assert len(caplog.records) == int(warns)
