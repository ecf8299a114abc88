"""POST /2/tweets: what is refused, what is published, what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.x_server import text as texts
from tests.x_server.account import Item
from tests.x_server.answer import Answer
from tests.x_server.fault import invalid, problem
from tests.x_server.faults import DUPLICATE, NOT_PERMITTED, TOO_LONG
from tests.x_server.posts import Tweet
from tests.x_server.world import Request, World

REPEATS_AFTER = timedelta(days=1)  # X says no more than "recent"


def create_post(world: World, request: Request) -> Answer:
    """Publishes and bills a post, or says why not; nothing that is refused is billed."""
    body = request.body
    if not isinstance(body, dict):
        return Answer(400, invalid("The body is no JSON object", {}), in_spec=True)
    written = body.get("text")
    if not isinstance(written, str) or not written.strip():
        return Answer(400, invalid("$.text: is missing but it is required", {"text": [str(written)]}), in_spec=True)
    target = _target(world, body)
    refused = _refusal(world, body, written, target)
    if refused is not None:
        return refused
    tweet = world.publish(written, reply_to=target)
    world.charge(_item(world, tweet), tweet.id)
    return Answer(201, {"data": tweet.to_json(history=world.history_field)}, in_spec=True)


def _refusal(world: World, body: dict[str, Any], written: str, target: Tweet | None) -> Answer | None:
    if texts.weight(written) > texts.LIMIT:
        return Answer(400, TOO_LONG, in_spec=True)
    if not texts.fits(written):
        return Answer(400, invalid("$.text: has characters that are not allowed", {"text": [written]}), in_spec=True)
    if "media" in body:  # none can be uploaded here
        return Answer(400, problem(400, "Bad Request", "Your media IDs are invalid."))
    if "quote_tweet_id" in body or ("reply" in body and target is None):
        return Answer(403, NOT_PERMITTED)  # self-serve apps may quote nobody, and reply only where they were mentioned
    since = world.now() - REPEATS_AFTER
    if any(old.text.strip() == written.strip() and old.created_at > since for old in world.tweets):
        return Answer(403, DUPLICATE)
    return None


def _target(world: World, body: dict[str, Any]) -> Tweet | None:
    """The post it replies to, if it may: one of its own, or one that mentions it."""
    reply = body.get("reply")
    wanted = reply.get("in_reply_to_tweet_id") if isinstance(reply, dict) else None
    return next((post for post in (*world.tweets, *world.mentions) if post.id == wanted), None)


def _item(world: World, tweet: Tweet) -> Item:
    """What it is charged as; the price list does not say what a summoned reply with a URL is: the dearer here."""
    if texts.urls(tweet.text):
        return Item.POST_WITH_URL
    summoned = tweet.reply_to is not None and tweet.reply_to.author != world.user
    return Item.SUMMONED_REPLY if summoned else Item.POST
