"""What the management API needs: passwords of users, whose an application's tokens are, and content that a job passes over.

Revision ID: 0013
Revises: 0012
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds the columns; nobody has a password, applications have no user, and jobs pass nothing over."""
    op.add_column("users", sa.Column("password", TEXT, nullable=True))
    op.add_column("acl_jobs", sa.Column("left_out", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("applications", sa.Column("description", TEXT, nullable=False, server_default=""))
    op.add_column("applications", sa.Column("url", TEXT, nullable=False, server_default=""))
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    # by hand: elsewhere a reference is added by copying the table, which SQLite does not take while tokens refer to it
    op.execute(
        f"ALTER TABLE applications ADD COLUMN user_id TEXT{collation} "
        "CONSTRAINT fk_applications_user_id REFERENCES users (id)"
    )
    op.create_index("ix_applications_user_id", "applications", ["user_id"])
