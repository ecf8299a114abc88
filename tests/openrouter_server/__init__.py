"""A protocol-true OpenRouter for tests: real HTTP, real bills, every documented failure on demand."""

from tests.openrouter_server.account import Account, Bill, Key
from tests.openrouter_server.catalogue import CATALOGUE, Model
from tests.openrouter_server.fault import Fault, Kind
from tests.openrouter_server.faults import FAULTS, SLOW_FAULTS
from tests.openrouter_server.pricing import Cost, Usage, cost_of, nanos
from tests.openrouter_server.replies import Reply, ToolCall, UsageShape
from tests.openrouter_server.server import OpenRouterServer, unreachable_urls
from tests.openrouter_server.world import DEFAULT_KEY, Call

__all__ = [
    "CATALOGUE",
    "DEFAULT_KEY",
    "FAULTS",
    "SLOW_FAULTS",
    "Account",
    "Bill",
    "Call",
    "Cost",
    "Fault",
    "Key",
    "Kind",
    "Model",
    "OpenRouterServer",
    "Reply",
    "ToolCall",
    "Usage",
    "UsageShape",
    "cost_of",
    "nanos",
    "unreachable_urls",
]
