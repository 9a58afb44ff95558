"""How values are kept in columns so that SQLite and PostgreSQL give back, compare and sort the same ones."""

from datetime import UTC, datetime
from enum import Enum as PythonEnum
from enum import StrEnum

from sqlalchemy import DateTime, Dialect, Enum, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from models.records import Permission

BYTEWISE: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared by its UTF-8 bytes; SQLite does so by itself, PostgreSQL would ask the locale of the cluster."""

CHOICE_LENGTH = 32
"""Width of a column that holds one word of an enum, so that a longer word later needs no migration."""


def choice(words: type[StrEnum]) -> Enum:
    """Returns the type of a column that holds one of `words`, by value; anything else is an error when written."""
    return Enum(
        words,
        native_enum=False,
        create_constraint=False,
        length=CHOICE_LENGTH,
        validate_strings=True,
        values_callable=lambda members: [member.value for member in members],
    )


def is_storable(text: str) -> bool:
    """Tells whether a database can be asked for `text` at all: PostgreSQL knows no NUL, neither knows half surrogates."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def plain(value: object) -> object:
    """Returns a column's value as JSON has it: an enum by its value, permissions by their names, a time in UTC; any other as it is."""
    if isinstance(value, Permission):
        return list(value.names)
    if isinstance(value, PythonEnum):
        return value.value
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


class UtcTime(TypeDecorator[datetime]):
    """A point in time: aware in Python and in UTC when read, whatever zone it was written in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns what the driver is given: UTC, without the zone where the database knows none.

        Raises:
            ValueError: `value` has no zone, so that it names no point in time.
        """
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"`{value.isoformat()}` has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns the stored time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class PermissionSet(TypeDecorator[Permission]):
    """A set of permissions, kept as the sum of its flags."""

    impl = Integer()
    cache_ok = True

    def process_bind_param(self, value: Permission | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Returns the number to store."""
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Permission | None:  # noqa: ARG002 - the signature is SQLAlchemy's
        """Returns the flags that the stored number stands for."""
        return None if value is None else Permission(value)
