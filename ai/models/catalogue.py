"""Every model that could think: the packaged snapshot, the last good copy in the store, the provider's live list.

Where a provider's own list names no prices, they come from what it publishes (`list_prices`), and the keeper's own
prices go before both.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai.clock import Clock, to_ms
from ai.errors import ModelChoiceError
from ai.models import list_prices
from ai.models.affording import why_not
from ai.models.model_config import CLASSES, ModelInfo
from ai.models.pricing import FREE, Price
from ai.models.reading import read_model
from ai.store.engine import Store
from ai.store.model_lists import fetched_at_ms, keep_models, read_models

SNAPSHOT = Path(__file__).with_name("snapshot.json")
ANY_OLLAMA = {"supported_parameters": ["response_format"]}  # each keeps to a schema; only some know tools


class Catalogue:
    """The models of one provider and the local one, by id.

    `prices` are the keeper's own, by id. `everything_free` is for a provider that runs on the keeper's own machine
    (Ollama): each of its models is free. Every method that picks models leaves out those that cannot think any more.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        being: str,
        provider: str,
        local: ModelInfo | None,
        *,
        prices: Mapping[str, Price] | None = None,
        everything_free: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._being = being
        self._provider = provider
        self._local = local
        self._prices = prices or {}
        self._everything_free = everything_free
        self._models: dict[str, ModelInfo] = {}  # the cheapest first
        self._cheapest: dict[tuple[date, int, int], int] = {}

    async def load(self) -> None:
        """Fill from the last good copy in the store, else from what is packaged."""
        raw = await self._store.read(lambda t: read_models(t, self._being, self._provider))
        self._fill(packaged(self._provider) if raw is None else raw)

    async def update(self, raw: list[Any]) -> None:
        """Take the provider's own list (`data` of its GET /models) and keep it as the last good copy."""
        self._fill(raw)
        plain = json.loads(json.dumps(raw, default=str))
        at_ms = to_ms(self._clock.now())
        await self._store.write(lambda t: keep_models(t, self._being, self._provider, plain, at_ms))

    async def is_fresh(self, longest_s: float) -> bool:
        """Whether the provider's own list was read at most so many seconds ago."""
        at_ms = await self._store.read(lambda t: fetched_at_ms(t, self._being, self._provider))
        return at_ms is not None and to_ms(self._clock.now()) - at_ms <= longest_s * 1000

    def makes_sense(self, raw: Sequence[Any]) -> bool:
        """Whether a list holds a single model that could think: an empty or broken one replaces nothing."""
        return any(model.cls and model.usable_on(self.today) for model in self._read(raw))

    @property
    def today(self) -> date:
        """The day by the clock (UTC)."""
        return self._clock.now().date()

    def all(self) -> list[ModelInfo]:
        """Every model, the cheapest first, usable or not."""
        return list(self._models.values())

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
        return sorted(self._usable(classes), key=_best_first)[:limit]

    def best(self, classes: Sequence[str]) -> ModelInfo | None:
        """The most intelligent model of the highest of these classes there is one of, the cheapest of equals."""
        return max(self._usable(classes), key=lambda model: (_rank(model), model.intelligence), default=None)

    def cheaper(self, than: ModelInfo, classes: Sequence[str]) -> list[ModelInfo]:
        """Paid models of the same provider and these classes that cost less, the best first."""
        if than.price is None:
            return []
        limit = than.price.blended_per_million
        paid = (model for model in self._usable(classes) if model.provider == than.provider and model.cls != "free")
        return sorted((model for model in paid if _blended(model) < limit), key=_best_first)

    def free(self, classes: Sequence[str] = CLASSES) -> list[ModelInfo]:
        """The free remote models, the most intelligent first; none where these classes leave them out."""
        return sorted((model for model in self._usable(classes) if model.cls == "free"), key=_best_first)

    def local(self) -> ModelInfo | None:
        """The model on this machine, or None when it is turned off."""
        return self._local

    def fast(self, classes: Sequence[str]) -> ModelInfo | None:
        """The best of the quick remote models of these classes, for short moments."""
        quick = (
            model for model in self._usable(classes) if model.fast and model.supports_schema and model.cls != "local"
        )
        return min(quick, key=_best_first, default=None)

    def pool(self, classes: Sequence[str]) -> list[ModelInfo]:
        """The models of these classes that can be resident, by id; the local one only when there is no other."""
        fitting = sorted(self._usable(classes), key=lambda model: model.id)
        return [model for model in fitting if model.cls != "local"] or fitting

    def choose(self, model_id: str, classes: Sequence[str], spare_nanos: int | None = None) -> ModelInfo:
        """The model with this full id, if it may be used and `spare_nanos` can pay a thought with it.

        Raises ModelChoiceError with the reason and the nearest affordable names.
        """
        model = self.get(model_id)
        if reason := why_not(model, self.today, classes, spare_nanos):
            hint = "" if model.cls else "MODEL_PRICES gives it one. "
            near = self._nearest(model, classes, spare_nanos)
            raise ModelChoiceError(f"{model_id} cannot be chosen: {reason}.", hint=f"{hint}{near}".strip())
        return model

    def cheapest_call_nanos(self, prompt_bound_tokens: int, completion_cap_tokens: int) -> int:
        """The worst case of the cheapest paid call there is; 0 when no model costs anything.

        Asked at every thought, and the same until the list or the day changes: so it is reckoned once.
        """
        asked = (self.today, prompt_bound_tokens, completion_cap_tokens)
        if asked not in self._cheapest:
            prices = [m.price for m in self._usable(CLASSES) if m.price is not None and not m.price.free]
            costs = (price.worst_case_nanos(prompt_bound_tokens, completion_cap_tokens) for price in prices)
            self._cheapest = {asked: min(costs, default=0)}
        return self._cheapest[asked]

    def _nearest(self, wanted: ModelInfo, classes: Sequence[str], spare_nanos: int | None) -> str:
        """The affordable models whose price is nearest to the wanted one's; of equals, the most intelligent."""
        price = _blended(wanted) if wanted.price else Decimal(0)
        able = [m for m in self._models.values() if not why_not(m, self.today, classes, spare_nanos)]
        able.sort(key=lambda model: (abs(_blended(model) - price), *_best_first(model)))
        return f"Affordable: {', '.join(model.id for model in able[:3])}." if able else "Nothing is affordable now."

    def _usable(self, classes: Sequence[str]) -> list[ModelInfo]:
        """Those of these classes that can think today, the cheapest first."""
        today = self.today
        return [model for model in self._models.values() if model.cls in classes and model.usable_on(today)]

    def _fill(self, raw: Iterable[Any]) -> None:
        models = [] if self._provider == "local" else self._read(raw)
        if self._local is not None:
            models.append(self._local)
        self._models = {model.id: model for model in sorted(models, key=_by_price)}
        self._cheapest = {}

    def _read(self, raw: Iterable[Any]) -> list[ModelInfo]:
        published = list_prices.entries(self._provider)
        joined = (_joined(entry, self._provider, published) for entry in raw)
        return [self._priced(model) for entry in joined if (model := read_model(entry, self._provider))]

    def _priced(self, model: ModelInfo) -> ModelInfo:
        """With the keeper's own price, where there is one."""
        price = self._prices.get(model.id, FREE if self._everything_free else model.price)
        return replace(model, price=price)


