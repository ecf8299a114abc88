"""The X server is held to account: by X's OpenAPI, by tweepy, and by the facts it documents."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ai.clock import VirtualClock
from tests.serving.openapi import SpecMismatchError
from tests.x_server import (
    FAULTS,
    LASTING_FAULTS,
    ME,
    MENTIONS,
    POST,
    PRICES,
    SLOW_FAULTS,
    TIMELINE,
    Item,
    Kind,
    XServer,
    spec,
    text,
)
from tests.x_server.fault import Struck
from tests.x_server.faults import CREDITS_DEPLETED, DUPLICATE, UNAUTHORIZED
from tests.x_server.limits import PER_USER

# Neither ships types, and both come with the channel that posts on X.
requests: Any = importlib.import_module("requests")
tweepy: Any = importlib.import_module("tweepy")
oauthlib: Any = importlib.import_module("requests_oauthlib")

SIGNED = "https://api.twitter.com"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE_S = 60
DAY_S = 86_400
LONG = "a" * 281
ANSWERS = [name for name, fault in FAULTS.items() if fault.kind is Kind.ANSWER]
RAISES = {
    400: "BadRequest",
    401: "Unauthorized",
    402: "HTTPException",
    403: "Forbidden",
    429: "TooManyRequests",
    500: "TwitterServerError",
    502: "TwitterServerError",
    503: "TwitterServerError",
}


class Rewriting(requests.adapters.HTTPAdapter):  # type: ignore[misc]  # requests ships no types
    """Sends to the test server what was signed for X, and gives up in time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        super().__init__()

    def send(self, request: Any, **more: Any) -> Any:
        request.url = request.url.replace(SIGNED, self._url, 1)
        return super().send(request, **more | {"timeout": self._timeout_s})


