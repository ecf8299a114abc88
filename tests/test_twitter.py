"""X through tweepy: what each of its answers does, what every call costs, and that nothing hangs, follows or leaks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ai.clock import VirtualClock, to_ms
from ai.economy.money import parse_usd
from ai.social.failures import RULES, ChannelFailed, Fate, Until, from_answer, rest_until
from ai.social.twitter import PRICES, Twitter
from ai.social.x_text import clean, has_link, is_same, weighted_length, without_links
from ai.store.engine import Store
from ai.store.outbox import QUEUED, REFUSED, SENT, UNKNOWN
from tests.parts import NOON, parrot
from tests.speaking import LINK_USD, READ_USD, SEND_USD, Voice, twitter, x_keys
from tests.x_server import ME, POST, TIMELINE, XServer

HOUR_S, DAY_S = 3600.0, 86_400.0


@pytest.fixture
def x(clock: VirtualClock) -> Iterator[XServer]:
    with XServer(clock=clock.now) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def voice(store: Store, clock: VirtualClock, x: XServer) -> Voice:
    return Voice.over(store, clock, twitter(x, clock))


# What X may answer to a post: what becomes of the row, what ends the trouble, and after how long it is tried again.
DOES = {
    "unauthorized": (QUEUED, Until.KEYS, DAY_S),
    "credits_depleted": (QUEUED, Until.TOPUP, DAY_S),
    "not_enrolled": (QUEUED, Until.KEYS, DAY_S),
    "read_only": (QUEUED, Until.KEYS, DAY_S),
    "suspended": (QUEUED, Until.KEEPER, None),
    "not_permitted": (REFUSED, None, None),
    "duplicate": (SENT, None, None),
    "rate_limited": (QUEUED, Until.WINDOW, 7 * 60),
    "rate_limited_day": (QUEUED, Until.WINDOW, 9 * HOUR_S),
    "rate_limited_no_reset": (QUEUED, Until.WINDOW, 15 * 60),
    "usage_capped": (QUEUED, Until.CAP, (datetime(2026, 12, 1, tzinfo=UTC) - NOON).total_seconds()),
    "server_error": (UNKNOWN, None, None),
}


@pytest.mark.parametrize("fault", DOES)
async def test_each_answer_does_the_right_thing_and_is_told(voice: Voice, x: XServer, fault: str) -> None:
    state, until, wait_s = DOES[fault]
    x.fail(fault)
    row = await voice.say("Hello.")
    assert row.state == state
    assert row.said
    halt = await voice.halt()
    assert (halt.until if halt else None) == until
    if halt is not None:
        assert halt.until_ms == (None if wait_s is None else to_ms(NOON) + int(wait_s * 1000))
        (told,) = await voice.told("channel")
        assert (told["state"], told["reason"]) == ("halted", halt.reason)
    if state != UNKNOWN:
        assert await voice.spent() == 0
    assert x.billed_nanos == 0


@pytest.mark.parametrize("fault", [name for name, (_, until, wait) in DOES.items() if until and wait and wait < DAY_S])
async def test_a_halted_channel_is_left_alone_until_then_and_used_again_after(
    voice: Voice, x: XServer, fault: str
) -> None:
    x.fail(fault)
    await voice.say("Hello.")
    wait_s = DOES[fault][2]
    assert wait_s is not None
    assert (await voice.later(wait_s - 1)).state == QUEUED
    assert x.counts[POST] == 1
    assert (await voice.later(1)).state == SENT
    assert await voice.halt() is None
    assert [told["state"] for told in await voice.told("channel")] == ["halted", "open"]


@pytest.mark.parametrize("fault", ["unauthorized", "credits_depleted", "not_enrolled"])
async def test_a_dead_key_an_empty_account_and_a_stranger_app_are_tried_once_a_day(
    voice: Voice, x: XServer, fault: str
) -> None:
    x.fail(fault, times="forever")
    await voice.say("Post number one.")
    for number in range(1, 49):
        voice.pass_time(HOUR_S)
        if number % 20 == 0:
            await voice.outbox.post(f"After {number} hours of silence.")
        await voice.postman.deliver()
    assert x.counts[POST] == 3


async def test_a_suspension_stays_until_the_keeper_clears_it(voice: Voice, x: XServer) -> None:
    x.fail("suspended")
    await voice.say("Hello.")
    for _ in range(5):
        await voice.later(4 * HOUR_S)
    again = await voice.restarted()
    await again.later(60)
    assert x.counts[POST] == 1
    await again.store.write(lambda t: again.postman._fates.open(t, "the keeper said so"))
    assert (await again.later(1)).state == SENT


async def test_new_keys_are_tried_at_once_after_a_restart(voice: Voice, x: XServer) -> None:
    x.fail("unauthorized")
    await voice.say("Hello.")
    again = await voice.restarted()
    assert (await again.later(1)).state == SENT


async def test_a_topup_lets_it_try_whether_there_are_credits_again(voice: Voice, x: XServer) -> None:
    x.fail("credits_depleted")
    await voice.say("Hello.")
    voice.pass_time(60)
    await voice.tracker.topup(parse_usd("1"), external_id="thanks")
    assert (await voice.later(1)).state == SENT


async def test_the_last_call_of_a_window_is_the_last_until_it_opens(voice: Voice, x: XServer) -> None:
    x.limits.windows[POST].limit = 1
    await voice.say("One.")
    halt = await voice.halt()
    assert halt is not None
    assert halt.until_ms == to_ms(NOON + timedelta(minutes=15))


async def test_a_post_with_a_link_costs_thirteen_times_as_much_and_only_where_it_is_allowed(
    store: Store, clock: VirtualClock, x: XServer
) -> None:
    bare = Voice.over(store, clock, twitter(x, clock))
    assert (await bare.say("Read https://example.com/a, and example.org.")).text == "Read and example. org."
    linking = Voice.over(store, clock, twitter(x, clock, links=True))
    clock.advance(HOUR_S)
    await linking.say("Now read example.com/b instead.")
    assert await linking.spent() == x.billed_nanos == SEND_USD + LINK_USD
    clock.advance(HOUR_S)
    x.fail("accepted_then_dropped")
    await linking.say("A link that is lost: https://example.com/lost & found <here>.")
    assert (await linking.later(60)).state == SENT
    assert await linking.spent() == x.billed_nanos == SEND_USD + 2 * LINK_USD + READ_USD


async def test_a_look_up_reads_on_past_what_others_posted_with_the_account_and_pays_for_each(
    voice: Voice, x: XServer
) -> None:
    await voice.say("The first.")
    voice.pass_time(HOUR_S)
    x.fail("accepted_then_500")
    await voice.say("The second.")
    for number in range(13):
        voice.pass_time(1)
        x.publish(f"The keeper's own post, number {number}.")
    assert (await voice.later(60)).state == SENT
    assert x.counts[TIMELINE] == 2
    assert await voice.spent() == x.billed_nanos == 2 * SEND_USD + 14 * READ_USD


async def test_who_it_is_costs_a_cent_and_whether_anybody_is_there_nothing(clock: VirtualClock, x: XServer) -> None:
    channel = twitter(x, clock)
    await channel.reach()
    assert x.billed_nanos == 0
    assert await channel.who_am_i() == x.user.username
    assert x.billed_nanos == PRICES["x/users-me"]
    assert x.counts[ME] == 2


async def test_wrong_keys_are_refused_by_the_signature(store: Store, clock: VirtualClock, x: XServer) -> None:
    voice = Voice.over(store, clock, twitter(x, clock, keys=x_keys(consumer_secret="another")))
    await voice.say("Hello.")
    halt = await voice.halt()
    assert halt is not None
    assert halt.until == Until.KEYS


async def test_nobody_there_is_no_doubt_the_post_waits(store: Store, clock: VirtualClock, x: XServer) -> None:
    x.__exit__(None, None, None)
    try:
        voice = Voice.over(store, clock, twitter(x, clock))
        row = await voice.say("Hello.")
        assert (row.state, await voice.halt()) == (QUEUED, None)
        assert "could not be reached" in (row.said or "")
        assert await voice.spent() == 0
    finally:
        x.__enter__()


BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{}",
    b'{"data": []}',
    b'{"data": {"id": 7}}',
    b'{"data": {"id": "no"}}',
    b"<p>",
    b"\xff",
]


@pytest.mark.parametrize("status", [200, 201, 302, 307, 400, 401, 403, 404, 418, 429, 500, 503])
@pytest.mark.parametrize("body", [*BODIES, b'{"errors": 7}', b'{"errors": ["x"], "type": 4}', b"[" * 100_000])
async def test_no_answer_of_any_shape_crashes_it(clock: VirtualClock, status: int, body: bytes) -> None:
    headers = {"location": "http://127.0.0.1:9/elsewhere", "x-rate-limit-reset": "soon", "x-rate-limit-remaining": "0"}
    with parrot(status, body, headers) as bird:
        channel = Twitter(x_keys(), clock, base_url=bird.url, read_s=2)
        for call in (channel.send("Hello."), channel.look("Hello.", None, None)):
            try:
                await call
            except ChannelFailed as failed:
                assert failed.fate in Fate
                if status in (200, 201, 302, 307, 500, 503):
                    assert failed.fate is Fate.UNKNOWN
        assert len(bird.heard) == 2  # nothing is followed, nothing tried twice


def test_every_rule_can_be_reached_and_the_last_fits_all() -> None:
    for number, rule in enumerate(RULES):
        body = {"detail": rule.words, "status": rule.status}
        failed = from_answer("x", rule.status or 599, body, {}, NOON)
        first = next(r for r in RULES if r.status in (None, rule.status or 599) and r.words in rule.words)
        assert rule.what in str(failed)
        assert RULES.index(first) == number or first.what == rule.what


def test_a_window_opens_when_the_last_of_those_that_are_used_up_does() -> None:
    headers = {
        "x-rate-limit-remaining": "5",
        "x-rate-limit-reset": "100",
        "x-user-limit-24hour-remaining": "0",
        "x-user-limit-24hour-reset": "200",
        "x-app-limit-24hour-remaining": "0",
        "x-app-limit-24hour-reset": "300",
    }
    assert rest_until(headers) == datetime.fromtimestamp(300, UTC)
    assert rest_until({"x-rate-limit-remaining": "3"}) is None
    assert rest_until({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "nonsense"}) is None


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("See https://example.com/a?b=c#d now.", "See now."),
        ("I think.So I am.", "I think. So I am."),
        ("Mail example.com, x.y.z.com", "Mail example. com, x. y. z. com"),
        ("e.g. 3.14, $5.00 and wait...what", "e.g. 3.14, $5.00 and wait...what"),
        ("http://a.b https://c.de", ""),
    ],
)
def test_links_are_taken_out_as_x_would_find_them(text: str, without: str) -> None:
    assert without_links(text) == without
    assert not has_link(without_links(text))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("a" * 280, 280),
        ("日本語", 6),
        ("👩‍👩‍👧‍👧", 2),
        ("…", 2),
        ("e\u0301", 1),
        ("https://example.com/" + "a" * 99, 23),
    ],
)
def test_the_length_is_weighted_as_x_does(text: str, length: int) -> None:
    assert weighted_length(text) == length


def test_a_post_is_known_again_however_x_shows_it() -> None:
    mine = "Ein Café & ein <b> at https://example.com/x, and example.org"
    assert is_same(mine, "Ein Cafe\u0301 &amp; ein &lt;b&gt; at https://t.co/abc, and https://t.co/def ")
    assert not is_same(mine, "Ein Café")
    assert clean("a\r\nb\x00c\ufffe") == "a\nbc"


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    heavy = "{'tweepy', 'twitter_text', 'requests', 'oauthlib'}"
    code = f"import ai.app, ai.social.twitter, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