def packaged(provider: str) -> list[Any]:
    """What is known of a provider's models before it was ever asked, in the shape of OpenRouter's GET /models."""
    if provider == "openrouter":
        return list(json.loads(SNAPSHOT.read_text(encoding="utf-8"))["data"])
    return list(list_prices.entries(provider).values())


def _joined(entry: Any, provider: str, published: Mapping[str, Mapping[str, Any]]) -> Any:
    """One entry of a provider's own list together with what it publishes elsewhere."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or provider == "openrouter":
        return entry
    model_id = entry["id"].removeprefix("models/")  # Gemini's way of naming them
    context = {"context_length": entry.get("context_window")}  # Groq's word for it
    known = published.get(model_id, ANY_OLLAMA if provider == "ollama" else {})
    return {**context, **known, "id": model_id}


def _rank(model: ModelInfo) -> int:
    return CLASSES.index(model.cls) if model.cls else len(CLASSES)


def _blended(model: ModelInfo) -> Decimal:
    return model.price.blended_per_million if model.price else Decimal(0)


def _by_price(model: ModelInfo) -> tuple[int, Decimal, str]:
    return _rank(model), _blended(model), model.id


def _best_first(model: ModelInfo) -> tuple[int, Decimal, str]:
    return -model.intelligence, _blended(model), model.id
