"""Posts wait in an outbox, channels can be halted, and there is a blog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the outbox, the halts of its channels, and the blog."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("post_id", sa.Integer, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("occasion", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("queued_at_ms", sa.Integer, nullable=False),
        sa.Column("due_at_ms", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("hold_id", sa.Integer, sa.ForeignKey("holds.id")),
        sa.Column("external_id", sa.Text),
        sa.Column("ended_at_ms", sa.Integer),
        sa.Column("said", sa.Text),
        sa.UniqueConstraint("post_id", "channel", name="post_once"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "outbox_open", "outbox", ["being", "id"], sqlite_where=sa.text("state IN ('queued', 'sending', 'unknown')")
    )
    op.create_index("outbox_by_time", "outbox", ["being", "queued_at_ms"])
    op.create_table(
        "channel_halts",
        sa.Column("being", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("until", sa.Text, nullable=False),
        sa.Column("since_ms", sa.Integer, nullable=False),
        sa.Column("until_ms", sa.Integer),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
    )
    op.create_table(
        "blog",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("being", sa.Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("at_ms", sa.Integer, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("blog_by_being", "blog", ["being", "id"])
    op.execute(
        "CREATE TRIGGER outbox_keep_delete BEFORE DELETE ON outbox "
        "BEGIN SELECT RAISE(ABORT, 'a post is ended, never removed'); END"
    )
    op.execute(
        "CREATE TRIGGER outbox_ends_once BEFORE UPDATE OF state ON outbox WHEN OLD.state IN ('sent', 'refused') "
        "BEGIN SELECT RAISE(ABORT, 'this post has ended'); END"
    )
