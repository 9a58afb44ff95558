"""Shares may have a password, a watermark and metadata views, and a domain says what its shares are like.

Revision ID: 0009
Revises: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns and the table; shares that are there have no password, watermark or metadata view, as before."""
    op.add_column("shares", sa.Column("password", TEXT, nullable=True))
    mark: sa.Column[bool] = sa.Column("watermark", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("shares", mark)
    views: sa.Column[Any] = sa.Column("metadata_views", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("shares", views)
    op.create_table(
        "share_terms",
        sa.Column("domain_id", TEXT, sa.ForeignKey("system_domains.id"), primary_key=True),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("locked", sa.JSON(), nullable=False),
        sa.Column("life", sa.Integer(), nullable=False),
        sa.Column("longest_life", sa.Integer(), nullable=False),
        sa.Column("needs_password", sa.Boolean(), nullable=False),
        sa.Column("watermark", sa.Boolean(), nullable=False),
    )
