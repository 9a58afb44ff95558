"""Domains let support in for a time, and a token may be one of support instead of a user's.

Revision ID: 0007
Revises: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns; no domain that is there lets support in, and every token stays its user's."""
    op.add_column("system_domains", sa.Column("support_until", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("tokens") as tokens:  # SQLite changes a column only by copying the table
        tokens.alter_column("user_id", existing_type=TEXT, nullable=True)
        tokens.alter_column("application_id", existing_type=TEXT, nullable=True)
        tokens.add_column(sa.Column("support", TEXT, nullable=True))
