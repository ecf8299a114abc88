"""The routes that read: who am I, a user's posts, a user's mentions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.x_server.account import Item
from tests.x_server.answer import Answer
from tests.x_server.fault import invalid, user_not_found
from tests.x_server.posts import Tweet
from tests.x_server.world import Request, World

PAGE, SMALLEST_PAGE, LARGEST_PAGE = 10, 5, 100
ID_DIGITS = 19
BEFORE_ALL, AFTER_ALL = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def me(world: World, request: Request) -> Answer:
    """GET /2/users/me."""
    world.charge(Item.USER_READ, world.user.id)
    return Answer(200, {"data": world.user.to_json(_list(request, "user.fields"))}, in_spec=True)


def timeline(world: World, request: Request) -> Answer:
    """GET /2/users/{id}/tweets, newest first."""
    user_id = request.path.split("/")[3]
    posts = [post for post in world.posts if post.author.id == user_id and _is_shown(world, post)]
    if "replies" in _list(request, "exclude"):
        posts = [post for post in posts if post.reply_to is None]
    return _page(world, request, user_id, posts)


def mentions(world: World, request: Request) -> Answer:
    """GET /2/users/{id}/mentions, newest first; nobody here mentions anybody but the user."""
    user_id = request.path.split("/")[3]
    return _page(world, request, user_id, world.mentions if user_id == world.user.id else [])


def _is_shown(world: World, post: Tweet) -> bool:
    """Whether the timeline has caught up with the post; each look-up that comes too early is counted."""
    if post.passed_over < world.timeline_lag_lookups:
        post.passed_over += 1
        return False
    return world.now() >= post.created_at + timedelta(seconds=world.timeline_lag_s)


def _page(world: World, request: Request, user_id: str, posts: list[Tweet]) -> Answer:
    if user_id not in world.users:
        return Answer(200, {"errors": [user_not_found(user_id)]}, in_spec=True)
    try:
        size, found = _size(request.query), _within(request.query, posts)
    except ValueError as error:
        return Answer(400, invalid(str(error), {name: [value] for name, value in request.query.items()}), in_spec=True)
    found.sort(key=lambda post: int(post.id), reverse=True)
    page, rest = found[:size], found[size:]
    for post in page:
        world.charge(Item.OWNED_READ if user_id == world.user.id else Item.POST_READ, post.id)
    if not page:
        return Answer(200, {"meta": {"result_count": 0}}, in_spec=True)
    fields = {*_list(request, "tweet.fields"), *_list(request, "post.fields")}
    meta: dict[str, Any] = {"result_count": len(page), "newest_id": page[0].id, "oldest_id": page[-1].id}
    if rest:
        meta["next_token"] = _token(page[-1].id)
    body: dict[str, Any] = {"data": [post.to_json(fields, world.history_field) for post in page], "meta": meta}
    if "author_id" in _list(request, "expansions"):
        authors = {post.author.id: post.author for post in page}
        body["includes"] = {"users": [user.to_json(_list(request, "user.fields")) for user in authors.values()]}
        for author in authors:
            world.charge(Item.USER_READ, author)
    return Answer(200, body, in_spec=True)


def _within(query: Mapping[str, str], posts: list[Tweet]) -> list[Tweet]:
    """The posts between the ids, times and page that were asked for. Raises ValueError for what is none."""
    after, before = _id(query, "since_id", 0), _id(query, "until_id", 10**ID_DIGITS)
    if "pagination_token" in query:
        before = min(before, _id_of(query["pagination_token"]))
    found = [post for post in posts if after < int(post.id) < before]
    start, end = _moment(query, "start_time", BEFORE_ALL), _moment(query, "end_time", AFTER_ALL)
    return [post for post in found if start <= post.created_at < end]


def _moment(query: Mapping[str, str], name: str, default: datetime) -> datetime:
    moment = datetime.fromisoformat(query[name]) if name in query else default
    if moment.tzinfo is None:
        raise ValueError(f"The `{name}` query parameter value [{query[name]}] has no time zone")
    return moment


def _size(query: Mapping[str, str]) -> int:
    size = int(query.get("max_results", PAGE))
    if not SMALLEST_PAGE <= size <= LARGEST_PAGE:
        raise ValueError(f"The `max_results` query parameter value [{size}] is not between 5 and 100")
    return size


def _id(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"The `{name}` query parameter value [{text}] is not valid")
    return int(text)


def _token(last_id: str) -> str:
    """The name of the page after that id; base32hex, as the OpenAPI has it."""
    return base64.b32hexencode(last_id.encode()).decode().rstrip("=").lower()


def _id_of(token: str) -> int:
    try:
        return int(base64.b32hexdecode(token.upper() + "=" * (-len(token) % 8)))
    except (binascii.Error, ValueError):
        raise ValueError(f"The `pagination_token` query parameter value [{token}] is not valid") from None


def _list(request: Request, name: str) -> list[str]:
    return request.query.get(name, "").split(",")
