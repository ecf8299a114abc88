"""Journal rows, amounts and spans of time in words. A row of a kind or shape not known here still gets a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from observer.wire import encode

Data = Mapping[str, Any]

LONGEST_LINE = 400
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def line(kind: str, data: Data) -> str:
    """What a journal row says, as one short plain text."""
    words = _WORDS.get(kind, _anything)
    try:
        text = words(data)
    except (KeyError, TypeError, ValueError, AttributeError):
        text = _anything(data)
    text = text.strip() or _anything(data)
    return text if len(text) <= LONGEST_LINE else text[: LONGEST_LINE - 1].rstrip() + "…"


def money(amount: Any, decimals: int = 4) -> str:
    """An exact decimal string for people: at least `decimals` places, cut and never rounded up; "—" when unknown."""
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        return "—"
    if not value.is_finite():
        return "—"
    cut = abs(value).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN)
    return f"{'−' if value < 0 else ''}${cut:,}"


def cost(amount: Any) -> str:
    """What a thought cost: all its decimals, or "free"."""
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        return "—"
    if not value.is_finite():
        return "—"
    return f"${value.quantize(Decimal('0.000001')):f}" if value else "free"


def count(number: int, noun: str) -> str:
    """ "1 thought", "1,204 thoughts"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def span(seconds: float) -> str:
    """A length of time in its largest unit: "12 s", "3 minutes", "9 days"."""
    if seconds < MINUTE_S:
        return f"{int(seconds)} s"
    for size_s, noun in ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute")):
        if seconds >= size_s:
            return count(int(seconds // size_s), noun)
    raise AssertionError("a minute or more has a unit")


def day(moment: date) -> str:
    """ "24 November"."""
    return f"{moment.day} {moment:%B}"


def days_between(low: date, high: date) -> str:
    """ "24 November", "24 – 29 November" or "28 November – 3 December"."""
    if low == high:
        return day(low)
    return f"{low.day} – {day(high)}" if low.month == high.month else f"{day(low)} – {day(high)}"


def moment(iso: str) -> datetime:
    """The UTC moment an interface wrote."""
    return datetime.fromisoformat(iso)


def sentence(text: Any) -> str:
    """`text` with a capital at its beginning and an end mark at its end."""
    plain = str(text or "").strip()
    if not plain:
        return ""
    return plain[0].upper() + plain[1:] + ("" if plain[-1] in ".!?…”" else ".")


def stamp(iso: str) -> str:
    """A moment without scripts: "2026-11-21 12:00 UTC"."""
    return f"{moment(iso):%Y-%m-%d %H:%M} UTC"


def _delivered(data: Data) -> str:
    went = {
        "sent": "is on {name}",
        "queued": "waits for {name}",
        "unknown": "may be on {name}",
        "refused": "is not on {name}",
    }
    words = went[data["state"]].format(name=channel(data["channel"]))
    return f"Post {data['post']} {words}. {sentence(data.get('reason'))}"


def _channel(data: Data) -> str:
    if data["state"] == "open":
        return f"{channel(data['channel'])} takes posts again."
    until = f" before {stamp(data['until'])}" if data.get("until") else ""
    return f"Nothing is sent to {channel(data['channel'])}{until}. {sentence(data['reason'])} {data.get('hint') or ''}"


def channel(name: str) -> str:
    """A channel's name as people write it."""
    return {"x": "X"}.get(name, name)


def _anything(data: Data) -> str:
    for key in ("text", "reason", "error", "note", "name"):
        if isinstance(data.get(key), str) and data[key].strip():
            return str(data[key])
    return encode(data).decode("utf-8", "replace") if data else "—"


def _call(data: Data) -> str:
    arguments = data.get("arguments")
    given = arguments if isinstance(arguments, dict) else {}
    inside = ", ".join(f"{key}: {value}" for key, value in given.items())
    return f"{data['name']}({inside})"


def _turned(data: Data) -> str:
    return f"{data['from'] or 'none'} → {data['to']}"


_WORDS: dict[str, Callable[[Data], str]] = {
    "birth": lambda d: f"{d['name']} is born. {d.get('first_words') or ''}",
    "action": _call,
    "result": lambda d: f"{d['name']}{'' if d.get('ok', True) else ' failed'}: {d['text']}",
    "delivery": _delivered,
    "channel": _channel,
    "refusal": lambda d: f"Not published. {sentence(d['reason'])} {d['text']}",
    "blog": lambda d: f"{d['title']}. {d['opening']}",
    "charge": lambda d: f"{cost(d['amount'])} to {d['model']}",
    "tier": _turned,
    "model": lambda d: f"{_turned(d)}. {sentence(d.get('reason'))}",
    "topup": lambda d: f"+{money(d['amount'], 2)} {d.get('note') or ''}",
    "rollover": lambda d: f"{d['month']} begins: {money(d['granted'], 2)} granted, {money(d['expired'], 2)} expired.",
    "failure": lambda d: f"{d.get('where') or 'somewhere'}: {d['error']}",
    "death": lambda d: sentence(d["cause"]),
}
