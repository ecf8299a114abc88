"""X, through tweepy: one call at a time in a thread of its own, with a deadline, never tried twice.

tweepy is heavy and loads at the first call. Prices and limits are X's own (facts, checked 2026-11-21).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from ai.clock import Clock
from ai.economy.money import parse_usd
from ai.social import x_text
from ai.social.base import LONGEST_POST, Look, Sent
from ai.social.failures import ChannelFailed, Fate, Until, from_answer, parse, rest_until
from ai.store.outbox import QUEUED

T = TypeVar("T")

TWEEPYS_HOST = "https://api.twitter.com"  # fixed in tweepy; its signature is made over this address
CONNECT_S, READ_S = 5.0, 20.0  # tweepy passes no time-out of its own: a dead server would hang it for ever
DEADLINE_S = 45.0  # for the whole call, however slowly an answer trickles in

POST = "x/post"
POST_WITH_LINK = "x/post-with-link"
POSTS_ON_X = (POST, POST_WITH_LINK)
LOOK_UP = "x/look-up"
WHO_AM_I = "x/users-me"
PRICES = {
    POST: parse_usd("0.015"),
    POST_WITH_LINK: parse_usd("0.200"),
    LOOK_UP: parse_usd("0.001"),  # for each of our own posts that is read
    WHO_AM_I: parse_usd("0.010"),
}
PAGE = 10  # posts read at once in a look-up


@dataclass(frozen=True, slots=True)
class Keys:
    """The four keys of OAuth 1.0a; they do not expire."""

    api_key: SecretStr
    api_secret: SecretStr
    access_token: SecretStr
    access_token_secret: SecretStr

    @property
    def user_id(self) -> str:
        """The account's number, with which every access token begins."""
        return self.access_token.get_secret_value().partition("-")[0]


