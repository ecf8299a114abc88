"""What rests after a failure, who was the resident model, and what cached tokens saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of cooldowns and residencies, and room for what a cache saved."""
    op.create_table(
        "cooldowns",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("until_ms", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "residencies",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("chosen_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since_ms", sa.Integer, nullable=False),
        sa.Column("until_ms", sa.Integer),
        sqlite_autoincrement=True,
    )
    op.create_index("residencies_newest", "residencies", ["being", "id"])
    op.add_column("entries", sa.Column("saved_nanos", sa.Integer))
