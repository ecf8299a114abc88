"""The composition root: builds everything once and hands it in. The only module that knows everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

import vault
from ai import log
from ai.actions.base import Hands
from ai.actions.registry import Registry
from ai.brain import Brain
from ai.clock import Clock, SystemClock, iso, to_ms
from ai.daemon import Chore, Daemon
from ai.doorbell import Doorbell
from ai.economy.credit_tracker import Allowance, CreditTracker
from ai.economy.governor import Governor
from ai.economy.reconciler import Reconciler
from ai.errors import ClockError, InstanceHeld, StoreError
from ai.life.afterlife import Afterlife
from ai.life.birth import Birth
from ai.life.chronicle import Chronicle
from ai.life.identity import default_identity
from ai.life.lifecycle import Lifecycle
from ai.life.memory import Memory
from ai.llm.base import Provider
from ai.llm.cooldowns import FREE_SUFFIX, Cooldowns, is_free_tier
from ai.llm.dialects.registry import dialects
from ai.llm.failures import Until
from ai.llm.free_pace import FreePace
from ai.llm.local import LocalModel
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.question import FAILED
from ai.llm.router import Router
from ai.models.catalogue import Catalogue
from ai.models.model_config import LOCAL_MODEL_ID, local_model
from ai.models.model_rotator import ModelRotator
from ai.models.refresher import Refresher
from ai.prompt import EXAMPLE_POSTS
from ai.recollection import Recollection
from ai.senses import Senses
from ai.settings import Settings
from ai.social.base import Channel
from ai.social.blog import Blog
from ai.social.fates import Fates
from ai.social.inbox import Inbox
from ai.social.outbox import Outbox
from ai.social.postman import Postman
from ai.social.shortener import Shortener
from ai.social.timeline import DryRun, Timeline
from ai.social.twitter import POSTS_ON_X, Keys, Twitter
from ai.store.drafts import Drafts
from ai.store.engine import Store
from ai.store.journal import Journal, last_events
from ai.store.keeper import BackupKeeper
from ai.store.lease import hold_lock, name_holder, take_lease
from ai.store.migrate import migrate
from ai.store.outbox import QUEUED
from ai.store.pulse import Pulse
from ai.timer import SchedulerTimer

FREE_CALLS_LOOK_BACK = 20  # no provider's free minute holds more
CLOCK_TOLERANCE_S = 600  # clocks are set right by minutes all the time
X_KEYS = ("X_API_KEY", "X_API_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")
RESERVE_CAP_NANOS = 100_000_000  # about one premium worst case: 2,000 tokens in, 1,724 out at $15 and $75 a million


@dataclass(frozen=True, slots=True)
class Books:
    """What the commands that only touch money and models need."""

    store: Store
    journal: Journal
    tracker: CreditTracker
    catalogue: Catalogue
    lifecycle: Lifecycle
    inbox: Inbox
    cooldowns: Cooldowns


@dataclass(frozen=True, slots=True)
class Being:
    """A whole being, ready to live.

    `name` is what it is called until a birth names it; `catch_up` reads the list of models for who runs no daemon.
    """

    name: str
    books: Books
    birth: Birth
    afterlife: Afterlife
    brain: Brain
    daemon: Daemon
    postman: Postman
    catch_up: Callable[[], Awaitable[None]]


@asynccontextmanager
async def open_books(
    settings: Settings, secrets: vault.Secrets, clock: Clock, *, durable: bool = True
) -> AsyncIterator[Books]:
    """The store and what keeps its books. Raises StoreMissing and its kin."""
    store = Store.open(settings.data_dir, durable=durable)
    try:
        journal = Journal(store, clock, settings.being, vault.Redactor(secrets).json)
        allowance = Allowance(settings.monthly_budget_nanos, RESERVE_CAP_NANOS)
        chosen = dialects().get(settings.llm_provider)
        local = local_model() if settings.local_model_path else None
        books = Books(
            store=store,
            journal=journal,
            tracker=CreditTracker(store, journal, clock, settings.being, allowance),
            catalogue=Catalogue(
                store,
                clock,
                settings.being,
                settings.llm_provider,
                local,
                prices=settings.model_prices,
                everything_free=chosen is not None and chosen.everything_free,
            ),
            lifecycle=Lifecycle(store, journal, clock, settings.being, settings.on_bankruptcy, settings.rebirth_s),
            inbox=Inbox(store, journal, settings.being),
            cooldowns=Cooldowns(store, clock, settings.being, _accounts(settings, secrets)),
        )
        await books.catalogue.load()
        await books.cooldowns.load(forget=False)
        yield books
    finally:
        await asyncio.to_thread(store.close)


@asynccontextmanager
async def open_being(
    settings: Settings,
    secrets: vault.Secrets,
    clock: Clock | None = None,
    providers: Mapping[str, Provider] | None = None,
    *,
    despite_clock: bool = False,
    durable: bool = True,
) -> AsyncIterator[Being]:
    """Take the being's lease, build it over its store, and take it apart again: providers first, the lease last.

    `providers` replaces the real ones, for tests and for living a month in seconds. Raises InstanceHeld when
    somebody else runs it, ClockError when the clock stands before the last entry (unless `despite_clock`).
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(hold_lock(settings.data_dir, settings.being))
        except InstanceHeld as exc:
            raise InstanceHeld(f"{exc.message} It is {await _holder(settings)}.", hint=exc.hint) from exc
        await asyncio.to_thread(migrate, settings.data_dir, clock)
        books = await stack.enter_async_context(open_books(settings, secrets, clock, durable=durable))
        books.store.after_commit.append(log.speak)
        if not despite_clock:
            await _check_clock(books.store, settings.being, clock)
        await books.store.write(lambda t: take_lease(t, settings.being, to_ms(clock.now())))
        await books.tracker.recover()
        await books.cooldowns.load()
        await _notice_topup(books, settings.being)
        providers = make_providers(settings, secrets) if providers is None else providers
        for provider in providers.values():
            stack.push_async_callback(provider.aclose)
        yield await _assemble(settings, secrets, books, clock, providers)


