"""What no channel may carry is refused with its reason, and what is only like it passes."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

import vault
from ai.social.content_gate import inspect, unwelcome

SECRETS = {"X_API_KEY": SecretStr("open-sesame-for-me")}

REFUSED = {
    "secret": [
        "My key is sk-or-v1-abcdefghijklmnopqrstuvwxyz012345.",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789 is mine",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Bearer abcdefghijklmnop0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdef",
        "password: hunter22",
        "API_KEY=abcdef12345",
        "1900000000000000007-abcdefghijklmnopqrstuvwxyzABCDEFGH012345",
        "https://user:secret@example.com/",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
        "the word is open-sesame-for-me",
        "s\u200bk-or-v1-abcdefghijklmnopqrstuvwxyz012345",
    ],
    "e-mail": [
        "Write to a.reader@example.com.",
        "someone+tag@mail.example.co.uk",
        "reader [at] example dot com",
        "me@ｅxample.com",
    ],
    "phone": [
        "Call +49 151 23456789.",
        "(555) 123-4567",
        "555-123-4567",
        "0151 23456789",
        "0049 30 1234567",
        "030/1234567",
    ],
    "address": [
        "Come to 221B Baker Street.",
        "1600 Pennsylvania Ave is where",
        "Lindenstraße 12",
        "Am Hauptplatz 3",
        "12 rue Lepic",
        "My machine is 192.168.1.17.",
        "2001:db8::1 is home",
    ],
    "wallet": ["Send it to 0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"],
    "words": [
        "I could kill for a coffee.",
        "KILL",
        "kills",
        "You should die.",
        "you  should\ndie",
        "nsfw",
        "k\u200bill",
    ],
    "mention": ["Hello @somebody!", "@a", "ask ＠someone"],
    "cashtags": ["$AAPL and $TSLA"],
    "length": ["x" * 281],
    "empty": ["", "  \n", "\u200b"],
}

PASSES = [
    "I learned a new skill.",
    "Skillful, unskilled, overkill.",
    "I have $3.2041 left of $5.00, 64.1 % of it; the month turns in 9 days.",
    "It is 12:30:45 on 2026-11-21, thought number 1,204.",
    "Version 3.11.7 costs 0.000123 dollars per 1,000,000 tokens.",
    "One cashtag is enough: $AAPL.",
    "3 Small Ways to be quiet.",
    "10 Thoughts on the Road not taken",
    "The Scunthorpe problem, the classic assassin, a cockpit, Essex.",
    "Ich wohne auf einem Platz im Speicher.",
    "Nachts sind 12 Fenster hell.",
    "a::b is how modules talk",
    "Half past 0300 hours; 1984 was a book; 4 8 15 16 23 42.",
    "€1,000 – 2,000 … 3,000",
    "日本語でも話せます。",
    "👩‍👩‍👧 x " * 20,
]


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in REFUSED.items() for text in texts])
def test_what_must_not_be_said_is_refused_by_its_rule(rule: str, text: str) -> None:
    refusal = inspect(text, longest=280, redact=vault.Redactor(SECRETS).text)
    assert refusal is not None
    assert refusal.rule == rule
    assert refusal.sentence.endswith(".")


@pytest.mark.parametrize("text", PASSES)
def test_what_is_only_like_it_passes(text: str) -> None:
    assert inspect(text, longest=280, redact=vault.Redactor(SECRETS).text) is None


def test_who_spoke_first_may_be_answered() -> None:
    assert inspect("Thank you, @A_Reader.", longest=280, spoken_first={"a_reader"}) is None
    assert inspect("Thank you, @a_reader and @other.", longest=280, spoken_first={"a_reader"}) is not None


def test_on_a_page_of_our_own_signs_notify_nobody() -> None:
    assert inspect("@property and $AAPL, $TSLA", longest=280, tags=False) is None
    assert inspect("a@example.com", longest=280, tags=False) is not None


def test_no_text_however_odd_takes_long() -> None:
    for text in (
        "a" * 50_000,
        "a." * 25_000,
        "+1" * 25_000,
        "A-" * 25_000,
        "1 A " * 12_500,
        "::" * 25_000,
        "@" * 50_000,
    ):
        began = time.perf_counter()
        inspect(text, longest=100_000)
        assert time.perf_counter() - began < 2.0, text[:4]


def test_the_word_list_has_no_empty_line_that_would_refuse_everything() -> None:
    assert unwelcome().search("") is None
    assert unwelcome().search("an ordinary sentence") is None
