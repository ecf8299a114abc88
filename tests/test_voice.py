"""The first system's voice: its lines, whole and never cut, whatever a model wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai import voice
from ai.store.journal import Event

THOUGHT = {
    "text": "I am here.",
    "tokens_in": 1023,
    "tokens_out": 297,
    "cost": "0.0000004",
    "balance": "4.996",
    "tier": "comfortable",
    "name": "Qwen3 Coder",
    "intelligence": 6,
    "why": "Qwen3 Coder is the resident model.",
}
NASTY = "a\nb\r\nc\x1b[31mred\x07\x00 \u2028d\u2029e\x85f\x0b\x0cg\u200b"


def said(kind: str, data: dict[str, Any]) -> list[str]:
    return voice.lines(Event(1, 1, 0, kind, "public", data))


def test_a_start_begins_with_the_banner() -> None:
    assert voice.banner("Genesis") == ["=" * 80, "🧠 AM I ALIVE? - Genesis Brain", "=" * 80]


def test_a_birth_sounds_as_it_always_did() -> None:
    lines = said("birth", {"number": 1, "name": "Genesis", "pronoun": "it", "icon": "✨"})
    assert lines[:4] == [
        "[BRAIN] ♻️  Life #1 beginning...",
        "[BRAIN] 💭 Loaded 0 memory fragments",
        "[BRAIN] 👶 Beginning birth sequence...",
        "[BRAIN] 🎭 Identity: Genesis (it)",
    ]


def test_the_first_words_are_a_post_of_their_own_kind() -> None:
    (line,) = said("post", {"occasion": "birth", "channel": "timeline", "text": "I am Genesis."})
    assert line.startswith("[BIRTH ")
    assert line.endswith("timeline: I am Genesis.")
    (line,) = said("post", {"occasion": "thought", "channel": "timeline", "text": "Hello."})
    assert line == "[POST] 📣 timeline: Hello."


def test_a_thought_says_its_length_its_tokens_its_cost_and_what_is_left() -> None:
    lines = said("thought", THOUGHT)
    assert "[BRAIN] 💭 I am here." in lines
    assert (
        "[BRAIN] 💬 Response: 10 chars | Tokens: 1023→297 | Cost: $0.000000 | Balance: $5.00 (comfortable)"
    ) in lines
    assert any(line.startswith("[BRAIN] 🧠 Model: Qwen3 Coder (Intelligence: 6/10)") for line in lines)


def test_a_long_thought_is_never_cut() -> None:
    text = "word " * 2_000 + "end."
    assert f"[BRAIN] 💭 {text}" in said("thought", THOUGHT | {"text": text})


@pytest.mark.parametrize(
    ("kind", "data", "line"),
    [
        ("topup", {"amount": "5.00", "note": ""}, "[BUDGET] 💰 Topped up by $5.00"),
        ("tier", {"from": "comfortable", "to": "moderate"}, "[BUDGET] 🎚️  comfortable → moderate"),
        ("failure", {"where": "thought", "error": "No."}, "[BRAIN] ⚠️  thought: No."),
        ("result", {"ok": False, "name": "post", "text": "Not now."}, "[RESULT] 🚫 post: Not now."),
        ("memory", {"text": "Rain is loud."}, "[MEMORY] 📝 Rain is loud."),
    ],
)
def test_other_events_have_their_line(kind: str, data: dict[str, Any], line: str) -> None:
    assert said(kind, data) == [line]


def test_an_event_without_a_voice_of_its_own_is_still_heard() -> None:
    (line,) = said("gossip", {"text": "anything"})
    assert line.startswith("[GOSSIP] ")
    assert "anything" in line


def assert_whole(lines: list[str], count: int) -> None:
    assert len(lines) == count
    for line in lines:
        assert len(line.splitlines()) == 1, repr(line)
        assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in line), repr(line)
        line.encode()


@pytest.mark.parametrize("text", [NASTY, "half an emoji \ud83d"])
def test_whatever_a_model_wrote_never_breaks_a_line_or_reaches_the_terminal_as_a_command(text: str) -> None:
    assert_whole(said("thought", THOUGHT | {"text": text, "why": text, "name": text}), 3)
    assert_whole(said("action", {"name": text, "arguments": {"text": text, "n": [text]}}), 1)
    assert_whole(said("post", {"channel": "timeline", "text": text}), 1)
    assert_whole(said("gossip", {"text": text}), 1)


@given(st.text(min_size=1))
def test_any_text_is_one_line(text: str) -> None:
    assert_whole(said("note", {"text": text}), 1)
