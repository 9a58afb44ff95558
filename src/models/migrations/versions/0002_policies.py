"""Bundles of policies that are published into the store instead of standing in a folder.

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the tables of published bundles, empty."""
    op.create_table(
        "policy_files",
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "name", name="pk_policy_files"),
    )
    op.create_table(
        "policy_publications",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_policy_publications"),
    )
