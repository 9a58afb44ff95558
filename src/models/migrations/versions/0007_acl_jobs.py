"""Jobs that apply entries to the content of a collection.

Revision ID: 0007
Revises: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "acl_jobs",
        *(sa.Column(name, TEXT, nullable=False) for name in ("id", "domain_id", "object_type", "object_id")),
        *(sa.Column(name, sa.String(32), nullable=False) for name in ("mode", "state")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("permissions", "total", "done")),
        sa.Column("principals", sa.JSON, nullable=False),
        *(sa.Column(name, TIME, nullable=True) for name in ("expires", "lease_until")),
        *(sa.Column(name, TEXT, nullable=True) for name in ("last_type", "last_id", "holder", "failure")),
        sa.Column("created", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_acl_jobs"),
        sa.ForeignKeyConstraint(["domain_id"], ["system_domains.id"], name="fk_acl_jobs_domain_id"),
    )
    op.create_index("ix_acl_jobs_state", "acl_jobs", ["state"])
