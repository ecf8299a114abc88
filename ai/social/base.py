"""What a channel is: somewhere a post can be sent, looked up again, and paid for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

LONGEST_POST = 280


@dataclass(frozen=True, slots=True)
class Sent:
    """A channel took a post. `id` is what it calls it, `rest_until` when its own limits allow the next one."""

    id: str | None
    rest_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """One page of the channel's own timeline: the post's id if it stands there, how many posts were read and paid
    for, and where to read on (None: that was all)."""

    found_id: str | None
    read: int
    next: str | None = None


class Channel(Protocol):
    """Somewhere to post. `begins` is the state in which a new post enters the outbox."""

    name: str
    begins: str
    longest: int

    def measure(self, text: str) -> int:
        """The length of `text` as this channel counts it."""

    def prepare(self, text: str) -> str:
        """`text` as this channel should have it."""

    def product(self, text: str) -> str:
        """What sending `text` is called in the books."""

    def price_nanos(self, text: str) -> int:
        """What sending `text` costs, in nano-dollars."""

    async def send(self, text: str) -> Sent:
        """Send it once. Raises ChannelFailed, which says whether it may have been posted all the same."""

    @property
    def look_product(self) -> str:
        """What a look-up is called in the books."""

    @property
    def look_price_nanos(self) -> int:
        """The most one page of a look-up costs."""

    def read_price_nanos(self, posts: int) -> int:
        """What a page that held `posts` posts cost."""

    async def look(self, text: str, since_id: str | None, page: str | None) -> Look:
        """Look for `text` among the account's own posts newer than `since_id`. Raises ChannelFailed."""
