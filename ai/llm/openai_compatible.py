"""Any server that speaks the OpenAI chat completions protocol, over one long-lived HTTP client.

How a provider differs stands in its `Dialect`; nothing here knows one from another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from ai.economy.account import Reckoning
from ai.economy.money import round_up
from ai.llm.base import Completion, CompletionRequest, OnNamed, OnText
from ai.llm.dialects.base import Dialect
from ai.llm.dialects.registry import dialects
from ai.llm.failures import CallFailed, Fate, Scope, from_error
from ai.llm.stream import Reply, parse_cost
from ai.models.pricing import PER_MILLION
from vault.redaction import Redactor

CONNECT_TIMEOUT_S = 10.0


class OpenAICompatible:
    """The provider with this name (one of `dialects()`), reached over HTTP. `timeout_s` bounds a whole call.

    The key goes into no request to another host than that of `base_url`; without one none is sent.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: SecretStr | None,
        *,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.dialect = dialects()[name]
        self._redact = Redactor({"key": api_key} if api_key else {}).text  # a provider may say the key in an error
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + "/",
            headers={**self.dialect.headers, **_credentials(api_key)},
            timeout=_timeout(timeout_s),
            follow_redirects=False,  # a redirect would carry the key to another host
            transport=transport,
        )

    async def complete(
        self, request: CompletionRequest, on_text: OnText, on_named: OnNamed | None = None
    ) -> Completion:
        """Answer one request, streaming. Raises CallFailed, which says what is known of the money."""
        reply = self._reply(request.model)
        bound_s = request.bound_s(self._timeout_s)
        async with (
            self._translated(reply, bound_s),
            asyncio.timeout(bound_s),
            self._client.stream(
                "POST", "chat/completions", json=_body(request, self.dialect), timeout=_timeout(bound_s)
            ) as response,
        ):
            if not response.is_success:  # a redirect, too: nobody follows it, and nothing was generated
                raise self._refused(response.status_code, await response.aread(), response.headers)
            reply.generation_id = response.headers.get("x-generation-id")
            if on_named is not None and reply.generation_id:
                await on_named(reply.generation_id)
            if "text/event-stream" in response.headers.get("content-type", ""):
                async for event in _events(response):
                    reply.add_chunk(event, on_text)
            else:
                reply.add_whole(_parsed(await response.aread()), on_text)
        return reply.completion()

    async def list_models(self) -> list[dict[str, Any]]:
        """The provider's models, as its GET /models lists them, by the ids it is asked with. Raises CallFailed."""
        listed = await self._get("models")
        models = listed.get("data", ...) if isinstance(listed, Mapping) else ...
        if models is None:  # Ollama, when it has none
            return []
        if not isinstance(models, list):
            raise CallFailed(f"{self.name} did not list its models", scope=Scope.ENDPOINT, fate=Fate.FREE)
        return [_renamed(model, self.dialect.list_prefix) for model in models]

    async def check_key(self) -> None:
        """Ask whether the key is accepted, which is free: GET /key where there is one. Raises CallFailed."""
        await self._get("key" if self.dialect.tells_key else "models")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def cost_of(self, generation_id: str) -> Decimal | None:
        """US dollars that one call cost (GET /generation), None while the answer is 404: it takes a while."""
        try:
            record = (await self._get(f"generation?id={quote(generation_id)}"))["data"]
            return parse_cost(record["total_cost"])
        except CallFailed as exc:
            if exc.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        except (ArithmeticError, LookupError, TypeError) as exc:
            what = f"{self.name} did not say what {generation_id} cost"
            raise CallFailed(what, scope=Scope.ENDPOINT, fate=Fate.FREE) from exc

    async def reckoning(self) -> Reckoning:
        """What the key used this month and what is left of its limit (OpenRouter's GET /key). Raises CallFailed."""
        try:
            key = (await self._get("key"))["data"]
            remaining = key.get("limit_remaining")
            used = parse_cost(key["usage_monthly"])
            if used is None:
                raise LookupError("usage_monthly")
            left = parse_cost(remaining)
            return Reckoning(round_up(used), None if left is None else round_up(left))
        except (ArithmeticError, AttributeError, LookupError, TypeError) as exc:
            what = f"{self.name} did not say what the key used"
            raise CallFailed(what, scope=Scope.ENDPOINT, fate=Fate.FREE) from exc

    async def _get(self, path: str) -> Any:
        async with self._translated(self._reply(""), self._timeout_s), asyncio.timeout(self._timeout_s):
            response = await self._client.get(path)
            if not response.is_success:
                raise self._refused(response.status_code, response.content, response.headers)
        return _parsed(response.content)

    def _reply(self, model: str) -> Reply:
        return Reply(
            self.name,
            model,
            rules=self.dialect.rules,
            hides_thinking=self.dialect.hides_thinking,
            failures_are_free=self.dialect.failures_are_free,
        )

    def _refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> CallFailed:
        return from_error(self.name, status, _parsed(body), headers, self.dialect.rules)

    @asynccontextmanager
    async def _translated(self, reply: Reply, bound_s: float) -> AsyncIterator[None]:
        """Foreign errors become CallFailed here and nowhere else, and no key is in any of them."""
        try:
            async with self._understood(reply, bound_s):
                yield
        except CallFailed as exc:
            exc.message = self._redact(exc.message)
            exc.args = (exc.message,)
            raise

    @asynccontextmanager
    async def _understood(self, reply: Reply, bound_s: float) -> AsyncIterator[None]:
        try:
            yield
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as exc:
            why = str(exc) or "no connection"
            raise CallFailed(f"{self.name} cannot be reached ({why})", scope=Scope.ENDPOINT, fate=Fate.FREE) from exc
        except (httpx.TimeoutException, TimeoutError) as exc:
            raise reply.broken(f"{self.name} did not answer within {bound_s:g} s") from exc
        except (httpx.HTTPError, httpx.StreamError) as exc:
            raise reply.broken(f"{self.name} broke the connection ({exc or type(exc).__name__})") from exc


