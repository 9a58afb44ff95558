"""A token may be good for some roles only, and a domain says for how long tokens are issued.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; tokens that are there stay good for all that their user may do."""
    op.add_column("tokens", sa.Column("scope", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("system_domains", sa.Column("token_lifetime", sa.Integer(), nullable=True))
