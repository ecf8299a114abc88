"""The first life: beings, lives, journal, memories, the books, the catalogue, drafts and heartbeats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table of the first version; a ledger row can never be changed or removed afterwards."""
    op.create_table(
        "beings",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("resident_model", sa.Text),
        sa.Column("resident_by", sa.Text),
        sa.Column("tier", sa.Text),
    )
    op.create_table(
        "leases",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("since_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "lives",
        sa.Column("being", sa.Text, sa.ForeignKey("beings.being"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("pronoun", sa.Text, nullable=False),
        sa.Column("icon", sa.Text, nullable=False),
        sa.Column("born_at_ms", sa.Integer, nullable=False),
        sa.Column("died_at_ms", sa.Integer),
        sa.Column("cause_of_death", sa.Text),
        sa.Column("thoughts", sa.Integer, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("visibility", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_by_kind", "journal", ["being", "kind", "id"])
    op.create_table(
        "memories",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("memories_by_life", "memories", ["being", "life", "id"])
    op.create_table(
        "accounts",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("month", sa.Text, primary_key=True),
        sa.Column("budget_nanos", sa.Integer, nullable=False),
        sa.Column("granted_nanos", sa.Integer, nullable=False),
        sa.Column("carried_nanos", sa.Integer, nullable=False),
        sa.Column("credited_nanos", sa.Integer, nullable=False),
        sa.Column("spent_nanos", sa.Integer, nullable=False),
        sa.Column("allowance_nanos", sa.Integer, nullable=False),
        sa.Column("topup_nanos", sa.Integer, nullable=False),
        sa.Column("reserve_nanos", sa.Integer, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("allowance_nanos", sa.Integer, nullable=False),
        sa.Column("topup_nanos", sa.Integer, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("hold_id", sa.Integer, sa.ForeignKey("holds.id")),
        sa.Column("price_basis", sa.Text),
        sa.Column("overrun_nanos", sa.Integer),
        sa.Column("life", sa.Integer),
        sa.Column("thought_id", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("generation_id", sa.Text),
        sa.Column("tokens_in", sa.Integer),
        sa.Column("tokens_out", sa.Integer),
        sa.Column("tokens_cached", sa.Integer),
        sa.Column("tokens_reasoning", sa.Integer),
        sa.UniqueConstraint("being", "external_id", name="entry_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("entries_by_month", "entries", ["being", "month", "kind"])
    op.create_index("entries_overrun", "entries", ["being", "model"], sqlite_where=sa.text("overrun_nanos IS NOT NULL"))
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("month", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("allowance_nanos", sa.Integer, nullable=False),
        sa.Column("topup_nanos", sa.Integer, nullable=False),
        sa.Column("reserve_nanos", sa.Integer, nullable=False),
        sa.Column("opened_at_ms", sa.Integer, nullable=False),
        sa.Column("deadline_ms", sa.Integer, nullable=False),
        sa.Column("closed_at_ms", sa.Integer),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("thought_id", sa.Text),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("generation_id", sa.Text),
        sa.Column("reason", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("holds_outstanding", "holds", ["being"], sqlite_where=sa.text("state IN ('open', 'unknown')"))
    op.create_table(
        "catalogue",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("fetched_at_ms", sa.Integer, nullable=False),
        sa.Column("models", sa.JSON, nullable=False),
    )
    op.create_table(
        "drafts",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("thought_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
    )
    op.create_table(
        "heartbeats",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("thinking", sa.Integer, nullable=False),
        sa.Column("next_thought_at_ms", sa.Integer),
    )
    for table in ("entries", "journal"):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_keep_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    op.execute(
        "CREATE TRIGGER holds_keep_delete BEFORE DELETE ON holds "
        "BEGIN SELECT RAISE(ABORT, 'a hold is closed, never removed'); END"
    )
    op.execute(
        "CREATE TRIGGER holds_end_once BEFORE UPDATE OF state ON holds WHEN OLD.state IN ('settled', 'released') "
        "BEGIN SELECT RAISE(ABORT, 'this hold has ended'); END"
    )
