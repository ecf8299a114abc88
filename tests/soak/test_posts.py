"""Killed with SIGKILL at any moment between “queued” and “sent”, it posts everything exactly once and pays for it once.

What is proved, after every one of the kills: no text stands on X twice, nothing was even tried twice, and what is
spent together with what is unknown is at least what was billed. In the end every post is on X that is called sent, and
the books say to the nano-dollar what X billed; a look-up that was itself killed is charged in full.
"""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ai.clock import SystemClock, VirtualClock
from ai.economy.money import parse_usd
from ai.economy.reconciler import GIVEN_UP_AFTER_S
from ai.social.twitter import LOOK_UP, Twitter
from ai.store.engine import Store
from ai.store.lease import take_lease
from ai.store.outbox import REFUSED, SENT
from tests.parts import BEING, entries, fresh_store, imbalance
from tests.soak.house import PATIENCE_S, ROOT, run
from tests.soak.poster import GRANT
from tests.speaking import Voice, x_keys
from tests.x_server import POST, TIMELINE, XServer

SMALL, FULL = 15, 200
STEP_S = 310.0  # each run begins so much later: time for one of the two look-ups

# When to kill: as the request arrives, as soon as it is public, while it is settled, and at any time.
MOMENTS = ("arrived", "public", "settling", "random")


@pytest.fixture
def x() -> Iterator[XServer]:
    with XServer() as server:
        for window in (server.limits.windows[POST], server.limits.windows[TIMELINE], server.limits.day):
            window.limit = 10**9
        server.account.deduplicates = False  # a kindness X does not promise; the books go by the table
        yield server
        assert server.violations == []


def test_killed_at_any_moment_it_posts_everything_exactly_once(
    tmp_path: Path, child_environ: dict[str, str], small: bool, x: XServer
) -> None:
    data_dir, chance = fresh_store(tmp_path / "data"), random.Random(2026)
    kills = SMALL if small else FULL
    for number, moment in enumerate(itertools.islice(itertools.cycle(MOMENTS), kills)):
        command = [sys.executable, "-m", "tests.soak.poster", str(data_dir), x.url, str(number * STEP_S)]
        child = subprocess.Popen(command, env=child_environ, cwd=ROOT)
        try:
            wait_for(x, child, moment, chance)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        texts = [tweet.text for tweet in x.tweets]
        assert len(set(texts)) == len(texts)
        run(never_less_than_billed(data_dir, x))
    run(settle_up(data_dir, x, kills))


def wait_for(x: XServer, child: subprocess.Popen[bytes], moment: str, chance: random.Random) -> None:
    """Until the child is at such a moment, not always in its first post."""
    for _ in range(chance.randint(1, 4)):
        asked, public = x.counts[POST], len(x.tweets)

        def come(asked: int = asked, public: int = public) -> bool:
            assert child.poll() is None, "the child ended by itself"
            return x.counts[POST] > asked if moment == "arrived" else len(x.tweets) > public

        wait(come)
    if moment in ("settling", "random"):
        time.sleep(chance.uniform(0.0, 0.01 if moment == "settling" else 0.1))


def wait(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.0005)


async def never_less_than_billed(data_dir: Path, x: XServer) -> None:
    store = Store.open(data_dir)
    voice = Voice.over(store, VirtualClock(SystemClock().now()), Twitter(x_keys(), SystemClock()), grant_nanos=GRANT)
    await voice.store.write(lambda t: take_lease(t, BEING, 0))
    await voice.tracker.recover()
    balance = await voice.tracker.balance()
    assert balance.spent_nanos + balance.unknown_nanos >= x.billed_nanos
    assert await imbalance(store) == 0
    store.close()


async def settle_up(data_dir: Path, x: XServer, kills: int) -> None:
    """Live on until nothing is in doubt: all posts have ended, and the books equal the bills."""
    clock = VirtualClock(SystemClock().now() + timedelta(seconds=kills * STEP_S))
    store = Store.open(data_dir)
    voice = Voice.over(store, clock, Twitter(x_keys(), clock, base_url=x.url), pace_s=0, grant_nanos=GRANT)
    await voice.store.write(lambda t: take_lease(t, BEING, 0))
    await voice.tracker.recover()
    await voice.postman.recover()
    for _ in range(12):
        await voice.later(STEP_S)
    posts = await voice.rows()
    public = Counter(tweet.text for tweet in x.tweets)
    assert {post.state for post in posts} <= {SENT, REFUSED}
    assert sum(post.state == REFUSED for post in posts) <= 1  # killed in each of its three attempts
    assert public == Counter(post.text for post in posts if post.state == SENT)
    assert {post.external_id for post in posts if post.state == SENT} == {tweet.id for tweet in x.tweets}
    assert not [request for request in x.requests if request.status >= 400], "something was tried twice"
    await voice.close_lost(GIVEN_UP_AFTER_S + 60)
    in_full = [row for row in await entries(store, "charge") if row["basis"] == "worst_case"]
    assert {row["model"] for row in in_full} <= {LOOK_UP}
    over = await voice.spent() - x.billed_nanos
    assert 0 <= over <= sum(-parse_usd(row["amount"]) for row in in_full)
    store.close()
