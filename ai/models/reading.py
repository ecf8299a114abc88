"""Reads what a provider says of a model. It comes from outside: any shape is survived, and doubt is never free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from ai.models.model_config import DEFAULT_CONTEXT_TOKENS, EFFORTS, ModelInfo, unfit_by_name
from ai.models.pricing import FREE, Override, Price, read_rate

# The rates of OpenRouter's schemas `PublicPricing` and `PricingOverride` that a conversation can be charged by.
RATES = {
    "prompt": "prompt",
    "completion": "completion",
    "request": "request",
    "internal_reasoning": "internal_reasoning",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
}
LAST_HHMM = 2400


def read_model(entry: Any, provider: str) -> ModelInfo | None:
    """A model from one entry of a list in the shape of OpenRouter's GET /models (its OpenAPI, schema `Model`).

    None if it makes no sense at all.
    """
    model_id = entry.get("id") if isinstance(entry, Mapping) else None
    if not isinstance(model_id, str) or not model_id.strip() or not model_id.isprintable():
        return None
    top, reasoning = (_mapping(entry.get(key)) for key in ("top_provider", "reasoning"))
    supported = _names(entry.get("supported_parameters"))
    contexts = (_count(entry.get("context_length")), _count(top.get("context_length")))
    return ModelInfo(
        id=model_id,
        name=_name(entry, model_id),
        provider=provider,
        price=read_price(model_id, entry.get("pricing")),
        context_tokens=min((tokens for tokens in contexts if tokens), default=DEFAULT_CONTEXT_TOKENS),
        supports_tools="tools" in supported,
        reasons="reasoning" in supported,
        supports_schema=bool({"structured_outputs", "response_format"} & set(supported)),
        efforts=_efforts(reasoning) if "reasoning" in supported else (),
        expires_on=_day(entry.get("expiration_date")),
        max_completion_tokens=_count(top.get("max_completion_tokens")),
        unfit=_unfit(entry, model_id),
    )


def read_price(model_id: str, pricing: Any) -> Price | None:
    """Free by the suffix `:free` or by explicit zeros; anything missing, negative or malformed makes it unknown."""
    if model_id.lower().endswith(":free"):
        return FREE
    pricing = _mapping(pricing)
    rates, overrides = _rates(pricing), _overrides(pricing.get("overrides"))
    if rates is None or overrides is None or not {"prompt", "completion"} <= rates.keys():
        return None
    return Price(**rates, overrides=overrides)


def _rates(pricing: Mapping[str, Any]) -> dict[str, Any] | None:
    read = {field: read_rate(pricing[key]) for key, field in RATES.items() if pricing.get(key) is not None}
    return None if None in read.values() else read


def _overrides(listed: Any) -> tuple[Override, ...] | None:
    if listed is None:
        return ()
    if not isinstance(listed, list):
        return None
    read = [_override(each) for each in listed]
    return None if None in read else tuple(override for override in read if override is not None)


def _override(each: Any) -> Override | None:
    rates = _rates(each) if isinstance(each, Mapping) else None
    conditions = {key: each.get(key) for key in ("min_prompt_tokens", "utc_start", "utc_end")} if rates else {}
    read = {key: read_number(value) for key, value in conditions.items() if value is not None}
    start, end = read.get("utc_start"), read.get("utc_end")
    if rates is None or None in read.values() or (start is None) != (end is None):
        return None
    if start is not None and end is not None and max(start, end) > LAST_HHMM:
        return None
    return Override(
        rates=tuple(sorted(rates.items())),
        min_prompt_tokens=read.get("min_prompt_tokens"),
        utc_start=None if start is None else int(start),
        utc_end=None if end is None else int(end),
    )


def read_number(value: Any) -> Decimal | None:
    """A number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() and number >= 0 else None


def _efforts(reasoning: Mapping[str, Any]) -> tuple[str, ...]:
    """The lowest first; no list means that every effort is accepted, and `none` is none where thinking is mandatory."""
    if not reasoning:
        return ()
    listed = reasoning.get("supported_efforts")
    known = EFFORTS[1:] if listed is None else tuple(effort for effort in EFFORTS if effort in _names(listed))
    return tuple(effort for effort in known if effort != "none" or reasoning.get("mandatory") is not True)


def _unfit(entry: Mapping[str, Any], model_id: str) -> str:
    """Why it can have no part in thinking, or nothing."""
    architecture = _mapping(entry.get("architecture"))
    if entry.get("alias_target") is not None or architecture.get("tokenizer") == "Router":
        return "it is only a name for other models"
    modalities = architecture.get("output_modalities")
    if isinstance(modalities, list):
        return unfit_by_name(model_id, chats="text" in modalities)
    return unfit_by_name(model_id)


def _name(entry: Mapping[str, Any], model_id: str) -> str:
    name = entry.get("name")
    return (name if isinstance(name, str) and name else model_id).split(": ")[-1].removesuffix(" (free)")


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
