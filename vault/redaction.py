"""No secret leaves: every log line and every journal row passes here first."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

MASK = "[redacted]"

# What keys look like, whoever's they are: a secret that never came through the vault is caught by its shape.
SHAPES = re.compile(
    r"sk-(?:or-v1-|ant-|proj-|live-)?[A-Za-z0-9_-]{16,}"  # OpenRouter, Anthropic, OpenAI
    r"|(?:gsk_|AIza|ghp_|github_pat_|xox[abp]-|whsec_|rk_live_|sk_live_)[A-Za-z0-9_-]{16,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*"
)
SHORTEST = 6  # a shorter "secret" would mask ordinary words


class Redactor:
    """Masks the secrets it was given, wherever they stand, and whatever looks like one."""

    def __init__(self, secrets: Mapping[str, SecretStr]) -> None:
        values = (secret.get_secret_value() for secret in secrets.values())
        # Longest first, so that a secret containing another is masked whole.
        self._values = sorted((value for value in values if len(value) >= SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """`text` with every secret in it masked."""
        for value in self._values:
            text = text.replace(value, MASK)
        return SHAPES.sub(MASK, text)

    def json(self, data: Any) -> Any:
        """JSON-like `data` with every secret in its strings and keys masked."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {self.json(key): self.json(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.json(value) for value in data]
        return data


class RedactingFilter(logging.Filter):
    """Put on a log handler, it masks message, arguments and traceback of whatever passes."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redactor.text(record.getMessage()), None
        if record.exc_info and record.exc_info[0] is not None:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, self._redactor.text(text)
        elif record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        return True
