"""Users, posts, and how the API writes them down."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.x_server.text import Shown, show

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
SNOWFLAKE_SHIFT = 22


@dataclass(frozen=True)
class User:
    """An account that people see."""

    id: str
    name: str
    username: str
    description: str = ""
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def to_json(self, fields: Collection[str] = ()) -> dict[str, Any]:
        """A `User` of the OpenAPI: id, name, username, and which of `user.fields` are known here."""
        more = {
            "created_at": _iso(self.created_at),
            "description": self.description,
            "protected": False,
            "verified": False,
        }
        always = {"id": self.id, "name": self.name, "username": self.username}
        return always | {name: value for name, value in more.items() if name in fields}


@dataclass
class Tweet:
    """One public post. text: as it was written; shown: as every answer gives it.

    passed_over: how many look-ups of the timeline did not show it yet.
    """

    id: str
    text: str
    author: User
    created_at: datetime
    reply_to: Tweet | None = None
    passed_over: int = 0
    shown: Shown = field(init=False)

    def __post_init__(self) -> None:
        self.shown = show(self.text)

    @property
    def conversation_id(self) -> str:
        """The id of the post that began the conversation."""
        return self.reply_to.conversation_id if self.reply_to else self.id

    def to_json(self, fields: Collection[str] = (), history: str = "edit_history_tweet_ids") -> dict[str, Any]:
        """A `Post` of the OpenAPI: id, text, its edit history, and which of `tweet.fields` are known here."""
        always = {"id": self.id, "text": self.shown.text, history: [self.id]}
        known = {name: OPTIONAL[name](self) for name in OPTIONAL if name in fields}
        return always | {name: value for name, value in known.items() if value is not None}


def _references(tweet: Tweet) -> list[dict[str, str]] | None:
    return None if tweet.reply_to is None else [{"type": "replied_to", "id": tweet.reply_to.id}]


def _metrics(tweet: Tweet) -> dict[str, int]:
    names = ("retweet", "repost", "reply", "like", "quote", "bookmark", "impression")
    return {f"{name}_count": 0 for name in names}


# Fields that are given when they are asked for, and left out where there is nothing to say, as the real ones are.
OPTIONAL: dict[str, Callable[[Tweet], Any]] = {
    "author_id": lambda tweet: tweet.author.id,
    "conversation_id": lambda tweet: tweet.conversation_id,
    "created_at": lambda tweet: _iso(tweet.created_at),
    "entities": lambda tweet: {"urls": [link.to_json() for link in tweet.shown.links]} if tweet.shown.links else None,
    "in_reply_to_user_id": lambda tweet: tweet.reply_to.author.id if tweet.reply_to else None,
    "public_metrics": _metrics,
    "referenced_tweets": _references,
    "referenced_posts": _references,
}


class Ids:
    """Snowflakes: 19 digits that grow with time, and grow even when time stands still."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: datetime) -> str:
        """The next id at that moment."""
        first_of_its_ms = (int(now.timestamp() * 1000) - SNOWFLAKE_EPOCH_MS) << SNOWFLAKE_SHIFT
        self._last = max(self._last + 1, first_of_its_ms)
        return str(self._last)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
