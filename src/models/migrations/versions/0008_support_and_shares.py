"""Domains let support in for a time, users share with visitors, and a token may be one of support or of a share.

Revision ID: 0008
Revises: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT: Any = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME: Any = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Adds the tables and columns; no domain that is there lets support in, all let users share, and every token stays its user's."""
    op.add_column("system_domains", sa.Column("support_until", TIME, nullable=True))
    switch: sa.Column[bool] = sa.Column(
        "external_share", sa.Boolean(), nullable=False, server_default=sa.true()
    )
    op.add_column("system_domains", switch)
    _add_shares()
    _add_recipients()
    with op.batch_alter_table("tokens") as tokens:  # SQLite changes a column only by copying the table
        tokens.alter_column("user_id", existing_type=TEXT, nullable=True)
        tokens.alter_column("application_id", existing_type=TEXT, nullable=True)
        tokens.add_column(sa.Column("support", TEXT, nullable=True))
        for column, target in (("share_id", "shares"), ("recipient_id", "share_recipients")):
            tokens.add_column(sa.Column(column, TEXT, nullable=True))
            tokens.create_foreign_key(f"fk_tokens_{column}", target, [column], ["id"])
    for column in ("share_id", "recipient_id"):
        op.create_index(f"ix_tokens_{column}", "tokens", [column])


def _add_shares() -> None:
    op.create_table(
        "shares",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("domain_id", TEXT, sa.ForeignKey("system_domains.id"), nullable=False),
        sa.Column("owner_id", TEXT, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("object_type", TEXT, nullable=False),
        sa.Column("object_id", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("max_visits", sa.Integer(), nullable=True),
        sa.Column("created", TIME, nullable=False),
        sa.Column("expires", TIME, nullable=False),
    )
    for columns in (["domain_id"], ["owner_id"], ["object_type", "object_id"]):
        op.create_index(f"ix_shares_{'_'.join(columns)}", "shares", columns)


def _add_recipients() -> None:
    op.create_table(
        "share_recipients",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("share_id", TEXT, sa.ForeignKey("shares.id"), nullable=False),
        sa.Column("email", TEXT, nullable=True),
        sa.Column("digest", TEXT, nullable=False, unique=True),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("last_visit", TIME, nullable=True),
    )
    op.create_index("ix_share_recipients_share_id", "share_recipients", ["share_id"])
