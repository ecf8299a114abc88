"""What a provider says of the account there, beside what the books say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of reckonings."""
    op.create_table(
        "reckonings",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("usage_nanos", sa.Integer, nullable=False),
        sa.Column("remaining_nanos", sa.Integer),
    )
