"""Entries of access control lists that expire, and a domain's bounds on those that propagate.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEVER = "9999-12-31 00:00:00+00:00"
KEY = ["object_type", "object_id", "principal_kind", "principal_id", "propagates", "expires"]


def upgrade() -> None:
    """Adds the columns, and takes the end of an entry into its key; entries that are there last."""
    for name in ("max_propagating", "warn_above"):
        op.add_column("system_domains", sa.Column(name, sa.Integer, nullable=False, server_default="1000"))
    never = NEVER if op.get_context().dialect.name == "postgresql" else NEVER.replace("+00:00", ".000000")
    expires = sa.Column("expires", sa.DateTime(timezone=True), nullable=False, server_default=never)
    op.add_column("acl_entries", expires)
    with op.batch_alter_table("acl_entries") as entries:  # SQLite changes a key only by copying the table
        entries.drop_constraint("pk_acl_entries", type_="primary")
        entries.create_primary_key("pk_acl_entries", KEY)