@pytest.fixture(autouse=True)
def openapi() -> None:
    """Without the OpenAPI these tests prove too little: they are skipped, or fail where it is required."""
    if spec.OPENAPI.path() is None:
        reason = f"no OpenAPI document at {spec.OPENAPI.default_path} ({spec.OPENAPI.variable} names another place)"
        if os.environ.get("REQUIRE_SPECS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def client(x: XServer) -> Iterator[Any]:
    client = open_client(x)
    yield client
    client.session.close()


def open_client(x: XServer, timeout_s: float = 5.0, return_type: Any = tweepy.Response, **wrong: str) -> Any:
    """tweepy's own client, with the wrong credentials as keywords."""
    client = tweepy.Client(**x.keys | wrong, return_type=return_type)
    client.session.mount(SIGNED, Rewriting(x.url, timeout_s))
    return client


def impatient(x: XServer) -> Any:
    return open_client(x, timeout_s=0.2)


def timeline(client: Any, x: XServer, **more: Any) -> list[Any]:
    """The posts on the user's timeline, newest first."""
    return list(client.get_users_tweets(x.user.id, user_auth=True, **more).data or [])


def raw(x: XServer, method: str = "POST", path: str = "/2/tweets", query: str = "", **more: Any) -> Any:
    """A signed request as no client of ours would make it."""
    with requests.Session() as session:
        session.mount(SIGNED, Rewriting(x.url, 5.0))
        auth = oauthlib.OAuth1(*x.keys.values())
        return session.request(method, f"{SIGNED}{path}{query}", auth=auth, **more)


# ---- what it answers ----------------------------------------------------------------------------------------------


def test_tweepy_understands_every_route(client: Any, x: XServer) -> None:
    posted = client.create_tweet(text="I woke up.")
    x.mention("are you alive?", "a_reader")
    assert posted.data["id"] == x.tweets[0].id and len(posted.data["id"]) == 19
    assert posted.data["edit_history_tweet_ids"] == [posted.data["id"]]
    assert client.get_me(user_auth=True, user_fields=["created_at"]).data.username == x.user.username
    [seen] = timeline(client, x, tweet_fields=["created_at", "author_id", "public_metrics"])
    assert (seen.id, seen.text, seen.author_id) == (int(posted.data["id"]), "I woke up.", int(x.user.id))
    assert seen.created_at == x.now()
    heard = client.get_users_mentions(x.user.id, user_auth=True, expansions=["author_id"])
    assert [tweet.text for tweet in heard.data] == ["@am_i_alive are you alive?"]
    assert [user.username for user in heard.includes["users"]] == ["a_reader"]
    assert x.violations == []
    assert x.counts == {POST: 1, ME: 1, TIMELINE: 1, MENTIONS: 1}


def test_an_empty_timeline_has_no_data_at_all(x: XServer) -> None:
    client = open_client(x, return_type=dict)
    assert client.get_users_tweets(x.user.id, user_auth=True) == {"meta": {"result_count": 0}}
    assert client.get_users_mentions(x.user.id, user_auth=True) == {"meta": {"result_count": 0}}
    assert x.billed == 0


def test_an_unknown_user_is_a_200_with_errors(client: Any, x: XServer) -> None:
    answer = client.get_users_tweets("12", user_auth=True)
    assert answer.data is None
    assert answer.errors[0]["type"].endswith("/resource-not-found")
    assert x.violations == []


def test_a_text_is_shown_escaped_trimmed_and_with_its_urls_shortened(client: Any, x: XServer) -> None:
    written = "  Fish & <chips>: https://example.org/menu?a=1 and example.com.\n"
    answer = client.create_tweet(text=written)
    [seen] = timeline(client, x, tweet_fields=["entities"])
    first, second = seen.entities["urls"]
    assert answer.data["text"] == seen.text
    assert seen.text == f"Fish &amp; &lt;chips&gt;: {first['url']} and {second['url']}."
    assert seen.text[first["start"] : first["end"]] == first["url"]
    assert [first["expanded_url"], second["expanded_url"]] == ["https://example.org/menu?a=1", "http://example.com"]
    assert x.tweets[0].text == written


def test_the_other_name_of_the_edit_history_occurs_too(client: Any, x: XServer) -> None:
    x.history_field = "edit_history_post_ids"
    answer = client.create_tweet(text="Once.")
    assert answer.data["edit_history_post_ids"] == [answer.data["id"]]
    assert x.violations == []


def test_every_answer_tells_the_rates(x: XServer) -> None:
    client = open_client(x, return_type=requests.Response)
    reset = str(int((x.now() + timedelta(minutes=15)).timestamp()))
    for remaining in ("99", "98"):
        headers = client.create_tweet(text=f"{remaining} left").headers
        assert headers["x-rate-limit-limit"] == "100"
        assert (headers["x-rate-limit-remaining"], headers["x-rate-limit-reset"]) == (remaining, reset)
    assert headers["x-app-limit-24hour-remaining"] == headers["x-user-limit-24hour-remaining"] == "9998"
    assert "x-app-limit-24hour-limit" not in client.get_me(user_auth=True).headers


def test_ids_grow_though_time_stands_still_or_goes_back(client: Any, x: XServer, clock: VirtualClock) -> None:
    ids = [client.create_tweet(text="first").data["id"], client.create_tweet(text="second").data["id"]]
    clock.advance(-10 * DAY_S)
    ids.append(client.create_tweet(text="third").data["id"])
    assert ids == sorted(ids) and len(set(ids)) == 3


# ---- who is let in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["consumer_key", "consumer_secret", "access_token", "access_token_secret"])
def test_wrong_credentials_are_a_401(x: XServer, wrong: str) -> None:
    wrongly: Any = {wrong: "somebody-elses"}
    client = open_client(x, **wrongly)
    with pytest.raises(tweepy.errors.Unauthorized) as refused:
        client.create_tweet(text="Let me in.")
    assert refused.value.response.json() == UNAUTHORIZED
    assert (x.tweets, x.bills, x.requests[0].status) == ([], [], 401)


def test_no_signature_and_a_bearer_token_are_a_401(x: XServer) -> None:
    for headers in ({}, {"Authorization": "Bearer AAAA"}, {"Authorization": 'OAuth oauth_nonce="1"'}):
        assert requests.post(f"{x.url}/2/tweets", json={"text": "hi"}, headers=headers, timeout=5).status_code == 401
    assert [request.refused for request in x.requests] == ["no OAuth 1.0a header"] * 2 + ["not HMAC-SHA1 of OAuth 1.0"]


def test_a_request_cannot_be_sent_twice_nor_with_another_query(x: XServer) -> None:
    with requests.Session() as session:
        session.mount(SIGNED, Rewriting(x.url, 5.0))
        get = requests.Request("GET", f"{SIGNED}/2/users/me", auth=oauthlib.OAuth1(*x.keys.values()))
        signed, altered = session.prepare_request(get), session.prepare_request(get)
        again, altered.url = signed.copy(), f"{SIGNED}/2/users/me?user.fields=protected"
        answers = [session.send(request).status_code for request in (signed, again, altered)]
    assert answers == [200, 401, 401]
    assert [request.refused for request in x.requests] == [None, "nonce missing or used before", "wrong signature"]


@pytest.mark.parametrize(("off_s", "is_let_in"), [(-299, True), (299, True), (-302, False), (302, False)])
def test_a_clock_that_is_five_minutes_off_is_a_401(off_s: float, is_let_in: bool) -> None:
    with XServer(wall_s=lambda: time.time() + off_s) as x:
        client = open_client(x)
        if is_let_in:
            client.get_me(user_auth=True)
        else:
            with pytest.raises(tweepy.errors.Unauthorized):
                client.get_me(user_auth=True)
            assert x.requests[0].refused == "stale timestamp"
        client.session.close()


def test_a_query_with_every_kind_of_character_is_signed_alike(x: XServer) -> None:
    answer = raw(x, "GET", "/2/users/me", "?user.fields=a%2Bb+c%20d%26e%3D%C3%A9~%21%2A%27%28%29&empty=")
    assert answer.status_code == 400
    assert x.requests[0].refused is None


# ---- what it refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  "}, ["text"], {"text": 1}, {"text": "a", "mood": "b"}])
def test_what_is_no_post_is_a_400(x: XServer, body: Any) -> None:
    answer = raw(x, json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["title"], answer.json()["status"]) == ("Invalid Request", 400)
    assert answer.json()["type"].endswith("/invalid-request")
    assert (x.tweets, x.bills) == ([], [])


@pytest.mark.parametrize("written", [LONG, "字" * 141, "👨‍👩‍👧" * 141, f"{'a' * 257} https://example.org"])
def test_a_text_over_280_is_a_400(client: Any, x: XServer, written: str) -> None:
    with pytest.raises(tweepy.errors.BadRequest, match="too long"):
        client.create_tweet(text=written)
    assert (x.tweets, x.bills, x.violations) == ([], [], [])


@pytest.mark.parametrize("written", [LONG[1:], "字" * 140, "👨‍👩‍👧" * 140, f"{'a' * 256} https://example.org/{LONG}"])
def test_a_text_of_280_is_taken(client: Any, x: XServer, written: str) -> None:
    client.create_tweet(text=written)
    assert text.weight(written) == 280
    assert [tweet.text for tweet in x.tweets] == [written]


def test_the_same_text_within_a_day_is_a_403(client: Any, x: XServer, clock: VirtualClock) -> None:
    client.create_tweet(text="Again & again.")
    with pytest.raises(tweepy.errors.Forbidden) as refused:
        client.create_tweet(text="Again & again.")
    assert refused.value.response.json() == DUPLICATE
    clock.advance(DAY_S + 1)
    client.create_tweet(text="Again & again.")
    assert len(x.tweets) == 2 and x.billed == 2 * PRICES[Item.POST]


def test_only_those_who_mentioned_it_can_be_replied_to_and_nobody_quoted(client: Any, x: XServer) -> None:
    stranger = x.publish("Nobody asked you.", x.mention("hello").author)
    for wrong in ({"in_reply_to_tweet_id": stranger.id}, {"quote_tweet_id": stranger.id}):
        with pytest.raises(tweepy.errors.Forbidden):
            client.create_tweet(text="Hi.", **wrong)
    with pytest.raises(tweepy.errors.BadRequest):
        client.create_tweet(text="Look.", media_ids=[1])
    assert x.tweets == []


def test_the_window_of_15_minutes_is_kept_by_route(client: Any, x: XServer, clock: VirtualClock) -> None:
    for number in range(PER_USER[POST]):
        client.create_tweet(text=f"post {number}")
    clock.advance(MINUTE_S)
    with pytest.raises(tweepy.errors.TooManyRequests) as refused:
        client.create_tweet(text="one too many")
    assert refused.value.reset_time == int((x.now() + timedelta(minutes=14)).timestamp())
    client.get_me(user_auth=True)
    clock.advance(14 * MINUTE_S)
    client.create_tweet(text="in time")
    assert len(x.tweets) == 101 and x.violations == []


def test_the_app_has_its_posts_a_day(client: Any, x: XServer, clock: VirtualClock) -> None:
    x.limits.day.limit = 1
    client.create_tweet(text="the day's one")
    with pytest.raises(tweepy.errors.TooManyRequests) as refused:
        client.create_tweet(text="the day's other")
    assert refused.value.response.headers["x-rate-limit-remaining"] == "98"
    assert refused.value.response.headers["x-app-limit-24hour-remaining"] == "0"
    clock.advance(DAY_S)
    client.create_tweet(text="the next day's")


# ---- what it charges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "item"),
    [
        ("Plain.", Item.POST),
        ("See https://example.org", Item.POST_WITH_URL),
        ("See example.org", Item.POST_WITH_URL),
        ("Not.a.url, 3.5 either", Item.POST),
    ],
)
def test_a_post_costs_more_with_a_url(client: Any, x: XServer, written: str, item: Item) -> None:
    client.create_tweet(text=written)
    assert [(bill.item, bill.resource) for bill in x.bills] == [(item, x.tweets[0].id)]
    assert x.billed == PRICES[item]
    assert x.billed_nanos == int(PRICES[item] * 10**9)


