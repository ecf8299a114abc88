"""What a test tells the server to do next: queued faults, chaos."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from tests.x_server.fault import Fault
from tests.x_server.faults import FAULTS, SLOW_FAULTS
from tests.x_server.limits import PER_USER, POST

Times = int | Literal["forever"]


@dataclass
class _Queued:
    """A fault that waits for its request; `times` None means for ever, `route` None any."""

    name: str
    route: str | None
    times: int | None


class Script:
    """Queues of faults; each is consumed in order by the requests it fits."""

    def __init__(self) -> None:
        self._faults: list[_Queued] = []
        self._chaos: tuple[random.Random, float, list[str], frozenset[str]] | None = None

    def fail(self, name: str, times: Times = 1, route: str | None = POST) -> None:
        """Queues the fault of that name in FAULTS for the next requests to that route (None: to any)."""
        _known([name])
        if route is not None and route not in PER_USER:
            raise KeyError(f"there is no route {route!r}; there are {', '.join(PER_USER)}")
        self._faults.append(_Queued(name, route, None if times == "forever" else times))

    def mend(self) -> None:
        """Forgets every queued fault, and ends chaos."""
        self._faults, self._chaos = [], None

    def chaos(
        self, seed: int, rate: float, names: Collection[str] | None = None, routes: Collection[str] = tuple(PER_USER)
    ) -> None:
        """From now on each request to `routes` fails with that probability, by a fault drawn from `names`.

        Without names: every fault but those that a client can only wait out. The same seed fails the same requests.
        """
        drawn = sorted(FAULTS.keys() - SLOW_FAULTS if names is None else names)
        _known(drawn)
        self._chaos = (random.Random(seed), rate, drawn, frozenset(routes))

    def take_fault(self, route: str) -> tuple[str, Fault] | None:
        """The fault that strikes this request, if any, with its name."""
        for entry in self._faults:
            if entry.route in (None, route):
                if entry.times is not None:
                    entry.times -= 1
                    if entry.times <= 0:
                        self._faults.remove(entry)
                return entry.name, FAULTS[entry.name]
        if self._chaos is None or route not in self._chaos[3]:
            return None
        source, rate, names, _ = self._chaos
        name = source.choice(names) if source.random() < rate else None
        return None if name is None else (name, FAULTS[name])


def _known(names: Collection[str]) -> None:
    for name in names:
        if name not in FAULTS:
            raise KeyError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
