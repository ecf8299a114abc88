"""Typed settings: the only place in ai/ where the environment is read. Secrets are not among them (see vault/)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

import vault
from ai.economy.money import parse_usd
from ai.errors import MoneyError, SettingsError
from ai.llm.dialects.registry import dialects
from ai.models.pricing import REASONING_HEADROOM_TOKENS, Price, parse_prices

LOCAL = "local"
PROVIDERS = (*dialects(), LOCAL)
SECOND_DEFAULT_S, LOCAL_DEFAULT_S = 600.0, 60.0
HINTS = {
    "MONTHLY_BUDGET": "Write US dollars a month, for example 5.00.",
    "THINK_INTERVAL_SECONDS": "Write seconds between thoughts, for example 600.",
    "LLM_TIMEOUT_SECONDS": "Write seconds one attempt may take, for example 90.",
    "LLM_PROVIDER": f"Choose {', '.join(PROVIDERS[:-1])} or {LOCAL}.",
    "BEING": "Use lower-case letters, digits and dashes, for example genesis.",
    "OBSERVER_PORT": "Choose a number from 0 to 65535, for example 8085.",
    "ON_BANKRUPTCY": "Choose hibernate or die.",
    "OPENROUTER_KEY_EXCLUSIVE": "Choose true or false.",
    "LOG_FORMAT": "Choose text or json.",
    "BOOTSTRAP_MODE": "Choose blank_slate, basic_facts or full_briefing.",
    "REBIRTH_SECONDS": "Write seconds, as 30 or 10-60, or none.",
    "LIFESPAN_DAYS": "Write days, for example 30.",
    "REASONING_HEADROOM_TOKENS": "Write a number of tokens, for example 1024.",
    "MODEL_PRICES": "Write name=prompt/completion in US dollars per million tokens, for example my-model=0.15/0.60.",
    "X_API_BASE_URL": "Write an address such as https://api.twitter.com.",
    "POSTING": "Choose on, dry_run or off.",
    "POST_LINKS": "Choose true or false.",
    "KEEPER": "Write your name or your handle on X, at most 60 characters, for example @your_name.",
} | {f"{name.upper()}_BASE_URL": f"Write an address such as {each.base_url}." for name, each in dialects().items()}


def _nanos(value: Any) -> Any:
    try:
        return parse_usd(value) if isinstance(value, str) else value
    except MoneyError as exc:
        raise ValueError(exc.message) from exc


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no http address")
    return value


def _provider(value: str) -> str:
    if value not in PROVIDERS:
        raise ValueError("no provider of that name")
    return value


def _prices(value: Any) -> Any:
    return parse_prices(value) if isinstance(value, str) else value


def _local_model(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _span(value: Any) -> Any:
    """ "10-60" or "30", in seconds; "none" is nothing."""
    if not isinstance(value, str):
        return value
    if value.lower() == "none":
        return None
    first, _, last = value.partition("-")
    low, high = float(first), float(last or first)
    if not 0 <= low <= high <= 366 * 86_400:
        raise ValueError("no span")
    return low, high


Address = Annotated[str, AfterValidator(_address)]


class Reach(BaseModel):
    """Where a provider is, and which of its models thinks until somebody chooses another."""

    model_config = ConfigDict(frozen=True)

    base_url: Address
    default_model: str


REACHES = {name: Reach(base_url=each.base_url, default_model=each.default_model) for name, each in dialects().items()}
REACH_VARIABLES = {(name, field): f"{name}_{field}".upper() for name in REACHES for field in Reach.model_fields}


class Settings(BaseModel):
    """What the keeper chose, or the defaults; each field names its variable, `providers` has those of every dialect."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    monthly_budget_nanos: Annotated[int, BeforeValidator(_nanos)] = Field(
        5_000_000_000, alias="MONTHLY_BUDGET", ge=0, description="US dollars granted each month"
    )
    think_interval_s: float = Field(
        SECOND_DEFAULT_S,
        alias="THINK_INTERVAL_SECONDS",
        gt=0,
        le=366 * 86_400,
        description="seconds from one thought to the next; 60 by default with the local model, else 600",
    )
    llm_provider: Annotated[str, AfterValidator(_provider)] = Field(
        LOCAL, alias="LLM_PROVIDER", description="whose models think; openrouter when its key is there, else local"
    )
    providers: Mapping[str, Reach] = Field(REACHES, description="where each provider is; X_BASE_URL, X_DEFAULT_MODEL")
    llm_timeout_s: float = Field(
        90.0, alias="LLM_TIMEOUT_SECONDS", gt=0, le=86_400, description="longest one attempt may take"
    )
    openrouter_key_exclusive: bool = Field(
        False,
        alias="OPENROUTER_KEY_EXCLUSIVE",
        description="nobody but this being uses the key: the provider's month may close calls of unknown cost",
    )
    model_prices: Annotated[Mapping[str, Price], BeforeValidator(_prices)] = Field(
        {},
        alias="MODEL_PRICES",
        description="prices the table does not know: name=prompt/completion in US dollars per million, comma separated",
    )
    reasoning_headroom_tokens: int = Field(
        REASONING_HEADROOM_TOKENS,
        alias="REASONING_HEADROOM_TOKENS",
        ge=0,
        le=1_000_000,
        description="tokens a reasoning model may think on top of the visible ones",
    )
    local_model_path: Annotated[Path | None, BeforeValidator(_local_model)] = Field(
        Path("packaged"), alias="LOCAL_MODEL_PATH", description="a GGUF file; none turns the local model off"
    )
    on_bankruptcy: Literal["hibernate", "die"] = Field(
        "hibernate", alias="ON_BANKRUPTCY", description="what becomes of it when the money has run out"
    )
    bootstrap_mode: Literal["blank_slate", "basic_facts", "full_briefing"] | None = Field(
        None, alias="BOOTSTRAP_MODE", description="how much a life is told at its birth; by life number when absent"
    )
    rebirth_s: Annotated[tuple[float, float] | None, BeforeValidator(_span)] = Field(
        (10.0, 60.0),
        alias="REBIRTH_SECONDS",
        description="shortest and longest time from a death to the next birth; none: no rebirth",
    )
    lifespan_days: float | None = Field(
        None, alias="LIFESPAN_DAYS", gt=0, le=36_500, description="days a life lasts at most; no limit when absent"
    )
    x_api_base_url: Annotated[str, AfterValidator(_address)] = Field(
        "https://api.twitter.com", alias="X_API_BASE_URL", description="where X is"
    )
    posting: Literal["on", "dry_run", "off"] = Field(
        "on",
        alias="POSTING",
        description="whether posts go to X, once its four keys are there; dry_run only shows them",
    )
    post_links: bool = Field(
        False, alias="POST_LINKS", description="whether posts on X may hold links, at 13 times the price"
    )
    keeper: str | None = Field(
        None, alias="KEEPER", max_length=60, description="who answers for the being: a name, or a handle on X"
    )
    data_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        Path("data"), alias="DATA_DIR", description="where the store lives"
    )
    being: str = Field("genesis", alias="BEING", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="the being's id")
    observer_host: str = Field("127.0.0.1", alias="OBSERVER_HOST", description="where the page listens")
    observer_port: int = Field(8085, alias="OBSERVER_PORT", ge=0, le=65535, description="the page's port")
    log_format: Literal["text", "json"] = Field("text", alias="LOG_FORMAT", description="text or json")


