"""A token may be good for some roles only, and a domain says for how long tokens are issued.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; tokens that are there stay good for all that their user may do."""
    op.add_column("tokens", sa.Column("scope", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("system_domains", sa.Column("token_lifetime", sa.Integer(), nullable=True))
