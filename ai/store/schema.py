"""The tables. Every row carries the being's id; every amount is nano-US-dollars; every moment is ms since the epoch.

A change here needs a migration in `migrations/versions/`; a test holds the two against each other.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

# Spelled with literals, not bound values: only so can SQLite prove that the partial index serves the query.
OUTSTANDING = text("state IN ('open', 'unknown')")
UNDELIVERED = text("state IN ('queued', 'sending', 'unknown')")

beings = Table(
    "beings",
    metadata,
    Column("being", Text, primary_key=True),
    Column("state", Text, nullable=False),  # unborn, alive, paused, hibernating, dead
    Column("life", Integer, nullable=False),  # 0 before the first birth
    Column("resident_model", Text),  # None: the provider's default model
    Column("resident_by", Text),  # who chose it: being, keeper, rotator
    Column("tier", Text),
    Column("birth_due_ms", Integer),  # when the next life begins, once one has ended; None: not planned
)

# Who runs the being, beside the OS lock that decides it: the lock is freed by any death, the row says whose it was.
leases = Table(
    "leases",
    metadata,
    Column("being", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),  # rises with every instance
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since_ms", Integer, nullable=False),
)

lives = Table(
    "lives",
    metadata,
    Column("being", Text, ForeignKey("beings.being"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("pronoun", Text, nullable=False),
    Column("icon", Text, nullable=False),
    Column("born_at_ms", Integer, nullable=False),
    Column("died_at_ms", Integer),
    Column("cause_of_death", Text),
    Column("thoughts", Integer, nullable=False),
    Column("mode", Text),  # how much it was told at its birth: blank_slate, basic_facts, full_briefing
    Column("first_words", Text),
    Column("last_words", Text),
    Column("obituary", Text),  # None while nobody has written it
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("visibility", Text, nullable=False),  # public, keeper
    Column("data", JSON, nullable=False),
    Index("journal_by_kind", "being", "kind", "id"),
    sqlite_autoincrement=True,  # a number is never given twice, whatever is ever removed
)

memories = Table(
    "memories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False, server_default="self"),  # self, fragment (of a former life), outside
    Index("memories_by_life", "being", "life", "id"),
)

# What a life has been about so far. Rows are only added: the newest stands in mind, the others are how it came about.
summaries = Table(
    "summaries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("upto", Integer, nullable=False),  # the number of the last journal row that is in it
    Column("text", Text, nullable=False),
    Column("made_by", Text, nullable=False),  # the model that wrote it; "cut" when it was only cut
    Index("summaries_by_life", "being", "life", "id"),
    sqlite_autoincrement=True,
)

# One account a month. `allowance` and `topup` are what is left of each purse, open holds not yet deducted; the row is
# written only in the transaction that appends the entry it follows from, so it always equals the entries' sum.
accounts = Table(
    "accounts",
    metadata,
    Column("being", Text, primary_key=True),
    Column("month", Text, primary_key=True),  # "2026-11", UTC
    Column("budget_nanos", Integer, nullable=False),  # MONTHLY_BUDGET as last applied
    Column("granted_nanos", Integer, nullable=False),  # allowance granted this month
    Column("carried_nanos", Integer, nullable=False),  # top-ups carried in
    Column("credited_nanos", Integer, nullable=False),  # top-ups and adjustments of this month
    Column("spent_nanos", Integer, nullable=False),  # settled charges of this month
    Column("allowance_nanos", Integer, nullable=False),
    Column("topup_nanos", Integer, nullable=False),
    Column("reserve_nanos", Integer, nullable=False),  # set aside for the last words, outside `available`
)

entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("month", Text, nullable=False),  # the month it is booked to
    Column("kind", Text, nullable=False),  # grant, topup, charge, expire, adjust
    Column("allowance_nanos", Integer, nullable=False),  # signed
    Column("topup_nanos", Integer, nullable=False),  # signed
    Column("external_id", Text, nullable=False),
    Column("note", Text),
    Column("hold_id", Integer, ForeignKey("holds.id")),
    Column("price_basis", Text),  # reported, computed, worst_case
    Column("overrun_nanos", Integer),  # how far a charge exceeded its hold: flagged, never hidden
    Column("life", Integer),
    Column("thought_id", Text),  # several calls may serve one thought
    Column("provider", Text),
    Column("model", Text),
    Column("generation_id", Text),
    Column("tokens_in", Integer),
    Column("tokens_out", Integer),
    Column("tokens_cached", Integer),
    Column("saved_nanos", Integer),  # what the cached tokens would have cost on top
    Column("tokens_reasoning", Integer),
    UniqueConstraint("being", "external_id", name="entry_once"),
    Index("entries_by_month", "being", "month", "kind"),
    Index("entries_overrun", "being", "model", sqlite_where=text("overrun_nanos IS NOT NULL")),
    sqlite_autoincrement=True,
)

holds = Table(
    "holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("state", Text, nullable=False),  # open, settled, released, unknown
    Column("allowance_nanos", Integer, nullable=False),  # the split: spent first
    Column("topup_nanos", Integer, nullable=False),
    Column("reserve_nanos", Integer, nullable=False),  # the part of the two above that the reserve lends
    Column("opened_at_ms", Integer, nullable=False),
    Column("deadline_ms", Integer, nullable=False),  # still open after it: unknown
    Column("closed_at_ms", Integer),
    Column("epoch", Integer, nullable=False),
    Column("life", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("thought_id", Text),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("generation_id", Text),
    Column("reason", Text),
    Index("holds_outstanding", "being", sqlite_where=OUTSTANDING),
    sqlite_autoincrement=True,
)

# A post on its way to one channel. That it was said at all is the journal's row `post_id`; here stands how it went.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("post_id", Integer, nullable=False),  # the journal's number
    Column("channel", Text, nullable=False),  # timeline, x
    Column("state", Text, nullable=False),  # queued, sending, sent, unknown, refused, dry_run
    Column("occasion", Text, nullable=False),  # thought, birth, last_words, death
    Column("text", Text, nullable=False),
    Column("queued_at_ms", Integer, nullable=False),
    Column("due_at_ms", Integer, nullable=False),  # not to be sent, or looked up, before
    Column("attempts", Integer, nullable=False),  # sends that may have reached the channel
    Column("looks", Integer, nullable=False),  # look-ups of the last attempt that did not find it
    Column("hold_id", Integer, ForeignKey("holds.id")),  # of the last attempt
    Column("external_id", Text),  # what the channel calls it
    Column("ended_at_ms", Integer),
    Column("said", Text),  # what the channel said, or what it waits for
    UniqueConstraint("post_id", "channel", name="post_once"),
    Index("outbox_open", "being", "id", sqlite_where=UNDELIVERED),
    Index("outbox_by_time", "being", "queued_at_ms"),
    sqlite_autoincrement=True,
)

# A channel nothing is sent to for now; no row: it is open. `until` is what ends it, `until_ms` when it is tried again.
channel_halts = Table(
    "channel_halts",
    metadata,
    Column("being", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("until", Text, nullable=False),  # window, cap, topup, keys, keeper
    Column("since_ms", Integer, nullable=False),
    Column("until_ms", Integer),  # None: only the keeper ends it
    Column("reason", Text, nullable=False),
    Column("hint", Text, nullable=False),
)

blog = Table(
    "blog",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("at_ms", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("blog_by_being", "being", "id"),
    sqlite_autoincrement=True,
)

# What a provider last said of the account there; overwritten, because only the newest word counts.
reckonings = Table(
    "reckonings",
    metadata,
    Column("being", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("at_ms", Integer, nullable=False),
    Column("month", Text, nullable=False),
    Column("usage_nanos", Integer, nullable=False),  # what it says this key used this month
    Column("remaining_nanos", Integer),  # what it says is left there; None: it sets no limit
)

catalogue = Table(
    "catalogue",
    metadata,
    Column("being", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("fetched_at_ms", Integer, nullable=False),
    Column("models", JSON, nullable=False),
)

# What failed at a provider and is left alone for a while: a model, or everything that shares a cause.
cooldowns = Table(
    "cooldowns",
    metadata,
    Column("being", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("scope", Text, primary_key=True),  # model, tools, free_quota, funds, credential, endpoint
    Column("subject", Text, primary_key=True),  # the model's id where the scope is of one model, else empty
    Column("until_ms", Integer, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("ends", Text, nullable=False),  # what ends it early: refresh, topup, key, …
    Column("reason", Text, nullable=False),
    Column("account", Text, nullable=False),  # a fingerprint of the address and key it was met with
    Column("at_ms", Integer, nullable=False),
)

residencies = Table(
    "residencies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("being", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("chosen_by", Text, nullable=False),  # being, keeper, rotator
    Column("reason", Text, nullable=False),
    Column("since_ms", Integer, nullable=False),
    Column("until_ms", Integer),  # None: it lives there now
    Index("residencies_newest", "being", "id"),
    sqlite_autoincrement=True,
)

# The two below are overwritten in place and written with relaxed durability: losing the last one costs nothing.
drafts = Table(
    "drafts",
    metadata,
    Column("being", Text, primary_key=True),
    Column("thought_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("at_ms", Integer, nullable=False),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("being", Text, primary_key=True),
    Column("at_ms", Integer, nullable=False),
    Column("thinking", Integer, nullable=False),
    Column("next_thought_at_ms", Integer),
)
