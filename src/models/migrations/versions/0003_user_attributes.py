"""What else is kept of a user: phone, what of it is hidden, and metadata.

Revision ID: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns; users that are there get empty ones, which hide nothing."""
    op.add_column("users", sa.Column("phone", TEXT, nullable=False, server_default=""))
    for name in ("hide_email", "hide_phone"):
        op.add_column("users", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("users", sa.Column("user_metadata", sa.JSON, nullable=False, server_default="{}"))
