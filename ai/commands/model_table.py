"""How the catalogue is shown: a table of what this balance allows and why not, JSON for programs, the written page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ai.economy.tiers import TIERS, Tier
from ai.models.affording import why_not
from ai.models.catalogue import SNAPSHOT
from ai.models.model_config import CEILINGS, CLASSES, DEFAULT_OPENROUTER_MODEL, ModelInfo
from ai.models.pricing import PER_MILLION, Price
from ai.models.reading import read_model

HEADINGS = ("", "model", "class", "$ per million in / out", "mind", "context", "tools", "why not")
FOOT = "→ is the resident model. “mind” is how intelligent a model is held to be, from 1 to 10."


@dataclass(frozen=True, slots=True)
class Looking:
    """What decides whether a model can think: the tier, what there is to spend (nano-dollars, None: never opened), the
    day, who is resident, and by id until when a model is left alone and why."""

    tier: Tier
    spare_nanos: int | None
    today: date
    resident: str
    resting: Mapping[str, str]

    def why_not(self, model: ModelInfo) -> str:
        """Why this balance does not let a model think daily thoughts, or nothing."""
        if reason := why_not(model, self.today, self.tier.classes, self.spare_nanos):
            return reason
        return f"resting until {self.resting[model.id]}" if model.id in self.resting else ""


def table(models: Iterable[ModelInfo], looking: Looking) -> str:
    """The lines of a table for people."""
    rows = [
        (
            "→" if model.id == looking.resident else "",
            *_cells(model),
            looking.why_not(model),
        )
        for model in models
    ]
    widths = [max(len(row[column]) for row in (HEADINGS, *rows)) for column in range(len(HEADINGS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (HEADINGS, *rows))
    return "\n".join([*(line.rstrip() for line in lines), "", FOOT])


def as_json(model: ModelInfo, looking: Looking) -> dict[str, object]:
    """One model as programs get it; amounts are exact decimal strings in US dollars per million tokens."""
    price, reason = model.price, looking.why_not(model)
    return {
        "id": model.id,
        "name": model.name,
        "provider": model.provider,
        "class": model.cls,
        "intelligence": model.intelligence,
        "prompt_per_million": None if price is None else _decimal(price.prompt),
        "completion_per_million": None if price is None else _decimal(price.completion),
        "context_tokens": model.context_tokens,
        "tools": model.supports_tools,
        "fast": model.fast,
        "expires_on": None if model.expires_on is None else model.expires_on.isoformat(),
        "allowed": not reason,
        "why_not": reason or None,
        "resident": model.id == looking.resident,
    }


def page() -> str:
    """docs/OPENROUTER_MODELS.md: the packaged models of OpenRouter, class by class; one snapshot, one page."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    read = [model for entry in snapshot["data"] if (model := read_model(entry, "openrouter"))]
    models = sorted(
        (model for model in read if model.cls and not model.unfit),
        key=lambda model: (-model.intelligence, model.price.blended_per_million if model.price else 0, model.id),
    )
    sections = [_section(name, [model for model in models if model.cls == name]) for name in CLASSES if name != "local"]
    return INTRODUCTION.format(date=snapshot["date"], default=DEFAULT_OPENROUTER_MODEL) + "".join(sections) + CHOOSING


def _section(name: str, models: Sequence[ModelInfo]) -> str:
    heads = ("Model", "in / out, $ per million", "Mind", "Context", "Tools")
    lines = [f"| {' | '.join(heads)} |", "|---|---:|---:|---:|---|"]
    for model in models:
        _, price, mind, context, tools = _cells(model)[1:]
        lines.append(f"| `{model.id}` | {price} | {mind} | {context} | {tools} |")
    return "\n".join([f"## {name}", "", _meaning(name), "", *lines, "", ""])


def _meaning(name: str) -> str:
    """What a class means, in words made of the tables that enforce it."""
    daily = [tier.name for tier in TIERS if name in tier.classes]
    rare = [tier.name for tier in TIERS if name in tier.existential_classes]
    allowed = (
        f"Daily thoughts may use it while the balance is {_or(daily)}."
        if daily
        else f"Only for existential moments while the balance is {_or(rare)}, and for the last words."
    )
    ceilings = dict(CEILINGS)
    if name == "free":
        return f"Costs nothing: the id ends in `:free`, or all prices are explicitly zero. {allowed}"
    if name in ceilings:
        return f"Up to ${ceilings[name]} per million tokens, blended (three parts in, one part out). {allowed}"
    return f"Above ${CEILINGS[-1][1]} per million tokens, blended (three parts in, one part out). {allowed}"


INTRODUCTION = """# Models on OpenRouter

What the being knows of OpenRouter's models before it has asked, as of {date}. It fetches the whole list when it
starts and daily after that, so what counts is what `alive models` prints: every model at its price of today, and why
this balance does not allow it. This page is generated by `alive models --markdown`.

`{default}` thinks until somebody chooses another. “Mind” is how intelligent a model is held to be,
from 1 to 10: an opinion, kept in one table in `ai/models/model_config.py` beside the limits of the classes.

"""

CHOOSING = """## How to choose

- A free model costs nothing, and is fallen back on whenever money runs short; it may be slow or busy.
- For daily thoughts on a small budget, take the highest mind among `ultra_cheap`: a thought of 2,000 tokens in and
  300 out costs about $0.0004 there, at most.
- Take one that knows tools: without them the being chooses what to do in a second, shorter pass.
- `alive switch MODEL` makes one resident, and refuses what the balance cannot pay, with the nearest names it can.
- A model that ought to be here but has no known price is never called: unknown is not free.
"""


def _cells(model: ModelInfo) -> tuple[str, str, str, str, str, str]:
    context = f"{model.context_tokens:,}"
    tools = "yes" if model.supports_tools else "no"
    return model.id, model.cls or "unknown", _per_million(model.price), f"{model.intelligence}", context, tools


def _per_million(price: Price | None) -> str:
    if price is None:
        return "unknown"
    if price.free:
        return "free"
    request = f" + {_cents(price.request)} a call" if price.request else ""
    return f"{_cents(price.prompt * PER_MILLION)} / {_cents(price.completion * PER_MILLION)}{request}"


def _cents(usd: Decimal) -> str:
    """The exact amount, with at least two decimals."""
    whole, _, decimals = f"{usd.normalize():f}".partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _decimal(price: Decimal) -> str:
    return f"{(price * PER_MILLION).normalize():f}"


def _or(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