def _credentials(api_key: SecretStr | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}


def _timeout(bound_s: float) -> httpx.Timeout:
    """Nobody there is found out before the time is up: until a connection stands nothing can have been charged."""
    return httpx.Timeout(bound_s, connect=min(CONNECT_TIMEOUT_S, bound_s / 2))


def _renamed(model: Any, prefix: str) -> Any:
    if not prefix or not isinstance(model, Mapping) or not isinstance(model.get("id"), str):
        return model
    return {**model, "id": model["id"].removeprefix(prefix)}


def _body(request: CompletionRequest, dialect: Dialect) -> dict[str, Any]:
    """The request in this provider's words: what it does not know is not said."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request, dialect),
        dialect.cap_field: request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body |= {"tools": [tool.as_json() for tool in request.tools], "tool_choice": "auto"}
    if request.schema is not None:
        schema = {"name": "action", "strict": True, "schema": dict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.reasoning_effort is not None and dialect.effort_path:
        effort: Any = request.reasoning_effort
        for name in reversed(dialect.effort_path):
            effort = {name: effort}
        body |= effort
    if request.max_price is not None and dialect.takes_max_price:
        per_million = {"prompt": request.max_price.prompt, "completion": request.max_price.completion}
        # OpenRouter's OpenAPI wants strings here, in US dollars per million tokens.
        body["provider"] = {"max_price": {side: f"{price * PER_MILLION:f}" for side, price in per_million.items()}}
    return {name: value for name, value in body.items() if name not in dialect.refused_fields}


def _messages(request: CompletionRequest, dialect: Dialect) -> list[dict[str, Any]]:
    """The messages without what the provider refuses, the last that never changes marked where caches need it."""
    refused = dialect.refused_message_fields
    messages = [{key: value for key, value in said.items() if key not in refused} for said in request.messages]
    if request.cache_prefix and request.model.startswith(tuple(dialect.cache_marked)):
        last = messages[: request.cache_prefix][-1]
        if isinstance(last.get("content"), str) and last["content"]:
            mark = {"type": "ephemeral"}
            last["content"] = [{"type": "text", "text": last["content"], "cache_control": mark}]
    return messages


async def _events(response: httpx.Response) -> AsyncIterator[Any]:
    """The JSON of each server-sent `data:` line; comments and the closing [DONE] are skipped."""
    async for line in response.aiter_lines():
        if line.startswith("data:") and (data := line[5:].strip()) != "[DONE]":
            yield _parsed(data.encode())


_EXACT = json.JSONDecoder(parse_float=Decimal)  # built once: json.loads would build one for every chunk


def _parsed(content: bytes) -> Any:
    """JSON with its numbers kept exact, or the text when it is none."""
    try:
        return _EXACT.decode(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace")
