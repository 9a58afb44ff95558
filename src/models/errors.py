"""What goes wrong between us and the database, told apart by whether it may pass by itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class StoreError(Exception):
    """The store cannot be used as it is; the message says what to do."""


class StoreUnavailableError(StoreError):
    """The store does not answer now: locked, full, gone. What was being written is undone, unless the message says otherwise."""


SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Primary result codes that speak of the file and not of our statement."""

POSTGRES_OUTAGES = ("08", "25P03", "25006", "40", "53", "55P03", "57", "58", "XX")
"""SQLSTATE classes and codes that speak of the server: connection, idle time-out, read-only standby, deadlock, resources,
lock time-out, operator intervention, system and internal errors (PostgreSQL manual, appendix A)."""


@contextmanager
def outages(place: str) -> Iterator[None]:
    """Turns an error that speaks of the database being out of reach into StoreUnavailableError; others pass.

    Args:
        place: which store, without a password.
    """
    try:
        yield
    except DBAPIError as error:
        if not _is_outage(error):
            raise
        cause = str(error.orig).strip().splitlines()
        raise StoreUnavailableError(f"the store `{place}` does not answer: {''.join(cause[:1])}") from error
    except PoolTimeoutError as error:
        raise StoreUnavailableError(
            f"the store `{place}` does not answer: all connections are in use"
        ) from error


def _is_outage(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in SQLITE_OUTAGES  # the low byte is the primary code
    state: str | None = getattr(cause, "sqlstate", None)
    if state is None:  # psycopg could not connect, or lost the connection
        return type(cause).__name__ == "OperationalError"
    return state.startswith(POSTGRES_OUTAGES)
