"""ACL templates, for whom they are set, and which folders belong to a storage.

Revision ID: 0010
Revises: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: Any = sa.DateTime(timezone=True)
WORD: Any = sa.String(32)


def upgrade() -> None:
    """Adds the tables; new objects get entries as before, which is none, until a template is set."""
    op.create_table(
        "acl_templates",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("domain_id", TEXT, sa.ForeignKey("system_domains.id"), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("modified", TIME, nullable=False),
        sa.UniqueConstraint("domain_id", "name"),
    )
    op.create_table(
        "acl_template_entries",
        sa.Column("template_id", TEXT, sa.ForeignKey("acl_templates.id"), primary_key=True),
        sa.Column("principal_kind", WORD, primary_key=True),
        sa.Column("principal_id", TEXT, primary_key=True),
        sa.Column("propagates", sa.Boolean(), primary_key=True),
        sa.Column("permissions", sa.Integer(), nullable=False),
    )
    op.create_table(
        "acl_template_uses",
        sa.Column("level", WORD, primary_key=True),
        sa.Column("subject_type", TEXT, primary_key=True),
        sa.Column("subject_id", TEXT, primary_key=True),
        sa.Column("template_id", TEXT, sa.ForeignKey("acl_templates.id"), nullable=False),
    )
    op.create_table(
        "storage_folders",
        sa.Column("object_type", TEXT, primary_key=True),
        sa.Column("object_id", TEXT, primary_key=True),
        sa.Column("storage_type", TEXT, nullable=False),
        sa.Column("storage_id", TEXT, nullable=False),
    )
    for table, columns in (
        ("acl_template_entries", ["principal_kind", "principal_id"]),
        ("acl_template_uses", ["template_id"]),
        ("storage_folders", ["storage_type", "storage_id"]),
    ):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
