"""The state of the test server: its models, its account, what it was asked and what it is set to do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from starlette.requests import Request

from tests.openrouter_server import spec
from tests.openrouter_server.account import Account, Bill, Key
from tests.openrouter_server.catalogue import CATALOGUE, STOPS_BILLING_ON_ABORT, Model
from tests.openrouter_server.replies import UsageShape
from tests.openrouter_server.script import CHAT, Script
from tests.serving.exchange import Connections

PREFIX = "/api/v1"
DEFAULT_KEY = "sk-or-v1-" + "0123456789abcdef" * 4
AbortBilling = Literal["generated", "everything", "nothing"]


def utc_now() -> datetime:
    """The real time, UTC."""
    return datetime.now(UTC)


@dataclass
class Call:
    """One request as the server received it, and what became of it.

    path: without the /api/v1 prefix. body: the parsed JSON, None when there was none or it was no JSON.
    model: the one asked for. status: the HTTP status sent (0: none was). answered_by: the model that
    answered. fault: its name.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    model: str | None
    when: datetime
    status: int = 0
    answered_by: str | None = None
    generation_id: str | None = None
    fault: str | None = None
    attempts: list[str] = field(default_factory=list)


class World(Script):
    """Everything a test may set or read.

    account: credits, keys, bills. models: the catalogue by id (edit it freely). clock: returns the aware UTC
    time.
    enforce_free_tier: whether `:free` models are limited to 20 a minute and 50 (1,000) a UTC day.
    generation_404s: how often `GET /generation` says 404 before it gives the record.
    abort_billing: model id → what a stream that the client broke off costs; by default as its provider does.
    usage_shape, tokens_per_chunk, slow_delay_s (seconds between the pieces of the fault `slow`): how streams
    look.
    calls, violations: every request received; where one did not fit the OpenAPI (with `strict`).
    """

    def __init__(
        self,
        *,
        models: Iterable[Model] = CATALOGUE,
        total_credits: Decimal = Decimal(25),
        key_limit: Decimal | None = None,
        clock: Callable[[], datetime] = utc_now,
        strict: bool | None = None,
    ) -> None:
        super().__init__()
        self.api_key = DEFAULT_KEY
        self.account = Account(total_credits=total_credits, keys={DEFAULT_KEY: Key(DEFAULT_KEY, limit=key_limit)})
        self.models: dict[str, Model] = {model.id: model for model in models}
        self.clock = clock
        self.strict = spec.path() is not None if strict is None else strict
        self.enforce_free_tier = False
        self.generation_404s = 1
        self.abort_billing: dict[str, AbortBilling] = {}
        self.usage_shape = UsageShape.EMPTY_CHOICES
        self.tokens_per_chunk = 4
        self.slow_delay_s = 0.02
        self.calls: list[Call] = []
        self.violations: list[str] = []
        self.connections: Connections = {}
        self.stopping = asyncio.Event()
        self.pauses: list[asyncio.Event] = []
        self._numbers = itertools.count(1)

    @property
    def bills(self) -> list[Bill]:
        """Every generation that came to an end, free and uncharged ones with 0 nanos."""
        return self.account.bills

    @property
    def billed_nanos(self) -> int:
        """The sum of all bills, nano-US-dollars."""
        return sum(bill.nanos for bill in self.bills)

    @property
    def total_credits(self) -> Decimal:
        """US dollars ever bought; set it to top up."""
        return self.account.total_credits

    @total_credits.setter
    def total_credits(self, dollars: Decimal) -> None:
        self.account.total_credits = dollars

    @property
    def key(self) -> Key:
        """The key `api_key`: its limit may be set."""
        return self.account.keys[self.api_key]

    def add_key(self, secret: str, limit: Decimal | None = None, limit_reset: str | None = None) -> Key:
        """A further key of the account; `limit` in US dollars."""
        self.account.keys[secret] = Key(secret, f"{secret[:12]}...{secret[-3:]}", limit, limit_reset)
        return self.account.keys[secret]

    def calls_to(self, model: str | None) -> list[Call]:
        """The chat calls that asked for that model first; None for all chat calls."""
        return [call for call in self.calls if call.path == CHAT and model in (None, call.model)]

    def attempts_on(self, model: str) -> int:
        """How often that model was tried, as first choice or as a fallback out of `models`."""
        return sum(call.attempts.count(model) for call in self.calls)

    def now(self) -> datetime:
        """The server's time, aware, UTC."""
        return self.clock().astimezone(UTC)

    def new_id(self) -> str:
        """A generation id, growing."""
        return f"gen-{int(self.now().timestamp())}-{next(self._numbers):020d}"

    def billing_after_abort(self, model: Model) -> AbortBilling:
        """What a stream that was broken off costs at that model's provider."""
        usual: AbortBilling = "generated" if model.provider in STOPS_BILLING_ON_ABORT else "everything"
        return self.abort_billing.get(model.id, usual)

    async def record(self, request: Request) -> Call:
        """Reads a request whole and notes it, with where it does not fit the OpenAPI."""
        raw = await request.body()
        body = spec.parse(raw)
        path = request.url.path.removeprefix(PREFIX)
        model = body.get("model") if isinstance(body, dict) else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, path, dict(request.query_params), headers, body, model, self.now())
        self.calls.append(call)
        if self.strict and path == CHAT:
            try:
                spec.validate_request(path, request.method, body)
            except spec.SpecMismatchError as mismatch:
                self.violations.append(str(mismatch))
        return call
