"""The whole model as JSON lines: out of one store and into another, exact both ways.

Rules:

1. A file is a header, one line for each row, and a last line with their number and digest. Rows come table by table, so that each follows
   what it refers to, and by key within a table: the same model gives the same bytes, whichever database it was in.
2. Left out is what belongs to one store and not to the model: the logs, what requests and jobs are about to do, when tokens were used, and
   published policies, which `policy fetch` takes along.
3. Credentials (digests of tokens and links, hashes of passwords) are in it only if that is asked for. Without them tokens, links and shares are left out as a
   whole: a share without its password would be open. Users are in it without theirs: who has none cannot sign in by one.
4. Nothing is written before the whole file was read and is sound: its digest, and each value by its column's type. Each mistake names its line.
5. Rows are written in commits of `BATCH`, through the write door. A store that is not empty is refused, unless an import that broke off is
   taken up: then a row that is there as it is in the file is passed over, and one that is there otherwise ends it.
6. Memory does not grow with the model.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any, BinaryIO, Final

from sqlalchemy import JSON, Boolean, Column, Enum, Integer, Table, Text, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.changes.errors import ConflictError, InvalidError
from models.columns import PermissionSet, UtcTime, is_storable, plain
from models.records import Permission
from models.schema import HEAD
from models.store import Store
from models.tables import (
    AclEntry,
    AclJob,
    AclTemplate,
    AclTemplateEntry,
    AclTemplateUse,
    Application,
    Base,
    ChangeEntry,
    Group,
    GroupRole,
    Hold,
    Intent,
    LogEntry,
    Membership,
    Network,
    Object,
    Placement,
    PolicyFile,
    Publication,
    Revision,
    Share,
    ShareRecipient,
    ShareTerms,
    StorageFolder,
    SystemDomain,
    Token,
    TokenUse,
    User,
)

FORMAT: Final = 1
BATCH: Final = 1_000
"""Rows of one commit."""
MAX_LINE: Final = 1_048_576
"""Bytes of one line."""
LEFT_OUT: Final = (AclJob, ChangeEntry, Hold, Intent, LogEntry, PolicyFile, Publication, Revision, TokenUse)
"""Rule 2."""
CREDENTIALS: Final = (Token, ShareRecipient, Share)
"""Rule 3."""
BLANKED: Final = frozenset((("users", "password"),))
"""Rule 3: table and column."""
MOVED: Final[tuple[type[Base], ...]] = (
    SystemDomain,
    Group,
    User,
    GroupRole,
    Membership,
    Application,
    Network,
    ShareTerms,
    Object,
    Placement,
    AclTemplate,
    AclTemplateEntry,
    AclTemplateUse,
    StorageFolder,
    Share,
    ShareRecipient,
    Token,
    AclEntry,
)
"""In this order (rule 1)."""

Progress = Callable[[int], None]
"""Is told how many rows are done."""


def export_model(session: Session, out: BinaryIO, progress: Progress, *, secrets: bool = False) -> int:
    """Writes the whole model; returns how many rows that were.

    Args:
        session: a snapshot.
        out: where the lines go.
        progress: is told now and then.
        secrets: whether credentials are in it (rule 3).
    """
    digest, count = hashlib.sha256(), 0

    def write(document: Mapping[str, Any]) -> None:
        line = _line(document)
        digest.update(line)
        out.write(line)

    write({"format": FORMAT, "schema": HEAD, "secrets": secrets})
    for kind in MOVED:
        if kind in CREDENTIALS and not secrets:
            continue
        table = _table(kind)
        for row in session.execute(
            select(table).order_by(*table.primary_key), execution_options={"yield_per": BATCH}
        ):
            if kind is AclEntry and row.principal_kind == "share" and not secrets:
                continue  # what it speaks of is not in the file
            write(
                {
                    table.name: {
                        column.name: None
                        if (table.name, column.name) in BLANKED and not secrets
                        else plain(value)
                        for column, value in zip(table.columns, row, strict=True)
                    }
                }
            )
            count += 1
            if count % BATCH == 0:
                progress(count)
    out.write(_line({"rows": count, "sha256": digest.hexdigest()}))
    progress(count)
    return count


def import_model(
    store: Store, source: BinaryIO, author: str, progress: Progress, *, resume: bool = False
) -> int:
    """Reads a whole model into a store; returns how many rows were written now.

    Args:
        store: where to; empty unless `resume`.
        source: a file as `export_model` writes it; it is read twice.
        author: for the logs.
        progress: is told now and then.
        resume: whether rows may be there already (rule 5).

    Raises:
        InvalidError: the file is not sound; says what is wrong in which line. Nothing was written.
        ConflictError: the store is not empty, a row is there otherwise, or refers to one that is not there. What was
            committed before stays.
    """
    with store.read() as session:
        if not resume and session.scalar(select(SystemDomain.id).limit(1)) is not None:
            raise ConflictError(
                "the store is not empty: import into a new one, or take up an import that broke off with --resume"
            )
    for _ in _rows(source):  # rule 4
        pass
    source.seek(0)
    done = written = 0
    rows = _rows(source)
    while batch := list(islice(rows, BATCH)):
        with store.write(author) as commit:
            new = [row for number, row in batch if _is_new(commit.session, number, row)]
            try:
                for _, rows_of_one_kind in groupby(new, type):
                    commit.session.add_all(rows_of_one_kind)
                    commit.session.flush()  # the unit of work knows no order between kinds
            except IntegrityError:
                first, last = batch[0][0], batch[-1][0]
                raise ConflictError(
                    f"lines {first} to {last}: a row refers to one that is not there, or has the name of another"
                ) from None
        done, written = done + len(batch), written + len(new)
        progress(done)
    return written


def _is_new(session: Session, number: int, row: Base) -> bool:
    """Tells whether a row is to be written; raises ConflictError if it is there otherwise (rule 5)."""
    kind = type(row)
    there = session.get(kind, tuple(getattr(row, name) for name in _key_names(kind)))
    if there is None:
        return True
    if _values(there) != _values(row):
        raise ConflictError(
            f"line {number}: this row of `{kind.__tablename__}` is in the store already, and otherwise"
        )
    return False


def _rows(source: BinaryIO) -> Iterator[tuple[int, Base]]:
    """Yields the rows of a file with their lines; raises InvalidError where it is not sound (rule 4)."""
    digest, count, number = hashlib.sha256(), 0, 1
    line = source.readline(MAX_LINE + 1)
    kinds = _kinds(_parsed(line, number))
    order = list(kinds)
    at = 0
    while True:
        digest.update(line)
        number += 1
        line = source.readline(MAX_LINE + 1)
        document = _parsed(line, number)
        if "sha256" in document:
            break
        if len(document) != 1 or next(iter(document)) not in kinds:
            raise InvalidError(f"line {number}: not a row of a table that is moved")
        ((name, values),) = document.items()
        if order.index(name) < at:
            raise InvalidError(f"line {number}: `{name}` stands behind what refers to it")
        at = order.index(name)
        count += 1
        yield number, _row(kinds[name], values, number)
    if document != {"rows": count, "sha256": digest.hexdigest()}:
        raise InvalidError(f"line {number}: the file was changed since it was written, or lines are missing")
    if source.read(1):
        raise InvalidError(f"line {number + 1}: there is something behind the last line")


def _kinds(header: Mapping[str, Any]) -> dict[str, type[Base]]:
    if header.keys() != {"format", "schema", "secrets"} or header["format"] != FORMAT:
        raise InvalidError("line 1: this is no file of `mediagate export`")
    if header["schema"] != HEAD:
        raise InvalidError(
            f"line 1: the file is of the schema {header['schema']}, this program speaks {HEAD}: export it with the same version"
        )
    return {
        kind.__tablename__: kind for kind in MOVED if header["secrets"] is True or kind not in CREDENTIALS
    }


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    if not line:
        raise InvalidError(f"line {number}: the file ends before its last line")
    if len(line) > MAX_LINE:
        raise InvalidError(f"line {number}: more than {MAX_LINE} bytes")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or _line(document) != line:
        raise InvalidError(f"line {number}: not as it was written")
    return document


def _row(kind: type[Base], values: object, number: int) -> Base:
    columns = {column.name: column for column in _table(kind).columns}
    if not isinstance(values, dict) or values.keys() != columns.keys():
        raise InvalidError(f"line {number}: not the columns of `{kind.__tablename__}`")
    try:
        read = {name: _read(columns[name], value) for name, value in values.items()}
    except (ValueError, TypeError) as error:
        raise InvalidError(f"line {number}: {error}") from None
    return kind(**{_attribute(kind, columns[name]): value for name, value in read.items()})


def _read(column: "Column[Any]", value: object) -> object:
    """Returns the value of a column; raises ValueError or TypeError if it is none."""
    if value is None:
        if not column.nullable:
            raise ValueError(f"`{column.name}` must not be null")
        return None
    for kind, read in _READERS.items():
        if isinstance(column.type, kind):
            return read(column, value)
    raise TypeError(f"`{column.name}` is of a kind that is not moved")


def _read_permissions(column: "Column[Any]", value: object) -> Permission:
    found = Permission.NONE
    for name in _of(list, value, column):
        found |= Permission.named(name)
    return found


def _read_time(column: "Column[Any]", value: object) -> datetime:
    time = datetime.fromisoformat(_of(str, value, column))
    if time.utcoffset() is None:
        raise ValueError(f"`{column.name}` has no time zone")
    return time.astimezone(UTC)


def _read_text(column: "Column[Any]", value: object) -> str:
    text: str = _of(str, value, column)
    if not is_storable(text):
        raise ValueError(f"`{column.name}` has characters that no store keeps")
    return text


def _read_word(column: "Column[Any]", value: object) -> object:
    words = column.type.enum_class if isinstance(column.type, Enum) else None
    if words is None:
        raise TypeError(f"`{column.name}` is of a kind that is not moved")
    return words(_of(str, value, column))


_READERS: Final[Mapping[type[Any], Callable[["Column[Any]", object], object]]] = {
    JSON: lambda _, value: value,
    Boolean: lambda column, value: _of(bool, value, column),
    PermissionSet: _read_permissions,
    UtcTime: _read_time,
    Enum: _read_word,
    Integer: lambda column, value: _of(int, value, column),
    Text: _read_text,
}
"""How a value of a column's type is read; the first that fits."""


def _of(kind: type[Any], value: object, column: "Column[Any]") -> Any:  # noqa: ANN401 - as `kind` says
    if type(value) is not kind:
        raise TypeError(f"`{column.name}` is no {kind.__name__}")
    return value


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _table(kind: type[Base]) -> Table:
    table = kind.__table__
    if not isinstance(table, Table):
        raise TypeError(f"`{kind.__name__}` is not mapped to a table")
    return table


def _attribute(kind: type[Base], column: "Column[Any]") -> str:
    return inspect(kind).get_property_by_column(column).key


def _key_names(kind: type[Base]) -> list[str]:
    return [_attribute(kind, column) for column in _table(kind).primary_key]


def _values(row: Base) -> dict[str, object]:
    return {
        column.name: plain(getattr(row, _attribute(type(row), column)))
        for column in _table(type(row)).columns
    }
