"""A protocol-true X API v2 for tests: real HTTP, real signatures, real bills, every known failure on demand."""

from tests.x_server.account import PRICES, Bill, Item
from tests.x_server.fault import Fault, Kind
from tests.x_server.faults import FAULTS, LASTING_FAULTS, SLOW_FAULTS
from tests.x_server.limits import ME, MENTIONS, POST, TIMELINE
from tests.x_server.posts import Tweet, User
from tests.x_server.server import XServer
from tests.x_server.world import KEYS, Request

__all__ = [
    "FAULTS",
    "KEYS",
    "LASTING_FAULTS",
    "ME",
    "MENTIONS",
    "POST",
    "PRICES",
    "SLOW_FAULTS",
    "TIMELINE",
    "Bill",
    "Fault",
    "Item",
    "Kind",
    "Request",
    "Tweet",
    "User",
    "XServer",
]