def test_a_reply_to_who_mentioned_it_is_cheaper_than_one_to_itself(client: Any, x: XServer) -> None:
    asked = x.mention("are you alive?")
    client.create_tweet(text="I am.", in_reply_to_tweet_id=asked.id)
    client.create_tweet(text="I said.", in_reply_to_tweet_id=x.tweets[0].id)
    assert [bill.item for bill in x.bills] == [Item.SUMMONED_REPLY, Item.POST]
    assert x.tweets[1].conversation_id == asked.id
    first, second = timeline(client, x, tweet_fields=["in_reply_to_user_id", "referenced_tweets"])
    assert (second.in_reply_to_user_id, second.referenced_tweets[0].id) == (int(asked.author.id), int(asked.id))
    assert timeline(client, x, exclude=["replies"]) == []
    assert first.in_reply_to_user_id == int(x.user.id) and x.violations == []


def test_reads_are_charged_by_what_they_return_once_a_utc_day(client: Any, x: XServer, clock: VirtualClock) -> None:
    for number in range(3):
        x.publish(f"post {number}")
    x.mention("hello")
    for _ in range(2):
        timeline(client, x)
        client.get_users_mentions(x.user.id, user_auth=True)
        client.get_me(user_auth=True)
    assert x.billed == 4 * PRICES[Item.OWNED_READ] + PRICES[Item.USER_READ]
    x.account.deduplicates = False
    timeline(client, x)
    assert x.billed == 7 * PRICES[Item.OWNED_READ] + PRICES[Item.USER_READ]
    x.account.deduplicates = True
    clock.advance(DAY_S)
    timeline(client, x)
    assert x.billed == 10 * PRICES[Item.OWNED_READ] + PRICES[Item.USER_READ]


