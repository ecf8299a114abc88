"""A post's text as X sees it: how long it is, what in it is a URL, how it is shown.

Measured by twitter-text (`twitter-text-parser`), imported at the first post, so that no other test needs it.
"""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ai.social import x_text

LIMIT = 280


@dataclass(frozen=True)
class Link:
    """A URL in a text as shown: from where to where (code points), its t.co address, what the author wrote."""

    start: int
    end: int
    short: str
    written: str

    def to_json(self) -> dict[str, Any]:
        """One of `entities.urls`."""
        expanded = self.written if "://" in self.written else f"http://{self.written}"
        shown = expanded.split("://", 1)[1]
        return {
            "start": self.start,
            "end": self.end,
            "url": self.short,
            "expanded_url": expanded,
            "display_url": shown if len(shown) <= 26 else shown[:26] + "…",
        }


@dataclass(frozen=True)
class Shown:
    """A text as every answer gives it: trimmed, `&`, `<` and `>` as HTML entities, URLs behind t.co."""

    text: str
    links: list[Link] = field(default_factory=list)


def weight(text: str) -> int:
    """The weighted length, of which 280 are allowed."""
    return int(_twitter_text().parse_tweet(text).weightedLength)


def fits(text: str) -> bool:
    """Whether X takes it: neither empty nor too long, no forbidden characters."""
    return bool(_twitter_text().parse_tweet(text).valid)


def urls(text: str) -> list[str]:
    """What X takes for a URL, `example.org` without a scheme included; each makes the post a post with a URL."""
    return [found["url"] for found in _twitter_text().extract_urls_with_indices(text)]


def show(text: str) -> Shown:
    """The text as it is shown."""
    text = text.strip()
    shown, links, at = "", [], 0
    for found in _twitter_text().extract_urls_with_indices(text):
        start, end = found["indices"]
        shown += html.escape(text[at:start], quote=False)
        short = f"https://t.co/{hashlib.sha256(found['url'].encode()).hexdigest()[:10]}"
        links.append(Link(len(shown), len(shown) + len(short), short, found["url"]))
        shown, at = shown + short, end
    return Shown(shown + html.escape(text[at:], quote=False), links)


@cache
def _twitter_text() -> Any:
    return x_text._parser()  # it lends the package what newer setuptools no longer bring
