"""What is wrong, and how to mend it. Looking costs nothing and changes nothing."""

from __future__ import annotations

import asyncio
import difflib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import vault
from ai import settings
from ai.app import (
    CLOCK_TOLERANCE_S,
    X_KEYS,
    default_model,
    make_channel,
    make_providers,
    make_router,
    open_books,
)
from ai.clock import Clock, iso, to_ms
from ai.economy.account import Charge
from ai.economy.money import exact, short
from ai.economy.statement import audit, read_budget
from ai.errors import AliveError, FundsError, SettingsError, StoreMissing
from ai.llm.dialects.registry import dialects
from ai.llm.failures import CallFailed, Scope
from ai.llm.local import LocalModel
from ai.llm.openai_compatible import OpenAICompatible
from ai.llm.question import Question, unheard
from ai.models.model_config import CLASSES
from ai.settings import Settings
from ai.social.failures import ChannelFailed, Fate
from ai.social.twitter import PRICES, WHO_AM_I, Twitter
from ai.store.backup import backups, check_whole, damaged, offer
from ai.store.engine import Store
from ai.store.journal import last_events
from ai.store.lease import is_running, name_holder
from ai.store.migrate import migrate
from ai.store.versions import FILE_NAME
from observer.server import listen

LEAST_FREE_BYTES = 200 * 1024 * 1024
ONE_WORD = ({"role": "user", "content": "Say one word."},)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found and, when it is not well, how to mend it."""

    name: str
    ok: bool
    says: str
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def examine(clock: Clock, *, paid: bool) -> list[Finding]:
    """Look at everything. Only with `paid` is anything asked that may cost money."""
    try:
        chosen, secrets = settings.load()
    except SettingsError as exc:
        return [Finding("settings", False, exc.message, exc.hint)]
    findings = [
        Finding(
            "settings",
            True,
            f"{chosen.llm_provider} thinks; the page listens on {chosen.observer_port or 'any free port'}.",
        )
    ]
    findings += [_folder(chosen.data_dir), _disk(chosen.data_dir), _whole(chosen.data_dir)]
    if findings[-1].ok:
        findings += await _store(chosen, clock)
    if not is_running(chosen.data_dir, chosen.being):
        findings.append(_port(chosen))
    async for finding in _minds(chosen, secrets, clock, paid):
        findings.append(finding)
    findings += await _voice(chosen, secrets, clock, paid)
    redact = vault.Redactor(secrets).text
    return [Finding(found.name, found.ok, redact(found.says), redact(found.hint)) for found in findings]


def _folder(data_dir: Path) -> Finding:
    nearest = _nearest(data_dir)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError:
        what = f"User {os.getuid()} cannot write {nearest}."
        return Finding("permissions", False, what, "Give it the right to, or set DATA_DIR to another folder.")
    token = data_dir / "observer-token"
    if token.exists() and token.stat().st_mode & 0o077:
        return Finding("permissions", False, f"Others can read {token}.", f"`chmod 600 {token}` closes it.")
    return Finding("permissions", True, f"{data_dir} can be written.")


def _nearest(folder: Path) -> Path:
    """`folder` itself, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))


def _port(chosen: Settings) -> Finding:
    try:
        listen(chosen.observer_host, chosen.observer_port).close()
    except AliveError as exc:
        return Finding("port", False, exc.message, exc.hint)
    return Finding("port", True, f"The page can listen on {chosen.observer_host}:{chosen.observer_port}.")


def _disk(data_dir: Path) -> Finding:
    nearest = _nearest(data_dir)
    free = shutil.disk_usage(nearest).free
    says = f"{free // 1024**2:,} MiB are free."
    return Finding("disk", free >= LEAST_FREE_BYTES, says, "" if free >= LEAST_FREE_BYTES else "Make some room.")


def _whole(data_dir: Path) -> Finding:
    path = data_dir / FILE_NAME
    if not path.exists() and (aside := damaged(data_dir)):
        what = f"The store was damaged and is set aside as {aside}."
        return Finding("store", False, what, f"{offer(data_dir)} To begin anew, move that file away.")
    if not path.exists():
        return Finding("store", True, f"There is no life in {data_dir} yet.", "`alive up` begins one.")
    try:
        check_whole(path)
    except AliveError as exc:
        return Finding("store", False, exc.message, exc.hint)
    kept = len(backups(data_dir))
    return Finding("store", True, f"{path} is whole; {kept} {'copy is' if kept == 1 else 'copies are'} kept.")


