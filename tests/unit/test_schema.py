"""Migrations make exactly what the tables say, whole or not at all, and a store says which it has."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, text

from models import changes, schema
from models.networks import AllowList
from models.published import latest_publication
from models.records import (
    DomainRecord,
    Expiring,
    GroupRecord,
    ObjectKey,
    ObjectRecord,
    Permission,
    TokenRecord,
)
from models.store import Store, StoreError
from models.tables import Base, Group, SystemDomain, User
from stores import Databases, behind, change, opened, record, revision


@pytest.fixture
def bare_url(databases: Databases, tmp_path: Path) -> str:
    """A database without a schema."""
    return databases.bare(tmp_path)


INSERT_DOMAIN = (
    "INSERT INTO system_domains (id, name, status, allow_list_enabled) VALUES (:w, :w, 'ACTIVE', :no)"
)
"""A domain as any schema takes it."""


def migrate_to(connection: Connection, version: str) -> None:
    """Brings a database without a schema to an older one."""
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def test_migrations_make_what_the_tables_say(url: str) -> None:
    """Between the migrated schema and the mapped classes there is no difference."""
    with behind(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_text_is_compared_bytewise(url: str) -> None:
    """Capitals come before small letters, and these before accented ones, whatever the locale of the server."""
    words = ["B", "Z", "a", "b", "é"]
    with behind(url) as connection:
        for word in ["é", "b", "a", "Z", "B"]:
            connection.execute(text(INSERT_DOMAIN), {"w": word, "no": False})
        found = connection.execute(text("SELECT id FROM system_domains ORDER BY id")).scalars().all()
    assert found == words


def test_the_head_is_the_newest_migration() -> None:
    """The constant that a store is compared with names the last script."""
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_an_older_store_is_brought_up_to_date(bare_url: str, tmp_path: Path) -> None:
    """A store of the first schema with facts in it keeps them, gets the tables that came since, and opens."""
    with behind(bare_url) as connection:
        migrate_to(connection, "0001")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
    with pytest.raises(StoreError, match="mediagate upgrade"), opened(bare_url, tmp_path):
        pass
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store, store.read() as session:
        assert [row.id for row in session.query(SystemDomain)] == ["d"]
        assert latest_publication(session) is None


def test_users_of_an_older_store_get_the_new_attributes_empty(bare_url: str, tmp_path: Path) -> None:
    """A user of the second schema hides nothing after the upgrade, and can be changed."""
    at = {"now": "2026-01-01 00:00:00"}
    with behind(bare_url) as connection:
        migrate_to(connection, "0002")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
        connection.execute(
            text(
                "INSERT INTO users (id, domain_id, email, first_name, last_name, description, avatar_url, type, status,"
                " is_admin, settings, created, modified)"
                " VALUES ('u', 'd', 'u@x', 'U', '', '', '', 'POWER', 'ACTIVE', :no, '{}', :now, :now)"
            ),
            {"no": False, **at},
        )
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store:
        with change(store) as session:
            changes.update_user(session, "u", user_metadata={"a": 1})
        with store.read() as session:
            user = session.get_one(User, "u")
        assert (user.first_name, user.phone, user.hide_email, user.hide_phone) == ("U", "", False, False)
        assert (user.settings, user.user_metadata) == ({}, {"a": 1})


def test_domains_of_an_older_store_go_on_taking_roles_from_groups(bare_url: str, tmp_path: Path) -> None:
    """A team that gave roles under the older schema gives them on, as a group; another stays a team."""
    with behind(bare_url) as connection:
        migrate_to(connection, "0003")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
        for team in ("gives", "rests"):
            connection.execute(text("INSERT INTO groups VALUES (:id, 'd', :id, 'TEAM', '')"), {"id": team})
        connection.execute(text("INSERT INTO group_roles VALUES ('gives', 'can_a')"))
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store:
        assert record(store, "domain:d") == DomainRecord("d")
        assert record(store, "group:gives") == GroupRecord("gives", "d", frozenset({"can_a"}))
        with store.read() as session:
            assert {group.id: str(group.kind) for group in session.query(Group)} == {
                "gives": "GROUP",
                "rests": "TEAM",
            }


def test_allow_lists_of_an_older_store_bind_as_before(bare_url: str, tmp_path: Path) -> None:
    """A line of the older schema is the domain's or the group's, for all applications, and can be joined by a user's."""
    with behind(bare_url) as connection:
        migrate_to(connection, "0004")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
        connection.execute(text("INSERT INTO groups VALUES ('g', 'd', 'g', 'GROUP', '')"))
        for id_, group in (("1", None), ("2", "g")):
            line = text(
                "INSERT INTO networks (id, domain_id, group_id, cidr, note) VALUES (:id, 'd', :g, :c, '')"
            )
            connection.execute(line, {"id": id_, "g": group, "c": f"10.{id_}.0.0/16"})
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store:
        assert record(store, "domain:d") == DomainRecord("d", networks=AllowList.of([("10.1.0.0/16", None)]))
        assert record(store, "group:g") == GroupRecord(
            "g", "d", networks=AllowList.of([("10.2.0.0/16", None)])
        )
        with change(store) as session:
            user = changes.create_user(session, "d", "u@x")
            changes.allow_network(session, "d", "10.3.0.0/16", user_id=user.id)