def test_other_peoples_posts_are_dearer(client: Any, x: XServer) -> None:
    reader = x.mention("hello").author
    assert len(client.get_users_tweets(reader.id, user_auth=True).data) == 1
    assert [bill.item for bill in x.bills] == [Item.POST_READ]


def test_when_the_credits_are_gone_everything_is_a_402_until_a_top_up(client: Any, x: XServer) -> None:
    x.credits_usd = Decimal("0.02")
    client.create_tweet(text="one")
    client.create_tweet(text="two, a little below nought")
    for ask, more in ((client.create_tweet, {"text": "three"}), (client.get_me, {"user_auth": True})):
        with pytest.raises(tweepy.errors.HTTPException) as refused:
            ask(**more)
        assert type(refused.value) is tweepy.errors.HTTPException
        assert refused.value.response.status_code == 402
        assert refused.value.response.json() == CREDITS_DEPLETED
    x.credits_usd = Decimal(1)
    client.create_tweet(text="three")
    assert x.billed == 3 * PRICES[Item.POST]


# ---- the timeline -------------------------------------------------------------------------------------------------


def test_the_timeline_is_paged_newest_first(client: Any, x: XServer) -> None:
    ids = [x.publish(f"post {number}").id for number in range(12)]
    pages = list(tweepy.Paginator(client.get_users_tweets, x.user.id, max_results=5, user_auth=True))
    assert [[str(tweet.id) for tweet in page.data] for page in pages] == [ids[:6:-1], ids[6:1:-1], ids[1::-1]]
    assert [page.meta["result_count"] for page in pages] == [5, 5, 2]
    assert (pages[0].meta["newest_id"], pages[0].meta["oldest_id"]) == (ids[11], ids[7])
    assert [tweet.text for tweet in timeline(client, x, since_id=ids[9])] == ["post 11", "post 10"]
    assert [tweet.text for tweet in timeline(client, x, until_id=ids[1])] == ["post 0"]
    assert x.violations == []


