"""What each commit changed, with before and after.

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: Any = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the table; what was changed before is not in it."""
    op.create_table(
        "change_log",
        sa.Column("commit_id", TEXT, primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
    )
    op.create_index("ix_change_log_kind_key", "change_log", ["kind", "key"])
    op.create_index("ix_change_log_revision", "change_log", ["revision"])