def test_entries_of_an_older_store_last(bare_url: str, tmp_path: Path) -> None:
    """An entry of the older schema has no end after the upgrade, and one with an end can stand beside it."""
    with behind(bare_url) as connection:
        migrate_to(connection, "0005")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
        row = text("INSERT INTO acl_entries VALUES ('asset', 'a', 'user', 'u', :no, 1)")
        connection.execute(row, {"no": False})
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store:
        with change(store) as session:
            changes.create_user(session, "d", "u@x", id_="u")
            key = changes.register_object(session, ObjectKey("asset", "a"), "d").key
            end = datetime(2999, 1, 1, tzinfo=UTC)
            changes.grant(session, key, "user:u", Permission.WRITE, propagates=False, expires=end)
        found = record(store, "object:asset:a")
        assert isinstance(found, ObjectRecord)
        assert found.direct == {"user:u": Permission.READ}
        assert found.expiring == {"user:u": (Expiring(end, Permission.WRITE, propagates=False),)}


def test_tokens_of_an_older_store_stay_their_users(bare_url: str, tmp_path: Path) -> None:
    """A token of the older schema signs its user in, no domain lets support in, and support can have a token."""
    now = datetime.now(UTC)
    with behind(bare_url) as connection:
        migrate_to(connection, "0007")
        connection.execute(text(INSERT_DOMAIN), {"w": "d", "no": False})
        values = {"id": "u", "domain_id": "d", "email": "u@x", "created": now, "modified": now}
        connection.execute(insert(User).values(values))
        connection.execute(text("INSERT INTO applications (id, domain_id, name) VALUES ('app', 'd', 'app')"))
        columns = "(id, digest, user_id, application_id, created)"
        line = text(f"INSERT INTO tokens {columns} VALUES ('t', 'digest', 'u', 'app', :now)")
        connection.execute(line, {"now": now})
    Store.upgrade(bare_url)

    with opened(bare_url, tmp_path) as store:
        assert record(store, "domain:d") == DomainRecord("d")
        assert record(store, "token:digest") == TokenRecord("t", "u", "app", None, revoked=False)
        with change(store) as session:
            changes.issue_support_token(session, "sam", expires=now + timedelta(hours=1))


def test_upgrading_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    """A store with the present schema is left as it is."""
    Store.upgrade(url)
    with opened(url, tmp_path) as store:
        assert revision(store) == 0


def test_an_sqlite_store_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """The file and all beside it can be read by nobody else; a missing folder is an error."""
    url = f"sqlite:///{tmp_path}/new.db"
    Store.upgrade(url)
    with opened(url, tmp_path):
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o600}
    with pytest.raises(StoreError, match="cannot be made"):
        Store.upgrade(f"sqlite:///{tmp_path}/none/new.db")


def test_an_empty_database_says_what_to_run(bare_url: str, tmp_path: Path) -> None:
    """Opening what was never initialised names `mediagate init`."""
    with pytest.raises(StoreError, match="mediagate init"), opened(bare_url, tmp_path):
        pass


@pytest.mark.parametrize(
    ("version", "sentence"), [("0000", "mediagate upgrade"), ("9999", "newer mediagate")]
)
def test_another_schema_says_what_to_do(url: str, tmp_path: Path, version: str, sentence: str) -> None:
    """An older schema names `mediagate upgrade`, a newer one asks for a newer program."""
    with behind(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    with pytest.raises(StoreError, match=sentence), opened(url, tmp_path):
        pass


def test_a_failed_upgrade_leaves_nothing(bare_url: str) -> None:
    """A migration that stops in the middle leaves no table behind, so that it can be run again."""
    with behind(bare_url) as connection:
        connection.execute(text("CREATE TABLE holds (x INTEGER)"))
    with pytest.raises(Exception, match="holds"):
        Store.upgrade(bare_url)
    with behind(bare_url) as connection:
        assert inspect(connection).get_table_names() == ["holds"]
        connection.execute(text("DROP TABLE holds"))
    Store.upgrade(bare_url)
