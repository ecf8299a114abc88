"""OAuth 1.0a as the server checks it: HMAC-SHA1 over method, address and parameters (RFC 5849).

Written from the RFC rather than with the client's library, so that the two prove each other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote

# What clients sign, wherever they were sent: they rewrite the address after the signing.
SIGNED_ORIGIN = "https://api.twitter.com"
STALE_S = 300
FORM = "application/x-www-form-urlencoded"
_PAIR = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*')


class OAuth:
    """One app and one user of it.

    keys: consumer_key, consumer_secret, access_token, access_token_secret.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._seen: set[tuple[str, str]] = set()

    def refusal(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_s: float
    ) -> str | None:
        """Why the request is not let in; None when it is. A request that is let in uses its nonce up.

        query: the raw query string. headers: with lower-case names. body: it is signed only as a form. now_s: epoch
        seconds, against which the timestamp is held.
        """
        sent = _parameters(headers.get("authorization", ""))
        if not sent:
            return "no OAuth 1.0a header"
        if sent.get("oauth_signature_method") != "HMAC-SHA1" or sent.get("oauth_version", "1.0") != "1.0":
            return "not HMAC-SHA1 of OAuth 1.0"
        if sent.get("oauth_consumer_key") != self._keys["consumer_key"]:
            return "unknown consumer key"
        if sent.get("oauth_token") != self._keys["access_token"]:
            return "unknown token"
        stamp, nonce = sent.get("oauth_timestamp", ""), sent.get("oauth_nonce", "")
        if not stamp.isdecimal() or abs(int(stamp) - now_s) > STALE_S:
            return "stale timestamp"
        if not nonce or (stamp, nonce) in self._seen:
            return "nonce missing or used before"
        form = body.decode("utf-8", "replace") if headers.get("content-type", "").startswith(FORM) else ""
        pairs = [*sent.items(), *parse_qsl(query, True), *parse_qsl(form, True)]
        expected = self._signature(method, SIGNED_ORIGIN + path, pairs)
        if not hmac.compare_digest(expected.encode(), sent.get("oauth_signature", "").encode()):
            return "wrong signature"
        self._seen.add((stamp, nonce))
        return None

    def _signature(self, method: str, url: str, pairs: list[tuple[str, str]]) -> str:
        signed = sorted(
            (_quoted(name), _quoted(value)) for name, value in pairs if name not in ("oauth_signature", "realm")
        )
        parameters = "&".join(f"{name}={value}" for name, value in signed)
        base = "&".join((method.upper(), _quoted(url), _quoted(parameters)))
        secret = "&".join((_quoted(self._keys["consumer_secret"]), _quoted(self._keys["access_token_secret"])))
        return base64.b64encode(hmac.new(secret.encode(), base.encode(), hashlib.sha1).digest()).decode()


def _parameters(header: str) -> dict[str, str]:
    """The parameters of an Authorization header of the scheme OAuth; empty when it is none."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    matches = [_PAIR.fullmatch(part) for part in rest.split(",")]
    return {match[1]: unquote(match[2]) for match in matches if match}


def _quoted(text: str) -> str:
    """Percent-encoding of RFC 5849, 3.6: everything but the unreserved characters."""
    return quote(text, safe="-._~")