class Twitter:
    """The account on X that these keys open."""

    name = "x"
    begins = QUEUED
    longest = LONGEST_POST
    look_product = LOOK_UP
    look_price_nanos = PAGE * PRICES[LOOK_UP]

    def __init__(
        self, keys: Keys, clock: Clock, *, base_url: str = TWEEPYS_HOST, links: bool = False, read_s: float = READ_S
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._links = links
        self._read_s = read_s

    def measure(self, text: str) -> int:
        """The weighted length."""
        return x_text.weighted_length(text)

    def prepare(self, text: str) -> str:
        """Composed, and without links unless they are allowed."""
        text = x_text.clean(text)
        return text if self._links else x_text.without_links(text)

    def product(self, text: str) -> str:
        return POST_WITH_LINK if x_text.has_link(text) else POST

    def price_nanos(self, text: str) -> int:
        return PRICES[self.product(text)]

    def read_price_nanos(self, posts: int) -> int:
        return posts * PRICES[LOOK_UP]

    async def send(self, text: str) -> Sent:
        """Post it. Raises ChannelFailed."""
        answer = await self._call(lambda client: client.create_tweet(text=text, user_auth=True))
        data = answer.body.get("data") if isinstance(answer.body, dict) else None
        number = str(data.get("id") or "") if isinstance(data, dict) else ""
        if not _is_number(number):
            raise ChannelFailed(f"X answered {answer.status}, and no post came back.", Fate.UNKNOWN)
        return Sent(number, rest_until(answer.headers))

    async def look(self, text: str, since_id: str | None, page: str | None) -> Look:
        """One page of the account's own posts, newest first. Raises ChannelFailed."""
        if not _is_number(self._keys.user_id):
            what = "The access token does not begin with the account's number, so its posts cannot be looked up."
            raise ChannelFailed(what, Fate.UNSENT, Until.KEYS, hint="Copy X_ACCESS_TOKEN again, whole.")
        asked = {"max_results": PAGE, "since_id": since_id, "pagination_token": page}
        given = {name: value for name, value in asked.items() if value is not None}
        answer = await self._call(lambda client: client.get_users_tweets(self._keys.user_id, user_auth=True, **given))
        body = answer.body if isinstance(answer.body, dict) else None
        if answer.status != 200 or body is None:
            raise ChannelFailed(f"X answered {answer.status}, and no posts came back.", Fate.UNKNOWN)
        data, meta = body.get("data"), body.get("meta")
        posts = [post for post in data if isinstance(post, dict)] if isinstance(data, list) else []
        following = meta.get("next_token") if isinstance(meta, dict) else None
        found = next((str(post.get("id")) for post in posts if x_text.is_same(text, str(post.get("text")))), None)
        return Look(
            found_id=found if found is None or _is_number(found) else None,
            read=len(posts),
            next=following if isinstance(following, str) and following else None,
        )

    async def who_am_i(self) -> str:
        """The account's name on X; costs what the table says of it. Raises ChannelFailed."""
        answer = await self._call(lambda client: client.get_me(user_auth=True))
        data = answer.body.get("data") if isinstance(answer.body, dict) else None
        name = data.get("username") if isinstance(data, dict) else None
        if answer.status != 200 or not isinstance(name, str):
            raise ChannelFailed(f"X answered {answer.status}, and said nothing of the account.", Fate.UNKNOWN)
        return name

    async def reach(self) -> None:
        """Whether anybody is there: a request without keys, which any answer satisfies. Raises ChannelFailed."""
        await self._call(lambda client: client.get_me(user_auth=False), refused_is_fine=True)

    async def _call(self, ask: Callable[[Any], Any], *, refused_is_fine: bool = False) -> _Answer:
        exchange = _Exchange(self._base_url, self._read_s)

        def work() -> None:
            keys = self._keys
            exchange.run(
                ask,
                consumer_key=keys.api_key.get_secret_value(),
                consumer_secret=keys.api_secret.get_secret_value(),
                access_token=keys.access_token.get_secret_value(),
                access_token_secret=keys.access_token_secret.get_secret_value(),
            )

        try:
            async with asyncio.timeout(DEADLINE_S):
                await _in_thread(work)
        except TimeoutError:
            raise ChannelFailed(f"X did not answer within {DEADLINE_S:.0f} s.", Fate.UNKNOWN) from None
        answer = exchange.answer
        if answer is None:
            raise exchange.failure or ChannelFailed("X said nothing.", Fate.UNKNOWN)
        if not 200 <= answer.status < 300 and not refused_is_fine:
            raise from_answer("X", answer.status, answer.body, answer.headers, self._clock.now())
        return answer


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, whatever it was. Names of headers are in lower case."""

    status: int
    body: Any
    headers: dict[str, str]


class _Exchange:
    """One request and its answer. The answer is kept where it arrives, below tweepy, whose exceptions drop half of it
    and which stumbles over bodies of another shape."""

    def __init__(self, base_url: str, read_s: float) -> None:
        self._base_url = base_url
        self._read_s = read_s
        self._responses: list[Any] = []
        self.answer: _Answer | None = None
        self.failure: ChannelFailed | None = None

    def run(self, ask: Callable[[Any], Any], **keys: str) -> None:
        """Make the call; afterwards either `answer` or `failure` is set."""
        try:
            import requests
            import tweepy
        except ImportError as exc:
            hint = "Install the program again: `make run`."
            self.failure = ChannelFailed(f"X cannot be used: {exc}.", Fate.UNSENT, Until.KEYS, hint=hint)
            return
        client = tweepy.Client(bearer_token="none", return_type=requests.Response, wait_on_rate_limit=False, **keys)  # noqa: S106 - for a request that is to be refused
        client.session.mount(TWEEPYS_HOST, _adapter(self._base_url, self._read_s, self._responses))
        try:
            ask(client)
        except requests.exceptions.ConnectTimeout:
            self.failure = ChannelFailed("X could not be reached in time.", Fate.UNSENT)
        except requests.exceptions.ConnectionError as exc:
            # Before there was a connection nothing can have been posted; after that, nobody knows.
            fate = Fate.UNSENT if _never_connected(exc) else Fate.UNKNOWN
            what = "could not be reached" if fate is Fate.UNSENT else "broke the connection off"
            self.failure = ChannelFailed(f"X {what}.", fate)
        except requests.exceptions.Timeout:
            self.failure = ChannelFailed("X did not answer in time.", Fate.UNKNOWN)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as exc:
            self.failure = ChannelFailed(f"X has no usable address: {exc}.", Fate.UNSENT, Until.KEYS)
        except Exception as exc:  # whatever tweepy made of the answer: what arrived is looked at below
            self.failure = ChannelFailed(f"X answered what cannot be read ({type(exc).__name__}).", Fate.UNKNOWN)
        finally:
            self.answer = self._read() if self._responses else None
            client.session.close()

    def _read(self) -> _Answer | None:
        response = self._responses[-1]
        headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
        try:
            return _Answer(response.status_code, parse(response.content), headers)
        except Exception:  # the body broke off or cannot be unpacked
            return _Answer(response.status_code, "", headers) if response.status_code >= 300 else None


def _adapter(base_url: str, read_s: float, responses: list[Any]) -> Any:
    """A transport that turns tweepy's fixed address into ours, sets time-outs, and follows no redirect."""
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    target = urlsplit(base_url)

    class Adapter(HTTPAdapter):
        def send(self, request: Any, *given: Any, **options: Any) -> Any:
            asked = urlsplit(request.url)
            path = target.path.rstrip("/") + asked.path
            request.url = urlunsplit((target.scheme, target.netloc, path, asked.query, ""))
            options |= {"timeout": (CONNECT_S, read_s), "proxies": get_environ_proxies(request.url)}
            response = super().send(request, *given, **options)
            response.headers.pop("location", None)  # a redirected post would be sent, and signed, a second time
            responses.append(response)
            return response

    return Adapter(max_retries=0)


def _never_connected(exc: Exception) -> bool:
    from urllib3.exceptions import NewConnectionError

    reason = getattr(exc.args[0] if exc.args else None, "reason", None)
    return isinstance(reason, NewConnectionError)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run a blocking call in a thread that nobody has to wait for at the end: a cut call's fate is unknown anyway."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as exc:
            error = exc
        try:
            loop.call_soon_threadsafe(finish, result, error)
        except RuntimeError:
            return  # the loop has ended meanwhile

    threading.Thread(target=run, name="x", daemon=True).start()
    return await done


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19