VARIABLES = (*(each.alias for each in Settings.model_fields.values() if each.alias), *REACH_VARIABLES.values())
"""The name of every setting there is; the secrets' names stand in the vault."""


def environment(dotenv: Path = Path(".env")) -> dict[str, str]:
    """The process's environment over what `.env` says; an empty value is an absent one."""
    merged: dict[str, str] = {}
    for source in (dotenv_values(dotenv, interpolate=False), os.environ):
        merged |= {name: value for name, value in source.items() if value and value.strip()}
    return merged


def load(environ: Mapping[str, str] | None = None) -> tuple[Settings, vault.Secrets]:
    """Settings and secrets from `environ` (default: the process's and `.env`).

    Raises SettingsError, one sentence naming the variable, for a value that cannot be used.
    """
    environ = environment() if environ is None else environ
    try:
        secrets = vault.load(environ)
    except vault.VaultError as exc:
        raise SettingsError(str(exc)) from exc
    chosen: dict[str, Any] = dict(environ)
    chosen.setdefault("LLM_PROVIDER", "openrouter" if "OPENROUTER_API_KEY" in secrets else LOCAL)
    chosen.setdefault(
        "THINK_INTERVAL_SECONDS", str(LOCAL_DEFAULT_S if chosen["LLM_PROVIDER"] == LOCAL else SECOND_DEFAULT_S)
    )
    chosen["providers"] = _reaches(environ)
    try:
        return Settings.model_validate(chosen), secrets
    except ValidationError as exc:
        where = exc.errors()[0]["loc"]
        name = REACH_VARIABLES.get((str(where[1]), str(where[-1])), str(where[0])) if len(where) > 1 else str(where[0])
        raise SettingsError(f"{name} cannot be “{environ.get(name, '')}”.", hint=HINTS.get(name, "")) from exc


def _reaches(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What the environment says of each provider over what its dialect says."""
    reaches = {name: reach.model_dump() for name, reach in REACHES.items()}
    for (name, field), variable in REACH_VARIABLES.items():
        if variable in environ:
            reaches[name][field] = environ[variable]
    return reaches