async def _assemble(
    settings: Settings, secrets: vault.Secrets, books: Books, clock: Clock, providers: Mapping[str, Provider]
) -> Being:
    store, journal, being = books.store, books.journal, settings.being
    channel, redact = make_channel(settings, secrets, clock), vault.Redactor(secrets).text
    fates = Fates(journal, clock, being, channel.name)
    postman = Postman(store, clock, being, tracker=books.tracker, channel=channel, fates=fates)
    await postman.recover()
    mind = make_router(settings, books, providers, clock, await _free_calls_ms(books, being))
    outbox = Outbox(
        store,
        journal,
        clock,
        being,
        channel=channel,
        redact=redact,
        on_queued=postman.call,
        shorten=Shortener(mind, books.catalogue),
        known=EXAMPLE_POSTS,
    )
    memory = Memory(store, journal, clock, being)
    rotator = ModelRotator(store, being, books.catalogue, books.cooldowns, books.lifecycle)
    blog = Blog(store, journal, clock, being, redact=redact)
    hands = Hands(books.tracker, books.catalogue, books.lifecycle, rotator, outbox, memory, books.inbox, blog)
    senses = Senses(
        store,
        clock,
        being,
        lifecycle=books.lifecycle,
        tracker=books.tracker,
        catalogue=books.catalogue,
        rotator=rotator,
        default_model=default_model(settings),
        interval_s=settings.think_interval_s,
        may_post=outbox.may_post,
        lifespan_s=None if settings.lifespan_days is None else settings.lifespan_days * 86_400,
    )
    brain = Brain(
        senses=senses,
        governor=Governor(settings.think_interval_s, books.catalogue),
        mind=mind,
        actions=Registry(hands),
        drafts=Drafts(store, clock, being),
        recollection=Recollection(store, journal, being, books.tracker, books.lifecycle),
        inbox=books.inbox,
        chronicle=Chronicle(store, journal, clock, being, mind),
    )
    birth = Birth(
        store,
        books.lifecycle,
        mind,
        rotator,
        outbox,
        being,
        default_model=default_model(settings),
        means=senses.means,
        mode=settings.bootstrap_mode,
    )
    afterlife = Afterlife(
        store,
        books.lifecycle,
        birth,
        mind,
        outbox,
        clock,
        being,
        default_model=default_model(settings),
        can_pay=senses.can_pay,
        workspace=settings.data_dir / "workspace" / being,
    )

    def tell(where: str) -> Callable[[Exception], Awaitable[None]]:
        async def on_failure(exc: Exception) -> None:
            await journal.write("failure", {"where": where, "error": str(exc) or type(exc).__name__})

        return on_failure

    async def on_money() -> None:
        await _notice_topup(books, being)
        await senses.wake_if_funded()

    doorbell = Doorbell(store, books.tracker, clock, being, on_money)
    remote = {name: provider for name, provider in providers.items() if isinstance(provider, OpenAICompatible)}
    billers = {name: provider for name, provider in remote.items() if provider.dialect.tells_cost}
    chores: list[Chore] = [
        lambda: doorbell.keep(daemon.wake),
        BackupKeeper(settings.data_dir, clock, tell("backup")).keep,
        Reconciler(
            books.tracker,
            billers,
            clock,
            tell("reconciler"),
            exclusive=settings.openrouter_key_exclusive,
            leave=POSTS_ON_X if channel.begins == QUEUED else (),  # the postman looks up whether they arrived
        ).keep,
        postman.keep,
    ]
    source, catch_up = remote.get(settings.llm_provider), _nothing
    if source is not None:
        refresher = Refresher(
            books.catalogue,
            source,
            clock,
            tell("catalogue"),
            on_refresh=lambda: books.cooldowns.end(Until.REFRESH),
        )
        await refresher.ensure(await books.lifecycle.resident() or default_model(settings))
        chores.append(refresher.keep)
        catch_up = refresher.catch_up
    daemon = Daemon(brain, afterlife, Pulse(store, clock, being), SchedulerTimer(), clock, tell("thought"), chores)
    return Being(default_identity(being).name, books, birth, afterlife, brain, daemon, postman, catch_up)


