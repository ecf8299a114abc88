"""A text as X counts and links it. The parser is heavy and loads at its first use."""

from __future__ import annotations

import html
import importlib.resources
import re
import sys
import types
import unicodedata
from functools import cache
from typing import Any

SHORTENED = re.compile(r"https?://t\.co/\w+")
ROUNDS = 10  # a text of nothing but dots is broken up this often, then its links go altogether


@cache
def _parser() -> Any:
    """The package `twitter_text`, which reads one file of its own through pkg_resources, a module that setuptools
    no longer brings (since 82). It is lent the one function it calls."""
    lent = types.ModuleType("pkg_resources")
    lent.resource_string = _resource_string  # type: ignore[attr-defined]  # a module made here has no attributes yet
    there = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = lent
    try:
        import twitter_text
    finally:
        del sys.modules["pkg_resources"]
        if there is not None:
            sys.modules["pkg_resources"] = there
    return twitter_text


def _resource_string(module: str, name: str) -> bytes:
    return importlib.resources.files(module.rpartition(".")[0]).joinpath(name).read_bytes()


def weighted_length(text: str) -> int:
    """The length as X counts it: a link is 23, an emoji 2, most scripts outside Latin 2 a sign."""
    return int(_parser().parse_tweet(text).weightedLength)


def has_link(text: str) -> bool:
    """Whether X would make a link of anything in `text`, which makes the post thirteen times dearer."""
    return bool(_parser().extract_urls(text))


def without_links(text: str) -> str:
    """`text` in which X finds no link: addresses go, and a name like “example.com” is broken behind its dot."""
    text = re.sub(r"[ \t]*https?://\S+", "", text)
    for _ in range(ROUNDS):
        found = _parser().extract_urls_with_indices(text)
        if not found:
            break
        for url in reversed(found):
            start, end = url["indices"]
            text = text[:start] + re.sub(r"\.(?=\S)", ". ", text[start:end]) + text[end:]
    for url in _parser().extract_urls(text):
        text = text.replace(url, "")
    return text.strip()


def clean(text: str) -> str:
    """`text` in the form X keeps it in: composed, its line ends plain, nothing in it that X refuses."""
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(char for char in composed if char == "\n" or unicodedata.category(char) not in ("Cc", "Cn", "Cs"))


def is_same(mine: str, theirs: str) -> bool:
    """Whether a post on X is ours: X escapes three signs, shortens every link, and trims."""
    for url in _parser().extract_urls(mine):
        mine = mine.replace(url, " link ")
    return _bare(mine) == _bare(SHORTENED.sub(" link ", html.unescape(theirs)))


def _bare(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
