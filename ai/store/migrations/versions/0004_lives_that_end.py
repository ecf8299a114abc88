"""Lives that end and begin again: first and last words, fragments, summaries, and notes that can be searched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Give lives their words, notes their source, and both a way to be found again."""
    op.add_column("beings", sa.Column("birth_due_ms", sa.Integer))
    for name in ("mode", "first_words", "last_words", "obituary"):
        op.add_column("lives", sa.Column(name, sa.Text))
    op.add_column("memories", sa.Column("source", sa.Text, nullable=False, server_default="self"))
    op.create_table(
        "summaries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("upto", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("summaries_by_life", "summaries", ["being", "life", "id"])
    # The index of a full-text search over the notes, kept by the database itself.
    op.execute("CREATE VIRTUAL TABLE memories_index USING fts5 (text, content='memories', content_rowid='id')")
    op.execute("INSERT INTO memories_index (rowid, text) SELECT id, text FROM memories")
    op.execute(
        "CREATE TRIGGER memory_is_indexed AFTER INSERT ON memories "
        "BEGIN INSERT INTO memories_index (rowid, text) VALUES (new.id, new.text); END"
    )
