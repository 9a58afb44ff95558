"""The session inside the write door: it derives the touched fact keys itself and lets nothing past the unit of work.

Rules:

1. Rows are changed through mapped objects only. A statement that is neither a SELECT nor a savepoint and does not come from a flush is
   refused: it would change facts that no cache hears of.
2. Each flush adds what its rows touch, by `__facts__` (`models.tables`, rule 1).
3. The revision, what was changed (`models.told`), and the log row are written last, in the same transaction.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, event, insert, inspect, select, update
from sqlalchemy.orm import Session, SessionTransaction

from models import told
from models.errors import StoreError
from models.tables import Base, LogEntry, Revision, columns_of
from models.told import Changed, Values, committed_of, loud

MAX_KEYS = 1_000
"""Keys that one commit names; one that touches more says `EVERYTHING` instead."""

EVERYTHING = "*"
"""The coarse key: all facts may have changed."""

LOG_KEPT = 10_000
"""Commits that stay in the log; who has heard of none for longer forgets everything."""

_FREE = "mediagate.free"
_HARMLESS = ("SELECT", "BEGIN", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
"""What changes no row. A savepoint undoes what flushes have written; what they touched stays noted, which is only too much."""


class WriteSession(Session):
    """A session whose changes become one commit, or none.

    Attributes:
        touched: the fact keys of all rows made, changed or deleted so far.
        has_changed: whether there is anything to commit.
        changed: what was done to each row so far.
        begun: how much of that there was when each transaction or savepoint began.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(bind=connection, expire_on_commit=False, join_transaction_mode="rollback_only")
        self.touched: set[str] = set()
        self.has_changed = False
        self.changed = Changed()
        self.begun: dict[SessionTransaction, int] = {}

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Writes pending changes, having noted what they touch.

        Raises:
            StoreError: a column that decides which record a row belongs to was changed.
        """
        before, gone = self._note()
        with free(self.connection()):
            super().flush(objects)
        self.changed.note(before, gone)

    def _note(self) -> tuple[list[tuple[Base, Values | None]], list[Base]]:
        """Notes what the pending changes touch; returns the rows that are made or changed, with what they were, and those that go."""
        changed = [row for row in self.dirty if self.is_modified(row)]
        for row in changed:
            _refuse_move(row)
        for row in (*self.new, *changed, *self.deleted):
            self.has_changed = True
            self.touched.update(row.fact_keys())
        before: list[tuple[Base, Values | None]] = [(row, None) for row in loud(self.new)]
        before += [(row, committed_of(row)) for row in loud(changed)]
        return before, list(loud(self.deleted))


@event.listens_for(WriteSession, "after_transaction_create")
def _begin(session: WriteSession, transaction: SessionTransaction) -> None:
    session.begun[transaction] = len(session.changed)


@event.listens_for(WriteSession, "after_soft_rollback")
def _undo(session: WriteSession, transaction: SessionTransaction) -> None:
    session.changed.forget_since(session.begun.get(transaction, 0))


def _refuse_move(row: Base) -> None:
    attributes = inspect(row).attrs
    for template in row.__facts__:
        for name in columns_of(template):
            if attributes[name].history.has_changes():
                raise StoreError(
                    f"`{row.__tablename__}.{name}` of a row never changes: delete the row and make another"
                )


def guard(engine: Engine) -> None:
    """Makes the engine refuse what rule 1 forbids; on a reader, that is every change."""
    event.listen(engine, "before_cursor_execute", _refuse_bypass)


def _refuse_bypass(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
    if connection.info.get(_FREE) or statement.startswith(_HARMLESS):
        return
    word = statement.split(maxsplit=1)[0]
    raise StoreError(f"`{word}` past the unit of work is refused: change mapped objects, in `Store.write`")


@contextmanager
def free(connection: Connection) -> Iterator[None]:
    """Lets any statement pass on this connection for a while: flushes, the log, migrations."""
    before = connection.info.get(_FREE, False)
    connection.info[_FREE] = True
    try:
        yield
    finally:
        connection.info[_FREE] = before


def take_turn(connection: Connection) -> int:
    """Returns the present revision, having waited for the writer before us on a server that has several at once.

    Checks such as "this is not the last admin" are sound only if nobody commits between the check and our COMMIT.
    """
    return connection.execute(select(Revision.value).with_for_update()).scalar_one()


def advance(connection: Connection, author: str, touched: set[str], changed: Changed) -> int:
    """Writes the next revision, what was changed, and its log row, the last statements before COMMIT; returns the new revision."""
    keys = sorted(touched) if len(touched) <= MAX_KEYS else [EVERYTHING]
    with free(connection):
        bump = update(Revision).values(value=Revision.value + 1).returning(Revision.value)
        revision = connection.execute(bump).scalar_one()
        commit_id = secrets.token_hex(8)
        told.write(connection, commit_id, revision, author, changed)
        connection.execute(delete(LogEntry).where(LogEntry.revision <= revision - LOG_KEPT))
        entry = {
            "revision": revision,
            "commit_id": commit_id,
            "keys": keys,
            "at": datetime.now(UTC),
            "author": author,
        }
        connection.execute(insert(LogEntry).values(entry))
    return revision
