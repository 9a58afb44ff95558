"""How connections to either database are opened: one engine that only reads, one that writes.

Rules:

1. A reader cannot write: `query_only` on SQLite, READ ONLY on PostgreSQL. Its transaction is one snapshot.
2. SQLite: WAL; `synchronous=FULL`, since a lost revocation is an opened gate; never created by connecting, since an
   empty store that appears where a file vanished would look like a store that knows nobody.
3. SQLite checkpoints are made by the writer under the writers' lock (`models.turns`), never by the library on its own.
"""

import logging
import sqlite3
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError

from models.errors import StoreError

BUSY_TIMEOUT = 5.0
"""Seconds that a writer waits for another one before the store counts as unavailable."""

CONNECT_TIMEOUT = 5
"""Seconds that reaching a PostgreSQL server may take."""

READ_TIMEOUT = 10.0
"""Seconds that one statement may take on PostgreSQL."""

IDLE_TIMEOUT = 30.0
"""Seconds that a PostgreSQL transaction may stand idle before the server ends it and frees its locks."""

POOL_SIZE = 8
"""Connections of each engine that are kept open."""

FIXED_SQLITE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""The first release without the WAL-reset defect, and the patch releases of older branches that carry the correction."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is.

    Attributes:
        url: with driver and password.
        path: the file of an SQLite store; None for a server.
    """

    url: URL
    path: Path | None

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Returns the place that a URL names.

        Raises:
            StoreError: it is no URL of a file of SQLite or of a database of PostgreSQL.
        """
        try:
            url = make_url(text)
        except ArgumentError:
            raise StoreError(
                "the store's URL cannot be read: write sqlite:///PATH or postgresql://..."
            ) from None
        backend = url.get_backend_name()
        if backend == "sqlite":
            if not url.database or url.database == ":memory:":
                raise StoreError(
                    "an SQLite store needs a file: write sqlite:///PATH (four slashes if absolute)"
                )
            return cls(url.set(drivername="sqlite+pysqlite"), Path(url.database).absolute())
        if backend == "postgresql":
            return cls(url.set(drivername="postgresql+psycopg"), None)
        raise StoreError(f"`{backend}` is not supported: write sqlite:///PATH or postgresql://...")

    def __str__(self) -> str:
        return str(self.path) if self.path else self.url.render_as_string(hide_password=True)


def reader(place: Place, busy_timeout: float) -> Engine:
    """Returns an engine whose every transaction is a snapshot that cannot write (rule 1)."""
    if place.path:
        return _sqlite(place.path, busy_timeout, begin="BEGIN", pragmas=("query_only=ON",))
    engine = _postgres(place, busy_timeout)
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writer(place: Place, busy_timeout: float) -> Engine:
    """Returns an engine whose every transaction may write, and on SQLite owns the file from its first moment."""
    if place.path:
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
        return _sqlite(place.path, busy_timeout, begin="BEGIN IMMEDIATE", pragmas=pragmas)
    return _postgres(place, busy_timeout).execution_options(isolation_level="READ COMMITTED")


def _sqlite(path: Path, busy_timeout: float, *, begin: str, pragmas: tuple[str, ...]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",  # rule 2: never creates
            uri=True,
            timeout=busy_timeout,
            isolation_level=None,  # transactions are begun below, not by the driver
            check_same_thread=False,  # the pool gives a connection to one thread at a time
        )
        for pragma in ("wal_autocheckpoint=0", "trusted_schema=OFF", *pragmas):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        pool_timeout=busy_timeout,
    )
    event.listen(engine, "begin", partial(_begin, begin))
    return engine


def _begin(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


def _postgres(place: Place, busy_timeout: float) -> Engine:
    try:
        engine = create_engine(
            place.url,
            pool_size=POOL_SIZE,
            pool_timeout=busy_timeout,
            pool_pre_ping=True,  # a restarted server costs no failed request
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "client_encoding": "utf8"},
        )
    except ModuleNotFoundError:
        raise StoreError("PostgreSQL needs its driver: install `mediagate[postgres]`") from None

    @event.listens_for(engine, "connect")
    def limit(connection: DBAPIConnection, _record: object) -> None:
        raw: Any = connection
        raw.autocommit = True
        for name, seconds in (
            ("lock_timeout", busy_timeout),
            ("statement_timeout", max(READ_TIMEOUT, 2 * busy_timeout)),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
        ):
            raw.execute(f"SET {name} = {int(seconds * 1000)}")
        raw.autocommit = False

    return engine


@cache
def warn_of_old_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Logs one line per process if `version` is one that can damage a WAL file; tells whether it did.

    By its makers' notes the defect needs one connection to checkpoint while another commits. Our own writers and
    checkpoints exclude each other (rule 3), so what is left is another program with the same file.
    """
    fixed, *patched = FIXED_SQLITE
    if version < (3, 7) or version >= fixed or any(version[:2] == p[:2] and version >= p for p in patched):
        return False
    log.warning(
        "SQLite %s is older than 3.51.3, before which a checkpoint at the moment of a commit could, rarely, damage the file "
        "(unless your distribution has patched it); mediagate keeps the two apart: let no other program write to its store",
        ".".join(map(str, version)),
    )
    return True
