"""The state of the test server: its user, what is public, what it was asked and what it charged."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.serving.exchange import Connections
from tests.x_server import spec
from tests.x_server.account import Account, Bill, Item
from tests.x_server.limits import Limits
from tests.x_server.oauth import OAuth
from tests.x_server.posts import Ids, Tweet, User
from tests.x_server.script import Script

KEYS = {
    "consumer_key": "xtestconsumerkey000000000",
    "consumer_secret": "xtestconsumersecret0000000000000000000000000000000",
    "access_token": "1900000000000000007-xtestaccesstoken0000000000000",
    "access_token_secret": "xtestaccesstokensecret0000000000000000000000",
}
BEING = User("1900000000000000007", "Am I Alive?", "am_i_alive", "Automated. I live on a budget.")


def utc_now() -> datetime:
    """The real time, UTC."""
    return datetime.now(UTC)


@dataclass
class Request:
    """One request as the server received it, and what became of it.

    route: as in `limits`, or None for one there is not. body: the parsed JSON, None when it was none. status: the
    HTTP status sent (0: none was). fault: its name. refused: why OAuth did not let it in. mismatch: where it did not
    fit the OpenAPI.
    """

    method: str
    path: str
    route: str | None
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    when: datetime
    status: int = 0
    fault: str | None = None
    refused: str | None = None
    mismatch: str | None = None


class World(Script):
    """Everything a test may set or read.

    keys: the four credentials, named as tweepy.Client takes them. user: whose they are. account: credits and bills.
    limits: the rate windows. clock: returns the aware UTC time, by which posts are dated and windows open; wall_s: the
    epoch seconds against which OAuth timestamps, which clients take from the machine, are held.
    timeline_lag_s, timeline_lag_lookups: how long, and for how many look-ups, a new post is not on the timeline yet.
    history_field: what answers call the edit history; `edit_history_post_ids` occurs, too.
    requests, violations: every request received; where it, or our answer, did not fit the OpenAPI (with `strict`).
    """

    def __init__(
        self,
        *,
        credits_usd: Decimal | None = None,
        clock: Callable[[], datetime] = utc_now,
        wall_s: Callable[[], float] = time.time,
        strict: bool | None = None,
    ) -> None:
        super().__init__()
        self.keys = dict(KEYS)
        self.user = BEING
        self.account = Account(credits_usd)
        self.limits = Limits()
        self.clock, self.wall_s = clock, wall_s
        self.strict = spec.OPENAPI.path() is not None if strict is None else strict
        self.timeline_lag_s = 0.0
        self.timeline_lag_lookups = 0
        self.history_field = "edit_history_tweet_ids"
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.oauth = OAuth(self.keys)
        self.posts: list[Tweet] = []
        self.connections: Connections = {}
        self.stopping = asyncio.Event()
        self._ids = Ids()

    @property
    def tweets(self) -> list[Tweet]:
        """What the user has really made public, oldest first."""
        return [post for post in self.posts if post.author == self.user]

    @property
    def mentions(self) -> list[Tweet]:
        """What others wrote that mentions the user, oldest first."""
        return [post for post in self.posts if post.author != self.user and f"@{self.user.username}" in post.text]

    @property
    def users(self) -> dict[str, User]:
        """Everybody who is known here, by id."""
        return {user.id: user for user in (self.user, *(post.author for post in self.posts))}

    @property
    def bills(self) -> list[Bill]:
        """Everything that was charged."""
        return self.account.bills

    @property
    def billed(self) -> Decimal:
        """The sum of all bills, US dollars."""
        return self.account.total_usage

    @property
    def billed_nanos(self) -> int:
        """The sum of all bills, nano-US-dollars."""
        return sum(bill.nanos for bill in self.bills)

    @property
    def credits_usd(self) -> Decimal | None:
        """US dollars ever bought; set it to top up."""
        return self.account.credits_usd

    @credits_usd.setter
    def credits_usd(self, dollars: Decimal | None) -> None:
        self.account.credits_usd = dollars

    @property
    def counts(self) -> Counter[str]:
        """Requests by route."""
        return Counter(request.route for request in self.requests if request.route)

    def now(self) -> datetime:
        """The server's time, aware, UTC."""
        return self.clock().astimezone(UTC)

    def mention(self, text: str, username: str = "a_reader") -> Tweet:
        """Somebody writes that to the user; the user's name is put before it."""
        author = next((user for user in self.users.values() if user.username == username), None)
        author = author or User(self._ids.next(self.now()), username.replace("_", " ").title(), username)
        return self.publish(f"@{self.user.username} {text}", author)

    def publish(self, text: str, author: User | None = None, reply_to: Tweet | None = None) -> Tweet:
        """Makes a post public, past every check and bill; by the user when no other author is named."""
        now = self.now()
        tweet = Tweet(self._ids.next(now), text, author or self.user, now, reply_to)
        self.posts.append(tweet)
        return tweet

    def charge(self, item: Item, resource: str) -> None:
        """Books one resource."""
        self.account.charge(item, resource, self.now())