def test_the_timeline_can_be_asked_for_a_time(client: Any, x: XServer, clock: VirtualClock) -> None:
    for number in range(3):
        x.publish(f"post {number}")
        clock.advance(DAY_S)
    middle = x.tweets[1].created_at
    assert [tweet.text for tweet in timeline(client, x, start_time=middle)] == ["post 2", "post 1"]
    assert [tweet.text for tweet in timeline(client, x, end_time=middle)] == ["post 0"]


@pytest.mark.parametrize(
    "wrong", [{"max_results": 4}, {"max_results": 101}, {"since_id": "x"}, {"pagination_token": "!"}]
)
def test_a_page_that_cannot_be_is_a_400(client: Any, x: XServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(tweepy.errors.BadRequest):
        timeline(client, x, **wrong)


def test_the_timeline_can_lag_for_a_while(client: Any, x: XServer, clock: VirtualClock) -> None:
    x.timeline_lag_s = 30
    client.create_tweet(text="Soon.")
    assert timeline(client, x) == []
    clock.advance(30)
    assert [tweet.text for tweet in timeline(client, x)] == ["Soon."]


def test_the_timeline_can_lag_for_some_lookups(client: Any, x: XServer) -> None:
    x.timeline_lag_lookups = 2
    client.create_tweet(text="Soon.")
    assert [len(timeline(client, x)) for _ in range(4)] == [0, 0, 1, 1]


# ---- how it fails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ANSWERS)
def test_a_fault_raises_what_tweepy_makes_of_it(client: Any, x: XServer, name: str) -> None:
    fault = FAULTS[name]
    x.fail(name)
    with pytest.raises(tweepy.errors.HTTPException) as raised:
        client.create_tweet(text="Hello.")
    assert type(raised.value).__name__ == RAISES[fault.status]
    assert raised.value.response.status_code == fault.status == x.requests[0].status
    is_html = raised.value.response.headers["content-type"].startswith("text/html")
    body = raised.value.response.text if is_html else raised.value.response.json()
    assert body == fault.body(Struck(POST, x.now()))
    assert x.requests[0].fault == name
    assert [tweet.text for tweet in x.tweets] == (["Hello."] if fault.acts else [])
    assert x.billed == (PRICES[Item.POST] if fault.acts else 0)
    client.create_tweet(text="Hello again.")
    assert x.violations == []


@pytest.mark.parametrize("name", ANSWERS)
def test_a_fault_says_rightly_whether_the_openapi_knows_its_body(name: str) -> None:
    fault = FAULTS[name]
    body = fault.body(Struck(POST, NOW))
    content_type = spec.PROBLEM
    if fault.in_spec:
        spec.OPENAPI.validate_response("/2/tweets", "POST", fault.status, body, content_type)
    else:
        with pytest.raises(SpecMismatchError):
            spec.OPENAPI.validate_response("/2/tweets", "POST", fault.status, body, content_type)


def test_a_reset_is_told_where_the_real_one_tells_it(client: Any, x: XServer) -> None:
    resets: list[int | None] = []
    for name in ("rate_limited", "rate_limited_day", "rate_limited_no_reset", "usage_capped"):
        x.fail(name)
        with pytest.raises(tweepy.errors.TooManyRequests) as refused:
            client.create_tweet(text="Hello.")
        resets.append(refused.value.reset_time)
        day = refused.value.response.headers["x-app-limit-24hour-remaining"]
        assert day == ("0" if name == "rate_limited_day" else str(10_000 - len(resets)))
    epoch = int(x.now().timestamp())
    window = epoch + 15 * MINUTE_S
    assert resets == [epoch + 7 * MINUTE_S, window, None, window]


@pytest.mark.parametrize(("name", "published"), [("dropped_before", 0), ("accepted_then_dropped", 1)])
def test_a_dropped_connection_tells_nothing(client: Any, x: XServer, name: str, published: int) -> None:
    x.fail(name)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.create_tweet(text="Hello.")
    assert (len(x.tweets), x.billed) == (published, published * PRICES[Item.POST])
    assert x.requests[0].status == 0


@pytest.mark.parametrize(("name", "published"), [("hang", 0), ("accepted_then_hang", 1)])
def test_a_hang_ends_when_the_client_gives_up(x: XServer, name: str, published: int) -> None:
    client = impatient(x)
    x.fail(name)
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.create_tweet(text="Hello.")
    client.session.close()
    assert (len(x.tweets), x.billed) == (published, published * PRICES[Item.POST])


def test_an_answer_can_break_off_in_the_middle(client: Any, x: XServer) -> None:
    x.fail("accepted_then_cut")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.create_tweet(text="Hello.")
    assert len(x.tweets) == 1


def test_a_2xx_can_have_errors_beside_its_data(client: Any, x: XServer) -> None:
    x.fail("errors_beside_data", route=None, times=2)
    posted = client.create_tweet(text="Hello.")
    assert posted.data["id"] == x.tweets[0].id and len(posted.errors) == 1
    seen = client.get_users_tweets(x.user.id, user_auth=True)
    assert len(seen.data) == len(seen.errors) == 1
    assert x.violations == []


def test_after_a_lost_answer_the_same_text_is_a_duplicate_and_the_timeline_has_it(client: Any, x: XServer) -> None:
    x.fail("accepted_then_500")
    with pytest.raises(tweepy.errors.TwitterServerError):
        client.create_tweet(text="Did you hear?")
    with pytest.raises(tweepy.errors.Forbidden, match="duplicate"):
        client.create_tweet(text="Did you hear?")
    assert [str(tweet.id) for tweet in timeline(client, x)] == [x.tweets[0].id]
    assert x.billed == PRICES[Item.POST] + PRICES[Item.OWNED_READ]


def test_faults_wait_for_their_route_and_can_be_mended(client: Any, x: XServer) -> None:
    x.fail("suspended", times="forever", route=TIMELINE)
    x.fail("server_error", times=2, route=ME)
    client.create_tweet(text="Hello.")
    for _ in range(2):
        with pytest.raises(tweepy.errors.Forbidden, match="suspended"):
            timeline(client, x)
    x.mend()
    timeline(client, x)
    client.get_me(user_auth=True)


@pytest.mark.parametrize(
    "wrong", [lambda x: x.fail("gremlins"), lambda x: x.fail("hang", route="/2/tweets"), lambda x: x.chaos(1, 1, ["x"])]
)
def test_a_fault_or_route_that_is_not_there_is_said_at_once(x: XServer, wrong: Callable[[XServer], None]) -> None:
    with pytest.raises(KeyError):
        wrong(x)


def test_chaos_fails_the_same_requests_for_the_same_seed() -> None:
    def struck(seed: int) -> list[str | None]:
        with XServer(clock=lambda: NOW) as x:
            x.chaos(seed, 0.4)
            client = open_client(x)
            for number in range(40):
                try:
                    client.create_tweet(text=f"post {number}")
                except (tweepy.errors.TweepyException, requests.exceptions.RequestException):
                    continue
            client.session.close()
            kept = [request.fault for request in x.requests]
            accepted = [fault for fault in kept if fault is None or FAULTS[fault].acts]
            assert len(x.tweets) == len(accepted) and x.billed == len(accepted) * PRICES[Item.POST]
            assert x.violations == []
            return kept

    first = struck(1)
    assert first == struck(1) != struck(2)
    assert 5 < len(first) - first.count(None) < 30
    assert not SLOW_FAULTS & set(first)


# ---- the OpenAPI as a judge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("POST", "/2/tweets", "", {"text": "hi", "mood": "good"}),
        ("POST", "/2/tweets", "", {"text": "hi", "reply": {}}),
        ("POST", "/2/tweets", "?dry_run=1", {"text": "hi"}),
        ("GET", "/2/users/1900000000000000007/tweets", "?max_results=1000", None),
        ("GET", "/2/users/1900000000000000007/tweets", "?tweet.fields=mood", None),
        ("GET", "/2/users/1900000000000000007/tweets", "?exclude=everything", None),
        ("GET", "/2/users/1900000000000000007/mentions", "?exclude=replies", None),
        ("GET", "/2/users/me", "?user.fields=", None),
        ("DELETE", "/2/tweets/1", "", None),
    ],
)
def test_a_request_that_does_not_fit_is_a_violation(x: XServer, method: str, path: str, query: str, body: Any) -> None:
    answer = raw(x, method, path, query, json=body)
    assert answer.status_code == (404 if method == "DELETE" else 400)
    assert len(x.violations) == 1
    assert (x.tweets, x.bills) == ([], [])


def test_a_request_is_judged_though_a_fault_strikes_it(x: XServer) -> None:
    x.fail("unavailable")
    assert raw(x, json={"text": "hi", "mood": "good"}).status_code == 503
    assert len(x.violations) == 1


def test_an_answer_of_ours_that_does_not_fit_is_a_violation(client: Any, x: XServer) -> None:
    no_name: Any = 5
    x.user = replace(x.user, name=no_name)
    client.get_me(user_auth=True)
    assert len(x.violations) == 1 and x.violations[0].startswith("our own answer")


def test_every_fault_says_what_it_means() -> None:
    assert all(fault.doc for fault in FAULTS.values())
    assert FAULTS.keys() >= LASTING_FAULTS | SLOW_FAULTS


def test_without_the_openapi_nothing_is_judged_and_all_else_is_the_same() -> None:
    with XServer(strict=False) as x:
        client = open_client(x)
        client.create_tweet(text="Hello.")
        assert len(timeline(client, x)) == 1
        for wrong in ("max_results=some", "start_time=noon", "end_time=2026-11-21T12:00:00"):
            assert raw(x, "GET", f"/2/users/{x.user.id}/tweets", f"?{wrong}").status_code == 400
        client.session.close()
    assert x.violations == []
