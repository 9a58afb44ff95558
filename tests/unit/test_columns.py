"""Values come back as they went in, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from models import changes
from models.columns import PermissionSet, UtcTime, choice
from models.records import Permission
from models.store import Store
from models.tables import AclEntry, Token, User
from stores import CLIP, change

DIALECT = sqlite.dialect()


def test_a_time_is_read_in_utc(cast: Store) -> None:
    """A time written in another zone is the same moment when read, aware and in UTC, to the microsecond."""
    written = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=-7)))
    with change(cast) as session:
        token, _ = changes.issue_token(session, "ben", "app", expires=written)
    with cast.read() as session:
        read = session.get_one(Token, token.id).expires
    assert read == written
    assert read is not None
    assert read.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time names no moment."""
    with pytest.raises(ValueError, match="no time zone"):
        UtcTime().process_bind_param(datetime(2030, 1, 1), DIALECT)  # noqa: DTZ001 - what is refused


def test_nothing_stays_nothing() -> None:
    """NULL is None both ways."""
    for kind in (UtcTime(), PermissionSet()):
        assert kind.process_bind_param(None, DIALECT) is None
        assert kind.process_result_value(None, DIALECT) is None


def test_permissions_are_flags_when_read(cast: Store) -> None:
    """A set of permissions comes back as flags, not as a number."""
    both = Permission.READ | Permission.CHANGE_ACL
    with change(cast) as session:
        changes.grant(session, CLIP, "user:ben", both, propagates=False)
    with cast.read() as session:
        assert repr(session.query(AclEntry).one().permissions) == repr(both)


def test_text_of_any_script_comes_back(cast: Store) -> None:
    """Names are kept as they are, beyond the basic plane and unnormalised."""
    name = "é é 日本 𐍈 🎬"
    with change(cast) as session:
        changes.update_user(session, "ben", first_name=name, settings={name: [1, None, {"x": name}]})
    with cast.read() as session:
        user = session.get_one(User, "ben")
        assert (user.first_name, user.settings) == (name, {name: [1, None, {"x": name}]})


def test_a_word_outside_the_enum_is_refused(cast: Store) -> None:
    """A column of choices holds no other word."""
    with pytest.raises(StatementError), change(cast) as session:
        session.get_one(User, "ben").status = "SLEEPING"  # type: ignore[assignment]


def test_a_choice_is_kept_by_value() -> None:
    """What is stored is the word itself, not the name of the Python constant."""

    class Size(StrEnum):
        BIG = "big"

    assert choice(Size).enums == ["big"]