def default_model(settings: Settings) -> str:
    """The model that thinks until somebody chooses another."""
    reach = settings.providers.get(settings.llm_provider)
    return reach.default_model if reach else LOCAL_MODEL_ID


async def _nothing() -> None:
    """There is no list to catch up with."""


async def _notice_topup(books: Books, being: str) -> None:
    """Who pays in here has probably paid in there, be it while nobody ran it: what waited for that is tried again."""
    paid_in = next(iter(await books.store.read(lambda t: last_events(t, being, kind="topup", keeper=True))), None)
    if paid_in is not None:
        await books.cooldowns.end(Until.TOPUP, met_by_ms=paid_in.at_ms)


async def _free_calls_ms(books: Books, being: str) -> list[int]:
    """When free models were last called, in vain or not: the free tier's minute does not begin anew because we did."""
    answered = await books.tracker.newest_calls_ms(FREE_CALLS_LOOK_BACK, model_suffix=FREE_SUFFIX)
    thoughts = await books.store.read(lambda t: last_events(t, being, kind="thought", limit=FREE_CALLS_LOOK_BACK))
    in_vain = [
        thought.at_ms
        for thought in thoughts
        for attempt in thought.data.get("attempts", ())
        if attempt["outcome"] == FAILED and is_free_tier(attempt["model"])
    ]
    return sorted([*answered, *in_vain])


def make_router(
    settings: Settings,
    books: Books,
    providers: Mapping[str, Provider],
    clock: Clock,
    free_calls_ms: Sequence[int] = (),
) -> Router:
    """The line of models over these providers."""
    chosen = dialects().get(settings.llm_provider)
    return Router(
        providers,
        books.catalogue,
        books.tracker,
        books.cooldowns,
        FreePace(clock, chosen.free_calls_a_minute if chosen else None, free_calls_ms),
        clock,
        timeout_s=settings.llm_timeout_s,
        reasoning_headroom_tokens=settings.reasoning_headroom_tokens,
    )


def _accounts(settings: Settings, secrets: vault.Secrets) -> dict[str, str]:
    """By provider, a mark of the address and the key that are in use there."""
    return {
        name: vault.fingerprint(settings.providers[name].base_url, secrets.get(dialect.secret, ""))
        for name, dialect in dialects().items()
    }


def make_providers(settings: Settings, secrets: vault.Secrets) -> dict[str, Provider]:
    """The real providers these settings and secrets allow, by name: the chosen one only with its key."""
    providers: dict[str, Provider] = {}
    if settings.local_model_path is not None:
        providers["local"] = LocalModel(settings.local_model_path, timeout_s=settings.llm_timeout_s)
    chosen = dialects().get(settings.llm_provider)
    if chosen is not None and (chosen.secret in secrets or not chosen.needs_key):
        base_url, key = settings.providers[chosen.name].base_url, secrets.get(chosen.secret)
        providers[chosen.name] = OpenAICompatible(chosen.name, base_url, key, timeout_s=settings.llm_timeout_s)
    return providers


def make_channel(settings: Settings, secrets: vault.Secrets, clock: Clock) -> Channel:
    """Where posts go: X when its four keys are there and POSTING is on, else only the local timeline."""
    keys = [secrets.get(name) for name in X_KEYS]
    given = Keys(*(key or SecretStr("") for key in keys))
    twitter = Twitter(given, clock, base_url=settings.x_api_base_url, links=settings.post_links)
    if settings.posting == "dry_run":
        return DryRun(twitter)
    return twitter if settings.posting == "on" and all(keys) else Timeline()


async def _check_clock(store: Store, being: str, clock: Clock) -> None:
    """A clock that stands before what has already happened would date new entries wrongly."""
    last = next(iter(await store.read(lambda t: last_events(t, being, keeper=True))), None)
    if last is not None and to_ms(clock.now()) < last.at_ms - CLOCK_TOLERANCE_S * 1000:
        raise ClockError(
            f"The clock says {iso(to_ms(clock.now()))}, but the last entry was written at {iso(last.at_ms)}.",
            hint="Set the clock right, or go on with --despite-clock.",
        )


async def _holder(settings: Settings) -> str:
    try:
        store = Store.open(settings.data_dir, readonly=True)
    except StoreError:
        return "just starting"
    try:
        return await name_holder(store, settings.being)
    finally:
        store.close()
