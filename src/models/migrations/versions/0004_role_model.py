"""Each domain says how its users come by their roles, and teams give none.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; domains that are there go on taking roles from groups, and teams that give roles become groups."""
    role_model = sa.Column("role_model", sa.String(32), nullable=False, server_default="GROUPS")
    op.add_column("system_domains", role_model)
    groups = sa.table("groups", sa.column("id"), sa.column("kind"))
    given = sa.table("group_roles", sa.column("group_id"))
    giving = sa.select(given.c.group_id)
    op.execute(groups.update().where(groups.c.kind == "TEAM", groups.c.id.in_(giving)).values(kind="GROUP"))