async def _store(chosen: Settings, clock: Clock) -> list[Finding]:
    try:
        store = Store.open(chosen.data_dir, readonly=True)
    except StoreMissing:
        return []
    except AliveError as exc:
        return [Finding("store", False, exc.message, exc.hint)]
    try:
        difference = await store.read(lambda t: audit(t, chosen.being))
        try:
            account = await store.read(lambda t: read_budget(t, chosen.being))
        except FundsError:  # nothing was ever granted, so there is nothing to compare
            account = {"providers": []}
        last = next(iter(await store.read(lambda t: last_events(t, chosen.being, keeper=True))), None)
        running = is_running(chosen.data_dir, chosen.being)
        holder = await name_holder(store, chosen.being) if running else ""
    finally:
        store.close()
    return [
        _books(difference),
        *_providers(account),
        _clock(last.at_ms if last else 0, clock),
        Finding("instance", True, f"{chosen.being} is run by {holder}." if running else "Nobody is running it."),
    ]


def _books(difference_nanos: int) -> Finding:
    if difference_nanos:
        says = f"The accounts and the entries differ by {exact(difference_nanos)} dollars."
        return Finding("books", False, says, "Keep a copy (`alive backup`) and restore an earlier one.")
    return Finding("books", True, "The entries sum up to the balance.")


def _providers(account: dict[str, Any]) -> list[Finding]:
    """Drift is told, and is no fault: somebody else may use the key. Less there than here is one."""
    findings = []
    for said in account["providers"]:
        drift, remaining = Decimal(said["drift"]), said["remaining"]
        counts = (
            f"{said['provider']} counts ${said['drift']} more than the books" if drift else f"{said['provider']} agrees"
        )
        findings.append(Finding("drift", True, f"{counts} (asked {said['checked_at']})."))
        if remaining is not None and Decimal(remaining) < Decimal(account["available"]):
            says = f"At {said['provider']} ${remaining} is left, but ${account['available']} is available here."
            findings.append(Finding("balance", False, says, "Add credits there, or lower MONTHLY_BUDGET."))
    return findings


def _clock(last_ms: int, clock: Clock) -> Finding:
    now_ms = to_ms(clock.now())
    if now_ms < last_ms - CLOCK_TOLERANCE_S * 1000:
        says = f"The clock says {iso(now_ms)}, but the last entry was written at {iso(last_ms)}."
        return Finding("clock", False, says, "Set the clock right, or start with --despite-clock.")
    return Finding("clock", True, f"It is {iso(now_ms)}.")


async def _minds(chosen: Settings, secrets: vault.Secrets, clock: Clock, paid: bool) -> AsyncIterator[Finding]:
    """The key and the reach of the provider, and the local model."""
    if chosen.local_model_path is None:
        hint = "Remove LOCAL_MODEL_PATH=none, and nothing but you can."
        yield Finding("local model", False, "It is turned off: a failing provider can silence the being.", hint)
    dialect = dialects().get(chosen.llm_provider)
    if dialect is not None and dialect.needs_key and dialect.secret not in secrets:
        says = f"There is no key for {dialect.name}, so the local model thinks instead."
        yield Finding("key", False, says, f"Give it {dialect.secret}: vault/README.md says where.")
    for provider in make_providers(chosen, secrets).values():
        try:
            if isinstance(provider, LocalModel):
                yield await _try("local model", provider.load, "It loads.")
            elif isinstance(provider, OpenAICompatible):
                async for finding in _remote(provider, chosen, secrets, clock):
                    yield finding
        finally:
            await provider.aclose()
    if paid:
        yield await _paid_word(chosen, secrets, clock)


async def _remote(
    provider: OpenAICompatible, chosen: Settings, secrets: vault.Secrets, clock: Clock
) -> AsyncIterator[Finding]:
    """Whether it takes the key, answers, has the model that is to think, and at what price. All of it is free."""
    name, wanted = provider.name, default_model(chosen)
    if provider.dialect.secret in secrets:
        try:
            await provider.check_key()
            yield Finding("key", True, f"{name} accepts it.")
        except AliveError as exc:
            yield Finding("key", False, _sentence(exc), exc.hint or _way_out(exc, name))
    try:
        listed = [entry for entry in await provider.list_models() if isinstance(entry, Mapping)]
    except AliveError as exc:
        yield Finding("reach", False, _sentence(exc), exc.hint or _way_out(exc, name))
        return
    yield Finding("reach", True, f"{name} answers.")
    ids = [str(entry.get("id")) for entry in listed]
    if wanted not in ids:
        near = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.3)
        hint = f"Set {name.upper()}_DEFAULT_MODEL to one of its models{': ' if near else ''}{', '.join(near)}."
        yield Finding("model", False, f"{name} lists no model “{wanted}”.", hint)
        return
    yield await _price(chosen, secrets, clock, listed)


