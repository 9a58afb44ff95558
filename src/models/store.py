"""The only door to what is kept: one way to write, snapshots to read, and the news of what changed.

Rules:

1. Every write advances the revision and names the facts it touched, without its author thinking of it (`models.door`).
2. Writers take turns, so that what a change has checked is still so when it commits.
3. The bell rings after COMMIT and before the writer is answered: whoever begins after that answer reads the change.
   It also rings when a COMMIT failed, since a server may have carried it out.
4. Each read is one snapshot.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, case, select
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from models import engines, schema
from models.bell import Bell, path_for_server
from models.door import WriteSession, advance, free, guard, take_turn
from models.engines import BUSY_TIMEOUT, Place
from models.errors import StoreError, StoreUnavailableError, outages
from models.loading import Batch, Mark, load
from models.tables import Token, TokenUse
from models.turns import Turns

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert

__all__ = ["Batch", "Commit", "Mark", "Store", "StoreError", "StoreUnavailableError"]

CHECKPOINT_BYTES = 4 * 1024 * 1024
"""Size of the write-ahead log of SQLite at which a writer copies it into the file."""


@dataclass(slots=True)
class Commit:
    """One commit in the making.

    Attributes:
        session: where the change is made, through `models.changes`.
        revision: the revision at which the change holds; known when the `with` block has ended.
    """

    session: WriteSession
    revision: int


class Store:
    """A store whose schema is current; safe to use from several threads."""

    def __init__(self, place: Place, bell: Bell, busy_timeout: float) -> None:
        """Prepares the engines; use `Store.open`."""
        self.bell = bell
        self._place = place
        self._reader = engines.reader(place, busy_timeout)
        self._writer = engines.writer(place, busy_timeout)
        self._turns = Turns(place.path, busy_timeout) if place.path else None
        self._file = _identity(place.path)
        guard(self._reader)
        guard(self._writer)

    @staticmethod
    def upgrade(url: str) -> None:
        """Brings the schema at `url` to what this program needs; makes an SQLite file (mode 0600) where there is none.

        Raises:
            StoreError: the place cannot be used; StoreUnavailableError if it does not answer.
        """
        place = Place.parse(url)
        if place.path:
            schema.create_file(place.path)
        engine = engines.writer(place, BUSY_TIMEOUT)
        turns = Turns(place.path, BUSY_TIMEOUT) if place.path else None
        try:
            with outages(str(place)), turns.take() if turns else nullcontext(), engine.begin() as connection:
                schema.migrate(connection)
        finally:
            engine.dispose()
            if turns:
                turns.close()

    @classmethod
    def open(cls, url: str, *, bell: Path | None = None, busy_timeout: float = BUSY_TIMEOUT) -> "Store":
        """Opens the store at `url`.

        Args:
            url: `sqlite:///PATH` or `postgresql://...`.
            bell: the file of the bell; by default beside an SQLite file, else in the user's runtime folder.
            busy_timeout: seconds that a writer waits for its turn.

        Raises:
            StoreError: there is no store, or its schema is not current; StoreUnavailableError if it does not answer.
        """
        place = Place.parse(url)
        if place.path and not place.path.is_file():
            raise StoreError(f"there is no store at `{place}`: run `mediagate init`")
        try:
            path = bell or (Path(f"{place.path}-bell") if place.path else path_for_server(str(place)))
            store = cls(place, Bell(path), busy_timeout)
        except OSError as error:
            raise StoreError(
                f"the store `{place}` cannot be opened: `{error.filename}`: {error.strerror}"
            ) from error
        try:
            store._check()
        except BaseException:
            store.close()
            raise
        return store

    @contextmanager
    def write(self, author: str) -> Iterator[Commit]:
        """Yields a commit in the making; at the end of the block it holds, after an exception nothing of it does.

        Args:
            author: who changes, for the log: a user's name, a command, a request.

        Raises:
            StoreUnavailableError: the store is locked, full or gone; nothing was written, except that a server lost
                during COMMIT may have carried it out.
        """
        rings = False
        try:
            with self._writing() as connection, WriteSession(connection) as session:
                commit = Commit(session, take_turn(connection))
                yield commit
                session.flush()
                if session.has_changed:
                    commit.revision = advance(connection, author, session.touched, session.changed)
                    rings = True
        finally:
            if rings:
                self.bell.ring()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yields a session on one snapshot that cannot write.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        with self._reading() as connection, Session(bind=connection, autoflush=False) as session:
            yield session

    def load(self, since: Mark | None, keys: Collection[str]) -> Batch:
        """Returns what changed since `since` and the records of `keys` with their closure, from one snapshot.

        Raises:
            StoreUnavailableError: the store does not answer.
            ValueError: one of `keys` is no fact key.
        """
        with self._reading() as connection:
            return load(connection, since, keys)

    def note_token_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when tokens, by id, were last used; no revision, since no decision depends on it. Unknown ids are ignored.

        Raises:
            StoreUnavailableError: the store does not answer.
        """
        with self._writing() as connection:
            known = set(connection.execute(select(Token.id).where(Token.id.in_(uses))).scalars())
            rows = [{"token_id": id_, "last_used": uses[id_]} for id_ in sorted(known)]
            if rows:
                with free(connection):
                    _upsert_uses(connection, rows)

    def close(self) -> None:
        """Closes all connections; nothing else may be called afterwards."""
        self._reader.dispose()
        self._writer.dispose()
        self.bell.close()
        if self._turns:
            self._turns.close()

    def _check(self) -> None:
        with self._reading() as connection, free(connection):
            schema.check(connection, self._place)
        if self._place.path:
            engines.warn_of_old_sqlite()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._follow_file()
        with outages(str(self._place)), self._reader.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        self._follow_file()
        turn = self._turns.take() if self._turns else nullcontext()
        with turn, outages(str(self._place)), self._writer.connect() as connection:
            with connection.begin():
                yield connection
            self._checkpoint(connection)

    def _checkpoint(self, connection: Connection) -> None:
        """Copies a large write-ahead log of SQLite into the file, while it is still our turn; failing costs only space."""
        if self._place.path is None:
            return
        with suppress(FileNotFoundError, sqlite3.Error):
            raw = connection.connection.driver_connection
            if raw and Path(f"{self._place.path}-wal").stat().st_size >= CHECKPOINT_BYTES:
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _follow_file(self) -> None:
        """Opens an SQLite file anew if another one stands in its place, such as a restored backup."""
        if self._place.path and (found := _identity(self._place.path)) != self._file:
            self._reader.dispose()
            self._writer.dispose()
            self._file = found


def _identity(path: Path | None) -> tuple[int, int] | None:
    """Returns what tells one file from another in the same place."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _insert_uses(connection: Connection) -> "SqliteInsert | PostgresqlInsert":
    if connection.dialect.name == "sqlite":
        return sqlite_insert(TokenUse)
    from sqlalchemy.dialects.postgresql import (
        insert,
    )  # all its drivers: who has SQLite need not wait for them

    return insert(TokenUse)


def _upsert_uses(connection: Connection, rows: list[dict[str, object]]) -> None:
    fresh = _insert_uses(connection)
    newer = case(
        (fresh.excluded.last_used > TokenUse.last_used, fresh.excluded.last_used), else_=TokenUse.last_used
    )
    connection.execute(
        fresh.on_conflict_do_update(index_elements=[TokenUse.token_id], set_={"last_used": newer}), rows
    )
