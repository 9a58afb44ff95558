"""What a commit did to each row, with before and after: the audit of changes.

Rules:

1. It is derived from the unit of work, like the keys that a commit touches: no change can forget to tell.
2. No digest, password or file is in it: of a column in `SECRET` is told that it is there, and of what differs that it changed.
3. It tells what was committed: a row that was changed several times is told once, one that ended as it began is not, and what a
   savepoint undid never was.
4. Bookkeeping is not told (`QUIET`): holds and intents of requests, uses of tokens, the steps of jobs, the log itself.
5. What rows alone do not say, a change says beside them (`Changed.tell`): which template gave the entries of a commit (`APPLIED`). It is
   told only with rows that changed, and decides nothing.
6. It is bounded: `MAX_TOLD` rows of a commit, of the others is told how many; `MAX_TEXT` characters of a value; and
   the rows of the last `KEPT` commits.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, inspect

from models.columns import plain
from models.tables import (
    AclJob,
    Base,
    ChangeEntry,
    Hold,
    Intent,
    LogEntry,
    PolicyFile,
    Revision,
    Share,
    ShareRecipient,
    Token,
    TokenUse,
    User,
)

MAX_TOLD: Final = 1_000
MAX_TEXT: Final = 500
KEPT: Final = 100_000
SECRET: Final = frozenset(
    ((Token, "digest"), (ShareRecipient, "digest"), (Share, "password"), (User, "password"))
)
QUIET: Final = (AclJob, ChangeEntry, Hold, Intent, LogEntry, PolicyFile, Revision, TokenUse)
MORE: Final = "more"
"""The kind of the entry that tells how many rows are not told."""
APPLIED: Final = "applied_templates"
"""The kind of the entry that tells which template gave an object the entries that are told beside it."""
_HIDDEN: Final = "(secret)"

Values = dict[str, Any]


class Told(NamedTuple):
    """One row of a table before and after; None where it was not there."""

    kind: str
    key: str
    before: Values | None
    after: Values | None


class Changed:
    """The rows that a commit has changed so far."""

    def __init__(self) -> None:
        """Begins empty."""
        self._told: list[Told] = []
        self._others = 0

    def __len__(self) -> int:
        return len(self._told)

    def note(self, before: Iterable[tuple[Base, Values | None]], gone: Iterable[Base]) -> None:
        """Notes what a flush has written.

        Args:
            before: rows that were made (None) or changed, with their values before the flush; none that is `QUIET`, here and below.
            gone: rows that were removed.
        """
        for row, was in before:
            if self._has_room():
                self._told.append(Told(row.__tablename__, key_of(row), was, values_of(row)))
        for row in gone:
            if self._has_room():
                self._told.append(Told(row.__tablename__, key_of(row), committed_of(row), None))

    def tell(self, kind: str, key: str, values: Values) -> None:
        """Notes something beside the rows (rule 5), under a kind that is no table's; said again of the same key, the last holds."""
        if self._has_room():
            self._told.append(Told(kind, key, None, {name: _plain(value) for name, value in values.items()}))

    def forget_since(self, length: int) -> None:
        """Forgets what was noted since there were `length` (rule 3)."""
        del self._told[length:]

    def _has_room(self) -> bool:
        """Tells whether another row can be told; counts those that cannot, at no further cost."""
        if len(self._told) >= 2 * MAX_TOLD:
            self._others += 1
            return False
        return True

    def entries(self) -> Iterator[Told]:
        """Yields what the commit did to each row (rules 3 and 6)."""
        merged: dict[tuple[str, str], Told] = {}
        for told in self._told:
            first = merged.get((told.kind, told.key))
            merged[told.kind, told.key] = told._replace(before=first.before) if first else told
        different = [told for told in merged.values() if told.before != told.after]
        yield from different[:MAX_TOLD]
        if others := self._others + max(0, len(different) - MAX_TOLD):
            yield Told(MORE, "", None, {"rows": others})


def write(connection: Connection, commit_id: str, revision: int, author: str, changed: Changed) -> None:
    """Writes what a commit did, within it."""
    at = datetime.now(UTC)
    rows = [
        {
            "commit_id": commit_id,
            "position": position,
            "revision": revision,
            "at": at,
            "author": author,
            "kind": told.kind,
            "key": told.key,
            "before": _hidden(told.before, told.after),
            "after": _hidden(told.after, told.before, is_after=True),
        }
        for position, told in enumerate(changed.entries())
    ]
    if rows:
        connection.execute(insert(ChangeEntry), rows)
    connection.execute(delete(ChangeEntry).where(ChangeEntry.revision <= revision - KEPT))


def loud(rows: Iterable[Base]) -> Iterator[Base]:
    """Yields those rows whose changes are told (rule 4)."""
    return (row for row in rows if not isinstance(row, QUIET))


def key_of(row: Base) -> str:
    """Returns how a row is named: the values of its primary key."""
    mapper = inspect(type(row))
    return " ".join(
        str(_plain(getattr(row, mapper.get_property_by_column(column).key))) for column in mapper.primary_key
    )


def values_of(row: Base) -> Values:
    """Returns the values of a row."""
    return {name: _shown(type(row), name, getattr(row, name)) for name in _names(row)}


def committed_of(row: Base) -> Values:
    """Returns the values that a row has in the store."""
    state = inspect(row)
    found = {}
    for name in _names(row):
        history = state.attrs[name].history
        value = history.deleted[0] if history.deleted else getattr(row, name)
        found[name] = _shown(type(row), name, value)
    return found


def _names(row: Base) -> Iterator[str]:
    yield from (attribute.key for attribute in inspect(type(row)).column_attrs)


def _shown(kind: type[Base], name: str, value: object) -> object:
    if (kind, name) in SECRET and value is not None:
        return _Secret(str(value))
    return _plain(value)


class _Secret(str):
    """A value that is compared and never told."""

    __slots__ = ()


def _hidden(values: Values | None, others: Values | None, *, is_after: bool = False) -> Values | None:
    """Returns values as they are written: of a row that was changed only those that differ, secrets hidden (rule 2)."""
    if values is None:
        return None
    kept = (
        values
        if others is None
        else {name: each for name, each in values.items() if others.get(name) != each}
    )
    changed = f"{_HIDDEN[:-1]}, changed)" if is_after and others is not None else _HIDDEN
    return {name: changed if isinstance(each, _Secret) else each for name, each in kept.items()}


def _plain(value: object) -> object:
    """Returns a value as JSON has it (rule 6)."""
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    told = plain(value)
    return told if isinstance(told, int | None) else _bounded(told)


def _bounded(value: object) -> object:
    text = str(value)
    return value if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... ({len(text)} characters)"
