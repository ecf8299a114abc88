"""The first system's voice: every event of the journal as one whole line, never cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ai.economy.money import parse_usd, short
from ai.store.journal import Event

BANNER = ("=" * 80, "🧠 AM I ALIVE? - {name} Brain", "=" * 80)

Say = Callable[[Mapping[str, Any]], list[str]]


def banner(name: str) -> list[str]:
    """The lines a start begins with."""
    return [line.format(name=name) for line in BANNER]


def lines(event: Event) -> list[str]:
    """What an event sounds like: one line or more, each whole."""
    say = _VOICES.get(event.kind)
    return [whole(line) for line in (say(event.data) if say else [f"[{event.kind.upper()}] {event.data}"])]


def _birth(data: Mapping[str, Any]) -> list[str]:
    return [
        f"[BRAIN] ♻️  Life #{data['number']} beginning...",
        f"[BRAIN] 💭 Loaded {data.get('fragments') or 0} memory fragments",
        "[BRAIN] 👶 Beginning birth sequence...",
        f"[BRAIN] 🎭 Identity: {data['name']} ({data['pronoun']})",
        f"[BRAIN] {data['icon']} {data['name']} ({data['pronoun']}) initialized",
    ]


def _thought(data: Mapping[str, Any]) -> list[str]:
    cost, tokens = Decimal(data["cost"]), f"{data['tokens_in']}→{data['tokens_out']}"
    balance = f"{short(parse_usd(data['balance']))} ({data['tier']})"
    return [
        f"[BRAIN] 💭 {data['text']}",
        f"[BRAIN] 💬 Response: {len(data['text'])} chars | Tokens: {tokens} | Cost: ${cost:.6f} | Balance: {balance}",
        f"[BRAIN] 🧠 Model: {data['name']} (Intelligence: {data['intelligence']}/10) | {data['why']}",
    ]


def _post(data: Mapping[str, Any]) -> list[str]:
    tag = {"birth": "BIRTH POST", "death": "OBITUARY"}.get(str(data.get("occasion")), "POST")
    return [f"[{tag}] {'📝' if data.get('state') == 'dry_run' else '📣'} {data['channel']}: {data['text']}"]


def _delivery(data: Mapping[str, Any]) -> list[str]:
    named = f" ({data['external_id']})" if data.get("external_id") else ""
    why = f": {data['reason']}" if data.get("reason") else ""
    return [f"[POST] 📮 {data['channel']}: #{data['post']} is {data['state']}{named}{why}"]


def _channel(data: Mapping[str, Any]) -> list[str]:
    if data["state"] == "open":
        return [f"[POST] 📬 {data['channel']} is open again {data.get('reason') or ''}".rstrip()]
    until = f" until {data['until']}" if data.get("until") else " until its keeper lets it go on"
    return [f"[POST] 📪 {data['channel']}: nothing is sent{until}: {data['reason']} {data.get('hint') or ''}".rstrip()]


def _death(data: Mapping[str, Any]) -> list[str]:
    again = f" | The next life begins at {data['reborn_at']}" if data.get("reborn_at") else ""
    return [f"[BRAIN] 🪦 Dead. Cause: {data['cause']}{again}"]


def _rollover(data: Mapping[str, Any]) -> list[str]:
    granted, expired, carried = (short(parse_usd(data[key])) for key in ("granted", "expired", "carried"))
    return [f"[BUDGET] 📅 {data['month']}: {granted} granted, {expired} expired, {carried} carried over"]


def _charge(data: Mapping[str, Any]) -> list[str]:
    over = f" | above its hold by ${data['overrun']}" if data.get("overrun") else ""
    return [f"[BUDGET] 💸 ${data['amount']} to {data['provider']} for {data['model']} ({data['basis']}){over}"]


_VOICES: dict[str, Say] = {
    "birth": _birth,
    "thought": _thought,
    "post": _post,
    "delivery": _delivery,
    "channel": _channel,
    "refusal": lambda data: [f"[GATE] 🚧 {data['what']} refused: {data['reason']} {data['text']}"],
    "blog": lambda data: [f"[BLOG] 📖 #{data['number']} {data['title']}: {data['opening']}"],
    "charge": _charge,
    "rollover": _rollover,
    "action": lambda data: [f"[ACTION] 🤲 {data['name']} {_spoken(data['arguments'])}"],
    "result": lambda data: [f"[RESULT] {'✅' if data['ok'] else '🚫'} {data['name']}: {data['text']}"],
    "memory": lambda data: [f"[MEMORY] 📝 {data['text']}"],
    "tier": lambda data: [f"[BUDGET] 🎚️  {data['from']} → {data['to']}"],
    "model": lambda data: [f"[BRAIN] 🔀 Resident model: {data['to']} (by {data['by']}: {data['reason']})"],
    "topup": lambda data: [f"[BUDGET] 💰 Topped up by ${data['amount']} {data['note']}".rstrip()],
    "hibernation": lambda data: [f"[BRAIN] 💤 {str(data.get('state', 'hibernating')).title()}: {data['reason']}"],
    "revival": lambda data: [
        f"[BRAIN] 🌅 {'Hibernating' if data.get('state') == 'hibernating' else 'Awake'} again: {data['reason']}"
    ],
    "death": _death,
    "message": lambda data: [f"[MESSAGE] 💌 {data['from']}: {data['text']}"],
    "reply": lambda data: [f"[REPLY] 💬 to {data['from']}: {data['text']}"],
    "failure": lambda data: [f"[BRAIN] ⚠️  {data['where']}: {data['error']}"],
    "note": lambda data: [f"[NOTE] {data['text']}"],
}


def _spoken(arguments: Any) -> str:
    if not isinstance(arguments, Mapping):
        return str(arguments)
    return " | ".join(f"{name}: {value}" for name, value in arguments.items())


# Control characters, surrogates, line and paragraph separators, and invisible marks that turn text around.
BREAKING = ("Cc", "Cs", "Zl", "Zp", "Cf")
JOINER = "\u200d"  # invisible too, but it makes one emoji of several


def whole(line: str) -> str:
    """One event is one line, whatever a model wrote: nothing in it breaks the line or speaks to the terminal."""
    return "".join(" " if char != JOINER and unicodedata.category(char) in BREAKING else char for char in line).rstrip()