async def _price(
    chosen: Settings, secrets: vault.Secrets, clock: Clock, listed: Sequence[Mapping[str, Any]]
) -> Finding:
    """Read by the catalogue itself, in a store that is thrown away: looking changes nothing."""
    wanted = default_model(chosen)
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(migrate, Path(folder), clock)
        apart = chosen.model_copy(update={"data_dir": Path(folder)})
        async with open_books(apart, secrets, clock, durable=False) as books:
            await books.catalogue.update(list(map(dict, listed)))
            model = books.catalogue.find(wanted)
    if model is None or model.cls is None:
        hint = f"Tell it: MODEL_PRICES={wanted}=0.15/0.60, US dollars per million tokens of prompt and completion."
        return Finding("model", False, f"What {wanted} costs is not known, and unknown is not free.", hint)
    return Finding("model", True, f"{wanted} is there ({model.cls}).")


async def _voice(chosen: Settings, secrets: vault.Secrets, clock: Clock, paid: bool) -> list[Finding]:
    """Where it posts, and whether it could, without posting anything."""
    missing = [name for name in X_KEYS if name not in secrets]
    if chosen.posting == "on" and 0 < len(missing) < len(X_KEYS):
        says = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, so posts stay on the timeline."
        return [Finding("posting", False, says, "All four keys are needed: docs/voice.md says where they are.")]
    channel = make_channel(chosen, secrets, clock)
    if not isinstance(channel, Twitter):
        dry = "what would be posted on X, too" if chosen.posting == "dry_run" else "posts"
        return [Finding("posting", True, f"The local timeline shows {dry}.")]
    if chosen.keeper is None:
        hint = "Set KEEPER, then put what `alive bio` prints into the account's description."
        findings = [Finding("keeper", False, "X wants to know who answers for an automated account.", hint)]
    else:
        findings = [Finding("keeper", True, f"{chosen.keeper} answers for the account.")]
    reach = await _try("x", channel.reach, "X answers, and all four keys are there.", "Is X_API_BASE_URL right?")
    return [*findings, reach, *([await _who_am_i(channel, chosen, secrets, clock)] if paid and reach.ok else [])]


async def _who_am_i(channel: Twitter, chosen: Settings, secrets: vault.Secrets, clock: Clock) -> Finding:
    """One question that only the right keys can ask, held and settled in the books like any other call."""
    price_nanos = PRICES[WHO_AM_I]
    try:
        async with open_books(chosen, secrets, clock) as books:
            hold = await books.tracker.hold(
                price_nanos, provider=channel.name, model=WHO_AM_I, purpose="doctor", timeout_s=chosen.llm_timeout_s
            )
            try:
                name = await channel.who_am_i()
            except ChannelFailed as exc:
                ended = books.tracker.forget if exc.fate is Fate.UNKNOWN else books.tracker.release
                await ended(hold, exc.message)
                raise
            await books.tracker.settle(hold, Charge(price_nanos, "computed"))
    except AliveError as exc:
        return Finding("x account", False, exc.message, exc.hint)
    return Finding("x account", True, f"The keys open @{name} (asked for {short(price_nanos, 3)}).")


async def _paid_word(chosen: Settings, secrets: vault.Secrets, clock: Clock) -> Finding:
    """One word from the model that would think, held and settled in the books like any other call."""
    providers = make_providers(chosen, secrets)
    try:
        async with open_books(chosen, secrets, clock) as books:
            question = Question(
                purpose="doctor",
                thought_id="doctor",
                wanted=await books.lifecycle.resident() or default_model(chosen),
                classes=CLASSES,
                reply_cap_tokens=16,
                compose=lambda _: ONE_WORD,
                fallback=False,
            )
            router = make_router(chosen, books, providers, clock)
            answer = await router.ask(question, unheard)
    except AliveError as exc:
        return Finding("thought", False, exc.message, exc.hint)
    finally:
        for provider in providers.values():
            await provider.aclose()
    return Finding("thought", True, f"{answer.model.id} answered for ${exact(answer.cost_nanos)}.")


async def _try(name: str, question: Callable[[], Any], well: str, hint: str = "") -> Finding:
    try:
        await question()
    except AliveError as exc:
        return Finding(name, False, _sentence(exc), exc.hint or hint)
    return Finding(name, True, well)


def _way_out(exc: AliveError, provider: str) -> str:
    """What mends a provider's failure, by what it speaks about."""
    scope = exc.scope if isinstance(exc, CallFailed) else Scope.ENDPOINT
    ways = {
        Scope.CREDENTIAL: "Give it a new key: vault/README.md says where.",
        Scope.FUNDS: f"Pay in at {provider}, or raise the key's limit; until then free and local models think.",
    }
    return ways.get(scope, f"Is the network up, and {provider.upper()}_BASE_URL right?")


def _sentence(exc: AliveError) -> str:
    return f"{exc.message}.".replace("..", ".")
