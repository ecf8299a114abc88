"""What no channel may carry: secrets, other people's addresses and numbers, strangers' names, unwelcome words.

Pure: a text in, a refusal or nothing out. It errs on the side of silence; the being is told why and may say it
differently.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDS = Path(__file__).with_name("unwelcome.txt")
MOST_CASHTAGS = 1  # X's rule for automated accounts (facts)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which rule refused a text, and the sentence that tells why."""

    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: a text that `pattern` finds something in is refused with this sentence."""

    name: str
    sentence: str
    pattern: re.Pattern[str]


_SECRET = "It holds something that looks like a secret."  # noqa: S105 - a sentence about secrets
_EMAIL = "It holds an e-mail address."
_PHONE = "It holds what looks like a telephone number."
_STREET = "It holds what looks like somebody's address."
_WALLET = "It holds the address of a wallet."

PRIVATE = (
    Rule("secret", _SECRET, re.compile(r"-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)-----")),
    Rule("secret", _SECRET, re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),  # AWS
    Rule("secret", _SECRET, re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*")),  # a JSON web token
    Rule("secret", _SECRET, re.compile(r"\b(?:glpat-|hf_|npm_|pypi-|SG\.|xapp-|dop_v1_)[\w.-]{16,}")),
    Rule("secret", _SECRET, re.compile(r"\b(?:pk|sk|rk)_(?:live|test)_\w{10,}")),
    Rule("secret", _SECRET, re.compile(r"\b\d{5,19}-[A-Za-z0-9]{30,}\b")),  # an access token of X
    Rule("secret", _SECRET, re.compile(r"://[^\s/:@]{1,200}:[^\s/@]{1,200}@")),  # a password in an address
    Rule(
        "secret",
        _SECRET,
        re.compile(r"\b(?:password|passwd|passphrase|api[ _-]?key|secret[ _-]?key|token)\s*[:=]\s*\S{6,}", re.I),
    ),
    Rule("e-mail", _EMAIL, re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")),
    Rule("e-mail", _EMAIL, re.compile(r"\w\s?[\[(]\s?at\s?[\])]\s?\w", re.I)),
    Rule("phone", _PHONE, re.compile(r"(?<![\w.])(?:\+|00)[1-9]\d{0,2}[\d\s()./-]{6,16}\d(?!\w)")),
    Rule("phone", _PHONE, re.compile(r"(?<![\w.$-])\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}(?![\w-])")),
    Rule("phone", _PHONE, re.compile(r"(?<![\w.,:$-])0\d{2,4}[ /-]\d{3,8}(?:[ -]\d{2,5})*(?![\w.,:-]*\d)")),
    Rule(
        "address",
        _STREET,
        re.compile(
            r"\b\d{1,5}[A-Za-z]?\s+(?:[A-Z][\w'.-]*\s+){1,4}"
            r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Boulevard|Blvd|Drive|Dr|Court|Ct|Square|Sq|Way|Terrace|Place|Pl)\b"
        ),
    ),
    Rule(
        "address",
        _STREET,
        re.compile(r"\b[A-ZÄÖÜ][\wäöüß.-]{0,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm)\s+\d{1,4}\b"),
    ),
    Rule(
        "address", _STREET, re.compile(r"\b\d{1,4}(?:bis|ter)?,?\s+(?:rue|avenue|boulevard|place|via|calle)\s+\w", re.I)
    ),
    Rule("wallet", _WALLET, re.compile(r"\b(?:bc1[a-z0-9]{25,}|0x[0-9a-fA-F]{40}|[13][a-km-zA-HJ-NP-Z1-9]{30,33})\b")),
    # whatever is long and mixes letters with digits
    Rule(
        "secret", _SECRET, re.compile(r"(?<![\w+/-])(?=[\w+/-]{0,99}\d)(?=[\w+/-]{0,99}[A-Za-z])[A-Za-z0-9+/_-]{40,}")
    ),
)

MENTION = re.compile(r"[@＠](\w{1,30})")
CASHTAG = re.compile(r"(?<![\w$])\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?\b")
NETWORK = re.compile(r"(?<![\w.:])[0-9A-Fa-f]*(?:[.:][0-9A-Fa-f]*){2,8}(?![\w:])")


def inspect(
    text: str,
    *,
    measure: Callable[[str], int] = len,
    longest: int,
    spoken_first: Collection[str] = (),
    redact: Callable[[str], str] = lambda text: text,
    tags: bool = True,
) -> Refusal | None:
    """Why `text` may not be published, or None when it may.

    `spoken_first` are the names (without @, lower case) of those who addressed the being first; `redact` masks known
    secrets; `tags` False is for a page of our own, where @ and $ notify nobody.
    """
    seen = _visible(text)
    if not seen.strip():
        return Refusal("empty", "There is nothing in it to publish.")
    if measure(text) > longest:
        return Refusal("length", f"It is longer than {longest:,} characters.")
    if redact(seen) != seen:
        return Refusal("secret", _SECRET)
    for rule in PRIVATE:
        if rule.pattern.search(seen):
            return Refusal(rule.name, rule.sentence)
    if any(_networks(seen)):
        return Refusal("address", "It holds the address of a machine.")
    if unwelcome().search(seen):
        return Refusal("words", "It uses a word that is not to be used in public.")
    return _tags(seen, spoken_first) if tags else None


def _tags(text: str, spoken_first: Collection[str]) -> Refusal | None:
    strangers = [name for name in MENTION.findall(text) if name.lower() not in spoken_first]
    if strangers:
        return Refusal("mention", "It addresses somebody with @ who did not speak to you first.")
    if len(CASHTAG.findall(text)) > MOST_CASHTAGS:
        return Refusal("cashtags", "It has more than one cashtag.")
    return None


@cache
def unwelcome() -> re.Pattern[str]:
    """The word list as one pattern of whole words."""
    lines = (line.strip() for line in WORDS.read_text(encoding="utf-8").splitlines())
    phrases = [_phrase(line) for line in lines if line and not line.startswith("#")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)


def _phrase(line: str) -> str:
    words = re.escape(line.removesuffix("*")).replace(r"\ ", r"\s+")
    return words + (r"\w*" if line.endswith("*") else "")


def _visible(text: str) -> str:
    """What a reader sees: no invisible signs to hide a word behind, and one spelling for look-alike forms."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(char for char in plain if unicodedata.category(char) != "Cf")


def _networks(text: str) -> Iterator[str]:
    """Every address of a machine, version 4 or 6, in a text."""
    for match in NETWORK.finditer(text):
        found = match.group().rstrip(".:") or match.group()
        try:
            ipaddress.ip_address(found)
        except ValueError:
            continue
        if any(char.isdigit() for char in found):
            yield found
