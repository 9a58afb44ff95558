"""Which errors of a database speak of the database, and which of our statement."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models.errors import StoreUnavailableError, outages


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """Returns an error as the driver makes it."""
    error = sqlite3.OperationalError("it said so\nand more")
    error.sqlite_errorcode = code
    return error


def postgres_error(state: str | None) -> psycopg.Error:
    """Returns an error as the driver makes it."""
    error = psycopg.OperationalError("it said so\nand more")
    error.sqlstate = state
    return error


OUTAGES = [
    *(sqlite_error(code) for code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)),
    *(sqlite_error(code) for code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY_SNAPSHOT)),
    *(postgres_error(state) for state in (None, "08006", "53100", "55P03", "57P01", "40P01", "25P03")),
]


@pytest.mark.parametrize("cause", OUTAGES)
def test_an_outage_is_unavailable(cause: Exception) -> None:
    """A lock, a full disk, a lost server: one error of ours, with the first line of theirs."""
    with pytest.raises(StoreUnavailableError, match=r"`here` does not answer: it said so$"), outages("here"):
        raise OperationalError("SELECT 1", {}, cause)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT 1", {}, sqlite_error(sqlite3.SQLITE_ERROR)),
        IntegrityError("INSERT", {}, sqlite_error(sqlite3.SQLITE_CONSTRAINT)),
        IntegrityError("INSERT", {}, postgres_error("23505")),
        DBAPIError("SELECT x", {}, postgres_error("42703")),
        DBAPIError("SELECT x", {}, psycopg.DataError("bad")),
        KeyError("x"),
    ],
)
def test_a_mistake_of_ours_stays_what_it_is(error: Exception) -> None:
    """A wrong statement or a broken constraint is not mistaken for an outage, which would be retried."""
    with pytest.raises(type(error)) as caught, outages("here"):
        raise error
    assert caught.value is error


def test_a_connection_that_was_lost_is_unavailable() -> None:
    """Whatever the driver says, a connection that SQLAlchemy gave up is an outage."""
    error = DBAPIError("SELECT 1", {}, psycopg.Error("gone"), connection_invalidated=True)
    with pytest.raises(StoreUnavailableError), outages("here"):
        raise error


def test_a_pool_without_connections_is_unavailable() -> None:
    """Waiting in vain for a connection is an outage too."""
    with pytest.raises(StoreUnavailableError, match="in use"), outages("here"):
        raise PoolTimeoutError
