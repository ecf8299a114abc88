"""Settings of the page. The only reader of the environment in `observer/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values
from pydantic import SecretStr

import vault
from ai.errors import SettingsError

LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Settings:
    """What the page needs to know before it starts; each field is the setting of the same name."""

    data_dir: Path = Path("data")  # DATA_DIR: where the store lies
    being: str = "genesis"  # BEING: whose life is shown
    host: str = "127.0.0.1"  # OBSERVER_HOST: the address to listen on
    port: int = 8085  # OBSERVER_PORT: 0 lets the system choose
    log_format: Literal["text", "json"] = "text"  # LOG_FORMAT
    token: SecretStr | None = None  # OBSERVER_TOKEN: None when it is to be made


def load_settings(environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")) -> Settings:
    """Settings from `environ` (default: the process's own) over `env_file`; an empty value counts as absent.

    Raises SettingsError with one sentence for a value that cannot be used.
    """
    given = {name: value for name, value in dotenv_values(env_file).items() if value}
    given |= {name: value for name, value in (os.environ if environ is None else environ).items() if value}
    default = Settings()
    return Settings(
        data_dir=Path(given.get("DATA_DIR", default.data_dir)).expanduser(),
        being=given.get("BEING", default.being),
        host=given.get("OBSERVER_HOST", default.host),
        port=_port(given.get("OBSERVER_PORT", str(default.port))),
        log_format=_log_format(given.get("LOG_FORMAT", default.log_format)),
        token=_token(given),
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > LARGEST_PORT:
        raise SettingsError(f"OBSERVER_PORT is “{text}”; it must be a number from 0 to {LARGEST_PORT}.")
    return int(text)


def _log_format(text: str) -> Literal["text", "json"]:
    match text:
        case "text" | "json":
            return text
        case _:
            raise SettingsError(f"LOG_FORMAT is “{text}”; it must be text or json.")


def _token(given: Mapping[str, str]) -> SecretStr | None:
    try:
        return vault.load(given).get("OBSERVER_TOKEN")
    except vault.VaultError as exc:
        raise SettingsError(str(exc)) from exc
