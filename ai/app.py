"""The composition root: builds everything once and hands it in. The only module that knows everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import vault
from ai import log
from ai.actions.base import Hands
from ai.actions.registry import Registry
from ai.brain import Brain
from ai.clock import Clock, SystemClock
from ai.daemon import Daemon
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.governor import Governor
from ai.life.birth import Birth
from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.life.memory import Memory
from ai.llm.base import Provider
from ai.llm.local import LocalModel
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.router import Router
from ai.models.catalogue import Catalogue
from ai.models.model_config import DEFAULT_OPENROUTER_MODEL, LOCAL_MODEL_ID, local_model
from ai.models.refresher import Refresher
from ai.recollection import Recollection
from ai.senses import Senses
from ai.settings import Settings
from ai.social.timeline import Timeline
from ai.store.drafts import Drafts
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.migrate import migrate
from ai.store.pulse import Pulse
from ai.timer import SchedulerTimer

RESERVE_CAP_NANOS = 100_000_000  # about one premium worst case: 2,000 tokens in, 1,724 out at $15 and $75 a million


@dataclass(frozen=True, slots=True)
class Books:
    """What the commands that only touch money and models need."""

    store: Store
    journal: Journal
    tracker: CreditTracker
    catalogue: Catalogue
    lifecycle: Lifecycle


@dataclass(frozen=True, slots=True)
class Being:
    """A whole being, ready to live. `name` is what it is called until a birth names it."""

    name: str
    books: Books
    birth: Birth
    brain: Brain
    daemon: Daemon


@asynccontextmanager
async def open_books(settings: Settings, secrets: vault.Secrets, clock: Clock) -> AsyncIterator[Books]:
    """The store and what keeps its books. Raises StoreMissing and its kin."""
    store = Store.open(settings.data_dir)
    try:
        journal = Journal(store, clock, settings.being, vault.Redactor(secrets).json)
        allowance = Allowance(settings.monthly_budget_nanos, RESERVE_CAP_NANOS)
        local = local_model() if settings.local_model_path else None
        books = Books(
            store=store,
            journal=journal,
            tracker=CreditTracker(store, journal, clock, settings.being, allowance),
            catalogue=Catalogue(store, clock, settings.being, settings.llm_provider, local),
            lifecycle=Lifecycle(store, journal, clock, settings.being),
        )
        await books.catalogue.load()
        yield books
    finally:
        await asyncio.to_thread(store.close)


@asynccontextmanager
async def open_being(
    settings: Settings,
    secrets: vault.Secrets,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
) -> AsyncIterator[Being]:
    """Build a being over its (migrated) store, and take it apart again: callers first, the store last.

    `providers` replaces the real ones, for tests and for living a month in seconds.
    """
    clock = clock or SystemClock()
    await asyncio.to_thread(migrate, settings.data_dir)
    async with AsyncExitStack() as stack:
        books = await stack.enter_async_context(open_books(settings, secrets, clock))
        books.store.after_commit.append(log.speak)
        providers = _providers(settings, secrets) if providers is None else providers
        for provider in providers.values():
            stack.push_async_callback(provider.aclose)
        await books.tracker.recover()
        being = _assemble(settings, books, clock, providers)
        await _watch_catalogue(stack, settings, books, clock, providers)
        yield being


def _assemble(settings: Settings, books: Books, clock: Clock, providers: Mapping[str, Provider]) -> Being:
    store, journal, being = books.store, books.journal, settings.being
    timeline = Timeline(store, journal, clock, being)
    memory = Memory(store, journal, clock, being)
    hands = Hands(books.tracker, books.catalogue, books.lifecycle, timeline, memory)
    brain = Brain(
        senses=Senses(
            store,
            clock,
            being,
            lifecycle=books.lifecycle,
            tracker=books.tracker,
            catalogue=books.catalogue,
            default_model=default_model(settings),
        ),
        governor=Governor(settings.think_interval_s),
        mind=Router(providers, books.catalogue, books.tracker, clock, timeout_s=settings.llm_timeout_s),
        actions=Registry(hands),
        drafts=Drafts(store, clock, being),
        recollection=Recollection(store, journal, being, books.tracker),
    )

    async def on_failure(exc: Exception) -> None:
        await journal.write("failure", {"where": "thought", "error": str(exc) or type(exc).__name__})

    daemon = Daemon(brain, Pulse(store, clock, being), SchedulerTimer(), clock, on_failure)
    return Being(default_identity(being).name, books, Birth(books.lifecycle, timeline, being), brain, daemon)


def default_model(settings: Settings) -> str:
    """The model that thinks until somebody chooses another."""
    if settings.llm_provider == "local":
        return LOCAL_MODEL_ID
    return settings.openrouter_default_model or DEFAULT_OPENROUTER_MODEL


def _providers(settings: Settings, secrets: vault.Secrets) -> dict[str, Provider]:
    providers: dict[str, Provider] = {}
    if settings.local_model_path is not None:
        providers["local"] = LocalModel(settings.local_model_path, timeout_s=settings.llm_timeout_s)
    if settings.llm_provider == "openrouter" and "OPENROUTER_API_KEY" in secrets:
        key = secrets["OPENROUTER_API_KEY"]
        providers["openrouter"] = OpenAICompatible(
            "openrouter", settings.openrouter_base_url, key, timeout_s=settings.llm_timeout_s
        )
    return providers


async def _watch_catalogue(
    stack: AsyncExitStack, settings: Settings, books: Books, clock: Clock, providers: Mapping[str, Provider]
) -> None:
    source = providers.get(settings.llm_provider)
    if not isinstance(source, OpenAICompatible):
        return

    async def on_failure(exc: Exception) -> None:
        await books.journal.write("failure", {"where": "catalogue", "error": str(exc)})

    life = await books.lifecycle.current()
    wanted = (life.resident_model if life else None) or default_model(settings)
    task = await Refresher(books.catalogue, source, clock, on_failure).start(wanted)

    async def end() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(end)
