"""Somebody who posts as fast as it can, and looks up whatever its predecessor left in doubt, until it is killed."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from datetime import datetime, timedelta
from pathlib import Path

from ai.clock import SystemClock
from ai.economy.money import parse_usd
from ai.social.twitter import Twitter
from ai.store.engine import Store
from ai.store.lease import hold_lock, take_lease
from tests.parts import BEING
from tests.speaking import Voice, x_keys

GRANT = parse_usd("100000")


class Ahead(SystemClock):
    """The machine's time and some seconds, so that what is due in minutes is due now."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead = timedelta(seconds=ahead_s)

    def now(self) -> datetime:
        return super().now() + self._ahead


def words(chance: random.Random) -> str:
    """A text that is like no other, of letters no listed word begins with."""
    return " ".join("".join(chance.choices("dvyz", k=9)) for _ in range(8))


async def main(data_dir: Path, url: str, ahead_s: float) -> None:
    """Live as the next run does; nothing is caught, so that whatever goes wrong is seen on stderr."""
    clock = Ahead(ahead_s)
    with hold_lock(data_dir, BEING):
        store = Store.open(data_dir)
        await store.write(lambda t: take_lease(t, BEING, 0))
        channel = Twitter(x_keys(), clock, base_url=url)
        voice = Voice.over(store, clock, channel, pace_s=0, grant_nanos=GRANT)
        await voice.tracker.recover()
        await voice.postman.recover()
        chance = random.Random(os.getpid())
        while True:
            await voice.outbox.post(words(chance))
            await voice.postman.deliver()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
