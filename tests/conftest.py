"""What every test may ask for: a clock, a store, a purse, an OpenRouter, settings; and an environment of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

import vault
import vault.loader
from ai import settings as ai_settings
from ai.app import Being, open_being
from ai.clock import VirtualClock
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.life.identity import default_identity
from ai.llm.scripted import Scripted
from ai.settings import Settings
from ai.store.engine import Store
from ai.store.journal import Journal
from tests.lines import Line
from tests.openrouter_server import OpenRouterServer
from tests.parts import BEING, FREE, GRANT, NOON, RESERVE, fresh_store, imbalance
from tests.x_server import XServer

# Tests run in folders of their own, so hypothesis is told where to keep what it works out; a busy machine is no bug.
set_hypothesis_home_dir(str(Path(__file__).resolve().parents[1] / ".hypothesis"))
hypothesis.settings.register_profile("alive", deadline=None)
hypothesis.settings.load_profile("alive")

A_DAY_S = 86_401
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

MakeSettings = Callable[..., tuple[Settings, vault.Secrets]]


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, secret, proxy or `.env` of whoever runs the tests is seen by them."""
    for name in (*ai_settings.VARIABLES, *vault.SECRETS, *(f"{secret}_FILE" for secret in vault.SECRETS)):
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    # The folders in which credentials.json is looked for may hold the developer's own.
    monkeypatch.setattr(vault.loader.load, "__defaults__", ((), tmp_path / "no-secrets"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder with a migrated store in it that nobody has open."""
    return fresh_store(tmp_path / "data")


@pytest.fixture
def store(data_dir: Path) -> Iterator[Store]:
    store = Store.open(data_dir)
    yield store
    store.close()


@pytest.fixture
def journal(store: Store, clock: VirtualClock) -> Journal:
    return Journal(store, clock, BEING, vault.Redactor({}).json)


@pytest.fixture
def tracker(store: Store, journal: Journal, clock: VirtualClock) -> CreditTracker:
    """A purse with an allowance of $5 a month, of which $0.10 are the reserve."""
    return CreditTracker(store, journal, clock, BEING, Allowance(GRANT, RESERVE))


@pytest.fixture
def openrouter() -> Iterator[OpenRouterServer]:
    with OpenRouterServer() as server:
        yield server


@pytest.fixture
async def line(
    openrouter: OpenRouterServer, store: Store, tracker: CreditTracker, clock: VirtualClock
) -> AsyncIterator[Line]:
    line = Line(openrouter, store, tracker, clock, Scripted(["I think on this machine."], name="local"))
    await tracker.open_month()
    await line.catalogue.update(await line.openrouter.list_models())
    yield line
    await line.openrouter.aclose()
    assert await imbalance(store) == 0
    assert openrouter.violations == []


@pytest.fixture
def x(clock: VirtualClock) -> Iterator[XServer]:
    """An X whose posts, rate windows and lags go by the virtual clock."""
    with XServer(clock=clock.now) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> MakeSettings:
    """Settings and secrets from exactly the variables given; the store is at `tmp_path/data`."""

    def make(**chosen: str) -> tuple[Settings, vault.Secrets]:
        return ai_settings.load({"DATA_DIR": str(tmp_path / "data"), "OBSERVER_PORT": "0"} | chosen)

    return make


@pytest.fixture
async def being(settings: MakeSettings, clock: VirtualClock) -> AsyncIterator[Being]:
    """A whole being, born a day ago, with a free resident model; its models say what they are told to."""
    chosen, secrets = settings(
        LLM_PROVIDER="openrouter", OPENROUTER_API_KEY="sk-or-v1-nobody", OPENROUTER_DEFAULT_MODEL=FREE
    )
    clock.advance(-A_DAY_S)
    providers = {name: Scripted(name=name) for name in ("openrouter", "local")}
    async with open_being(chosen, secrets, clock, providers) as being:
        await being.birth.ensure(default_identity(BEING))
        clock.advance(A_DAY_S)
        yield being
