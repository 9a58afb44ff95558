"""Shares may have a password and a watermark, and a domain says what shares may be and usually are.

Revision ID: 0011
Revises: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds a column for the password's hash and a table; shares that are there have none, and no domain has rules."""
    op.add_column("shares", sa.Column("password", TEXT, nullable=True))
    op.create_table(
        "share_rules",
        sa.Column("domain_id", TEXT, sa.ForeignKey("system_domains.id"), primary_key=True),
        sa.Column("longest", sa.Integer(), nullable=True),
        sa.Column("usual", sa.Integer(), nullable=True),
        sa.Column("needs_password", sa.Boolean(), nullable=False),
        sa.Column("most_rights", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("usual_rights", sa.JSON(none_as_null=True), nullable=True),
    )
