"""Law 7: a post is a row first and reaches its channel exactly once, and the books say what the channel billed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ai.app import make_channel, open_being
from ai.clock import VirtualClock
from ai.economy.money import parse_usd
from ai.errors import ActionError
from ai.llm.scripted import Scripted
from ai.social.base import Look, Sent
from ai.social.lengths import fit
from ai.social.likeness import likeness
from ai.social.timeline import DryRun, Timeline
from ai.social.x_text import weighted_length
from ai.store.engine import Store
from ai.store.lives import change_being
from ai.store.outbox import DRY_RUN, QUEUED, REFUSED, SENDING, SENT, UNKNOWN
from tests.conftest import MakeSettings
from tests.parts import BEING, events, until
from tests.speaking import READ_USD, SEND_USD, Voice, twitter
from tests.x_server import KEYS, TIMELINE, XServer

HOUR_S, DAY_S = 3600.0, 86_400.0
UNTOLD = (
    "accepted_then_500",
    "accepted_then_503_html",
    "accepted_then_cut",
    "accepted_then_dropped",
    "accepted_then_hang",
)
UNDONE = ("server_error", "bad_gateway", "unavailable", "unavailable_html", "dropped_before", "hang")


@pytest.fixture
def x(clock: VirtualClock) -> Iterator[XServer]:
    with XServer(clock=clock.now) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def voice(store: Store, clock: VirtualClock, x: XServer) -> Voice:
    return Voice.over(store, clock, twitter(x, clock))


async def test_a_post_is_a_row_before_it_is_sent_and_stands_on_the_timeline_at_once(voice: Voice, x: XServer) -> None:
    await voice.outbox.post("Hello.", model="vendor/model", thought_id="t1")
    row = await voice.row()
    assert (row.state, x.tweets) == (QUEUED, [])
    (post,) = await voice.told("post")
    assert {"channel": "x", "state": QUEUED, "text": "Hello.", "model": "vendor/model"}.items() <= post.items()


async def test_a_sent_post_is_known_by_its_number_there_and_costs_what_the_table_says(voice: Voice, x: XServer) -> None:
    row = await voice.say("Hello.")
    assert (row.state, row.external_id) == (SENT, x.tweets[0].id)
    assert await voice.spent() == x.billed_nanos == SEND_USD
    assert [told["state"] for told in await voice.told("delivery")] == [SENT]


@pytest.mark.parametrize("fault", UNTOLD)
async def test_a_post_that_arrived_untold_is_found_after_a_minute_and_never_sent_again(
    voice: Voice, x: XServer, fault: str
) -> None:
    x.fail(fault)
    assert (await voice.say("Hello.")).state == UNKNOWN
    assert (await voice.tracker.balance()).unknown_nanos == SEND_USD
    assert (await voice.later(59)).state == UNKNOWN
    assert x.counts[TIMELINE] == 0
    row = await voice.later(1)
    assert (row.state, row.external_id) == (SENT, x.tweets[0].id)
    assert await voice.spent() == x.billed_nanos == SEND_USD + READ_USD
    assert len(x.tweets) == 1


@pytest.mark.parametrize("fault", UNDONE)
async def test_a_post_that_never_arrived_is_looked_up_twice_and_then_sent_once(
    voice: Voice, x: XServer, fault: str
) -> None:
    x.fail(fault)
    assert (await voice.say("Hello.")).state == UNKNOWN
    assert (await voice.later(60)).looks == 1
    assert (await voice.later(299)).state == UNKNOWN
    assert (await voice.later(1)).state == SENT
    assert x.counts[TIMELINE] == 2
    assert await voice.spent() == x.billed_nanos == SEND_USD
    assert len(x.tweets) == 1


async def test_a_timeline_that_lags_hides_a_post_from_the_first_look_up_only(voice: Voice, x: XServer) -> None:
    x.fail("accepted_then_500")
    x.timeline_lag_lookups = 1
    await voice.say("Hello.")
    assert (await voice.later(60)).state == UNKNOWN
    assert (await voice.later(300)).state == SENT
    assert len(x.tweets) == 1


async def test_a_post_both_look_ups_missed_is_refused_as_a_duplicate_and_counts_as_sent(
    voice: Voice, x: XServer
) -> None:
    x.fail("accepted_then_500")
    x.timeline_lag_lookups = 2
    await voice.say("Hello.")
    await voice.later(60)
    row = await voice.later(300)
    assert (row.state, row.external_id) == (SENT, x.tweets[0].id)
    assert len(x.tweets) == 1
    assert await voice.spent() == x.billed_nanos


async def test_a_duplicate_of_somebody_elses_making_counts_as_sent_and_costs_a_look(voice: Voice, x: XServer) -> None:
    x.publish("Hello.")
    row = await voice.say("Hello.")
    assert (row.state, row.external_id) == (SENT, x.tweets[0].id)
    assert len(x.tweets) == 1
    assert await voice.spent() == x.billed_nanos == READ_USD


async def test_without_money_to_look_its_fate_stays_unknown(voice: Voice, x: XServer) -> None:
    x.fail("accepted_then_500")
    await voice.say("Hello.")
    left = (await voice.tracker.balance()).available_nanos
    await voice.tracker.adjust(-left, note="nothing is left")
    row = await voice.later(DAY_S + 60)
    assert (row.state, x.counts[TIMELINE]) == (UNKNOWN, 0)
    assert "no money to look" in (row.said or "")
    await voice.tracker.topup(parse_usd("1"), external_id="later")
    assert (await voice.later(600)).state == SENT
    assert await voice.spent() == x.billed_nanos


async def test_a_look_up_that_fails_does_not_count(voice: Voice, x: XServer) -> None:
    x.fail("accepted_then_500")
    x.fail("unavailable", times=3, route=TIMELINE)
    await voice.say("Hello.")
    for seconds in (60, 600, 600):
        row = await voice.later(seconds)
        assert (row.state, row.looks) == (UNKNOWN, 0)
    assert (await voice.later(600)).state == SENT
    assert len(x.tweets) == 1


async def test_what_never_arrives_is_given_up_after_three_attempts(voice: Voice, x: XServer) -> None:
    x.fail("server_error", times=3)
    await voice.say("Hello.")
    for _ in range(3):
        await voice.later(60)
        row = await voice.later(300)
    assert row.state == REFUSED
    assert "3 times" in (row.said or "")
    assert await voice.spent() == x.billed_nanos == 0


async def test_a_crash_while_sending_is_an_unknown_fate(voice: Voice, x: XServer) -> None:
    await voice.outbox.post("Hello.")
    row = await voice.row()
    price = voice.channel.price_nanos("Hello.")
    await voice.tracker.hold(
        price,
        provider="x",
        model="x/post",
        purpose="post",
        timeout_s=60,
        also=lambda t, held: voice.postman._fates.begin(t, row, held),  # as the postman does, before it dies
    )
    assert (await voice.row()).state == SENDING
    again = await voice.restarted()
    assert (await again.row()).state == UNKNOWN
    x.publish("Hello.")  # it was on its way
    assert (await again.later(60)).state == SENT
    assert len(x.tweets) == 1
    assert (await again.tracker.balance()).spent_nanos == SEND_USD + READ_USD


async def test_what_was_queued_in_one_run_is_sent_in_the_next_even_by_another_life(voice: Voice, x: XServer) -> None:
    await voice.outbox.post("Hello.")
    await voice.store.write(lambda t: change_being(t, BEING, life=2, state="alive"))
    again = await voice.restarted()
    await again.postman.deliver()
    assert (await again.row()).state == SENT
    assert len(x.tweets) == 1


async def test_without_money_a_post_waits_and_goes_out_when_there_is_some(voice: Voice, x: XServer) -> None:
    await voice.tracker.open_month()
    left = (await voice.tracker.balance()).available_nanos
    await voice.tracker.adjust(-left, note="nothing is left")
    row = await voice.say("Hello.")
    assert (row.state, "waits for money" in (row.said or "")) == (QUEUED, True)
    await voice.tracker.topup(parse_usd("1"), external_id="later")
    assert (await voice.later(60)).state == SENT
    assert len(x.tweets) == 1


async def test_the_last_words_may_be_paid_from_the_reserve(voice: Voice, x: XServer) -> None:
    await voice.tracker.open_month()
    left = (await voice.tracker.balance()).available_nanos
    await voice.tracker.adjust(-left, note="nothing is left")
    assert (await voice.say("Goodbye.", occasion="last_words", posts_a_day=0)).state == SENT


async def test_what_cannot_be_sent_for_a_day_is_news_no_more(voice: Voice, x: XServer) -> None:
    x.fail("suspended", times="forever")
    await voice.say("Hello.")
    row = await voice.later(DAY_S + 1)
    assert row.state == REFUSED
    assert "suspended" in (row.said or "")
    assert await voice.spent() == 0


async def test_a_backlog_goes_out_one_an_hour_the_oldest_first(voice: Voice, x: XServer) -> None:
    x.fail("usage_capped")
    await voice.say("One.")
    for text in ("Two.", "Three."):
        voice.pass_time(HOUR_S)
        await voice.outbox.post(text)
    await voice.store.write(lambda t: voice.postman._fates.open(t))
    await voice.postman.deliver()
    assert [tweet.text for tweet in x.tweets] == ["One."]
    await voice.later(HOUR_S)
    await voice.later(HOUR_S)
    assert [tweet.text for tweet in x.tweets] == ["One.", "Two.", "Three."]


async def test_the_loop_sends_as_soon_as_something_is_queued(voice: Voice, x: XServer) -> None:
    keeping = asyncio.create_task(voice.postman.keep())
    await asyncio.sleep(0)
    await voice.outbox.post("Hello.")
    await until(lambda: x.tweets)

    async def sent() -> bool:
        return (await voice.row()).state == SENT

    await until(sent)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


class Slow:
    """A channel that takes its time, as slow as the test wants."""

    name, begins, longest, look_product, look_price_nanos = "x", QUEUED, 280, "x/look-up", 10

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    def measure(self, text: str) -> int:
        return len(text)

    def prepare(self, text: str) -> str:
        return text

    def product(self, text: str) -> str:
        return "x/post"

    def price_nanos(self, text: str) -> int:
        return 100

    def read_price_nanos(self, posts: int) -> int:
        return posts

    async def send(self, text: str) -> Sent:
        self.asked.set()
        await self.may_answer.wait()
        return Sent("7")

    async def look(self, text: str, since_id: str | None, page: str | None) -> Look:
        return Look(None, 0)


async def test_an_end_in_mid_call_lets_it_finish_for_a_moment(store: Store, clock: VirtualClock) -> None:
    slow = Slow()
    voice = Voice.over(store, clock, slow)
    keeping = asyncio.create_task(voice.postman.keep())
    await voice.outbox.post("Hello.")
    await slow.asked.wait()
    keeping.cancel()
    await asyncio.sleep(0)
    slow.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert (await voice.row()).state == SENT


async def test_a_call_that_does_not_finish_by_the_end_is_of_unknown_fate(
    store: Store, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai.social.postman.GRACE_S", 0.01)
    slow = Slow()
    voice = Voice.over(store, clock, slow)
    keeping = asyncio.create_task(voice.postman.keep())
    await voice.outbox.post("Hello.")
    await slow.asked.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert (await voice.row()).state == UNKNOWN
    assert (await voice.tracker.balance()).unknown_nanos == 100


async def test_without_keys_a_post_is_sent_by_standing_on_the_timeline(store: Store, clock: VirtualClock) -> None:
    voice = Voice.over(store, clock, Timeline())
    row = await voice.say("Hello, example.com.")
    assert (row.state, row.channel, row.text) == (SENT, "timeline", "Hello, example.com.")
    assert await voice.told("delivery") == []


async def test_a_dry_run_shows_what_would_be_posted_and_posts_nothing(
    store: Store, clock: VirtualClock, x: XServer
) -> None:
    voice = Voice.over(store, clock, DryRun(twitter(x, clock)))
    row = await voice.say("Look: https://example.com/a and more.")
    assert (row.state, row.text) == (DRY_RUN, "Look: and more.")
    await voice.restarted()
    assert (await voice.later(HOUR_S)).state == DRY_RUN
    assert x.requests == []
    (post,) = await voice.told("post")
    assert (post["channel"], post["state"]) == ("x", DRY_RUN)


@pytest.mark.parametrize("again", ["Rain falls on the roof tonight.", "rain falls on THE roof, tonight!"])
async def test_what_was_said_in_any_life_is_not_said_again(voice: Voice, again: str) -> None:
    await voice.say("Rain falls on the roof tonight.")
    await voice.store.write(lambda t: change_being(t, BEING, life=2, state="alive"))
    voice.pass_time(DAY_S)
    with pytest.raises(ActionError, match="already"):
        await voice.outbox.post(again)
    assert len(await voice.rows()) == 1


def test_likeness_is_the_share_of_common_pieces() -> None:
    base = "The money runs like sand through a glass and nobody turns the glass around again."
    assert likeness(base, base.upper().replace(".", "!")) == 1
    assert likeness(base, base.replace("again", "now")) > 0.8
    assert likeness(base, "Rain falls on the roof tonight, and I am awake.") == 0
    assert likeness("今日は雨が降っています。", "今日は雨が降っています") == 1
    assert likeness("今日は雨が降っています。", "明日は晴れるでしょう。") < 0.5
    assert likeness("🌧️🌧️", "🌞") == 0
    assert likeness("Thought number 7.", "Thought number 8.") == 0


async def test_birth_and_last_words_are_allowed_at_any_pace_once(voice: Voice) -> None:
    await voice.say("I was just born.", occasion="birth")
    await voice.say("These are my last words.", occasion="last_words", posts_a_day=0)
    with pytest.raises(ActionError, match="already"):
        await voice.outbox.post("And a few more last ones.", occasion="last_words", posts_a_day=0)
    with pytest.raises(ActionError, match="no more"):
        await voice.outbox.post("One for the day.", posts_a_day=0)
    await voice.store.write(lambda t: change_being(t, BEING, life=2, state="alive"))
    assert (await voice.say("I was born again.", occasion="birth")).state == SENT


async def test_a_post_that_keeps_its_pace_holds_nothing_else_back(voice: Voice, x: XServer) -> None:
    await voice.say("I was just born.", occasion="birth")
    assert (await voice.say("The first thing I say.")).state == SENT  # a birth is no reason to wait
    for text in ("Kept while nobody carried it.", "And this, an hour later."):
        voice.pass_time(HOUR_S)
        await voice.outbox.post(text)
    await voice.postman.deliver()
    assert (await voice.row()).state == QUEUED  # one an hour
    assert (await voice.say("It lived, and was kind.", occasion="death", posts_a_day=0)).state == SENT
    assert [row.text for row in await voice.rows() if row.state == QUEUED] == ["And this, an hour later."]
    await voice.later(HOUR_S)
    assert [tweet.text for tweet in x.tweets][-2:] == ["It lived, and was kind.", "And this, an hour later."]


async def test_a_text_that_is_too_long_is_shortened_by_the_model_or_else_at_a_word(
    store: Store, clock: VirtualClock, x: XServer
) -> None:
    asked: list[int] = []

    async def shorten(text: str, longest: int) -> str | None:
        asked.append(longest)
        return "Short." if len(asked) == 1 else None

    voice = Voice.over(store, clock, twitter(x, clock), shorten=shorten)
    assert (await voice.say("Long words. " * 40)).text == "Short."
    clock.advance(HOUR_S)
    row = await voice.say("日本語 " * 100)
    assert row.text.endswith("語…")
    assert weighted_length(row.text) <= 280
    assert asked == [280, 280]
    assert [tweet.text for tweet in x.tweets] == ["Short.", row.text]


@pytest.mark.parametrize(
    "text", ["a b " * 200, "x" * 500, "日本" * 200, "👩‍👩‍👧" * 200, "e\u0301" * 400, "a" * 279 + " bb"]
)
def test_a_cut_text_fits_and_is_not_much_shorter_than_it_may_be(text: str) -> None:
    cut = fit(text, 280, weighted_length)
    assert 270 <= weighted_length(cut) <= 280
    assert cut.endswith("…")


async def test_refused_text_is_journalled_for_the_keeper_with_the_reason_and_told_to_the_being(voice: Voice) -> None:
    with pytest.raises(ActionError, match="telephone"):
        await voice.outbox.post("Call +49 151 23456789 now.")
    (event,) = await events(voice.store, "refusal")
    assert (event.visibility, event.data["rule"]) == ("keeper", "phone")
    assert event.data["text"] == "Call +49 151 23456789 now."
    assert await voice.rows() == []


async def test_a_whole_being_says_its_first_words_on_x_once_however_often_it_is_started(
    settings: MakeSettings, x: XServer, clock: VirtualClock
) -> None:
    names = ("X_API_KEY", "X_API_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")
    chosen, secrets = settings(X_API_BASE_URL=x.url, **dict(zip(names, KEYS.values(), strict=True)))
    for _ in range(3):
        async with open_being(chosen, secrets, clock, {"local": Scripted(name="local")}) as being:
            await being.birth.ensure()
            await being.postman.deliver()
            clock.advance(HOUR_S)
    (tweet,) = x.tweets
    assert tweet.text.startswith("I am Genesis.")
    assert x.billed_nanos == SEND_USD


async def test_with_posting_off_or_a_key_missing_posts_stay_on_the_timeline(
    settings: MakeSettings, x: XServer, clock: VirtualClock
) -> None:
    for given in ({"X_API_KEY": "only-this-one"}, {"POSTING": "off", "X_API_KEY": "a-key"}):
        assert make_channel(*settings(**given), clock).begins == SENT
    assert make_channel(*settings(POSTING="dry_run"), clock).begins == DRY_RUN
