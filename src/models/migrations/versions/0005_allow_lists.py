"""Allow-lists of users and for single applications, and how a domain's lists combine.

Revision ID: 0005
Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns; lines that are there hold for all applications, and the most specific list decides as before."""
    rule = sa.Column("allow_list_rule", sa.String(32), nullable=False, server_default="MOST_SPECIFIC")
    op.add_column("system_domains", rule)
    with op.batch_alter_table("networks") as networks:  # SQLite adds a reference only by copying the table
        for column, target in (("user_id", "users"), ("application_id", "applications")):
            networks.add_column(sa.Column(column, TEXT, nullable=True))
            networks.create_foreign_key(f"fk_networks_{column}", target, [column], ["id"])
    op.create_index("ix_networks_user_id", "networks", ["user_id"])
