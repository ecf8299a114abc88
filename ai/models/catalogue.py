"""Every model that could think: the packaged snapshot, the last good copy in the store, the provider's live list."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ai.clock import Clock, to_ms
from ai.errors import ModelChoiceError
from ai.models.model_config import CLASSES, ModelInfo
from ai.models.pricing import Price
from ai.store.engine import Store
from ai.store.model_lists import keep_models, read_models

SNAPSHOT = Path(__file__).with_name("snapshot.json")


class Catalogue:
    """The models of one provider and the local one, by id."""

    def __init__(self, store: Store, clock: Clock, being: str, provider: str, local: ModelInfo | None) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._provider = provider
        self._remote = provider != "local"
        self._local = local
        self._models: dict[str, ModelInfo] = {}

    async def load(self) -> None:
        """Fill from the last good copy in the store, else from the packaged snapshot."""
        raw = await self._store.read(lambda t: read_models(t, self._being, self._provider))
        if raw is None:
            raw = json.loads(SNAPSHOT.read_text(encoding="utf-8"))["data"]
        self._fill(raw)

    async def update(self, raw: list[dict[str, Any]]) -> None:
        """Take the provider's own list (OpenRouter's GET /models `data`) and keep it as the last good copy."""
        self._fill(raw)
        at_ms = to_ms(self._clock.now())
        await self._store.write(lambda t: keep_models(t, self._being, self._provider, raw, at_ms))

    def all(self) -> list[ModelInfo]:
        """Every model, the cheapest first."""
        return sorted(self._models.values(), key=_by_price)

    def find(self, model_id: str) -> ModelInfo | None:
        """The model with this full id, or None."""
        return self._models.get(model_id)

    def get(self, model_id: str) -> ModelInfo:
        """The model with this full id. Raises ModelChoiceError with the nearest names."""
        model = self.find(model_id)
        if model is None:
            near = difflib.get_close_matches(model_id, self._models, n=3, cutoff=0.3)
            hint = f"Nearest: {', '.join(near)}." if near else "`alive models` lists them."
            raise ModelChoiceError(f"There is no model “{model_id}”.", hint=hint)
        return model

    def affordable(self, classes: Sequence[str], limit: int) -> list[ModelInfo]:
        """The most intelligent models of these classes, at most `limit` of them."""
        fitting = [model for model in self.all() if model.cls in classes]
        return sorted(fitting, key=lambda model: -model.intelligence)[:limit]

    def best(self, classes: Sequence[str]) -> ModelInfo | None:
        """The most intelligent model of the highest of these classes there is one of, the cheapest of equals."""
        fitting = [model for model in self.all() if model.cls in classes]
        return max(fitting, key=lambda model: (CLASSES.index(model.cls or ""), model.intelligence), default=None)

    def cheaper(self, than: ModelInfo, classes: Sequence[str]) -> list[ModelInfo]:
        """Paid models of these classes with a lower blended price, best first."""
        if than.price is None:
            return []
        ceiling = than.price.blended_per_million
        fitting = [
            model
            for model in self.all()
            if model.cls in classes and model.price and not model.price.free
            if model.price.blended_per_million < ceiling
        ]
        return sorted(fitting, key=lambda model: -model.intelligence)

    def free(self, classes: Sequence[str]) -> list[ModelInfo]:
        """The free remote models, best first."""
        return self.affordable(("free",), len(self._models)) if "free" in classes else []

    def local(self) -> ModelInfo | None:
        """The model on this machine."""
        return self._local

    def pool(self, classes: Sequence[str]) -> list[ModelInfo]:
        """Models that can be resident."""
        fitting = sorted((m for m in self._models.values() if m.cls in classes), key=lambda model: model.id)
        return [model for model in fitting if model.cls != "local"] or fitting

    def fast(self, classes: Sequence[str]) -> ModelInfo | None:
        """The best fast model."""
        return next((m for m in self.affordable(classes, len(self._models)) if m.fast), None)

    def choose(self, model_id: str, classes: Sequence[str]) -> ModelInfo:
        """The model with this full id, if it may be used. Raises ModelChoiceError with the reason and other names."""
        model = self.get(model_id)
        if model.cls is None:
            raise ModelChoiceError(f"The price of {model_id} is unknown, and unknown is not free.")
        if model.cls not in classes:
            others = ", ".join(other.id for other in self.affordable(classes, 3))
            raise ModelChoiceError(
                f"{model_id} is {model.cls}, too dear at this balance.", hint=f"Affordable: {others}."
            )
        return model

    def cheapest_call_nanos(self, prompt_bound_tokens: int, completion_cap_tokens: int) -> int:
        """The worst case of the cheapest paid call there is; 0 when no model costs anything."""
        costs = (
            model.price.worst_case_nanos(prompt_bound_tokens, completion_cap_tokens)
            for model in self._models.values()
            if model.price is not None and not model.price.free
        )
        return min(costs, default=0)

    def _fill(self, raw: Iterable[Mapping[str, Any]]) -> None:
        models = [model for entry in raw if (model := _parse(entry, self._provider))] if self._remote else []
        if self._local is not None:
            models.append(self._local)
        self._models = {model.id: model for model in models}


def _parse(entry: Any, provider: str) -> ModelInfo | None:
    """A model from one entry of OpenRouter's GET /models (its OpenAPI, schema `Model`); None if it makes no sense."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str):
        return None
    supported, pricing, context = (entry.get(key) for key in ("supported_parameters", "pricing", "context_length"))
    supported = supported if isinstance(supported, list) else []
    return ModelInfo(
        id=entry["id"],
        name=str(entry.get("name") or entry["id"]).split(": ")[-1].removesuffix(" (free)"),
        provider=provider,
        price=_price(entry["id"], pricing if isinstance(pricing, Mapping) else {}),
        context_tokens=context if isinstance(context, int) and context > 0 else 4096,
        supports_tools="tools" in supported,
        reasons="reasoning" in supported,
    )


def _price(model_id: str, pricing: Mapping[str, Any]) -> Price | None:
    """Free by the suffix `:free` or by two explicit zeros; a missing or negative price is unknown."""
    if model_id.lower().endswith(":free"):
        return Price(Decimal(0), Decimal(0))
    prompt, completion = _decimal(pricing.get("prompt")), _decimal(pricing.get("completion"))
    request = _decimal(pricing.get("request", "0"))
    if prompt is None or completion is None or request is None:
        return None
    return Price(prompt, completion, request, _decimal(pricing.get("input_cache_read")))


def _decimal(text: Any) -> Decimal | None:
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        return None
    return value if value.is_finite() and value >= 0 else None


def _by_price(model: ModelInfo) -> tuple[int, Decimal, str]:
    rank = CLASSES.index(model.cls) if model.cls else len(CLASSES)
    return rank, model.price.blended_per_million if model.price else Decimal(0), model.id
