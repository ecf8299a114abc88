"""What the server refuses: keys, models, routing preferences, free-tier limits, credits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from tests.openrouter_server.account import FREE_PER_MINUTE, Key, next_utc_midnight
from tests.openrouter_server.catalogue import Model
from tests.openrouter_server.fault import KEYS_URL, Request, error, free_limit, unaffordable
from tests.openrouter_server.faults import FAULTS
from tests.openrouter_server.pricing import prices_at
from tests.openrouter_server.replies import prompt_tokens, token_cap
from tests.openrouter_server.world import Call, World

MILLION = 1_000_000
UNCAPPED_TOKENS = 65_536  # what a call without a cap may use at a model that states no limit
MAX_FALLBACKS = 3


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, JSON body (a str is HTML), headers."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def documented(name: str, request: Request) -> Answer:
    """The fault of that name as an answer to this request."""
    fault = FAULTS[name]
    return Answer(fault.status, fault.error(request), fault.headers(request))


def request_of(world: World, call: Call, model_id: str) -> Request:
    """What faults may know of this call."""
    model = world.models.get(model_id)
    cap = token_cap(call.body) if isinstance(call.body, dict) else None
    wanted = cap or (model.max_completion_tokens if model else None) or UNCAPPED_TOKENS
    return Request(model_id, model.provider if model else "Unknown", wanted, call.when)


def key_of(world: World, call: Call) -> Key | Answer:
    """The key a call carries, or the 401 it earns."""
    scheme, _, secret = call.headers.get("authorization", "").partition(" ")
    request = request_of(world, call, call.model or "")
    if scheme.lower() != "bearer" or not secret:
        return documented("missing_key", request)
    return world.account.keys.get(secret.strip()) or documented("unknown_key", request)


def misshapen(body: Any) -> Answer | None:
    """The 400 for a body that is no chat request."""
    if not isinstance(body, dict):
        return Answer(400, error(400, "Invalid JSON body"))
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return Answer(400, error(400, 'Input required: specify "prompt" or "messages"'))
    if not body.get("model") and not body.get("models"):
        return Answer(400, error(400, "No models provided"))
    if len(body.get("models") or []) > MAX_FALLBACKS:
        return Answer(400, error(400, f"'models' array must have {MAX_FALLBACKS} items or fewer."))
    return None


def refusal(world: World, call: Call, key: Key, model_id: str) -> Answer | None:
    """Why this model does not answer this call, or None when it does."""
    request = request_of(world, call, model_id)
    model = world.models.get(model_id)
    if model is None:
        return documented("unknown_model", request)
    model = resolved(world, model)
    return (
        _unroutable(call.body, model, request)
        or _too_long(call.body, model)
        or _free_tier(world, model)
        or _unpaid(world, call, key, model)
    )


def resolved(world: World, model: Model) -> Model:
    """The concrete model behind an alias or a router."""
    return world.models[model.alias_of] if model.alias_of is not None else model


def hold_for(body: Mapping[str, Any], model: Model, call: Call) -> Decimal:
    """US dollars that a call may cost at most by its cap: what the service holds before it begins."""
    prompt, per_completion, request = _worst(body, model, call)
    return prompt + request_of_cap(body, model) * per_completion + request


def request_of_cap(body: Mapping[str, Any], model: Model) -> int:
    """The completion tokens a call asks for, capped or not."""
    return token_cap(body) or model.max_completion_tokens or UNCAPPED_TOKENS


def _worst(body: Mapping[str, Any], model: Model, call: Call) -> tuple[Decimal, Decimal, Decimal]:
    tokens = prompt_tokens(body)
    prices = prices_at(model.pricing, tokens, call.when)
    per_completion = max(prices["completion"], prices.get("internal_reasoning", Decimal(0)))
    return tokens * prices["prompt"], per_completion, prices.get("request", Decimal(0))


def _unroutable(body: Mapping[str, Any], model: Model, request: Request) -> Answer | None:
    """404: no provider of this model takes the request as it stands."""
    wants = body.get("provider") or {}
    slug = model.provider.lower().replace(" ", "-")
    only = [str(name).lower() for name in wants.get("only") or [slug]]
    ignored = [str(name).lower() for name in wants.get("ignore") or []]
    if slug not in only or slug in ignored or _too_dear(model, wants.get("max_price") or {}):
        return documented("no_allowed_providers", request)
    if body.get("tools") and not model.supports("tools"):
        return documented("no_tool_endpoints", request)
    if wants.get("data_collection") == "deny" and model.id.lower().endswith(":free"):
        return documented("data_policy", request)
    structured = (body.get("response_format") or {}).get("type") == "json_schema"
    if wants.get("require_parameters") and structured and not model.supports("structured_outputs"):
        return documented("no_endpoints_for_parameters", request)
    return None


def _too_dear(model: Model, max_price: Mapping[str, Any]) -> bool:
    """Whether a price is above `provider.max_price`: US dollars per million tokens, `request` per request."""
    scales = {"prompt": MILLION, "completion": MILLION, "request": 1}
    return any(
        Decimal(model.pricing.get(kind, "0")) * scale > Decimal(str(max_price[kind]))
        for kind, scale in scales.items()
        if max_price.get(kind) is not None
    )


def _too_long(body: Mapping[str, Any], model: Model) -> Answer | None:
    tokens = prompt_tokens(body)
    if tokens <= model.context_length:
        return None
    message = (
        f"This endpoint's maximum context length is {model.context_length} tokens. "
        f"However, you requested about {tokens} tokens. Please reduce the length."
    )
    return Answer(400, error(400, message, {"error_type": "context_length_exceeded"}))


def _free_tier(world: World, model: Model) -> Answer | None:
    """429 for the 21st request of a minute and the 51st (1,001st) of a UTC day; refused ones count."""
    if not model.id.lower().endswith(":free"):
        return None
    account, now = world.account, world.now()
    day_reset = next_utc_midnight(now)
    minute_reset = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    in_day = account.free_used(day_reset - timedelta(days=1))
    in_minute = account.free_used(minute_reset - timedelta(minutes=1))
    account.free_requests.append(now)
    if world.enforce_free_tier and in_day >= account.free_daily_limit:
        return Answer(429, *free_limit("day", account.free_daily_limit, day_reset))
    if world.enforce_free_tier and in_minute >= FREE_PER_MINUTE:
        return Answer(429, *free_limit("min", FREE_PER_MINUTE, minute_reset))
    return None


def _unpaid(world: World, call: Call, key: Key, model: Model) -> Answer | None:
    """402 or 403: the account or the key cannot pay; a negative balance stops free models too."""
    request = request_of(world, call, model.id)
    balance = world.account.balance
    if balance < 0:
        return documented("credits_exhausted", request)
    if model.is_free:
        return None
    key_left = key.remaining(call.when)
    if balance == 0:
        return documented("credits_exhausted", request)
    if key_left is not None and key_left <= 0:
        period = key.limit_reset or "total"
        return Answer(403, error(403, f"Key limit exceeded ({period} limit). Manage it using {KEYS_URL}"))
    left = balance if key_left is None else min(balance, key_left)
    hold = hold_for(call.body, model, call)
    if hold > left:
        prompt, per_completion, per_request = _worst(call.body, model, call)
        spare = left - prompt - per_request
        affordable = int((spare / per_completion).to_integral_value(ROUND_FLOOR)) if per_completion else 0
        if affordable <= 0:
            return documented("credits_exhausted", request)
        return Answer(402, error(402, unaffordable(request.max_tokens, affordable), {"provider_name": None}))
    if hold > left - world.account.in_flight:
        return documented("in_flight_budget_exhausted", request)
    return None
