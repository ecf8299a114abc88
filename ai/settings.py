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

SECOND_DEFAULT_S, LOCAL_DEFAULT_S = 600.0, 60.0
HINTS = {
    "MONTHLY_BUDGET": "Write US dollars a month, for example 5.00.",
    "THINK_INTERVAL_SECONDS": "Write seconds between thoughts, for example 600.",
    "LLM_TIMEOUT_SECONDS": "Write seconds one attempt may take, for example 90.",
    "LLM_PROVIDER": "Choose openrouter or local.",
    "BEING": "Use lower-case letters, digits and dashes, for example genesis.",
    "OBSERVER_PORT": "Choose a number from 0 to 65535, for example 8085.",
    "ON_BANKRUPTCY": "Choose hibernate or die.",
    "OPENROUTER_KEY_EXCLUSIVE": "Choose true or false.",
    "LOG_FORMAT": "Choose text or json.",
    "OPENROUTER_BASE_URL": "Write an address such as https://openrouter.ai/api/v1.",
    "X_API_BASE_URL": "Write an address such as https://api.twitter.com.",
    "POSTING": "Choose on, dry_run or off.",
    "POST_LINKS": "Choose true or false.",
    "KEEPER": "Write your name or your handle on X, at most 60 characters, for example @your_name.",
}


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


def _local_model(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


class Settings(BaseModel):
    """What the keeper chose, or the defaults; each field names its variable."""

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
    llm_provider: Literal["openrouter", "local"] = Field(
        "local",
        alias="LLM_PROVIDER",
        description="whose models think; openrouter when its key is there, else local",
    )
    llm_timeout_s: float = Field(
        90.0, alias="LLM_TIMEOUT_SECONDS", gt=0, le=86_400, description="longest one attempt may take"
    )
    openrouter_base_url: Annotated[str, AfterValidator(_address)] = Field(
        "https://openrouter.ai/api/v1", alias="OPENROUTER_BASE_URL", description="its address"
    )
    openrouter_key_exclusive: bool = Field(
        False,
        alias="OPENROUTER_KEY_EXCLUSIVE",
        description="nobody but this being uses the key: the provider's month may close calls of unknown cost",
    )
    openrouter_default_model: str | None = Field(
        None, alias="OPENROUTER_DEFAULT_MODEL", description="the first resident model; a free one by default"
    )
    local_model_path: Annotated[Path | None, BeforeValidator(_local_model)] = Field(
        Path("packaged"), alias="LOCAL_MODEL_PATH", description="a GGUF file; none turns the local model off"
    )
    on_bankruptcy: Literal["hibernate", "die"] = Field(
        "hibernate", alias="ON_BANKRUPTCY", description="what becomes of it when the money has run out"
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
    chosen = dict(environ)
    chosen.setdefault("LLM_PROVIDER", "openrouter" if "OPENROUTER_API_KEY" in secrets else "local")
    chosen.setdefault(
        "THINK_INTERVAL_SECONDS",
        str(LOCAL_DEFAULT_S if chosen["LLM_PROVIDER"] == "local" else SECOND_DEFAULT_S),
    )
    try:
        return Settings.model_validate(chosen), secrets
    except ValidationError as exc:
        first = exc.errors()[0]
        name = str(first["loc"][0])
        shown = chosen.get(name, "")
        raise SettingsError(f"{name} cannot be “{shown}”.", hint=HINTS.get(name, "")) from exc
