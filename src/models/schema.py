"""Which schema a store has, and bringing it to the one that this program speaks."""

import os
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from models.engines import Place
from models.errors import StoreError

HEAD = "0013"
"""The newest migration; here as a constant, so that opening a store does not load Alembic."""

SCRIPTS = Path(__file__).parent / "migrations"


UPGRADE_LOCK = 0x6D656469
"""Name of the lock that upgrades of one PostgreSQL database take; any number that nobody else uses there."""


def create_file(path: Path) -> None:
    """Makes an empty file that only its owner can read; one that exists stays as it is.

    Raises:
        StoreError: its folder does not exist or cannot be written.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreError(f"the store `{path}` cannot be made: {error.strerror}") from error


def migrate(connection: Connection) -> None:
    """Runs the migrations that are missing, within the connection's transaction: all of them or none."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if (
        connection.dialect.name == "postgresql"
    ):  # two that start together: the second finds nothing left to do
        connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
    command.upgrade(config, "head")


def check(connection: Connection, place: Place) -> None:
    """Makes sure that the schema is the one this program speaks.

    Raises:
        StoreError: it is missing, older or newer; the message says what to run.
    """
    if not inspect(connection).has_table("alembic_version"):
        raise StoreError(f"the store `{place}` is empty: run `mediagate init`")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if found == [HEAD]:
        return
    version = ", ".join(found) or "none"
    if found and max(found) > HEAD:
        raise StoreError(
            f"the store `{place}` has schema `{version}`, newer than this program's `{HEAD}`: use a newer mediagate"
        )
    raise StoreError(
        f"the store `{place}` has schema `{version}`, this program needs `{HEAD}`: run `mediagate upgrade`"
    )
