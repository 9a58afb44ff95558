"""The first schema: domains, users, groups, tokens, objects, entries, networks, effects and the revision log.

Revision ID: 0001
Revises:

Written out in full and independent of `models.tables`: what a released migration does never changes.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
WORD = sa.String(32)


def upgrade() -> None:
    """Makes all tables and the one row of `revision`."""
    _people()
    _credentials()
    _objects()
    _effects()
    _log()


def _text(name: str, *, null: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, TEXT, nullable=null)


def _of(
    kind: "sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]]", name: str, *, null: bool = False
) -> "sa.Column[Any]":
    return sa.Column(name, kind, nullable=null)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], name=f"fk_{table}_{column}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _people() -> None:
    table = "system_domains"
    op.create_table(
        table,
        *(_text("id"), _text("name"), _of(WORD, "status"), _of(sa.Boolean, "allow_list_enabled")),
        *(_key(table, "id"), _unique(table, "name")),
    )
    table = "groups"
    op.create_table(
        table,
        *(_text("id"), _text("domain_id"), _text("name"), _of(WORD, "kind"), _text("description")),
        *(
            _key(table, "id"),
            _unique(table, "domain_id", "name"),
            _to(table, "domain_id", "system_domains.id"),
        ),
    )
    table = "group_roles"
    op.create_table(
        table,
        *(_text("group_id"), _text("role")),
        *(_key(table, "group_id", "role"), _to(table, "group_id", "groups.id")),
    )
    _users()
    table = "memberships"
    op.create_table(
        table,
        *(_text("user_id"), _text("group_id"), _key(table, "user_id", "group_id")),
        *(_to(table, "user_id", "users.id"), _to(table, "group_id", "groups.id")),
    )
    _index(table, "group_id")
    table = "networks"
    op.create_table(
        table,
        *(_text("id"), _text("domain_id"), _text("group_id", null=True), _text("cidr"), _text("note")),
        *(
            _key(table, "id"),
            _to(table, "domain_id", "system_domains.id"),
            _to(table, "group_id", "groups.id"),
        ),
    )
    _index(table, "domain_id")
    _index(table, "group_id")


def _users() -> None:
    table = "users"
    op.create_table(
        table,
        *(_text("id"), _text("domain_id"), _text("email"), _text("first_name"), _text("last_name")),
        *(_text("description"), _text("avatar_url"), _of(WORD, "type"), _of(WORD, "status")),
        *(_of(sa.Boolean, "is_admin"), _of(sa.JSON, "settings"), _text("primary_group_id", null=True)),
        *(_of(TIME, "created"), _of(TIME, "modified")),
        *(_key(table, "id"), _unique(table, "domain_id", "email")),
        *(_to(table, "domain_id", "system_domains.id"), _to(table, "primary_group_id", "groups.id")),
    )
    _index(table, "email")
    _index(table, "primary_group_id")


def _credentials() -> None:
    table = "applications"
    op.create_table(
        table,
        *(_text("id"), _text("domain_id"), _text("name"), _key(table, "id")),
        *(_unique(table, "domain_id", "name"), _to(table, "domain_id", "system_domains.id")),
    )
    table = "tokens"
    op.create_table(
        table,
        *(_text("id"), _text("digest"), _text("user_id"), _text("application_id")),
        *(_of(TIME, "created"), _of(TIME, "expires", null=True), _of(TIME, "revoked_at", null=True)),
        *(_key(table, "id"), _unique(table, "digest")),
        *(_to(table, "user_id", "users.id"), _to(table, "application_id", "applications.id")),
    )
    _index(table, "user_id")
    _index(table, "application_id")
    table = "token_uses"
    op.create_table(
        table,
        *(_text("token_id"), _of(TIME, "last_used")),
        *(_key(table, "token_id"), _to(table, "token_id", "tokens.id")),
    )


def _objects() -> None:
    table = "objects"
    op.create_table(
        table,
        *(_text("type"), _text("id"), _text("domain_id"), _text("owner_id", null=True)),
        *(_text("title", null=True), _of(TIME, "created"), _key(table, "type", "id")),
        *(_to(table, "domain_id", "system_domains.id"), _to(table, "owner_id", "users.id")),
    )
    _index(table, "domain_id")
    _index(table, "owner_id")
    table = "placements"
    columns = ("parent_type", "parent_id", "child_type", "child_id")
    op.create_table(table, *map(_text, columns), _key(table, *columns))
    _index(table, "child_type", "child_id")
    table = "acl_entries"
    op.create_table(
        table,
        *(_text("object_type"), _text("object_id"), _of(WORD, "principal_kind"), _text("principal_id")),
        *(_of(sa.Boolean, "propagates"), _of(sa.Integer, "permissions")),
        _key(table, "object_type", "object_id", "principal_kind", "principal_id", "propagates"),
    )
    _index(table, "principal_kind", "principal_id")


def _effects() -> None:
    table = "intents"
    op.create_table(
        table,
        *(_text("id"), _of(WORD, "kind"), _of(WORD, "state"), _text("user_id", null=True)),
        *(_text("request_id"), _of(TIME, "created"), _of(sa.JSON, "payload")),
        *(_key(table, "id"), _to(table, "user_id", "users.id")),
    )
    table = "holds"
    op.create_table(
        table,
        *(_text("object_type"), _text("object_id"), _text("intent_id"), _of(sa.Boolean, "closes")),
        *(_key(table, "object_type", "object_id"), _to(table, "intent_id", "intents.id")),
    )
    _index(table, "intent_id")


def _log() -> None:
    counter = op.create_table(
        "revision",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        _key("revision", "id"),
    )
    op.create_table(
        "revision_log",
        sa.Column("revision", sa.BigInteger, autoincrement=False, nullable=False),
        *(_text("commit_id"), _of(sa.JSON, "keys"), _of(TIME, "at"), _text("author")),
        _key("revision_log", "revision"),
    )
    op.bulk_insert(counter, [{"id": 1, "value": 0}])
