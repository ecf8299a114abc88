"""Settings: the defaults others rely on, and one sentence for every value that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from ai import settings as ai_settings
from ai.errors import SettingsError
from ai.models.pricing import Price
from ai.settings import Reach
from tests.conftest import MakeSettings

ROOT = Path(__file__).resolve().parents[1]

KEY = "sk-or-v1-nobody-knows-me"

DEFAULTS = {
    "monthly_budget_nanos": 5_000_000_000,
    "think_interval_s": 60.0,
    "llm_provider": "local",
    "llm_timeout_s": 90.0,
    "reasoning_headroom_tokens": 1024,
    "model_prices": {},
    "being": "genesis",
    "data_dir": Path("data"),
    "observer_host": "127.0.0.1",
    "observer_port": 8085,
    "log_format": "text",
}

BAD = [
    ("MONTHLY_BUDGET", "a lot"),
    ("MONTHLY_BUDGET", "-1"),
    ("MONTHLY_BUDGET", "nan"),
    ("MONTHLY_BUDGET", "0.0000000001"),
    ("MONTHLY_BUDGET", "1e999999999"),
    ("THINK_INTERVAL_SECONDS", "often"),
    ("THINK_INTERVAL_SECONDS", "0"),
    ("THINK_INTERVAL_SECONDS", "-5"),
    ("THINK_INTERVAL_SECONDS", "inf"),
    ("THINK_INTERVAL_SECONDS", "nan"),
    ("LLM_TIMEOUT_SECONDS", "0"),
    ("LLM_TIMEOUT_SECONDS", "inf"),
    ("LLM_TIMEOUT_SECONDS", "1e300"),
    ("LLM_PROVIDER", "skynet"),
    ("BEING", "../../etc"),
    ("BEING", "Genesis"),
    ("OBSERVER_PORT", "http"),
    ("OBSERVER_PORT", "65536"),
    ("LOG_FORMAT", "xml"),
    ("OPENROUTER_BASE_URL", "openrouter.ai"),
    ("OPENROUTER_BASE_URL", "file:///etc/passwd"),
    ("OPENROUTER_BASE_URL", "http://["),
    ("OLLAMA_BASE_URL", "localhost:11434"),
    ("REASONING_HEADROOM_TOKENS", "-1"),
    ("REASONING_HEADROOM_TOKENS", "some"),
    ("MODEL_PRICES", "my-model"),
    ("MODEL_PRICES", "my-model=0.15"),
    ("MODEL_PRICES", "my-model=free/free"),
    ("MODEL_PRICES", "my-model=-1/0"),
]

# Where each provider is and what thinks there, when nobody says otherwise (interfaces: the same three names for each).
REACHES = {
    "gemini": ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-flash"),
    "groq": ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
    "ollama": ("http://localhost:11434/v1", "llama3.2"),
    "openai": ("https://api.openai.com/v1", "gpt-4o-mini"),
    "openrouter": ("https://openrouter.ai/api/v1", "qwen/qwen3-coder:free"),
}


def test_without_anything_chosen_the_defaults_are_those_others_rely_on() -> None:
    chosen, secrets = ai_settings.load({})
    assert {name: getattr(chosen, name) for name in DEFAULTS} == DEFAULTS
    assert secrets == {}


def test_with_a_key_openrouter_thinks_every_ten_minutes(settings: MakeSettings) -> None:
    chosen, secrets = settings(OPENROUTER_API_KEY=KEY)
    assert (chosen.llm_provider, chosen.think_interval_s) == ("openrouter", 600.0)
    assert secrets["OPENROUTER_API_KEY"].get_secret_value() == KEY


def test_every_provider_is_where_it_is_known_to_be(settings: MakeSettings) -> None:
    chosen, _ = settings()
    assert {name: (reach.base_url, reach.default_model) for name, reach in chosen.providers.items()} == REACHES


@pytest.mark.parametrize("name", REACHES)
def test_every_provider_has_its_own_three_names(settings: MakeSettings, name: str) -> None:
    said = {"BASE_URL": "http://127.0.0.1:9/v1", "DEFAULT_MODEL": "my-model", "API_KEY": KEY}
    chosen, secrets = settings(LLM_PROVIDER=name, **{f"{name.upper()}_{field}": value for field, value in said.items()})
    assert chosen.llm_provider == name
    assert chosen.providers[name] == Reach(base_url=said["BASE_URL"], default_model=said["DEFAULT_MODEL"])
    assert {other: (it.base_url, it.default_model) for other, it in chosen.providers.items() if other != name} == {
        other: reach for other, reach in REACHES.items() if other != name
    }
    assert secrets[f"{name.upper()}_API_KEY"].get_secret_value() == KEY


def test_only_a_key_of_openrouter_chooses_a_provider_by_itself(settings: MakeSettings) -> None:
    assert settings(GEMINI_API_KEY=KEY, OPENAI_API_KEY=KEY)[0].llm_provider == "local"


def test_the_keepers_prices_are_read_as_dollars_per_million_tokens(settings: MakeSettings) -> None:
    prices = settings(MODEL_PRICES="my-model=0.15/0.60, vendor/other=0/0")[0].model_prices
    assert prices["my-model"] == Price(Decimal("0.00000015"), Decimal("0.0000006"))
    assert prices["vendor/other"].free


def test_settings_load_without_the_library_that_reaches_providers() -> None:
    code = "import sys, ai.settings; sys.exit('httpx' in sys.modules or 'sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_is_chosen_wins_over_what_a_key_suggests(settings: MakeSettings) -> None:
    chosen, _ = settings(OPENROUTER_API_KEY=KEY, LLM_PROVIDER="local")
    assert (chosen.llm_provider, chosen.think_interval_s) == ("local", 60.0)
    chosen, _ = settings(LLM_PROVIDER="openrouter", THINK_INTERVAL_SECONDS="0.5")
    assert (chosen.llm_provider, chosen.think_interval_s) == ("openrouter", 0.5)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_cannot_be_used_is_one_sentence_naming_its_variable(
    settings: MakeSettings, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as failed:
        settings(**{name: value})
    assert name in failed.value.message
    assert value in failed.value.message
    assert "\n" not in str(failed.value)
    assert failed.value.hint, "it says what to write instead"
    assert failed.value.exit_code == 2


def test_a_secret_that_cannot_be_read_is_one_sentence(settings: MakeSettings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no-such-file"):
        settings(OPENROUTER_API_KEY_FILE=str(tmp_path / "no-such-file"))


def test_money_is_read_exactly(settings: MakeSettings) -> None:
    assert settings(MONTHLY_BUDGET="$0.000000001")[0].monthly_budget_nanos == 1
    assert settings(MONTHLY_BUDGET="0")[0].monthly_budget_nanos == 0


def test_none_turns_the_local_model_off(settings: MakeSettings, tmp_path: Path) -> None:
    assert settings()[0].local_model_path is not None
    assert settings(LOCAL_MODEL_PATH="none")[0].local_model_path is None
    assert settings(LOCAL_MODEL_PATH=str(tmp_path / "m.gguf"))[0].local_model_path == tmp_path / "m.gguf"


def test_a_tilde_in_the_data_directory_is_the_home(settings: MakeSettings) -> None:
    assert settings(DATA_DIR="~/alive")[0].data_dir == Path.home() / "alive"


def test_the_environment_wins_over_dotenv_and_an_empty_value_is_an_absent_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BEING=of-dotenv\nMONTHLY_BUDGET=7\nLOG_FORMAT=\nOPENROUTER_API_KEY=a$b${c}#d\n")
    monkeypatch.setenv("BEING", "of-the-environment")
    monkeypatch.setenv("THINK_INTERVAL_SECONDS", "")
    chosen, secrets = ai_settings.load()
    assert (chosen.being, chosen.monthly_budget_nanos, chosen.log_format) == (
        "of-the-environment",
        7_000_000_000,
        "text",
    )
    assert secrets["OPENROUTER_API_KEY"].get_secret_value() == "a$b${c}#d", "a secret is taken as it stands"
    assert KEY not in repr(chosen)


def test_an_empty_variable_does_not_hide_what_dotenv_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MONTHLY_BUDGET=7\n")
    monkeypatch.setenv("MONTHLY_BUDGET", "")
    assert ai_settings.load()[0].monthly_budget_nanos == 7_000_000_000


def test_settings_cannot_be_changed_afterwards(settings: MakeSettings) -> None:
    chosen, _ = settings()
    with pytest.raises(ValueError, match="frozen"):
        chosen.being = "other"


def test_no_secret_is_a_setting(settings: MakeSettings) -> None:
    chosen, secrets = settings(OPENROUTER_API_KEY=KEY)
    assert KEY not in chosen.model_dump_json() + repr(chosen) + repr(secrets)
