"""`alive models`: what this balance can afford and why not, for people, for programs and as a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from ai.cli import alive
from ai.commands.model_table import Looking, as_json, table
from ai.economy.tiers import COMFORTABLE, CRITICAL, TIERS, Tier
from ai.models.catalogue import packaged
from ai.models.model_config import ModelInfo, local_model
from ai.models.reading import read_model
from tests.parts import CHEAP, FREE, PREMIUM

ROOT = Path(__file__).parent.parent
TODAY = date(2026, 11, 21)
MODELS = {model.id: model for each in packaged("openrouter") if (model := read_model(each, "openrouter"))}
KEYS = {
    "id",
    "name",
    "provider",
    "class",
    "intelligence",
    "prompt_per_million",
    "completion_per_million",
    "context_tokens",
    "tools",
    "fast",
    "expires_on",
    "allowed",
    "why_not",
    "resident",
}


def unpriced(**more: object) -> ModelInfo:
    model = read_model({"id": "v/m", "pricing": {}} | more, "openrouter")
    assert model is not None
    return model


def test_the_page_in_the_repository_is_what_the_command_prints(tmp_path: Path) -> None:
    done = CliRunner().invoke(alive, ["models", "--markdown"], env={"DATA_DIR": str(tmp_path / "nothing")})
    assert done.exit_code == 0
    assert done.output == (ROOT / "docs/OPENROUTER_MODELS.md").read_text(encoding="utf-8")
    assert not (tmp_path / "nothing").exists(), "it needs no store"
    assert all(f"\n## {name}\n" in done.output for name in ("free", "ultra_cheap", "cheap", "premium"))


@pytest.mark.parametrize(
    ("model", "tier", "reason"),
    [
        (MODELS[FREE], CRITICAL, ""),
        (MODELS[CHEAP], COMFORTABLE, ""),
        (MODELS[PREMIUM], COMFORTABLE, "premium models are too dear at this balance"),
        (MODELS[CHEAP], CRITICAL, "cheap models are too dear at this balance"),
        (unpriced(), COMFORTABLE, "its price is unknown, and unknown is not free"),
        (replace(MODELS[CHEAP], expires_on=date(2026, 11, 20)), COMFORTABLE, "expired on 2026-11-20"),
        (MODELS["openrouter/auto"], COMFORTABLE, "its price is unknown, and unknown is not free"),
        (MODELS["openai/gpt-oss-20b:free"], CRITICAL, "resting until 13:00 (rate limit)"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_model_that_is_not_allowed_says_why_not(model: ModelInfo, tier: Tier, reason: str) -> None:
    resting = {"openai/gpt-oss-20b:free": "13:00 (rate limit)"}
    looking = Looking(tier, None, TODAY, FREE, resting)
    assert looking.why_not(model) == reason
    said = as_json(model, looking)
    assert said.keys() == KEYS
    assert (said["allowed"], said["why_not"]) == (not reason, reason or None)
    assert reason in table([model], looking)


def test_the_table_shows_each_model_once_under_one_heading() -> None:
    lines = table([local_model(), *MODELS.values()], Looking(CRITICAL, None, TODAY, FREE, {})).splitlines()
    assert lines[0].split("  ")[0].strip() == ""
    assert all(word in lines[0] for word in ("model", "class", "$ per million in / out", "mind", "context", "why not"))
    (resident,) = [line for line in lines if line.startswith("→ ") and "resident model" not in line]
    assert FREE in resident
    (haiku,) = [line for line in lines if f" {CHEAP} " in line]
    assert "0.25 / 1.25" in haiku
    assert haiku.endswith("cheap models are too dear at this balance")


def test_every_tier_has_a_model_it_allows() -> None:
    for tier in TIERS:
        assert any(not Looking(tier, 0, TODAY, FREE, {}).why_not(model) for model in MODELS.values())
