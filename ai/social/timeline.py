"""The local timeline: it always exists and costs nothing. A post stands there as soon as it is written down."""

from __future__ import annotations

from ai.errors import ActionError
from ai.social.base import LONGEST_POST, Channel, Look, Sent
from ai.store.outbox import DRY_RUN, SENT


class Timeline:
    """The channel whose posts are sent by being kept: the journal's row is the post."""

    name = "timeline"
    begins = SENT
    longest = LONGEST_POST
    look_product = ""
    look_price_nanos = 0

    def measure(self, text: str) -> int:
        return len(text)

    def prepare(self, text: str) -> str:
        return text

    def product(self, text: str) -> str:
        return self.name

    def price_nanos(self, text: str) -> int:
        return 0

    def read_price_nanos(self, posts: int) -> int:
        return 0

    async def send(self, text: str) -> Sent:
        return Sent(None)

    async def look(self, text: str, since_id: str | None, page: str | None) -> Look:
        return Look(None, 0)


class DryRun(Timeline):
    """Another channel's manners without the channel: what would be posted there stands on the timeline only."""

    begins = DRY_RUN

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.name = channel.name
        self.longest = channel.longest

    def measure(self, text: str) -> int:
        return self._channel.measure(text)

    def prepare(self, text: str) -> str:
        return self._channel.prepare(text)

    async def send(self, text: str) -> Sent:
        raise ActionError("Nothing is sent in a dry run.")
